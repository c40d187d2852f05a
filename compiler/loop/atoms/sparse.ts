/** Unstructured sparse operands: window-ell for lane = output, csr for lane = token. */
import { assign, type Block, declareRegister, define, loop, type Register, when } from "../loop-builder.ts";
import {
  add,
  binary,
  compare,
  f32,
  f32x16,
  fma,
  i32x16,
  int,
  load,
  loadIndex,
  mul,
  permute,
  rem,
  splat,
  sub,
  zeros,
} from "../loop-expression.ts";
import type { LoopExpression } from "../loop-node.ts";
import type { OperandTerm, ResolvedTerm } from "../step-node.ts";
import { bufferOf } from "../step-node.ts";
import { type OutputTile, rowBases, type TokenTile, tileRows, tokenBases } from "../tile-node.ts";

/** The lines of a panel of a window-ell operand, as a range. */
export function windowLines(
  block: Block,
  term: OperandTerm,
  panel: LoopExpression,
): { readonly from: LoopExpression; readonly to: LoopExpression } {
  const starts = bufferOf(term, "panelLines");
  const from = define(block, "first_line", loadIndex(starts, panel));
  return { from, to: define(block, "end_line", loadIndex(starts, add(panel, int(1)))) };
}

/** First input of the window of a line. */
export const windowStart = (block: Block, term: OperandTerm, line: LoopExpression): LoopExpression =>
  define(block, "first_input", mul(loadIndex(bufferOf(term, "windows"), line), int(16)));

/** Sums of one token or two would wait for each other; more tokens keep the units busy, and one loop ends sooner. */
const lineChains = (tokens: number): number => (tokens <= 2 ? 2 : 1);

/** acc[token][chain] += value * x[index], lane = output, the lines dealt out to the chains in turn. */
export function accumulateSparseLanes(
  block: Block,
  term: ResolvedTerm,
  panel: LoopExpression,
  tile: OutputTile,
): void {
  const values = bufferOf(term, "values");
  const indices = bufferOf(term, "indices");
  const bases = rowBases(block, term.input, tile);
  const chains = Math.min(lineChains(tile.sums.length), tile.chains);
  const { from, to } = windowLines(block, term, panel);
  const one = (inner: Block, line: LoopExpression, chain: number): void => {
    const firstInput = windowStart(inner, term, line);
    const windows = bases.map(() => declareRegister(inner, "x", zeros));
    const left = define(inner, "left", sub(term.columns, firstInput));
    const fill = (branch: Block, count: LoopExpression | null): void => {
      for (const [token, base] of bases.entries()) {
        const window = windows[token];
        if (window === undefined) continue;
        assign(branch, window, load(term.input.buffer, add(base, firstInput), f32x16, count));
      }
    };
    when(
      inner,
      compare("ge", left, int(16)),
      (branch) => fill(branch, null),
      (branch) => fill(branch, left),
    );
    const start = define(inner, "line_start", mul(line, int(16)));
    const w = define(inner, "w", load(values, start, f32x16));
    const index = define(inner, "pick", load(indices, start, i32x16));
    for (const [token, window] of windows.entries()) {
      const sum = tile.sums[token]?.[chain];
      if (sum !== undefined) assign(inner, sum, fma(w, permute(window.read, index), sum.read));
    }
  };
  const whole = define(block, "whole", sub(to, rem(sub(to, from), int(chains))));
  loop(block, "line", { from, to: whole, step: chains }, (inner, line) => {
    for (let chain = 0; chain < chains; chain++) one(inner, add(line, int(chain)), chain);
  });
  if (chains > 1) loop(block, "line", { from: whole, to }, (inner, line) => one(inner, line, 0));
}

/** Independent sums along a row that keep the multiply-add units busy while each one waits for its last result. */
const chainsAlongRow = (vectors: number): number => (vectors <= 2 ? 4 : 2);

/** acc[row][vector] += value * x[column], lane = token, one row after the other. */
export function accumulateSparseTokens(block: Block, term: ResolvedTerm, tile: TokenTile): void {
  const rowStarts = bufferOf(term, "rowStarts");
  const columns = bufferOf(term, "columns");
  const values = bufferOf(term, "values");
  const bases = tokenBases(block, term.input, tile);
  const chains = chainsAlongRow(tile.vectors);
  const rows = tileRows(block, term.rows, tile);
  for (const [row, sums] of tile.sums.entries()) {
    const at = rows[row] ?? tile.row;
    const from = define(block, "from", loadIndex(rowStarts, at));
    const to = define(block, "to", loadIndex(rowStarts, add(at, int(1))));
    const whole = define(block, "whole", sub(to, rem(sub(to, from), int(chains))));
    const extra = Array.from({ length: chains - 1 }, () =>
      sums.map(() => declareRegister(block, "part", zeros)),
    );
    const one = (inner: Block, entry: LoopExpression, into: readonly Register[]): void => {
      const input = define(inner, "input", mul(loadIndex(columns, entry), int(16)));
      const w = define(inner, "w", splat(load(values, entry, f32)));
      for (const [vector, base] of bases.entries()) {
        const sum = into[vector];
        if (sum === undefined) continue;
        assign(inner, sum, fma(load(term.input.buffer, add(base, input), f32x16), w, sum.read));
      }
    };
    loop(block, "entry", { from, to: whole, step: chains }, (inner, entry) => {
      for (const [chain, into] of [sums, ...extra].entries()) one(inner, add(entry, int(chain)), into);
    });
    loop(block, "entry", { from: whole, to }, (inner, entry) => one(inner, entry, sums));
    for (const part of extra) {
      for (const [vector, register] of part.entries()) {
        const sum = sums[vector];
        if (sum !== undefined) assign(block, sum, binary("add", sum.read, register.read));
      }
    }
  }
}
