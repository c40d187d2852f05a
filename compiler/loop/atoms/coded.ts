/**
 * Panels of 16 outputs in fewer bits than float32: codes of a grid with scales, or bfloat16. A line becomes 16 numbers in
 * registers. Lane = output multiplies them at once and applies the scale of a run to the run's sum; lane = token decodes
 * a stretch of lines into scratch, where every token of a tile reads it as a dense panel.
 */
import { isScaled } from "../../../runtime/contract/operand-format.ts";
import { assign, type Block, define, loop, prefetch, store, when } from "../loop-builder.ts";
import {
  add,
  binary,
  ceilDiv,
  compare,
  constant,
  convert,
  div,
  f32,
  f32x16,
  fma,
  i32x16,
  int,
  load,
  max,
  min,
  mul,
  permute,
  reinterpret,
  rem,
  splat,
  sub,
} from "../loop-expression.ts";
import type { LoopExpression } from "../loop-node.ts";
import { bufferOf, type ResolvedTerm } from "../step-node.ts";
import { declareSums, type OutputTile, rowBases, sumOfChains } from "../tile-node.ts";

/** How the lines of a panel lie in vectors of 16 lanes. */
interface LineCode {
  readonly buffer: string;
  /** Lines of one vector. */
  readonly perVector: number;
  /**
   * Vectors of 64 bytes that are asked for ahead of use, or 0. Decoding keeps the core busy for longer than it looks
   * ahead by itself, and the prefetcher of the memory stops at each page; `int8`, whose lines are a quarter of a
   * vector, has loads enough in flight.
   */
  readonly ahead: number;
  /** The numbers of line `place` of a vector, before their scale. */
  lineOf(block: Block, vector: LoopExpression, place: number | LoopExpression): LoopExpression;
}

interface Lines {
  readonly from: LoopExpression;
  readonly to: LoopExpression;
}

/** Lines that one turn of a loop takes: a whole number of vectors of every format. */
const linesPerTurn = 8;

/**
 * Fewer numbers of 16 bits (4 MiB) may well wait in the third level of the cache, where asking ahead costs an eighth of the
 * time of `bf16`; codes of 4 bits, which take longer to decode, lose nothing.
 */
export const cachedNumbers = 2 ** 21;

/** Vectors of 64 bytes that are asked for ahead of use. */
export const linesAhead = { table4: 32, bf16: 64 } as const;

/** Runs whose scales are asked for ahead of use: as far as the codes of runs of 32. */
const runsAhead = 8;

/** Bits that move the part of `place` to the lowest ones, of parts of `bits` each. */
const shiftOf = (place: number | LoopExpression, bits: number): LoopExpression =>
  typeof place === "number" ? constant(i32x16, place * bits) : splat(convert(mul(place, int(bits)), "i32"));

const shifted = (vector: LoopExpression, place: number | LoopExpression, bits: number): LoopExpression =>
  place === 0 ? vector : binary("shr", vector, shiftOf(place, bits));

const upperHalf = 0xffff_0000;

function codeOf(block: Block, term: ResolvedTerm): LineCode {
  switch (term.format.name) {
    case "table4-panel16": {
      const levels = define(block, "levels", load(bufferOf(term, "levels"), int(0), f32x16));
      return {
        buffer: bufferOf(term, "codes"),
        perVector: 8,
        ahead: linesAhead.table4,
        lineOf: (inner, vector, place) => permute(levels, define(inner, "code", shifted(vector, place, 4))),
      };
    }
    case "int8-panel16":
      return {
        buffer: bufferOf(term, "codes"),
        perVector: 1,
        ahead: 0,
        lineOf: (_, vector) => convert(vector, "f32"),
      };
    case "bf16-panel16":
      return {
        buffer: bufferOf(term, "values"),
        perVector: 2,
        ahead: linesAhead.bf16,
        // The first of two lies in the lower half; the second is masked out of the upper one.
        lineOf: (_, vector, place) =>
          reinterpret(
            place === 1
              ? binary("and", vector, constant(i32x16, upperHalf))
              : binary("shl", shifted(vector, place, 16), constant(i32x16, 16)),
          ),
      };
    default:
      throw new Error(`format ${term.format.name} holds no codes`);
  }
}

/**
 * A line of the panel: input `k` plus `place`, which is known, so that addresses that are made of `k` first take it as
 * their displacement.
 */
type VisitLine = (block: Block, k: LoopExpression, place: number, line: LoopExpression) => void;

/** Visits lines of the panel that starts at `start`, several a turn; the first one is the first of a vector. */
function forEachAlignedLine(
  block: Block,
  code: LineCode,
  start: LoopExpression,
  lines: Lines,
  visit: VisitLine,
): void {
  const { perVector } = code;
  const turns = div(sub(lines.to, lines.from), int(linesPerTurn));
  const whole = define(block, "whole", add(lines.from, mul(turns, int(linesPerTurn))));
  loop(block, "k", { from: lines.from, to: whole, step: linesPerTurn }, (inner, k) => {
    const first = define(inner, "vectors", add(start, mul(div(k, int(perVector)), int(16))));
    for (let at = 0; at < linesPerTurn; at += perVector) {
      if (code.ahead > 0) prefetch(inner, code.buffer, add(first, int((at / perVector + code.ahead) * 16)));
      const vector = define(
        inner,
        "coded",
        load(code.buffer, add(first, int((at / perVector) * 16)), i32x16),
      );
      for (let place = 0; place < perVector; place++) {
        visit(inner, k, at + place, define(inner, "w", code.lineOf(inner, vector, place)));
      }
    }
  });
  forEachSingleLine(block, code, start, { from: whole, to: lines.to }, visit);
}

