/**
 * The terms of a lane kernel, one function for each packed format. Weights are read once for all tokens of the tile, in
 * whole lines: two panels of 16 outputs side by side fill a warp. What several lanes read of x comes through on-chip
 * memory where a format walks over consecutive inputs, and through the first-level cache where it picks.
 */
import { nmTable } from "../../../runtime/contract/operand-format.ts";
import {
  type Code,
  comment,
  loop,
  name,
  put,
  registers,
  set,
  store,
  unrolled,
  when,
} from "../device-builder.ts";
import {
  add,
  binary,
  bits,
  ceilDiv,
  compare,
  convert,
  div,
  fma,
  int,
  load,
  min,
  mul,
  rem,
  select,
  sub,
  type Value,
  zero,
} from "../device-expression.ts";
import { type DeviceTerm, placeOf } from "../device-step.ts";
import { featureOf, type LaneTile } from "./lane-sums.ts";

/** Inputs that a warp stages at a time: one for each lane. */
const chunk = 32;
/** Inputs between reads of x: a vector of four. */
const quad = 4;

/** Products of weights and tokens that one turn of the loop writes out. */
const productsWrittenOut = 128;

const toI64 = (value: Value): Value => convert(value, "i64");

/** Adds weight * x[input] for every token of the tile. */
function addProducts(code: Code, tile: LaneTile, term: DeviceTerm, weight: Value, input: Value): void {
  unrolled(code, "t", tile.tokens, (inner, t) => {
    const x = featureOf(term.input, tile.token(t), input);
    set(inner, tile.sums, fma(weight, x, tile.sums.read(t)), t);
  });
}

/**
 * Walks over `lines` consecutive inputs of x in chunks dealt out to the warps; `weightAt` gives the weight of an input.
 * `staged` is on-chip memory [warps][tokens][32].
 */
function sweepStaged(
  code: Code,
  tile: LaneTile,
  term: DeviceTerm,
  staged: string,
  weightAt: (inner: Code, input: Value) => Value,
): void {
  const { lane, warp, warps, tokens } = tile;
  // Few tokens wait for memory and want many lines on their way; many tokens would only lengthen the code.
  const span = Math.min(chunk, Math.max(quad, productsWrittenOut / tokens));
  const lines = term.columns;
  const chunks = name(code, "chunks", ceilDiv(lines, chunk));
  const home = name(code, "home", mul(warp, int(tokens * chunk)));
  loop(code, "c", { from: warp, to: chunks, step: int(warps) }, (body, c) => {
    const first = name(body, "first", mul(c, int(chunk)));
    const mine = name(body, "mine", add(first, lane));
    unrolled(body, "t", tokens, (inner, t) => {
      const x = featureOf(term.input, tile.token(t), mine);
      const place = add(home, mul(t, int(chunk)), lane);
      store(inner, staged, place, select(compare("lt", mine, lines), x, zero));
    });
    put(body, { kind: "warp-barrier" });
    when(
      body,
      compare("le", add(first, int(chunk)), lines),
      (full) => {
        loop(full, "k", { to: int(chunk), step: int(span) }, (turn, k) => {
          const weights = registers(turn, "w", zero, span);
          unrolled(turn, "j", span, (inner, j) => set(inner, weights, weightAt(inner, add(first, k, j)), j));
          unrolled(turn, "t", tokens, (inner, t) => {
            const xs = registers(inner, "xs", zero, quad);
            unrolled(inner, "q", span / quad, (deep, q) => {
              const index = add(home, mul(t, int(chunk)), k, mul(q, int(quad)));
              put(deep, {
                kind: "load-vector",
                target: xs.span(int(0)),
                registers: quad,
                memory: staged,
                index,
                streamed: false,
              });
              unrolled(deep, "j", quad, (deepest, j) => {
                const weight = weights.read(add(mul(q, int(quad)), j));
                set(deepest, tile.sums, fma(weight, xs.read(j), tile.sums.read(t)), t);
              });
            });
          });
        });
      },
      (part) => {
        loop(part, "k", { to: sub(lines, first) }, (inner, k) => {
          const weight = name(inner, "weight", weightAt(inner, add(first, k)));
          unrolled(inner, "t", tokens, (deep, t) => {
            const x = load(staged, add(home, mul(t, int(chunk)), k), "f32");
            set(deep, tile.sums, fma(weight, x, tile.sums.read(t)), t);
          });
        });
      },
    );
    put(body, { kind: "warp-barrier" });
  });
}

