/**
 * Constructors of terms. They hash-cons (equal terms are one object) and keep what the representation promises:
 * sums, chains, Kronecker products and block diagonals are flat with at least two members, sums and Hadamard
 * products are sorted. All other identities are rules, see rewrite-rules.ts.
 */
import {
  apply,
  evaluateNumber,
  type NumberExpression,
  number,
  printNumber,
  symbolsOf,
} from "../../runtime/contract/number-expression.ts";
import type { CheckedPattern, CheckedTensor } from "../check/checked-module.ts";
import { canonicalDimension } from "../types/dimension.ts";
import type { Term } from "./algebra-node.ts";

/** Terms made by one factory may be compared with `===`; terms of two factories may not be mixed. */
export interface TermFactory {
  /** A tensor or a slice of a stacked one; a `diag` tensor gives its diagonal matrix. */
  leaf(tensor: CheckedTensor, slice: number | null): Term;
  diag(tensor: CheckedTensor): Term;
  indicator(pattern: CheckedPattern): Term;
  identity(size: NumberExpression): Term;
  zero(rows: NumberExpression, columns: NumberExpression): Term;
  permutation(size: NumberExpression, stride: NumberExpression): Term;
  /** @param width rows of the window, from `offset` on, of the identity of `size`. */
  window(size: NumberExpression, width: NumberExpression, offset: NumberExpression): Term;
  sum(terms: readonly [Term, ...Term[]]): Term;
  chain(factors: readonly [Term, ...Term[]]): Term;
  scale(factor: NumberExpression, operand: Term): Term;
  transpose(operand: Term): Term;
  mask(pattern: CheckedPattern, operand: Term): Term;
  hadamard(factors: readonly [Term, ...Term[]]): Term;
  kron(factors: readonly [Term, ...Term[]]): Term;
  blockdiag(blocks: readonly [Term, ...Term[]]): Term;
}

/** Canonical; without symbols it is one number. */
export function canonicalNumber(expression: NumberExpression): NumberExpression {
  const canonical = canonicalDimension(expression);
  if (canonical.kind !== "apply" || symbolsOf(canonical).length > 0) return canonical;
  return number(evaluateNumber(canonical, new Map()));
}

export const multiplyNumbers = (...factors: NumberExpression[]): NumberExpression =>
  canonicalNumber(apply("*", ...factors));
export const addNumbers = (...terms: NumberExpression[]): NumberExpression =>
  canonicalNumber(apply("+", ...terms));
export const divideNumbers = (a: NumberExpression, b: NumberExpression): NumberExpression =>
  canonicalNumber(apply("/", a, b));

/** @throws TypeError when `terms` is empty. */
export function nonEmpty<T>(terms: readonly T[]): readonly [T, ...T[]] {
  const [first, ...rest] = terms;
  if (first === undefined) throw new TypeError("a term of no members");
  return [first, ...rest];
}

/** The operands of a term, in order. */
export function childrenOf(term: Term): readonly Term[] {
  switch (term.kind) {
    case "sum":
      return term.terms;
    case "chain":
    case "kron":
    case "hadamard":
      return term.factors;
    case "blockdiag":
      return term.blocks;
    case "scale":
    case "transpose":
    case "mask":
      return [term.operand];
    default:
      return [];
  }
}

/** The same kind of term over other operands. */
export function withChildren(factory: TermFactory, term: Term, children: readonly Term[]): Term {
  const [first] = children;
  if (first === undefined || childrenOf(term).every((child, index) => child === children[index])) return term;
  switch (term.kind) {
    case "sum":
      return factory.sum(nonEmpty(children));
    case "chain":
    case "kron":
    case "hadamard":
      return factory[term.kind](nonEmpty(children));
    case "blockdiag":
      return factory.blockdiag(nonEmpty(children));
    case "scale":
      return factory.scale(term.factor, first);
    case "transpose":
      return factory.transpose(first);
    case "mask":
      return factory.mask(term.pattern, first);
    default:
      return term;
  }
}

type Unnumbered = Term extends infer T ? (T extends Term ? Omit<T, "id"> : never) : never;

