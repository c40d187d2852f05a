/**
 * N:M along the input. Lane = output permutes the activation, not the weight: every lane picks its inputs out of
 * a window held in one register. Lane = token has a fixed number of entries a row, so rows run side by side.
 */

import { nmTable } from "../../../runtime/contract/operand-format.ts";
import { assign, type Block, define, loop } from "../loop-builder.ts";
import {
  add,
  binary,
  ceilDiv,
  constant,
  convert,
  div,
  f32,
  f32x16,
  fma,
  i32x16,
  int,
  load,
  loadIndex,
  max,
  mul,
  permute,
  rem,
  shuffle,
  splat,
  sub,
} from "../loop-expression.ts";
import type { LoopExpression, ValueType } from "../loop-node.ts";
import type { ResolvedTerm } from "../step-node.ts";
import { bufferOf } from "../step-node.ts";
import { type OutputTile, rowBases, type TokenTile, tileRows, tokenBases } from "../tile-node.ts";

/** Static facts of the nm-lanes format. */
export interface WindowShape {
  readonly n: number;
  readonly m: number;
  /** Inputs that a line's index chooses among: 4 where groups divide them, else 16. */
  readonly table: 4 | 16;
  /** Inputs in a window. */
  readonly span: number;
  /** Value lines in a window. */
  readonly lines: number;
  /** Bits of an index. */
  readonly bits: number;
}

export function windowShape(n: number, m: number): WindowShape {
  const table = nmTable(m);
  const groups = Math.floor(table / m);
  return { n, m, table, span: m * groups, lines: n * groups, bits: Math.log2(table) };
}

/** Lines whose indices share a word. */
const linesPerWord = ({ bits }: Pick<WindowShape, "bits">): number => 32 / bits;

/** Where a panel's values and index words start, and its number of windows. */
export function panelWindows(shape: WindowShape, columns: LoopExpression, panel: LoopExpression) {
  const windows = ceilDiv(columns, shape.span);
  const lines = mul(windows, int(shape.lines));
  return {
    windows,
    values: mul(mul(panel, lines), int(16)),
    words: mul(mul(panel, ceilDiv(lines, linesPerWord(shape))), int(16)),
  };
}

/** The index word that holds line `line` of the panel, shifted so that the line's index is in the low bits. */
export function shiftedWord(
  indices: string,
  words: LoopExpression,
  line: LoopExpression,
  bits = 4,
): LoopExpression {
  const together = int(linesPerWord({ bits }));
  const word = load(indices, add(words, mul(div(line, together), int(16))), i32x16);
  return binary("shr", word, splat(convert(mul(rem(line, together), int(bits)), "i32")));
}

const greatestCommonDivisor = (a: number, b: number): number =>
  b === 0 ? a : greatestCommonDivisor(b, a % b);

/** More lines than this in one turn of the loop would only fill the instruction cache. */
const mostLinesPerTurn = 64;

/**
 * A permute on 8-lane registers takes two halves and a blend unless both halves of the table are the same:
 * then the duplicate is merged away. A group that lies in one half of the window allows that.
 */
function groupTable(x: LoopExpression, shape: WindowShape, line: number, narrow: boolean): LoopExpression {
  const first = Math.floor(line / shape.n) * shape.m;
  const half = first >> 3;
  if (!narrow || shape.table === 4 || half !== (first + shape.m - 1) >> 3) return x;
  return shuffle(
    x,
    x,
    Array.from({ length: 16 }, (_, lane) => half * 8 + (lane & 7)),
  );
}

