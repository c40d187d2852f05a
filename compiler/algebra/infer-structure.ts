/**
 * The structure of a term, bottom-up by the transfer tables: a bound on its rank, where its zeros lie, what it is.
 * Requires nothing of the term; ensures that every claim is true of the dense matrix for all values.
 */
import { type NumberExpression, printNumber } from "../../runtime/contract/number-expression.ts";
import { sameDimension } from "../types/dimension.ts";
import { childrenOf } from "./algebra-graph.ts";
import type { Term } from "./algebra-node.ts";
import { type BoundRow, entryRows, rankRows } from "./structure-bounds.ts";
import {
  closeStructure,
  describeClaim,
  implications,
  ownRank,
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
  const { claims, entries } = structure;
  const implied = new Set(
    claims.flatMap((claim) =>
      implications
        .filter(({ from }) => from === claim.kind)
        .flatMap((row) => (row.claims?.(claim, shape) ?? []).map((weaker) => JSON.stringify(weaker))),
    ),
  );
  const own = claims.filter((claim) => !implied.has(JSON.stringify(claim)));
  if (own.some(({ kind }) => kind === "zero")) return ["zero"];
  // What a claim says of rank and entries is not said twice.
  const said = (of: "rank" | "entries", bound: NumberExpression): boolean =>
    own.some((claim) =>
      implications.some((row) => {
        const found = row.from === claim.kind ? row[of]?.(claim, shape) : undefined;
        return found !== undefined && sameDimension(smallest(found, bound), found);
      }),
    );
  const rank = ownRank(shape, structure);
  const isSaid = rank === null || said("rank", rank) || (entries !== null && sameDimension(rank, entries));
  return [
    ...(isSaid ? [] : [`rank <= ${printNumber(rank)}`]),
    ...own.map((claim) => describeClaim(claim, shape)),
    ...(entries === null || said("entries", entries) ? [] : [`at most ${printNumber(entries)} entries`]),
  ];
}
