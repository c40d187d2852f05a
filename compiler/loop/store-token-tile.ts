/**
 * The end of a lane = token tile: sums[row][vector] go to panels as they are, or to row-major memory through
 * an in-register transposition; only tokens of the batch and rows of the matrix are written.
 */
import { type Block, define, store, when } from "./loop-builder.ts";
import { add, batch, binary, both, compare, extract, f32, f32x16, int, load, min, mul, shuffle, sub } from "./loop-expression.ts";
import type { LoopExpression } from "./loop-node.ts";
import type { ResolvedStep } from "./step-node.ts";
import { stridedIndices } from "./stride-walk.ts";
import type { TokenTile } from "./tile-node.ts";
import { transposeRows } from "./transpose-panels.ts";

function storePanels(block: Block, step: ResolvedStep, tile: TokenTile, row: LoopExpression, left: LoopExpression) {
  const { output } = step;
  const put = (branch: Block, guarded: boolean): void => {
    const places = stridedIndices(branch, step.outputMap, row, tile.sums.length);
    for (const [offset, place] of places.entries()) {
      const vectors = tile.sums[offset] ?? [];
      const putRow = (inner: Block): void => {
        for (const [vector, sum] of vectors.entries()) {
          const at = add(mul(add(tile.panel, int(vector)), output.width), place);
          store(inner, output.buffer, mul(at, int(16)), sum.read);
        }
      };
      if (guarded) when(branch, compare("lt", int(offset), left), putRow);
      else putRow(branch);
    }
  };
  when(
    block,
    compare("ge", left, int(tile.sums.length)),
    (whole) => put(whole, false),
    (part) => put(part, true),
  );
}

const powerOfTwoFrom = (count: number): number => 2 ** Math.ceil(Math.log2(count));

function storeRowMajor(block: Block, step: ResolvedStep, tile: TokenTile, row: LoopExpression, left: LoopExpression) {
  const { output } = step;
  const rows = tile.sums.length;
  const firstToken = define(block, "first_token", mul(tile.panel, int(16)));

  const putToken = (inner: Block, token: LoopExpression, value: LoopExpression, count: LoopExpression | null): void => {
    const at = define(inner, "out", add(mul(token, output.width), row));
    const single = count === null && rows === 1;
    const type = single ? f32 : f32x16;
    const limit = single ? null : (count ?? int(rows));
    const taken = single ? extract(value, 0) : value;
    const before = load(output.buffer, at, type, limit);
    store(inner, output.buffer, at, step.accumulate ? binary("add", before, taken) : taken, limit);
  };

  const put = (branch: Block, guarded: boolean): void => {
    const count = guarded ? define(branch, "count", min(int(rows), left)) : null;
    for (let vector = 0; vector < tile.vectors; vector++) {
      const registers = tile.sums.flatMap((row) => row[vector]?.read ?? []);
      // Rows that fill up the network are copies of the first one: they are never stored.
      const padding = Array.from({ length: powerOfTwoFrom(rows) - rows }, () => registers.slice(0, 1)).flat();
      const width = powerOfTwoFrom(rows);
      for (const { value, tokens } of transposeRows(branch, [...registers, ...padding])) {
        for (const [chunk, token] of tokens.entries()) {
          const number = add(firstToken, int(vector * 16 + token));
          const toBottom = Array.from({ length: 16 }, (_, lane) => (chunk * width + lane) % 16);
          const moved = chunk === 0 ? value : shuffle(value, value, toBottom);
          if (guarded) when(branch, compare("lt", number, batch), (inner) => putToken(inner, number, moved, count));
          else putToken(branch, number, moved, null);
        }
      }
    }
  };
  const rowsFit = compare("ge", left, int(rows));
  const tokensFit = compare("ge", sub(batch, firstToken), int(tile.vectors * 16));
  when(
    block,
    both(rowsFit, tokensFit),
    (whole) => put(whole, false),
    (part) => put(part, true),
  );
}

/** Writes the tile to rows from `row` on, of which `left` exist. */
export function storeTokenTile(
  block: Block,
  step: ResolvedStep,
  tile: TokenTile,
  row: LoopExpression,
  left: LoopExpression,
): void {
  if (step.output.form === "panels") storePanels(block, step, tile, row, left);
  else storeRowMajor(block, step, tile, row, left);
}