function forEachSingleLine(
  block: Block,
  code: LineCode,
  start: LoopExpression,
  lines: Lines,
  visit: VisitLine,
): void {
  const perVector = int(code.perVector);
  loop(block, "k", lines, (inner, k) => {
    const at = add(start, mul(div(k, perVector), int(16)));
    const vector = define(inner, "coded", load(code.buffer, at, i32x16));
    const place = code.perVector === 1 ? 0 : define(inner, "place", rem(k, perVector));
    visit(inner, k, 0, define(inner, "w", code.lineOf(inner, vector, place)));
  });
}

/** First vector of a panel. */
const panelStart = (term: ResolvedTerm, code: LineCode, panel: LoopExpression): LoopExpression =>
  mul(mul(panel, ceilDiv(term.columns, code.perVector)), int(16));

/**
 * The runs of `lines` with the vector of their scales, which is null for a format without; `cut` unless the lines are
 * all of the panel. The lines of a run begin with a vector when runs are whole vectors.
 */
function forEachRun(
  block: Block,
  term: ResolvedTerm,
  panel: LoopExpression,
  { lines, cut }: { readonly lines: Lines; readonly cut: boolean },
  body: (inner: Block, lines: Lines, scale: LoopExpression | null) => void,
): void {
  if (!isScaled(term.format)) {
    body(block, lines, null);
    return;
  }
  const { run } = term;
  const runs = define(block, "runs", div(term.columns, run));
  const start = define(block, "scale_start", mul(mul(panel, runs), int(16)));
  const from = cut ? define(block, "first_run", div(lines.from, run)) : int(0);
  const to = cut ? define(block, "end_run", ceilDiv(lines.to, run)) : runs;
  loop(block, "run", { from, to }, (inner, number) => {
    const at = add(start, mul(number, int(16)));
    if (!cut) prefetch(inner, bufferOf(term, "scales"), add(at, int(16 * runsAhead)));
    const scale = define(inner, "scale", load(bufferOf(term, "scales"), at, f32x16));
    const first = define(inner, "first", mul(number, run));
    const end = define(inner, "end", add(first, run));
    const part = cut
      ? {
          from: define(inner, "first", max(first, lines.from)),
          to: define(inner, "end", min(end, lines.to)),
        }
      : { from: first, to: end };
    body(inner, part, scale);
  });
}

/** Whether lines of a run begin with a vector, known when the kernel is made or asked at run time. */
function forEachLine(
  block: Block,
  term: ResolvedTerm,
  code: LineCode,
  start: LoopExpression,
  lines: Lines,
  visit: VisitLine,
): void {
  const isWhole = isScaled(term.format) ? compare("eq", rem(term.run, int(code.perVector)), int(0)) : null;
  const aligned = (body: Block): void => forEachAlignedLine(body, code, start, lines, visit);
  if (isWhole === null || code.perVector === 1) aligned(block);
  else when(block, isWhole, aligned, (body) => forEachSingleLine(body, code, start, lines, visit));
}

/** acc[token][chain] += line * x; the sum of a run is multiplied by its scale. */
export function accumulateCodedLanes(
  block: Block,
  term: ResolvedTerm,
  panel: LoopExpression,
  tile: OutputTile,
): void {
  const code = codeOf(block, term);
  const bases = rowBases(block, term.input, tile);
  const start = define(block, "code_start", panelStart(term, code, panel));
  const all = { from: int(0), to: term.columns };
  const accumulate = (branch: Block, used: LineCode): void =>
    forEachRun(branch, term, panel, { lines: all, cut: false }, (inner, lines, scale) => {
      const sums = scale === null ? tile.sums : declareSums(inner, tile.sums.length, tile.chains);
      forEachLine(inner, term, used, start, lines, (body, k, place, line) => {
        for (const [token, base] of bases.entries()) {
          const sum = sums[token]?.[place % tile.chains];
          if (sum === undefined) continue;
          const x = load(term.input.buffer, add(add(base, k), int(place)), f32);
          assign(body, sum, fma(line, splat(x), sum.read));
        }
      });
      if (scale === null) return;
      for (const [token, chains] of sums.entries()) {
        const whole = tile.sums[token]?.[0];
        if (whole !== undefined)
          assign(inner, whole, fma(sumOfChains(chains.map(({ read }) => read)), scale, whole.read));
      }
    });
  if (isScaled(term.format)) {
    accumulate(block, code);
    return;
  }
  when(
    block,
    compare("lt", mul(term.rows, term.columns), int(cachedNumbers)),
    (branch) => accumulate(branch, { ...code, ahead: 0 }),
    (branch) => accumulate(branch, code),
  );
}

/** Writes lines of a panel as float32, 16 numbers each, to `scratch` from element `at` on. */
export function decodeLines(
  block: Block,
  term: ResolvedTerm,
  panel: LoopExpression,
  lines: Lines,
  scratch: { readonly buffer: string; readonly at: LoopExpression },
): void {
  // A stretch is short and is followed by the multiply-adds of a tile: nothing is asked for ahead.
  const code = { ...codeOf(block, term), ahead: 0 };
  const start = define(block, "code_start", panelStart(term, code, panel));
  forEachRun(block, term, panel, { lines, cut: true }, (inner, part, scale) => {
    forEachLine(inner, term, code, start, part, (body, k, place, line) => {
      const at = add(add(scratch.at, mul(sub(k, lines.from), int(16))), int(16 * place));
      store(body, scratch.buffer, at, scale === null ? line : binary("mul", line, scale));
    });
  });
}
