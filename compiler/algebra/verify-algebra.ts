/** The verifier of the algebra: for each kind of term, sentences that must hold, at two levels of strictness. */
import { apply, number } from "../../runtime/contract/number-expression.ts";
import { sameDimension } from "../types/dimension.ts";
import { childrenOf } from "./algebra-graph.ts";
import type { AlgebraGraph, Term } from "./algebra-node.ts";

/** `built`: what the constructors promise. `normal`: what holds after normalising as well. */
export type AlgebraLevel = "built" | "normal";

interface Law {
  readonly kinds: readonly Term["kind"][];
  readonly level: AlgebraLevel;
  readonly sentence: string;
  readonly holds: (term: Term) => boolean;
}

const sameShape = (a: Term, b: Term): boolean =>
  sameDimension(a.rows, b.rows) && sameDimension(a.columns, b.columns);
const flatKinds = ["sum", "chain", "kron", "hadamard", "blockdiag"] as const;
const holdsNo =
  (...kinds: readonly Term["kind"][]) =>
  (term: Term): boolean =>
    childrenOf(term).every((child) => !kinds.includes(child.kind));
const neighbours = (term: Term): readonly (readonly [Term, Term])[] => {
  const members = childrenOf(term);
  return members.flatMap((member, index) => {
    const next = members[index + 1];
    return next === undefined ? [] : [[member, next] as const];
  });
};

/** A term of a kind that has no law is legal. */
export const algebraLaws: readonly Law[] = [
  {
    kinds: flatKinds,
    level: "built",
    sentence: "has at least two members",
    holds: (term) => childrenOf(term).length >= 2,
  },
  {
    kinds: flatKinds,
    level: "built",
    sentence: "has no member of its own kind",
    holds: (term) => childrenOf(term).every(({ kind }) => kind !== term.kind),
  },
  {
    kinds: ["sum", "hadamard", "mask", "scale"],
    level: "built",
    sentence: "has the shape of its operands",
    holds: (term) => childrenOf(term).every((child) => sameShape(child, term)),
  },
  {
    kinds: ["chain"],
    level: "built",
    sentence: "multiplies matrices that fit",
    holds: (term) => neighbours(term).every(([left, right]) => sameDimension(left.columns, right.rows)),
  },
  {
    kinds: ["mask", "indicator"],
    level: "built",
    sentence: "has the shape of its pattern",
    holds: (term) =>
      (term.kind !== "mask" && term.kind !== "indicator") ||
      (sameDimension(term.rows, term.pattern.rows) && sameDimension(term.columns, term.pattern.columns)),
  },
  {
    kinds: ["identity", "permutation", "diag"],
    level: "built",
    sentence: "is square",
    holds: (term) => sameDimension(term.rows, term.columns),
  },
  {
    kinds: ["kron"],
    level: "built",
    sentence: "has the product of its factors' shapes",
    holds: (term) => {
      const rows = apply("*", number(1), ...childrenOf(term).map((child) => child.rows));
      const columns = apply("*", number(1), ...childrenOf(term).map((child) => child.columns));
      return sameDimension(rows, term.rows) && sameDimension(columns, term.columns);
    },
  },
  {
    kinds: ["transpose"],
    level: "normal",
    sentence: "stands on a leaf, a window, an indicator or a mask",
    holds: (term) =>
      childrenOf(term).every(({ kind }) => ["leaf", "window", "indicator", "mask"].includes(kind)),
  },
  {
    kinds: ["chain", "kron", "hadamard", "mask", "transpose", "scale"],
    level: "normal",
    sentence: "holds no scale",
    holds: holdsNo("scale"),
  },
  { kinds: ["scale"], level: "normal", sentence: "does not scale a sum", holds: holdsNo("sum") },
  {
    kinds: ["scale"],
    level: "normal",
    sentence: "has a factor other than 0 and 1",
    holds: (term) =>
      term.kind !== "scale" ||
      term.factor.kind !== "number" ||
      (term.factor.value !== 0 && term.factor.value !== 1),
  },
  {
    kinds: ["sum", "chain", "kron", "hadamard", "mask", "scale", "transpose"],
    level: "normal",
    sentence: "holds no zero",
    holds: holdsNo("zero"),
  },
  { kinds: ["chain"], level: "normal", sentence: "holds no identity", holds: holdsNo("identity") },
  {
    kinds: ["sum"],
    level: "normal",
    sentence: "holds each term once",
    holds: (term) => {
      const operands = childrenOf(term).map((child) => (child.kind === "scale" ? child.operand : child));
      return new Set(operands).size === operands.length;
    },
  },
  {
    kinds: ["mask"],
    level: "normal",
    sentence: "does not repeat its operand's mask",
    holds: (term) =>
      term.kind !== "mask" || term.operand.kind !== "mask" || term.operand.pattern.name !== term.pattern.name,
  },
];

/** Broken laws as sentences, e.g. `chain %12 holds an identity`; empty when all hold. */
export function verifyAlgebra(graph: AlgebraGraph, level: AlgebraLevel): readonly string[] {
  const problems: string[] = [];
  const seen = new Set<Term>();
  const visit = (term: Term): void => {
    if (seen.has(term)) return;
    seen.add(term);
    childrenOf(term).forEach(visit);
    for (const law of algebraLaws) {
      if (law.level === "normal" && level === "built") continue;
      if (law.kinds.includes(term.kind) && !law.holds(term)) {
        problems.push(`${graph.transform}: ${term.kind} %${term.id} breaks "${law.sentence}"`);
      }
    }
  };
  visit(graph.root);
  return problems;
}
