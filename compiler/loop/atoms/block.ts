/** Blocks of height x width, lane = token: the rows of a block share each activation that is loaded. */
import { assign, type Block, define, loop, type Register } from "../loop-builder.ts";
import {
  add,
  div,
  f32,
  f32x16,
  fma,
  int,
  load,
  loadIndex,
  min,
  mul,
  rem,
  splat,
  sub,
} from "../loop-expression.ts";
import type { LoopExpression } from "../loop-node.ts";
import type { ResolvedTerm } from "../step-node.ts";
import { bufferOf } from "../step-node.ts";
import { type TokenTile, tileRows, tokenBases } from "../tile-node.ts";

/** How the rows of a tile lie in the strips: in one strip, over whole strips, or anyhow. */
export type StripFit = "inside" | "whole" | "any";

/** acc[row][vector] += block value * x, lane = token. */
export function accumulateBlockTokens(
  block: Block,
  term: ResolvedTerm,
  tile: TokenTile,
  fit: StripFit,
): void {
  if (term.format.name !== "block-strips")
    throw new Error(`${term.format.name} where block-strips is needed`);
  const { height, width } = term.format;
  const bases = tokenBases(block, term.input, tile);
  const accumulateStrip = (
    strip: LoopExpression,
    firstRow: LoopExpression,
    sums: readonly (readonly Register[])[],
  ): void => {
    const stripStarts = bufferOf(term, "stripStarts");
    const from = define(block, "from", loadIndex(stripStarts, strip));
    const to = define(block, "to", loadIndex(stripStarts, add(strip, int(1))));
    loop(block, "entry", { from, to }, (inner, entry) => {
      const column = define(
        inner,
        "column",
        mul(loadIndex(bufferOf(term, "blockColumns"), entry), int(width)),
      );
      const start = define(inner, "start", add(mul(entry, int(width * height)), firstRow));
      loop(inner, "c", { from: int(0), to: int(width) }, (columnBlock, c) => {
        const input = define(columnBlock, "input", mul(add(column, c), int(16)));
        const x = bases.map((base) =>
          define(columnBlock, "x", load(term.input.buffer, add(base, input), f32x16)),
        );
        const line = define(columnBlock, "line", add(start, mul(c, int(height))));
        for (const [row, vectors] of sums.entries()) {
          const w = define(columnBlock, "w", splat(load(bufferOf(term, "values"), add(line, int(row)), f32)));
          for (const [vector, sum] of vectors.entries()) {
            const value = x[vector];
            if (value !== undefined) assign(columnBlock, sum, fma(value, w, sum.read));
          }
        }
      });
    });
  };
  // Strips and rows beyond the last ones repeat them: their sums are never stored.
  const lastStrip = sub(div(term.rows, int(height)), int(1));
  if (fit === "inside") {
    const strip = define(block, "strip", div(tile.row, int(height)));
    accumulateStrip(strip, define(block, "row_in_strip", rem(tile.row, int(height))), tile.sums);
  } else if (fit === "whole") {
    for (let first = 0; first < tile.sums.length; first += height) {
      const strip = add(div(tile.row, int(height)), int(first / height));
      accumulateStrip(
        define(block, "strip", min(strip, lastStrip)),
        int(0),
        tile.sums.slice(first, first + height),
      );
    }
  } else {
    const rows = tileRows(block, term.rows, tile);
    for (const [offset, sums] of tile.sums.entries()) {
      const row = rows[offset] ?? tile.row;
      accumulateStrip(define(block, "strip", div(row, int(height))), rem(row, int(height)), [sums]);
    }
  }
}
