/**
 * The end of a lane = token tile: sums[row][vector] go to panels as they are, or to row-major memory through
 * an in-register transposition; only tokens of the batch and rows of the matrix are written.
 */
import { type Block, define, store, when } from "./loop-builder.ts";
import {
  add,
  batch,
  binary,
  both,
  compare,
  extract,
  int,
  load,
  min,
  mul,
  shuffle,
  sub,
  typeOf,
} from "./loop-expression.ts";
import type { LoopExpression } from "./loop-node.ts";
import type { ResolvedStep } from "./step-node.ts";
import { stridedIndices } from "./stride-walk.ts";
import type { TokenTile } from "./tile-node.ts";
import { transposeRows } from "./transpose-panels.ts";

function storePanels(
  block: Block,
  step: ResolvedStep,
  tile: TokenTile,
  row: LoopExpression,
  left: LoopExpression,
) {
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

/** Lanes from `first` on, as a value of `size` lanes. */
function takeChunk(value: LoopExpression, first: number, size: number): LoopExpression {
  if (size === 1) return extract(value, first);
  if (size === 16 && first === 0) return value;
  const lanes = Array.from({ length: size }, (_, lane) => (first + lane) % 16);
  return shuffle(value, value, lanes);
}

function storeRowMajor(
  block: Block,
  step: ResolvedStep,
  tile: TokenTile,
  row: LoopExpression,
  left: LoopExpression,
) {
  const { output } = step;
  const rows = tile.sums.length;
  const firstToken = define(block, "first_token", mul(tile.panel, int(16)));

  const width = powerOfTwoFrom(rows);
  /** `moved` holds the token's rows in its first lanes; `count` is null when all of `rows` exist. */
  const putToken = (
    inner: Block,
    token: LoopExpression,
    moved: LoopExpression,
    count: LoopExpression | null,
  ): void => {
    const at = define(inner, "out", add(mul(token, output.width), row));
    const limit = count ?? (width === rows ? null : int(rows));
    const before = load(output.buffer, at, typeOf(moved), limit);
    store(inner, output.buffer, at, step.accumulate ? binary("add", before, moved) : moved, limit);
  };

  const put = (branch: Block, guarded: boolean): void => {
    const count = guarded && rows > 1 ? define(branch, "count", min(int(rows), left)) : null;
    for (let vector = 0; vector < tile.vectors; vector++) {
      const registers = tile.sums.flatMap((sums) => sums[vector]?.read ?? []);
      // Rows that fill up the network are copies of the first one: they are never stored.
      const padding = Array.from({ length: width - rows }, () => registers.slice(0, 1)).flat();
      for (const { value, tokens } of transposeRows(branch, [...registers, ...padding])) {
        for (const [chunk, token] of tokens.entries()) {
          const number = add(firstToken, int(vector * 16 + token));
          const moved = takeChunk(value, chunk * width, count === null && width === rows ? width : 16);
          if (guarded)
            when(branch, compare("lt", number, batch), (inner) => putToken(inner, number, moved, count));
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
