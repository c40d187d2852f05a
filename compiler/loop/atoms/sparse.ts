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

/** Visits the lines of a panel of a window-ell operand: `visit(block, first input of the window, element of the line)`. */
export function forEachWindowLine(
  block: Block,
  term: OperandTerm,
  panel: LoopExpression,
  prepare: (inner: Block, firstInput: LoopExpression) => void,
  visit: (inner: Block, firstInput: LoopExpression, lineStart: LoopExpression) => void,
): void {
  const panelEntries = bufferOf(term, "panelEntries");
  const entries = bufferOf(term, "entries");
  const line = declareRegister(block, "line", loadIndex(bufferOf(term, "panelLines"), panel));
  const from = define(block, "first_entry", loadIndex(panelEntries, panel));
  const to = define(block, "end_entry", loadIndex(panelEntries, add(panel, int(1))));
  loop(block, "entry", { from, to }, (inner, entry) => {
    const window = loadIndex(entries, mul(entry, int(2)));
    const firstInput = define(inner, "first_input", mul(window, int(16)));
    const count = define(inner, "lines", loadIndex(entries, add(mul(entry, int(2)), int(1))));
    prepare(inner, firstInput);
    const end = define(inner, "end", add(line.read, count));
    loop(inner, "at", { from: line.read, to: end }, (lineBlock, at) => {
      visit(lineBlock, firstInput, define(lineBlock, "line_start", mul(at, int(16))));
    });
    assign(inner, line, end);
  });
}

/** acc[token] += value * x[index], lane = output. */
export function accumulateSparseLanes(
  block: Block,
  term: ResolvedTerm,
  panel: LoopExpression,
  tile: OutputTile,
): void {
  const values = bufferOf(term, "values");
  const indices = bufferOf(term, "indices");
  const bases = rowBases(block, term.input, tile);
  let windows: Register[] = [];
  forEachWindowLine(
    block,
    term,
    panel,
    (inner, firstInput) => {
      windows = bases.map(() => declareRegister(inner, "x", zeros));
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
    },
    (inner, _, lineStart) => {
      const w = define(inner, "w", load(values, lineStart, f32x16));
      const index = define(inner, "pick", load(indices, lineStart, i32x16));
      for (const [token, window] of windows.entries()) {
        const sum = tile.sums[token]?.[0];
        if (sum !== undefined) assign(inner, sum, fma(w, permute(window.read, index), sum.read));
      }
    },
  );
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