/** `panel16`: a line of 16 weights for each input. */
export function addDense(code: Code, tile: LaneTile, term: DeviceTerm, staged: string): void {
  const values = term.buffer("values");
  const start = name(
    code,
    "panel_start",
    add(mul(mul(toI64(tile.panel), term.columns), int(16)), tile.column),
  );
  sweepStaged(code, tile, term, staged, (_, input) => load(values, add(start, mul(input, int(16))), "f32"));
}

/** `table4-panel16`: 8 codes of 4 bits in a word; `levels` is the table in on-chip memory. */
export function addTable4(
  code: Code,
  tile: LaneTile,
  term: DeviceTerm,
  staged: string,
  levels: string,
): void {
  const [codes, scales] = [term.buffer("codes"), term.buffer("scales")];
  const words = name(code, "words", ceilDiv(term.columns, 8));
  const runs = name(code, "runs", div(term.columns, term.run));
  const codeStart = name(code, "code_start", add(mul(mul(toI64(tile.panel), words), int(16)), tile.column));
  const scaleStart = name(code, "scale_start", add(mul(mul(toI64(tile.panel), runs), int(16)), tile.column));
  sweepStaged(code, tile, term, staged, (inner, input) => {
    const word = load(codes, add(codeStart, mul(div(input, int(8)), int(16))), "u32");
    const shift = convert(mul(rem(input, int(8)), int(4)), "u32");
    const which = convert(binary("and", binary("shr", word, shift), bits(15)), "i32");
    const level = name(inner, "level", load(levels, which, "f32"));
    return binary("mul", level, load(scales, add(scaleStart, mul(div(input, term.run), int(16))), "f32"));
  });
}

/** `int8-panel16`: a byte each. */
export function addInt8(code: Code, tile: LaneTile, term: DeviceTerm, staged: string): void {
  const [codes, scales] = [term.buffer("codes"), term.buffer("scales")];
  const runs = name(code, "runs", div(term.columns, term.run));
  const codeStart = name(
    code,
    "code_start",
    add(mul(mul(toI64(tile.panel), term.columns), int(16)), tile.column),
  );
  const scaleStart = name(code, "scale_start", add(mul(mul(toI64(tile.panel), runs), int(16)), tile.column));
  sweepStaged(code, tile, term, staged, (_, input) => {
    const stored = load(codes, add(codeStart, mul(input, int(16))), "i32");
    const level = convert(stored, "f32");
    return binary("mul", level, load(scales, add(scaleStart, mul(div(input, term.run), int(16))), "f32"));
  });
}

/** `bf16-panel16`: two inputs lie side by side in the word of a lane. */
export function addHalf(code: Code, tile: LaneTile, term: DeviceTerm, staged: string): void {
  const values = term.buffer("values", "bf16");
  const words = mul(mul(toI64(tile.panel), ceilDiv(term.columns, 2)), int(16));
  const start = name(code, "half_start", mul(add(words, tile.column), int(2)));
  sweepStaged(code, tile, term, staged, (_, input) =>
    load(values, add(add(start, mul(div(input, int(2)), int(32))), rem(input, int(2))), "f32"),
  );
}

/** Entries of packed indices: so many bits each, and of which word and shift a line finds its own. */
function packedIndex(words: string, start: Value, line: Value, bitsEach: number): Value {
  const perWord = 32 / bitsEach;
  const word = load(words, add(start, mul(div(line, int(perWord)), int(16))), "u32");
  const shift = convert(mul(rem(line, int(perWord)), int(bitsEach)), "u32");
  return convert(binary("and", binary("shr", word, shift), bits(2 ** bitsEach - 1)), "i32");
}

