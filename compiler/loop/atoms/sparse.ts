/**
 * The lines of windows of unstructured operands, lane = output; what lies too far apart for them is in quads.ts. With
 * lane = token such operands have phases of their own.
 */
import { assign, type Block, define, loop, prefetch, when } from "../loop-builder.ts";
import {
  add,
  binary,
  ceilDiv,
  compare,
  constant,
  f32x16,
  fma,
  i32x16,
  int,
  load,
  loadIndex,
  mul,
  permute,
} from "../loop-expression.ts";
import type { LoopExpression } from "../loop-node.ts";
import type { OperandTerm, ResolvedTerm } from "../step-node.ts";
import { bufferOf } from "../step-node.ts";
import { type OutputTile, rowBases } from "../tile-node.ts";
import { accumulateQuads } from "./quads.ts";

/** A line of windows; of `pick` only the low four bits of each lane count. */
interface WindowLine {
  readonly firstInput: LoopExpression;
  readonly value: LoopExpression;
  readonly pick: LoopExpression;
}

/** Lines whose values are asked for ahead of use, 2 KiB: those of the next panel where one has few. */
const linesAhead = 32;
/**
 * Fewer lines (4.75 MiB) may well wait in the third level of the cache, where asking ahead costs an eighth of the time; from
 * memory it saves a tenth.
 */
const cachedLines = 2 ** 16;

/** Visits the lines of a panel two at a time: they share their index bytes. */
export function forEachLinePair(
  block: Block,
  term: OperandTerm,
  panel: LoopExpression,
  visit: (inner: Block, lines: readonly [WindowLine, WindowLine], line: LoopExpression) => void,
): void {
  const [panelLines, starts] = [bufferOf(term, "panelLines"), bufferOf(term, "starts")];
  const from = define(block, "first_line", loadIndex(panelLines, panel));
  const to = define(block, "end_line", loadIndex(panelLines, add(panel, int(1))));
  loop(block, "line", { from, to, step: 2 }, (inner, line) => {
    const both = define(inner, "pick", load(bufferOf(term, "indices"), mul(line, int(8)), i32x16));
    const high = define(inner, "pick", binary("shr", both, constant(i32x16, 4)));
    const lineAt = (offset: number, pick: LoopExpression): WindowLine => ({
      firstInput: define(inner, "first_input", loadIndex(starts, add(line, int(offset)))),
      value: define(
        inner,
        "w",
        load(bufferOf(term, "values"), add(mul(line, int(16)), int(offset * 16)), f32x16),
      ),
      pick,
    });
    visit(inner, [lineAt(0, both), lineAt(1, high)], line);
  });
}

/** acc[token][chain] += value * x[index], lane = output; the two lines of a pair go to two chains where there are two. */
export function accumulateSparseLanes(
  block: Block,
  term: ResolvedTerm,
  panel: LoopExpression,
  tile: OutputTile,
): void {
  const bases = rowBases(block, term.input, tile);
  const accumulate = (branch: Block, count: LoopExpression | null, isAhead: boolean): void =>
    forEachLinePair(branch, term, panel, (inner, lines, line) => {
      for (const offset of isAhead ? [0, 1] : [])
        prefetch(inner, bufferOf(term, "values"), add(mul(line, int(16)), int(16 * (linesAhead + offset))));
      for (const [number, { firstInput, value, pick }] of lines.entries()) {
        for (const [token, base] of bases.entries()) {
          const sum = tile.sums[token]?.[number % tile.chains];
          if (sum === undefined) continue;
          const window = define(inner, "x", load(term.input.buffer, add(base, firstInput), f32x16, count));
          assign(inner, sum, fma(value, permute(window, pick), sum.read));
        }
      }
    });
  // Windows never reach beyond the last input, except that of a matrix narrower than a window.
  const lines = loadIndex(bufferOf(term, "panelLines"), ceilDiv(term.rows, 16));
  const isCached = define(block, "is_cached", compare("lt", lines, int(cachedLines)));
  when(
    block,
    compare("ge", term.columns, int(16)),
    (wide) =>
      when(
        wide,
        isCached,
        (branch) => accumulate(branch, null, false),
        (branch) => accumulate(branch, null, true),
      ),
    (branch) => accumulate(branch, term.columns, false),
  );
  accumulateQuads(block, term, panel, bases, tile);
}
