/** A diagonal: one multiply for each output, whose input may be permuted. */
import { assign, type Block, define } from "../loop-builder.ts";
import { add, f32, f32x16, fma, int, load, min, mul, shuffle, splat, sub } from "../loop-expression.ts";
import type { LoopExpression } from "../loop-node.ts";
import type { ResolvedTerm } from "../step-node.ts";
import { bufferOf } from "../step-node.ts";
import { stridedIndices } from "../stride-walk.ts";
import { type OutputTile, rowBases, type TokenTile, tileRows, tokenBases } from "../tile-node.ts";

const replacing = (lane: number): number[] =>
  Array.from({ length: 16 }, (_, at) => (at === lane ? 16 + at : at));

/** acc[token] += d[row] * x[map(row)] for the 16 rows from `firstRow`, of which `rowsLeft` exist. */
export function accumulateDiagLanes(
  block: Block,
  term: ResolvedTerm,
  firstRow: LoopExpression,
  rowsLeft: LoopExpression,
  tile: OutputTile,
): void {
  const d = define(block, "d", load(bufferOf(term, "values"), firstRow, f32x16, rowsLeft));
  // Rows beyond the last one read any element that exists: their factor is zero and they are not stored.
  const last = define(block, "last", sub(term.columns, int(1)));
  const places = term.inputMap === null ? null : stridedIndices(block, term.inputMap, firstRow, 16);
  for (const [token, base] of rowBases(block, term.input, tile).entries()) {
    const sum = tile.sums[token]?.[0];
    if (sum === undefined) continue;
    const gather = (indices: readonly LoopExpression[]): LoopExpression => {
      const elements = indices.map((place) =>
        splat(load(term.input.buffer, add(base, min(place, last)), f32)),
      );
      return elements.reduce((vector, element, lane) =>
        define(block, "x", shuffle(vector, element, replacing(lane))),
      );
    };
    const x =
      places === null ? load(term.input.buffer, add(base, firstRow), f32x16, rowsLeft) : gather(places);
    assign(block, sum, fma(d, x, sum.read));
  }
}

/** acc[row][vector] += d[row] * x[map(row)], lane = token. */
export function accumulateDiagTokens(block: Block, term: ResolvedTerm, tile: TokenTile): void {
  const bases = tokenBases(block, term.input, tile);
  const last = define(block, "last", sub(term.columns, int(1)));
  const rows = tileRows(block, term.rows, tile);
  const places = stridedIndices(block, term.inputMap, tile.row, tile.sums.length);
  for (const [row, vectors] of tile.sums.entries()) {
    const d = define(block, "d", splat(load(bufferOf(term, "values"), rows[row] ?? tile.row, f32)));
    const offset = mul(min(places[row] ?? tile.row, last), int(16));
    for (const [vector, sum] of vectors.entries()) {
      const x = load(term.input.buffer, add(bases[vector] ?? int(0), offset), f32x16);
      assign(block, sum, fma(x, d, sum.read));
    }
  }
}
