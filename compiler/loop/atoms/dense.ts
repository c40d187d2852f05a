/** Dense panels of 16 outputs (panel16, and each block of blockdiag16): one 64-byte line per input. */
import { assign, type Block, define, loop } from "../loop-builder.ts";
import { add, f32, f32x16, fma, int, load, mul, rem, splat, sub } from "../loop-expression.ts";
import type { LoopExpression } from "../loop-node.ts";
import type { ResolvedTerm } from "../step-node.ts";
import { bufferOf } from "../step-node.ts";
import type { StrideMap } from "../stride-map.ts";
import { createCursor } from "../stride-walk.ts";
import { type OutputTile, rowBases, type TokenTile, tokenBases } from "../tile-node.ts";

/** A panel of 16 outputs: its first element and the inputs that its lines stand for. */
export interface DensePanel {
  /** Index of the first element in `values`. */
  readonly start: LoopExpression;
  readonly lines: LoopExpression;
  /** Input of the first line, counted before `map`. */
  readonly firstInput: LoopExpression;
  readonly map: StrideMap<LoopExpression> | null;
  /** Lane = token: elements from one line to the next; 16 when left out. */
  readonly lineStride?: number;
}

/** acc[token][chain] += line * x, the lines dealt out to the chains in turn. */
export function accumulateDenseLanes(
  block: Block,
  term: ResolvedTerm,
  panel: DensePanel,
  tile: OutputTile,
): void {
  const values = bufferOf(term, "values");
  const bases = rowBases(block, term.input, tile);
  const cursor = createCursor(block, panel.map, panel.firstInput);
  const one = (inner: Block, k: LoopExpression, chain: number): void => {
    const line = define(inner, "w", load(values, add(panel.start, mul(k, int(16))), f32x16));
    const source = cursor.take(inner, k);
    for (const [token, base] of bases.entries()) {
      const sum = tile.sums[token]?.[chain];
      if (sum === undefined) continue;
      const x = splat(load(term.input.buffer, add(base, source), f32));
      assign(inner, sum, fma(line, x, sum.read));
    }
  };
  const whole = define(block, "whole", sub(panel.lines, rem(panel.lines, int(tile.chains))));
  loop(block, "k", { from: int(0), to: whole, step: tile.chains }, (inner, k) => {
    for (let chain = 0; chain < tile.chains; chain++) one(inner, add(k, int(chain)), chain);
  });
  if (tile.chains > 1) loop(block, "k", { from: whole, to: panel.lines }, (inner, k) => one(inner, k, 0));
}

/** acc[row][vector] += w * x over the lines; `rowStarts` are the elements of line 0 that belong to the rows of the tile. */
export function accumulateDenseTokens(
  block: Block,
  term: ResolvedTerm,
  panel: DensePanel,
  rowStarts: readonly LoopExpression[],
  tile: TokenTile,
): void {
  const values = bufferOf(term, "values");
  const stride = panel.lineStride ?? 16;
  const bases = tokenBases(block, term.input, tile);
  const cursor = createCursor(block, panel.map, panel.firstInput);
  loop(block, "k", { from: int(0), to: panel.lines }, (inner, k) => {
    const source = cursor.take(inner, k);
    const offset = mul(source, int(16));
    const x = bases.map((base) => define(inner, "x", load(term.input.buffer, add(base, offset), f32x16)));
    for (const [row, start] of rowStarts.entries()) {
      const w = define(inner, "w", splat(load(values, add(mul(k, int(stride)), start), f32)));
      for (const [vector, value] of x.entries()) {
        const sum = tile.sums[row]?.[vector];
        if (sum !== undefined) assign(inner, sum, fma(value, w, sum.read));
      }
    }
  });
}
