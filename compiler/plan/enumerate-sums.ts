/**
 * Every way to apply a sum: each set partition of its terms into groups, a group of several terms formed as one matrix,
 * a term alone in each of its ways. Terms that cost the same whatever their numbers are exchange places only once.
 */
import { type NumberExpression, number, printNumber } from "../../runtime/contract/number-expression.ts";
import { childrenOf, nonEmpty } from "../algebra/algebra-graph.ts";
import type { Term } from "../algebra/algebra-node.ts";
import { isTrainable } from "../algebra/structure.ts";
import { waysOfTerm } from "./enumerate-terms.ts";
import { formedWays, type Way } from "./formed-ways.ts";
import type { AppliedSum, AppliedTerm } from "./linear-factors.ts";
import { addPieces, pieceOf } from "./matrix-operand.ts";
import { splitScale } from "./scaled-factors.ts";
import { mostPartitionedTerms, type Partition, setPartitions, type TermKind } from "./set-partitions.ts";
import { stackings } from "./stacked-inputs.ts";

/** What limits an enumeration, and what the limits cost. */
export interface Budget {
  /** Most ways of one sum. */
  readonly most: number;
  /** Claims of the author; a partition that breaks one is left out. */
  readonly allows: (groups: readonly (readonly Term[])[]) => boolean;
  /** Whether factors that read the input of the sum may be stacked. */
  readonly stacks: boolean;
}

export interface SumEnumeration {
  /** At most as many as the budget allows, the plainest first. */
  readonly sums: readonly AppliedSum[];
  /** How many there are without the budget; more than `sums` when it was hit, and then at least so many. */
  readonly total: number;
  /** More terms than are partitioned one by one: those of one stage and structure went together or stayed apart. */
  readonly byKinds: boolean;
}

export const termsOf = (term: Term): readonly Term[] => (term.kind === "sum" ? term.terms : [term]);

/** A leaf with its slice, or another term, as what its cost depends on. */
function costKey(term: Term): string {
  const size = `${printNumber(term.rows)}x${printNumber(term.columns)}`;
  const inner = childrenOf(term).map(costKey).join(",");
  const own =
    "tensor" in term
      ? `${term.tensor.role} ${term.tensor.structure} ${printNumber(term.tensor.count)} ${term.tensor.blocks === null ? "" : printNumber(term.tensor.blocks)}`
      : term.kind === "mask"
        ? JSON.stringify([term.pattern.shape, printNumber(term.pattern.count)])
        : term.kind === "permutation"
          ? printNumber(term.stride)
          : term.kind === "scale"
            ? "scaled"
            : "";
  return `${term.kind} ${size} ${own}(${inner})`;
}

function subtermsOf(term: Term): readonly Term[] {
  return [term, ...childrenOf(term).flatMap(subtermsOf)];
}

/** What a term is grouped by in a long sum. */
function kindOf(term: Term): TermKind {
  const stage = isTrainable(term) ? "step" : "load";
  const { operand } = splitScale(term);
  const structure = operand.kind === "chain" ? "product" : pieceOf(operand).structure.kind;
  return { fine: `${stage} ${structure}`, coarse: stage };
}

/** Terms with equal keys cost the same in every plan; one that shares a part with another term is like no other. */
function classesOf(terms: readonly Term[], distinct: ReadonlySet<Term>): readonly string[] {
  const owners = new Map<Term, number>();
  for (const term of terms)
    for (const part of new Set(subtermsOf(term))) owners.set(part, (owners.get(part) ?? 0) + 1);
  return terms.map((term, index) => {
    const parts = subtermsOf(term);
    const alone = parts.every(
      (part) => owners.get(part) === 1 && !distinct.has(part) && part.kind !== "window",
    );
    return alone ? costKey(term) : `${index}`;
  });
}

const appliedTerm = (covers: readonly Term[], scale: NumberExpression | null, way: Way): AppliedTerm => ({
  rows: covers[0]?.rows ?? number(0),
  covers,
  scale,
  factors: way.factors,
  parts: way.parts,
  rules: [...(scale === null ? [] : ["scale-into-operand"]), ...way.rules],
  traits: way.traits,
});

/** A group formed as one matrix, in every storage. */
function groupWays(root: Term, group: readonly Term[]): readonly AppliedTerm[] {
  const piece = addPieces(nonEmpty(group.map(pieceOf)));
  const whole = group.length === termsOf(root).length;
  const rule = piece.trainable ? (whole ? "merge-at-step" : "sum-at-step") : "frozen-sum-at-load";
  const trait = whole ? (piece.trainable ? "merged" : "dense") : "grouped";
  return formedWays(piece, { rules: [rule], traits: [trait] }).map((way) => appliedTerm(group, null, way));
}