/** acc[token][chain] += value * x[index], lane = output. */
export function accumulateNmLanes(
  block: Block,
  term: ResolvedTerm,
  panel: LoopExpression,
  tile: OutputTile,
  narrow: boolean,
): void {
  if (term.format.name !== "nm-lanes") throw new Error(`${term.format.name} where nm-lanes is needed`);
  const shape = windowShape(term.format.n, term.format.m);
  const { span, lines, bits, table } = shape;
  const together = linesPerWord(shape);
  const windowType: ValueType = { scalar: "f32", lanes: table };
  const values = bufferOf(term, "values");
  const indices = bufferOf(term, "indices");
  const starts = panelWindows(shape, term.columns, panel);
  const valueStart = define(block, "values_start", starts.values);
  const wordStart = define(block, "words_start", starts.words);
  const bases = rowBases(block, term.input, tile);

  const accumulateLine = (
    inner: Block,
    x: readonly LoopExpression[],
    line: number,
    place: number,
    value: LoopExpression,
    index: LoopExpression,
  ): void => {
    for (const [token, window] of x.entries()) {
      const sum = tile.sums[token]?.[place % tile.chains];
      if (sum === undefined) continue;
      assign(inner, sum, fma(value, permute(groupTable(window, shape, line, narrow), index), sum.read));
    }
  };

  const perTurn = together / greatestCommonDivisor(lines, together);
  const full = div(sub(max(add(term.columns, int(span)), int(table)), int(table)), int(span));
  const unrolled = perTurn * lines <= mostLinesPerTurn;
  const main = define(block, "main", unrolled ? sub(full, rem(full, int(perTurn))) : int(0));

  loop(block, "window", { from: int(0), to: main, step: perTurn }, (inner, window) => {
    const firstWord = add(wordStart, mul(window, int((lines * 16) / together)));
    let word: LoopExpression | null = null;
    for (let turn = 0; turn < perTurn; turn++) {
      const at = mul(add(window, int(turn)), int(span));
      const x = bases.map((base) => define(inner, "x", load(term.input.buffer, add(base, at), windowType)));
      for (let line = 0; line < lines; line++) {
        const place = turn * lines + line;
        if (word === null || place % together === 0) {
          const wordAt = add(firstWord, int(Math.floor(place / together) * 16));
          word = define(inner, "word", load(indices, wordAt, i32x16));
        }
        const shift = (place % together) * bits;
        const index =
          shift === 0 ? word : define(inner, "pick", binary("shr", word, constant(i32x16, shift)));
        const lineStart = add(add(valueStart, mul(window, int(lines * 16))), int(place * 16));
        accumulateLine(inner, x, line, place, define(inner, "w", load(values, lineStart, f32x16)), index);
      }
    }
  });

  loop(block, "window", { from: main, to: starts.windows }, (inner, window) => {
    const at = define(inner, "at", mul(window, int(span)));
    const count = define(inner, "count", sub(term.columns, at));
    const x = bases.map((base) =>
      define(inner, "x", load(term.input.buffer, add(base, at), windowType, count)),
    );
    for (let line = 0; line < lines; line++) {
      const number = define(inner, "line", add(mul(window, int(lines)), int(line)));
      const index = define(inner, "pick", shiftedWord(indices, wordStart, number, bits));
      const value = define(inner, "w", load(values, add(valueStart, mul(number, int(16))), f32x16));
      accumulateLine(inner, x, line, line, value, index);
    }
  });
}

/** acc[row][vector] += value * x[group * m + index], lane = token. */
export function accumulateNmTokens(block: Block, term: ResolvedTerm, tile: TokenTile): void {
  if (term.format.name !== "nm-rows") throw new Error(`${term.format.name} where nm-rows is needed`);
  const { n, m } = term.format;
  const values = bufferOf(term, "values");
  const indices = bufferOf(term, "indices");
  const bases = tokenBases(block, term.input, tile);
  const groups = div(term.columns, int(m));
  const starts = tileRows(block, term.rows, tile).map((row) =>
    define(block, "entries", mul(row, mul(groups, int(n)))),
  );
  loop(block, "group", { from: int(0), to: groups }, (inner, group) => {
    const firstInput = define(inner, "first", mul(group, int(m)));
    const one = (body: Block, entry: LoopExpression): void => {
      for (const [row, start] of starts.entries()) {
        const at = define(body, "at", add(add(start, mul(group, int(n))), entry));
        const input = define(body, "input", mul(add(firstInput, loadIndex(indices, at)), int(16)));
        const w = define(body, "w", splat(load(values, at, f32)));
        for (const [vector, base] of bases.entries()) {
          const sum = tile.sums[row]?.[vector];
          if (sum === undefined) continue;
          assign(body, sum, fma(load(term.input.buffer, add(base, input), f32x16), w, sum.read));
        }
      }
    };
    loop(inner, "entry", { from: int(0), to: int(n) }, one);
  });
}