/** @param tensors in declaration order, which is the order in which the terms of a sum are kept. */
export function createTermFactory(tensors: readonly CheckedTensor[]): TermFactory {
  const positions = new Map(tensors.map((tensor, index) => [tensor.name, index]));
  const terms = new Map<string, Term>();
  const signatures = new Map<Term, string>();
  const sortKeys = new Map<Term, string>();

  const signature = (term: Term): string => signatures.get(term) ?? "";
  const sortKey = (term: Term): string => sortKeys.get(term) ?? "";

  /** Leaves by declaration first, so that a sum reads as written; the signature breaks ties. */
  const leafOrder = (term: Unnumbered): string => {
    const own =
      "tensor" in term ? [String(positions.get(term.tensor.name) ?? positions.size).padStart(4, "0")] : [];
    const inside = childrenOf(term as Term).map((child) => sortKey(child).split("|")[0] ?? "");
    return [...own, ...inside].filter((positions) => positions !== "").join(",");
  };
  const intern = (key: string, term: Unnumbered): Term => {
    const known = terms.get(key);
    if (known !== undefined) return known;
    const fresh = { ...term, id: terms.size } as Term;
    terms.set(key, fresh);
    signatures.set(fresh, key);
    sortKeys.set(fresh, `${leafOrder(term)}|${key}`);
    return fresh;
  };
  const sorted = (members: readonly Term[]): Term[] =>
    [...members].sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : sortKey(a) > sortKey(b) ? 1 : 0));
  const keyOf = (kind: string, members: readonly Term[]): string =>
    `${kind}(${members.map(signature).join("; ")})`;
  const flat = (
    kind: "sum" | "chain" | "kron" | "hadamard" | "blockdiag",
    members: readonly Term[],
  ): readonly [Term, ...Term[]] =>
    nonEmpty(members.flatMap((member) => (member.kind === kind ? childrenOf(member) : [member])));
  const last = (members: readonly [Term, ...Term[]]): Term => members[members.length - 1] ?? members[0];

  const factory: TermFactory = {
    leaf(tensor, slice) {
      if (tensor.structure === "diag" || tensor.dimensions.length === 1) return factory.diag(tensor);
      const [rows = number(1), columns = number(1)] = tensor.dimensions.slice(-2).map(canonicalNumber);
      return intern(`leaf(${tensor.name}, ${slice})`, { kind: "leaf", tensor, slice, rows, columns });
    },
    diag(tensor) {
      const size = canonicalNumber(tensor.dimensions[0] ?? number(1));
      return intern(`diag(${tensor.name})`, { kind: "diag", tensor, rows: size, columns: size });
    },
    indicator(pattern) {
      const shape = { rows: canonicalNumber(pattern.rows), columns: canonicalNumber(pattern.columns) };
      return intern(`indicator(${pattern.name})`, { kind: "indicator", pattern, ...shape });
    },
    identity(size) {
      const rows = canonicalNumber(size);
      return intern(`identity(${printNumber(rows)})`, { kind: "identity", rows, columns: rows });
    },
    zero(rows, columns) {
      const shape = { rows: canonicalNumber(rows), columns: canonicalNumber(columns) };
      return intern(`zero(${printNumber(shape.rows)}, ${printNumber(shape.columns)})`, {
        kind: "zero",
        ...shape,
      });
    },
    permutation(size, stride) {
      const [rows, step] = [canonicalNumber(size), canonicalNumber(stride)];
      const key = `permutation(${printNumber(rows)}, ${printNumber(step)})`;
      return intern(key, { kind: "permutation", rows, columns: rows, stride: step });
    },
    window(size, width, offset) {
      const [columns, rows, start] = [size, width, offset].map(canonicalNumber) as [
        NumberExpression,
        NumberExpression,
        NumberExpression,
      ];
      const key = `window(${printNumber(columns)}, ${printNumber(rows)}, ${printNumber(start)})`;
      return intern(key, { kind: "window", rows, columns, offset: start });
    },
    sum(given) {
      const members = nonEmpty(sorted(flat("sum", given)));
      if (members.length === 1) return members[0];
      const { rows, columns } = members[0];
      return intern(keyOf("sum", members), { kind: "sum", terms: members, rows, columns });
    },
    chain(given) {
      const members = flat("chain", given);
      if (members.length === 1) return members[0];
      const shape = { rows: members[0].rows, columns: last(members).columns };
      return intern(keyOf("chain", members), { kind: "chain", factors: members, ...shape });
    },
    scale(factor, operand) {
      const canonical = canonicalNumber(factor);
      const { rows, columns } = operand;
      const key = `scale(${printNumber(canonical)}; ${signature(operand)})`;
      return intern(key, { kind: "scale", factor: canonical, operand, rows, columns });
    },
    transpose(operand) {
      const shape = { rows: operand.columns, columns: operand.rows };
      return intern(keyOf("transpose", [operand]), { kind: "transpose", operand, ...shape });
    },
    mask(pattern, operand) {
      const { rows, columns } = operand;
      return intern(`mask(${pattern.name}; ${signature(operand)})`, {
        kind: "mask",
        pattern,
        operand,
        rows,
        columns,
      });
    },
    hadamard(given) {
      const members = nonEmpty(sorted(flat("hadamard", given)));
      if (members.length === 1) return members[0];
      const { rows, columns } = members[0];
      return intern(keyOf("hadamard", members), { kind: "hadamard", factors: members, rows, columns });
    },
    kron(given) {
      const members = flat("kron", given);
      if (members.length === 1) return members[0];
      const rows = multiplyNumbers(...members.map((member) => member.rows));
      const columns = multiplyNumbers(...members.map((member) => member.columns));
      return intern(keyOf("kron", members), { kind: "kron", factors: members, rows, columns });
    },
    blockdiag(given) {
      const members = flat("blockdiag", given);
      if (members.length === 1) return members[0];
      const rows = addNumbers(...members.map((member) => member.rows));
      const columns = addNumbers(...members.map((member) => member.columns));
      return intern(keyOf("blockdiag", members), { kind: "blockdiag", blocks: members, rows, columns });
    },
  };
  return factory;
}
