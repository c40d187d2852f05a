/**
 * Panels of bfloat16 times activations rounded to bfloat16, with lane = output: a vector of the panel holds two inputs of
 * 16 outputs, as the operand is packed for every level, and one instruction multiplies both.
 */
import { assign, type Block, define, loop, prefetch, when } from "../loop-builder.ts";
import {
  add,
  ceilDiv,
  compare,
  i32,
  i32x16,
  int,
  load,
  mul,
  pairDot,
  rem,
  splat,
  sub,
} from "../loop-expression.ts";
import type { LoopExpression } from "../loop-node.ts";
import { bufferOf, type Place, type ResolvedTerm } from "../step-node.ts";
import { type OutputTile, rowBases } from "../tile-node.ts";
import { cachedNumbers, linesAhead } from "./coded.ts";

/** Vectors of a turn. */
const turnVectors = 4;

/** acc[token][chain] += vector * pair, the vectors dealt out to the chains in turn. */
export function accumulatePairedLanes(
  block: Block,
  term: ResolvedTerm,
  pairs: Place,
  panel: LoopExpression,
  tile: OutputTile,
): void {
  const values = bufferOf(term, "values");
  const bases = rowBases(block, pairs, tile);
  const vectors = define(block, "vectors", ceilDiv(term.columns, 2));
  const start = define(block, "values_start", mul(mul(panel, vectors), int(16)));
  const vectorAt = (k: LoopExpression): LoopExpression => add(start, mul(k, int(16)));
  const one = (inner: Block, k: LoopExpression, chain: number): void => {
    const vector = define(inner, "w", load(values, vectorAt(k), i32x16));
    for (const [token, base] of bases.entries()) {
      const sum = tile.sums[token]?.[chain];
      if (sum === undefined) continue;
      const x = splat(load(pairs.buffer, add(base, k), i32));
      assign(inner, sum, pairDot(vector, x, sum.read));
    }
  };
  const turn = Math.max(turnVectors, tile.chains);
  const whole = define(block, "whole", sub(vectors, rem(vectors, int(turn))));
  const accumulate = (branch: Block, ahead: boolean): void =>
    loop(branch, "k", { from: int(0), to: whole, step: turn }, (inner, k) => {
      for (let at = 0; at < turn; at++) {
        if (ahead) prefetch(inner, values, vectorAt(add(k, int(at + linesAhead.bf16))));
        one(inner, add(k, int(at)), at % tile.chains);
      }
    });
  when(
    block,
    compare("lt", mul(term.rows, term.columns), int(cachedNumbers)),
    (branch) => accumulate(branch, false),
    (branch) => accumulate(branch, true),
  );
  loop(block, "k", { from: whole, to: vectors }, (inner, k) => one(inner, k, 0));
}
