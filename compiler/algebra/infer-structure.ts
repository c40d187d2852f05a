/**
 * The structure of a term, bottom-up by the transfer tables: a bound on its rank, where its zeros lie, what it is.
 * Requires nothing of the term; ensures that every claim is true of the dense matrix for all values.
 */
import { type NumberExpression, number, printNumber } from "../../runtime/contract/number-expression.ts";
import { sameDimension } from "../types/dimension.ts";
import { childrenOf, multiplyNumbers } from "./algebra-graph.ts";
import type { Term } from "./algebra-node.ts";
import { type BoundRow, entryRows, rankRows } from "./structure-bounds.ts";
import {
  closeStructure,
  describeClaim,
  implications,
  type Shape,
  type Structure,
  smallest,
} from "./structure-claims.ts";
import { claimRows } from "./structure-transfer.ts";

const known = new WeakMap<Term, Structure>();

function bounds(rows: readonly BoundRow[], term: Term, operands: readonly Structure[]): NumberExpression[] {
  return rows.flatMap(({ over, bound }) => (over === term.kind ? (bound(term, operands) ?? []) : []));
}

/** What is true of `term` for all values of its tensors. */
export function structureOf(term: Term): Structure {
  const before = known.get(term);
  if (before !== undefined) return before;
  const operands = childrenOf(term).map(structureOf);
  const claims = claimRows.flatMap((row) => (row.over === term.kind ? row.claims(term, operands) : []));
  const [entries = null] = bounds(entryRows, term, operands);
  const structure = closeStructure(term, {
    rank: smallest(term.rows, term.columns, ...bounds(rankRows, term, operands)),
    entries,
    claims,
  });
  known.set(term, structure);
  return structure;
}

/**
 * The parts of a structure that say something, the strongest first, each in a few words: `rank <= r`, `diagonal`,
 * `2 of 4 along the input`, `at most nnz entries`; empty for a full dense matrix.
 */
export function describeStructure(structure: Structure, shape: Shape): readonly string[] {
  const { claims, entries, rank } = structure;
  const implied = new Set(
    claims.flatMap((claim) =>
      implications
        .filter(({ from }) => from === claim.kind)
        .flatMap((row) => (row.claims?.(claim, shape) ?? []).map((weaker) => JSON.stringify(weaker))),
    ),
  );
  const own = claims.filter((claim) => !implied.has(JSON.stringify(claim)));
  if (own.some(({ kind }) => kind === "zero")) return ["zero"];
  const full = smallest(shape.rows, shape.columns);
  const counted =
    entries !== null &&
    !own.some(({ kind }) =>
      ["diagonal", "identity", "permutation", "groups", "block-diagonal"].includes(kind),
    );
  return [
    ...(sameDimension(rank, full) || (entries !== null && sameDimension(rank, smallest(entries, full)))
      ? []
      : [`rank <= ${printNumber(rank)}`]),
    ...own.map((claim) => describeClaim(claim, shape)),
    ...(counted && !sameDimension(entries, multiplyNumbers(shape.rows, shape.columns, number(1)))
      ? [`at most ${printNumber(entries)} entries`]
      : []),
  ];
}
