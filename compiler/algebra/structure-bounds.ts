/** How bounds pass from operands to terms: of the rank, and of the number of entries that may differ from zero. */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { addNumbers, multiplyNumbers } from "./algebra-graph.ts";
import type { Term, TermKind } from "./algebra-node.ts";
import { hasClaim, ownRank, type Shape, type Structure, smallest } from "./structure-claims.ts";

type TermOf<Kind extends TermKind> = Extract<Term, { readonly kind: Kind }>;

/** Entries of a matrix. */
export const area = ({ rows, columns }: Shape): NumberExpression => multiplyNumbers(rows, columns);

/** Factors of which each only scales rows or columns. */
export const isScaling = (structure: Structure): boolean => hasClaim(structure, "diagonal");
const isMove = (structure: Structure): boolean => hasClaim(structure, "permutation");

/** The window that a term is, or is the transpose of. */
export const windowOf = (term: Term | undefined): TermOf<"window"> | null => {
  if (term?.kind === "window") return term;
  return term?.kind === "transpose" && term.operand.kind === "window" ? term.operand : null;
};

export interface BoundRow {
  readonly over: TermKind;
  readonly law: string;
  /** Null when nothing follows. */
  readonly bound: (term: Term, operands: readonly Structure[]) => NumberExpression | null;
}

const boundRow = <Kind extends TermKind>(
  over: Kind,
  law: string,
  bound: (term: TermOf<Kind>, operands: readonly Structure[]) => NumberExpression | null,
): BoundRow => ({ over, law, bound: bound as unknown as BoundRow["bound"] });

const ranks = (operands: readonly Structure[]): readonly NumberExpression[] =>
  operands.map(({ rank }) => rank);

/** The bounds of all operands, where each has one of its own. */
function ownRanks(
  terms: readonly Term[],
  operands: readonly Structure[],
): readonly NumberExpression[] | null {
  const own = terms.flatMap((term, index) => {
    const structure = operands[index];
    return structure === undefined ? [] : (ownRank(term, structure) ?? []);
  });
  return own.length === terms.length ? own : null;
}

export const rankRows: readonly BoundRow[] = [
  boundRow("scale", "rank(s X) <= rank(X)", (_, [operand]) => operand?.rank ?? null),
  boundRow("transpose", "rank(Xᵀ) = rank(X)", (_, [operand]) => operand?.rank ?? null),
  boundRow("sum", "rank(X + Y) <= rank(X) + rank(Y)", ({ terms }, operands) => {
    const own = ownRanks(terms, operands);
    return own === null ? null : addNumbers(...own);
  }),
  boundRow("chain", "rank(X Y) <= min(rank(X), rank(Y))", (_, operands) => smallest(...ranks(operands))),
  boundRow("hadamard", "rank(X ⊙ Y) <= rank(X) rank(Y)", ({ factors }, operands) => {
    const own = ownRanks(factors, operands);
    return own === null ? null : multiplyNumbers(...own);
  }),
  boundRow("kron", "rank(X ⊗ Y) = rank(X) rank(Y)", ({ factors }, operands) => {
    const isFull = factors.every((factor, index) => {
      const structure = operands[index];
      return structure === undefined || ownRank(factor, structure) === null;
    });
    return isFull ? null : multiplyNumbers(...ranks(operands));
  }),
  boundRow("blockdiag", "rank(X ⊕ Y) = rank(X) + rank(Y)", (_, operands) => addNumbers(...ranks(operands))),
];

/** At most one entry in each row and column: products with it have no more entries than the other factor. */
const isThin = (term: Term, structure: Structure): boolean =>
  isMove(structure) || isScaling(structure) || windowOf(term) !== null;

export const entryRows: readonly BoundRow[] = [
  boundRow("leaf", "a sparse tensor stores its entries", ({ tensor }) =>
    tensor.structure === "sparse" ? tensor.count : null,
  ),
  boundRow("window", "S has one entry a row", ({ rows }) => rows),
  boundRow("indicator", "1 on E has the entries of E", ({ pattern }) => pattern.count),
  boundRow("scale", "s X has no more entries than X", (_, [operand]) => operand?.entries ?? null),
  boundRow("transpose", "Xᵀ has the entries of X", (_, [operand]) => operand?.entries ?? null),
  boundRow("mask", "M ⊙ X has no more entries than M, and than X", ({ pattern }, [operand]) =>
    operand === undefined || operand.entries === null
      ? pattern.count
      : smallest(pattern.count, operand.entries),
  ),
  boundRow("hadamard", "X ⊙ Y has no more entries than X, and than Y", (_, operands) => {
    const known = operands.flatMap(({ entries }) => entries ?? []);
    return known.length === 0 ? null : smallest(...known);
  }),
  boundRow("sum", "X + Y has no more entries than both", (_, operands) => {
    const known = operands.flatMap(({ entries }) => entries ?? []);
    return known.length < operands.length ? null : addNumbers(...known);
  }),
  boundRow("chain", "a diagonal, permutation or window adds no entries", ({ factors }, operands) => {
    const others = operands.filter((operand, index) => {
      const factor = factors[index];
      return factor === undefined || !isThin(factor, operand);
    });
    const [only, ...more] = others;
    if (more.length > 0) return null;
    if (only !== undefined) return only.entries;
    const known = operands.flatMap(({ entries }) => entries ?? []);
    return known.length === 0 ? null : smallest(...known);
  }),
  boundRow("kron", "X ⊗ Y has the product of the entries", ({ factors }, operands) =>
    operands.every(({ entries }) => entries === null)
      ? null
      : multiplyNumbers(...factors.map((factor, index) => operands[index]?.entries ?? area(factor))),
  ),
  boundRow("blockdiag", "X ⊕ Y has the entries of both", ({ blocks }, operands) =>
    addNumbers(...blocks.map((block, index) => operands[index]?.entries ?? area(block))),
  ),
];