/** The ways of a partition; lists of terms of one class run upwards only. */
function* choicesOf(
  lists: readonly (readonly AppliedTerm[])[],
  classes: readonly (string | null)[],
  at = 0,
  before: ReadonlyMap<string, number> = new Map(),
): Generator<readonly AppliedTerm[]> {
  const [list, kind] = [lists[at], classes[at]];
  if (list === undefined) {
    yield [];
    return;
  }
  const first = kind === null || kind === undefined ? 0 : (before.get(kind) ?? 0);
  for (let index = first; index < list.length; index++) {
    const chosen = list[index];
    if (chosen === undefined) continue;
    const next = kind === null || kind === undefined ? before : new Map(before).set(kind, index);
    for (const rest of choicesOf(lists, classes, at + 1, next)) yield [chosen, ...rest];
  }
}

/** Multisets of `picks` members of a list of `count`. */
function multisets(count: number, picks: number): number {
  let found = 1;
  for (let pick = 0; pick < picks; pick++) found = (found * (count + pick)) / (pick + 1);
  return found;
}

function countChoices(
  lists: readonly (readonly AppliedTerm[])[],
  classes: readonly (string | null)[],
): number {
  const alike = new Map<string, { readonly size: number; readonly picks: number }>();
  let total = 1;
  for (const [at, list] of lists.entries()) {
    const kind = classes[at];
    if (kind === null || kind === undefined) total *= list.length;
    else alike.set(kind, { size: list.length, picks: (alike.get(kind)?.picks ?? 0) + 1 });
  }
  for (const { size, picks } of alike.values()) total *= multisets(size, picks);
  return total;
}

/**
 * The ways to apply `root`, a sum or a single term.
 * @param distinct terms that claims of the author name, so that no other term stands for them.
 */
export function enumerateSum(
  root: Term,
  budget: Budget,
  distinct: ReadonlySet<Term> = new Set(),
): SumEnumeration {
  const terms = termsOf(root);
  const { rows, columns } = root;
  const nested: Budget = { most: budget.most, allows: () => true, stacks: false };
  const inner = (term: Extract<Term, { kind: "sum" }>): readonly AppliedSum[] =>
    enumerateSum(term, nested, distinct).sums;
  const alone = terms.map((term) => {
    const { factor, operand } = splitScale(term);
    return waysOfTerm(operand, inner).map((way) => appliedTerm([term], factor, way));
  });
  const classes = classesOf(terms, distinct);
  const groups = new Map<string, readonly AppliedTerm[]>();
  const waysOfGroup = (members: readonly number[]): readonly AppliedTerm[] => {
    const [only] = members;
    if (members.length === 1 && only !== undefined) return alone[only] ?? [];
    const key = members.join(",");
    const known =
      groups.get(key) ??
      groupWays(
        root,
        members.flatMap((index) => terms[index] ?? []),
      );
    groups.set(key, known);
    return known;
  };
  const sums: AppliedSum[] = [];
  let total = 0;
  for (const partition of allowed(setPartitions(classes, terms.map(kindOf)), terms, budget)) {
    const lists = partition.map(waysOfGroup);
    const kinds = partition.map((members) =>
      members.length === 1 ? (classes[members[0] ?? 0] ?? null) : null,
    );
    total += countChoices(lists, kinds);
    for (const chosen of choicesOf(lists, kinds)) {
      if (sums.length >= budget.most) break;
      sums.push({ rows, columns, terms: chosen });
    }
  }
  const stacked = budget.stacks ? sums.flatMap(stackings) : [];
  return {
    sums: [...sums, ...stacked.slice(0, budget.most - sums.length)],
    total: total + stacked.length,
    byKinds: terms.length > mostPartitionedTerms,
  };
}

/** The ways to apply a term that is no sum. */
export function enumerateTerm(term: Term, budget: Budget): readonly AppliedTerm[] {
  const { factor, operand } = splitScale(term);
  const inner = (sum: Extract<Term, { kind: "sum" }>): readonly AppliedSum[] =>
    enumerateSum(sum, budget).sums;
  return waysOfTerm(operand, inner).map((way) => appliedTerm([term], factor, way));
}

const allowed = (
  partitions: readonly Partition[],
  terms: readonly Term[],
  { allows }: Budget,
): readonly Partition[] =>
  partitions.filter((partition) =>
    allows(partition.map((members) => members.flatMap((index) => terms[index] ?? []))),
  );

/** Whether the whole weight, made of parts, is one dense matrix that is formed again after every step of training. */
export function isMergedWhole(root: Term, { terms }: AppliedSum): boolean {
  const [only, ...others] = terms;
  const [factor, ...rest] = only?.factors ?? [];
  if (factor?.kind !== "matrix" || others.length > 0 || rest.length > 0) return false;
  const { kind } = splitScale(root).operand;
  const hasParts = kind === "sum" || kind === "chain" || kind === "kron" || kind === "blockdiag";
  return hasParts && factor.storage === "dense" && isTrainable(root);
}
