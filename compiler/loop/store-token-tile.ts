/**
 * The end of a lane = token tile: sums[row][vector] go to panels as they are, or to row-major memory through
 * an in-register transposition; only tokens of the batch and rows of the matrix are written.
 */
import { type Block, define, store, when } from "./loop-builder.ts";
import {
  add,
  batch,
  binary,
  compare,
  extract,
  f32x16,
  int,
  load,
  mul,
  shuffle,
  sub,
  typeOf,
} from "./loop-expression.ts";
import type { LoopExpression } from "./loop-node.ts";
import { featureAt, featureStride, type ResolvedStep } from "./step-node.ts";
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
          const panel = mul(add(tile.panel, int(vector)), featureStride(output));
          const at = mul(add(panel, featureAt(output, place)), int(16));
          const before = load(output.buffer, at, f32x16);
          store(inner, output.buffer, at, step.accumulate ? binary("add", before, sum.read) : sum.read);
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

/**
 * Where each token of a vector starts in `y`. Each address is one addition after an earlier one: products of
 * token and width would be hoisted out of the loops, all sixteen of them, and spilled.
 */
function tokenAddresses(width: LoopExpression, first: LoopExpression) {
  const known = new Map<number, LoopExpression>([[0, first]]);
  return (block: Block, token: number): LoopExpression => {
    const step = known.has(token - 1) ? 1 : 4;
    const address =
      known.get(token) ?? define(block, "out", add(known.get(token - step) ?? first, mul(width, int(step))));
    known.set(token, address);
    return address;
  };
}

function storeRowMajor(
  block: Block,
  step: ResolvedStep,
  tile: TokenTile,
  row: LoopExpression,
  left: LoopExpression,
): void {
  const { output } = step;
  const rows = tile.sums.length;
  const width = powerOfTwoFrom(rows);
  const firstToken = define(block, "first_token", mul(tile.panel, int(16)));
  const start = define(block, "out", add(mul(firstToken, featureStride(output)), featureAt(output, row)));
  const lastVector = tile.vectors - 1;
  const tokensLeft = define(block, "tokens_left", sub(batch, add(firstToken, int(lastVector * 16))));

  /** One vector of tokens; `count` is null when all `rows` exist, `guarded` when tokens may be missing. */
  const putVector = (
    branch: Block,
    vector: number,
    first: LoopExpression,
    count: LoopExpression | null,
    guarded: boolean,
  ): void => {
    const registers = tile.sums.flatMap((sums) => sums[vector]?.read ?? []);
    // Rows that fill up the network are copies of the first one: they are never stored.
    const padding = Array.from({ length: width - rows }, () => registers.slice(0, 1)).flat();
    const addressOf = tokenAddresses(featureStride(output), first);
    const limit = count ?? (width === rows ? null : int(rows));
    for (const { value, tokens } of transposeRows(branch, [...registers, ...padding])) {
      for (const [chunk, token] of tokens.entries()) {
        const moved = takeChunk(value, chunk * width, limit === null ? width : 16);
        const at = addressOf(branch, token);
        const put = (inner: Block): void => {
          const before = load(output.buffer, at, typeOf(moved), limit);
          store(inner, output.buffer, at, step.accumulate ? binary("add", before, moved) : moved, limit);
        };
        if (guarded) when(branch, compare("lt", int(token), tokensLeft), put);
        else put(branch);
      }
    }
  };
  const putAll = (branch: Block, count: LoopExpression | null): void => {
    let first = start;
    for (let vector = 0; vector < lastVector; vector++) {
      putVector(branch, vector, first, count, false);
      first = define(branch, "out", add(first, mul(featureStride(output), int(16))));
    }
    // Only the last panel of the batch can be short of tokens.
    if (count !== null) putVector(branch, lastVector, first, count, true);
    else {
      when(
        branch,
        compare("ge", tokensLeft, int(16)),
        (whole) => putVector(whole, lastVector, first, null, false),
        (part) => putVector(part, lastVector, first, null, true),
      );
    }
  };
  when(
    block,
    compare("ge", left, int(rows)),
    (whole) => putAll(whole, null),
    (part) => putAll(part, left),
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
