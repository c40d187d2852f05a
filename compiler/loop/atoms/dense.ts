/** Dense panels of 16 outputs (panel16, and each block of blockdiag16): one 64-byte line per input. */
import { assign, type Block, define, loop, prefetch } from "../loop-builder.ts";
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

/** Lines that pass before the next group of tokens reads them again; one cache line of each token's inputs. */
const blockLines = 16;
/** Lines of a turn. */
const turnLines = 4;
/** Lines between a prefetch and its use: the loads of x fill the queue of the core long before it sees so far. */
const ahead = 64;

/**
 * acc[token][0] += line * x for groups of tokens, one after the other over 16 lines at a time: a line that comes from
 * memory has the work of all of them to come in, and the rows of x are followed a few at a time.
 */
export function accumulateDenseGroups(
  block: Block,
  term: ResolvedTerm,
  panel: DensePanel,
  groups: readonly OutputTile[],
): void {
  const values = bufferOf(term, "values");
  const placed = groups.map((group) => ({ group, bases: rowBases(block, term.input, group) }));
  const cursor = createCursor(block, panel.map, panel.firstInput);
  const lineAt = (k: LoopExpression): LoopExpression => add(panel.start, mul(k, int(16)));
  const one = (inner: Block, k: LoopExpression, { group, bases }: (typeof placed)[number]): void => {
    const line = define(inner, "w", load(values, lineAt(k), f32x16));
    const source = cursor.take(inner, k);
    for (const [token, base] of bases.entries()) {
      const sum = group.sums[token]?.[0];
      if (sum === undefined) continue;
      const x = splat(load(term.input.buffer, add(base, source), f32));
      assign(inner, sum, fma(line, x, sum.read));
    }
  };
  const whole = define(block, "whole", sub(panel.lines, rem(panel.lines, int(blockLines))));
  loop(block, "first", { from: int(0), to: whole, step: blockLines }, (lines, first) => {
    const range = { from: first, to: add(first, int(blockLines)), step: turnLines };
    for (const [number, part] of placed.entries()) {
      loop(lines, "k", range, (inner, k) => {
        for (let turn = 0; turn < turnLines; turn++) {
          if (turn % groups.length === number) prefetch(inner, values, lineAt(add(k, int(turn + ahead))));
          one(inner, add(k, int(turn)), part);
        }
      });
    }
  });
  for (const part of placed)
    loop(block, "k", { from: whole, to: panel.lines }, (inner, k) => one(inner, k, part));
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
