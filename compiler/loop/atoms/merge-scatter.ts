/**
 * Adding a sparse or N:M operand to a panel of the dense weight ([columns][16] of `y`). The panel is written by
 * one tile alone, so that adding in place is safe.
 */
import { type Block, define, loop, store } from "../loop-builder.ts";
import {
  add,
  binary,
  compare,
  constant,
  convert,
  div,
  extract,
  f32,
  f32x16,
  i32x16,
  int,
  load,
  loadIndex,
  min,
  mul,
  rem,
  select,
  splat,
  sub,
  zeros,
} from "../loop-expression.ts";
import type { LoopExpression } from "../loop-node.ts";
import type { OperandTerm } from "../step-node.ts";
import { bufferOf } from "../step-node.ts";
import { panelWindows, shiftedWord, windowShape } from "./nm.ts";
import { forEachQuadLine, whenQuads } from "./quads.ts";
import { forEachLinePair } from "./sparse.ts";

/** The panel of `y` that a tile writes. */
export interface MergedPanel {
  readonly buffer: string;
  readonly panel: LoopExpression;
  /** Index of the panel's first element. */
  readonly start: LoopExpression;
  readonly columns: LoopExpression;
}

const addTo = (
  block: Block,
  buffer: string,
  at: LoopExpression,
  value: LoopExpression,
  type: typeof f32,
): void => {
  const place = define(block, "place", at);
  store(block, buffer, place, binary("add", load(buffer, place, type), value));
};

/** Every input of a group takes, in each lane, the value whose index names it: lines stay whole, nothing is scattered. */
export function mergeNmLanes(
  block: Block,
  term: OperandTerm,
  { buffer, panel, start, columns }: MergedPanel,
): void {
  if (term.format.name !== "nm-lanes") throw new Error(`${term.format.name} where nm-lanes is needed`);
  const shape = windowShape(term.format.n, term.format.m);
  const { n, m, span, lines } = shape;
  const starts = panelWindows(shape, columns, panel);
  const valueStart = define(block, "values_start", starts.values);
  const wordStart = define(block, "words_start", starts.words);
  loop(block, "group", { from: int(0), to: div(columns, int(m)) }, (inner, group) => {
    const groups = span / m;
    const window = define(inner, "window", div(group, int(groups)));
    const inWindow = define(inner, "in_window", mul(rem(group, int(groups)), int(m)));
    const firstLine = add(mul(window, int(lines)), mul(rem(group, int(groups)), int(n)));
    const entries = Array.from({ length: n }, (_, entry) => {
      const line = define(inner, "line", add(firstLine, int(entry)));
      const pick = binary(
        "and",
        shiftedWord(bufferOf(term, "indices"), wordStart, line, shape.bits),
        constant(i32x16, shape.table - 1),
      );
      return {
        pick: define(inner, "pick", pick),
        value: define(
          inner,
          "w",
          load(bufferOf(term, "values"), add(valueStart, mul(line, int(16))), f32x16),
        ),
      };
    });
    loop(inner, "input", { from: int(0), to: int(m) }, (inputBlock, input) => {
      const number = define(inputBlock, "number", splat(convert(add(inWindow, input), "i32")));
      const kept = entries.map(({ pick, value }) => select(compare("eq", pick, number), value, zeros));
      const sum = kept.reduce((left, right) => binary("add", left, right));
      addTo(inputBlock, buffer, add(start, mul(add(mul(group, int(m)), input), int(16))), sum, f32x16);
    });
  });
}

/** Lane by lane: each lane of a line of windows, and each slot of a quad, belongs to an input of its own. */
export function mergeMixedEll(block: Block, term: OperandTerm, merged: MergedPanel): void {
  mergeWindows(block, term, merged);
  whenQuads(block, term, merged.panel, (few, first) => mergeQuads(few, term, first, merged));
}

function mergeQuads(
  block: Block,
  term: OperandTerm,
  first: LoopExpression,
  { buffer, start }: MergedPanel,
): void {
  loop(block, "quad", { from: first, to: add(first, int(4)) }, (inner, quad) => {
    const places = define(inner, "places", mul(quad, int(4)));
    const outputs = Array.from({ length: 4 }, (_, place) => {
      const packed = loadIndex(bufferOf(term, "order"), add(places, int(place)));
      return define(inner, "output", binary("shr", packed, int(4)));
    });
    forEachQuadLine(inner, term, quad, (body, inputs, slot) => {
      for (const [place, input] of inputs.entries()) {
        const at = add(start, add(mul(input, int(16)), outputs[place] ?? int(0)));
        addTo(body, buffer, at, load(bufferOf(term, "weights"), add(slot, int(place)), f32), f32);
      }
    });
  });
}

function mergeWindows(block: Block, term: OperandTerm, { buffer, panel, start }: MergedPanel): void {
  forEachLinePair(block, term, panel, (inner, lines) => {
    for (const { firstInput, value, pick } of lines) {
      const inWindow = define(inner, "in_window", binary("and", pick, constant(i32x16, 15)));
      const firstLane = define(inner, "first_lane", add(start, mul(firstInput, int(16))));
      for (let lane = 0; lane < 16; lane++) {
        const input = convert(extract(inWindow, lane), "i64");
        const at = add(firstLane, add(mul(input, int(16)), int(lane)));
        addTo(inner, buffer, at, extract(value, lane), f32);
      }
    }
  });
}

/** Visits the rows of a panel that exist: `visit(block, row, lane)`. */
function forEachRow(
  block: Block,
  term: OperandTerm,
  panel: LoopExpression,
  visit: (inner: Block, row: LoopExpression, lane: LoopExpression) => void,
): void {
  const first = define(block, "first_row", mul(panel, int(16)));
  loop(block, "lane", { from: int(0), to: min(int(16), sub(term.rows, first)) }, (inner, lane) =>
    visit(inner, define(inner, "row", add(first, lane)), lane),
  );
}

export function mergeNmRows(block: Block, term: OperandTerm, { buffer, panel, start }: MergedPanel): void {
  if (term.format.name !== "nm-rows") throw new Error(`${term.format.name} where nm-rows is needed`);
  const { n, m } = term.format;
  const entries = mul(div(term.columns, int(m)), int(n));
  forEachRow(block, term, panel, (inner, row, lane) => {
    const first = define(inner, "first", mul(row, entries));
    loop(inner, "entry", { from: int(0), to: entries }, (entryBlock, entry) => {
      const place = define(entryBlock, "from", add(first, entry));
      const column = add(mul(div(entry, int(n)), int(m)), loadIndex(bufferOf(term, "indices"), place));
      const at = add(start, add(mul(column, int(16)), lane));
      addTo(entryBlock, buffer, at, load(bufferOf(term, "values"), place, f32), f32);
    });
  });
}