/** `nm-lanes`: lines of kept weights with the place of each in its window. */
export function addNmLanes(code: Code, tile: LaneTile, term: DeviceTerm): void {
  if (term.format.name !== "nm-lanes") throw new TypeError(`${term.format.name} is no nm-lanes`);
  const { n, m } = term.format;
  const table = nmTable(m);
  const bitsEach = Math.log2(table);
  const groups = Math.floor(table / m);
  const [values, indices] = [term.buffer("values"), term.buffer("indices")];
  const perWindow = n * groups;
  const windows = name(code, "windows", ceilDiv(term.columns, groups * m));
  const lines = name(code, "lines", mul(windows, int(perWindow)));
  const start = name(code, "line_start", add(mul(mul(toI64(tile.panel), lines), int(16)), tile.column));
  const words = mul(mul(toI64(tile.panel), ceilDiv(lines, 32 / bitsEach)), int(16));
  const wordStart = name(code, "word_start", add(words, tile.column));
  loop(code, "window", { from: tile.warp, to: windows, step: int(tile.warps) }, (body, window) => {
    const first = name(body, "first_line", mul(window, int(perWindow)));
    unrolled(body, "l", perWindow, (inner, l) => {
      const line = name(inner, "line", add(first, l));
      const place = packedIndex(indices, wordStart, line, bitsEach);
      const input = name(inner, "input", add(mul(window, int(groups * m)), place));
      const weight = name(inner, "weight", load(values, add(start, mul(line, int(16))), "f32"));
      addProducts(inner, tile, term, weight, input);
    });
  });
}

/** `window-ell`: lines of a panel with the start of the window of each; padding is a zero at that start. */
export function addWindowEll(code: Code, tile: LaneTile, term: DeviceTerm): void {
  const [panelLines, starts] = [term.buffer("panelLines"), term.buffer("starts")];
  const [values, indices] = [term.buffer("values"), term.buffer("indices")];
  const from = name(code, "first_line", add(load(panelLines, tile.panel, "i32"), tile.warp));
  const to = name(code, "end_line", load(panelLines, add(tile.panel, int(1)), "i32"));
  loop(code, "line", { from, to, step: int(tile.warps) }, (body, line) => {
    const pair = load(indices, add(mul(toI64(div(line, int(2))), int(16)), tile.column), "i32");
    const shift = mul(rem(line, int(2)), int(4));
    const place = binary("and", binary("shr", pair, shift), int(15));
    const input = name(body, "input", add(load(starts, line, "i32"), place));
    const weight = name(body, "weight", load(values, add(mul(toI64(line), int(16)), tile.column), "f32"));
    addProducts(body, tile, term, weight, input);
  });
}

/** `blockdiag16`: the panel of a block reads the inputs of that block alone. */
export function addBlockdiag(code: Code, tile: LaneTile, term: DeviceTerm): void {
  const values = term.buffer("values");
  const lines = name(code, "block_columns", div(term.columns, term.blocks));
  const start = name(
    code,
    "panel_start",
    add(mul(mul(toI64(tile.storedPanel), lines), int(16)), tile.column),
  );
  loop(code, "k", { from: tile.warp, to: lines, step: int(tile.warps) }, (body, k) => {
    const weight = name(body, "weight", load(values, add(start, mul(k, int(16))), "f32"));
    const input = name(body, "input", placeOf(term.inputPlaces, add(tile.firstInput, k)));
    addProducts(body, tile, term, weight, input);
  });
}

/** `vector`: a diagonal; the first warp alone has something to add. */
export function addDiagonal(code: Code, tile: LaneTile, term: DeviceTerm): void {
  const values = term.buffer("values");
  when(code, compare("eq", tile.warp, int(0)), (body) => {
    comment(body, "lanes beyond the last output repeat it and are not stored");
    const row = name(body, "row", min(add(tile.firstRow, tile.column), sub(term.rows, int(1))));
    const weight = name(body, "weight", load(values, row, "f32"));
    const input = name(body, "input", placeOf(term.inputPlaces, row));
    addProducts(body, tile, term, weight, input);
  });
}
