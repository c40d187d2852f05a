/** Single instructions of the loop level, compiled for both levels and compared with plain JavaScript. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LoopProgram } from "../../compiler/loop/loop-node.ts";
import {
  add,
  binary,
  buffer,
  compare,
  constant,
  convert,
  div,
  extract,
  f32,
  f32x16,
  fma,
  forBothLevels,
  forLoop,
  i32,
  i32x16,
  letValue,
  load,
  long,
  mul,
  permute,
  phase,
  read,
  register,
  select,
  set,
  shuffle,
  splat,
  store,
  sub,
  symbol,
  when,
} from "./loop-builders.ts";
import {
  alignedBytes,
  arrayBeforeForbiddenPage,
  loadKernels,
  type NativeKernels,
  runnableSuffixes,
  smallIntegers,
} from "./native-kernels.ts";

const guard = -12345.5;
const tile = symbol("tile");
const batch = symbol("batch");

/** y[i] = a x[i] + y0[i] with a masked tail: the count goes below zero in the last vectors. */
const axpy: Omit<LoopProgram, "level"> = {
  name: "axpy",
  buffers: [
    buffer("a", "constant", long(1)),
    buffer("y0", "constant", symbol("n")),
    buffer("x", "input", symbol("n")),
    buffer("y", "output", symbol("n")),
  ],
  symbols: ["n"],
  phases: [
    phase("all", div(add(symbol("n"), long(47)), long(16)), [
      letValue("at", mul(tile, long(16))),
      letValue("left", sub(symbol("n"), read("at", { scalar: "i64", lanes: 1 }))),
      store(
        "y",
        read("at"),
        fma(
          splat(load("a", long(0), f32)),
          load("x", read("at"), f32x16, read("left")),
          load("y0", read("at"), f32x16, read("left")),
        ),
        read("left"),
      ),
    ]),
  ],
};

/** Counted loads and stores of bytes and halfwords: index -> scratch -> y. */
const narrow: Omit<LoopProgram, "level"> = {
  name: "narrow",
  buffers: [
    buffer("index", "constant", long(16), "u8"),
    buffer("scratch", "workspace", long(16), "u16"),
    buffer("y", "output", long(16)),
  ],
  symbols: ["n"],
  phases: [
    phase("all", long(1), [
      store("scratch", long(0), load("index", long(0), i32x16, symbol("n")), symbol("n")),
      store("y", long(0), convert(load("scratch", long(0), i32x16, symbol("n")), "f32"), symbol("n")),
    ]),
  ],
};

const permuting: Omit<LoopProgram, "level"> = {
  name: "permuting",
  buffers: [
    buffer("index", "constant", mul(symbol("vectors"), long(16)), "u8"),
    buffer("x", "input", mul(symbol("vectors"), long(16))),
    buffer("y", "output", mul(symbol("vectors"), long(32))),
  ],
  symbols: ["vectors"],
  phases: [
    phase("all", symbol("vectors"), [
      letValue("at", mul(tile, long(16))),
      letValue("pick", load("index", read("at"), i32x16)),
      store("y", read("at"), permute(load("x", read("at")), read("pick", i32x16))),
      letValue("few", load("x", read("at"), { scalar: "f32", lanes: 4 })),
      store(
        "y",
        add(read("at"), mul(symbol("vectors"), long(16))),
        permute(read("few", { scalar: "f32", lanes: 4 }), read("pick", i32x16)),
      ),
    ]),
  ],
};

/** y[i] = x[index[i]], one element a tile, and the index in three widths. */
const gathering = (element: "u8" | "u16" | "u32"): Omit<LoopProgram, "level"> => ({
  name: `gathering_${element}`,
  buffers: [
    buffer("index", "constant", symbol("n"), element),
    buffer("x", "input", long(1)),
    buffer("y", "output", symbol("n")),
  ],
  symbols: ["n"],
  phases: [
    phase("all", symbol("n"), [store("y", tile, load("x", convert(load("index", tile, i32), "i64"), f32))]),
  ],
});

/** 16 x 16 transpose by the butterfly: at distance d, row r takes lanes from row r ^ d. */
const transposing: Omit<LoopProgram, "level"> = {
  name: "transposing",
  buffers: [buffer("x", "input", long(256)), buffer("y", "output", long(256))],
  symbols: [],
  phases: [
    phase("all", long(1), [
      ...rows((row) => letValue(`r16_${row}`, load("x", long(row * 16)))),
      ...[8, 4, 2, 1].flatMap((distance) =>
        rows((row) => {
          const before = (number: number) => read(`r${distance * 2}_${number}`);
          const low = row & ~distance;
          const lanes = Array.from({ length: 16 }, (_, lane) =>
            (row & distance) === 0
              ? (lane & distance) === 0
                ? lane
                : 16 + (lane ^ distance)
              : (lane & distance) === 0
                ? lane ^ distance
                : 16 + lane,
          );
          return letValue(`r${distance}_${row}`, shuffle(before(low), before(low | distance), lanes));
        }),
      ),
      ...rows((row) => store("y", long(row * 16), read(`r1_${row}`))),
    ]),
  ],
};

function rows<Item>(make: (row: number) => Item): Item[] {
  return Array.from({ length: 16 }, (_, row) => make(row));
}

/** Each output element is one scalar or lane-wise operation. */
const operators: Omit<LoopProgram, "level"> = {
  name: "operators",
  buffers: [
    buffer("p", "constant", long(32), "i32"),
    buffer("x", "input", long(32)),
    buffer("y", "output", long(16 * 16)),
  ],
  symbols: [],
  phases: [
    phase("all", long(1), [
      letValue("a", load("x", long(0))),
      letValue("b", load("x", long(16))),
      letValue("i", load("p", long(0), i32x16)),
      letValue("j", load("p", long(16), i32x16)),
      ...[
        binary("sub", read("a"), read("b")),
        binary("div", read("a"), read("b")),
        binary("min", read("a"), read("b")),
        binary("max", read("a"), read("b")),
        select(compare("lt", read("a"), read("b")), read("a"), constant(f32x16, 0.1)),
        convert(binary("div", read("i", i32x16), read("j", i32x16)), "f32"),
        convert(binary("rem", read("i", i32x16), read("j", i32x16)), "f32"),
        convert(binary("and", read("i", i32x16), read("j", i32x16)), "f32"),
        convert(binary("or", read("i", i32x16), read("j", i32x16)), "f32"),
        convert(binary("shl", read("i", i32x16), constant(i32x16, 3)), "f32"),
        convert(binary("shr", read("i", i32x16), constant(i32x16, 2)), "f32"),
        convert(binary("max", read("i", i32x16), read("j", i32x16)), "f32"),
        convert(binary("min", read("i", i32x16), read("j", i32x16)), "f32"),
        splat(extract(read("a"), 5)),
        splat(convert(convert(convert(extract(read("i", i32x16), 3), "i64"), "i32"), "f32")),
        select(compare("ge", extract(read("a"), 0), constant(f32, 0)), read("a"), read("b")),
      ].map((value, row) => store("y", long(row * 16), value)),
    ]),
  ],
};

/** Sum of x[k] for k < n, unrolled, with steps and a branch: only every third element counts, and those below a bound. */
const reducing = (unroll: number): Omit<LoopProgram, "level"> => ({
  name: `reducing${unroll}`,
  buffers: [buffer("x", "input", symbol("n")), buffer("y", "output", long(3))],
  symbols: ["n"],
  phases: [
    phase("all", long(1), [
      register("sum", constant(f32, 0)),
      register("skipped", constant(f32, 0)),
      forLoop(
        "k",
        symbol("n"),
        [
          letValue("item", load("x", symbol("k"), f32)),
          when(
            compare("le", read("item", f32), constant(f32, 4)),
            [set("sum", add(read("sum", f32), read("item", f32)))],
            [set("skipped", add(read("skipped", f32), constant(f32, 1)))],
          ),
        ],
        { step: 3, unroll },
      ),
      store("y", long(0), read("sum", f32)),
      store("y", long(1), read("skipped", f32), batch),
    ]),
  ],
});

const suffixes = runnableSuffixes();
let kernels: NativeKernels;

beforeAll(async () => {
  const programs = [
    axpy,
    narrow,
    permuting,
    gathering("u8"),
    gathering("u16"),
    gathering("u32"),
    transposing,
    operators,
    reducing(1),
    reducing(4),
  ];
  kernels = await loadKernels(programs.flatMap(forBothLevels));
});
afterAll(() => kernels?.remove());

describe.each(suffixes)("level %s", (suffix) => {
  test("masked tails touch exactly the counted elements", () => {
    for (let n = 0; n <= 33; n += 1) {
      const x = smallIntegers(n, n + 1);
      const start = smallIntegers(n, n + 100);
      const y = new Float32Array(n + 64).fill(guard);
      const status = kernels.run(`axpy_${suffix}`, {
        constants: [new Float32Array([3]), start],
        symbols: [n],
        x,
        y,
      });
      const expected = Array.from(y, (_, i) => (i < n ? 3 * (x[i] ?? 0) + (start[i] ?? 0) : guard));
      expect([status, ...y]).toEqual([0, ...expected]);
    }
  });

  test("a counted access touches nothing past its last element", () => {
    // Each array ends where a page without any permission begins: one byte too many ends the process.
    for (const n of [1, 5, 15, 16, 17, 31]) {
      const x = arrayBeforeForbiddenPage(n).fill(2);
      const start = arrayBeforeForbiddenPage(n).fill(1);
      const y = arrayBeforeForbiddenPage(n);
      kernels.run(`axpy_${suffix}`, { constants: [new Float32Array([1]), start], symbols: [n], x, y });
      expect([...y]).toEqual(Array.from({ length: n }, () => 3));
    }
  });

  test("narrow counted accesses stop at the same place", () => {
    for (const n of [0, 1, 7, 15, 16, 40]) {
      const index = Uint8Array.from({ length: 16 }, (_, i) => 250 - i);
      const y = new Float32Array(16).fill(guard);
      kernels.run(`narrow_${suffix}`, { constants: [index], symbols: [n], workspace: alignedBytes(64), y });
      expect([n, ...y]).toEqual([n, ...Array.from(y, (_, i) => (i < Math.min(n, 16) ? 250 - i : guard))]);
    }
  });

  test("permute looks up by the low four bits, in a table of four by the low two", () => {
    const vectors = 40;
    const x = Float32Array.from({ length: vectors * 16 }, (_, i) => i + 0.25);
    const index = Uint8Array.from({ length: vectors * 16 }, (_, i) => (i * 151 + (i >> 4) * 37) & 0xff);
    const y = new Float32Array(vectors * 32).fill(guard);
    kernels.run(`permuting_${suffix}`, { constants: [index], symbols: [vectors], x, y });
    const wide = Array.from(x, (_, i) => x[(i & ~15) + ((index[i] ?? 0) & 15)]);
    const narrow = Array.from(x, (_, i) => x[(i & ~15) + ((index[i] ?? 0) & 3)]);
    expect([...y]).toEqual([...wide, ...narrow]);
  });

  test("narrow indices are extended without a sign", () => {
    const x = Float32Array.from({ length: 70000 }, (_, i) => i);
    const picks = {
      u8: new Uint8Array([0, 1, 127, 128, 200, 255]),
      u16: new Uint16Array([0, 255, 256, 32767, 32768, 65535]),
      u32: new Uint32Array([0, 65535, 65536, 69999, 3, 2]),
    };
    for (const [element, index] of Object.entries(picks)) {
      const y = new Float32Array(index.length).fill(guard);
      kernels.run(`gathering_${element}_${suffix}`, { constants: [index], symbols: [index.length], x, y });
      expect([...y]).toEqual([...index]);
    }
  });

  test("shuffles: a 16 x 16 transpose", () => {
    const x = Float32Array.from({ length: 256 }, (_, i) => i);
    const y = new Float32Array(256).fill(guard);
    kernels.run(`transposing_${suffix}`, { x, y });
    expect([...y]).toEqual(Array.from(y, (_, i) => (i % 16) * 16 + Math.floor(i / 16)));
  });

  test("operators, comparisons, selections and conversions", () => {
    const x = Float32Array.from({ length: 32 }, (_, i) => Math.fround(Math.sin(i) * 7));
    const p = Int32Array.from({ length: 32 }, (_, i) => (i < 16 ? i * 91 + 5 : i - 13));
    const y = new Float32Array(256).fill(guard);
    kernels.run(`operators_${suffix}`, { constants: [p], x, y });
    const rowsExpected = expectedOperators(x, p);
    for (const [row, expected] of rowsExpected.entries()) {
      expect([row, ...y.subarray(row * 16, row * 16 + 16)]).toEqual([row, ...expected]);
    }
  });

  test.each([1, 4])("loops with steps, branches and registers, unrolled by %i", (unroll) => {
    for (const n of [0, 1, 2, 3, 4, 10, 11, 12, 13, 37]) {
      const x = smallIntegers(n, n + 7);
      const y = new Float32Array(3).fill(guard);
      kernels.run(`reducing${unroll}_${suffix}`, { symbols: [n], x, y, batch: n === 1 ? 0 : 1 });
      const visited = [...x].filter((_, i) => i % 3 === 0);
      const sum = visited.filter((item) => item <= 4).reduce((total, item) => total + item, 0);
      const skipped = visited.filter((item) => item > 4).length;
      expect([n, ...y]).toEqual([n, sum, n === 1 ? guard : skipped, guard]);
    }
  });
});

function expectedOperators(x: Float32Array, p: Int32Array): number[][] {
  const lane = (make: (a: number, b: number, i: number, j: number) => number): number[] =>
    rows((l) => Math.fround(make(x[l] ?? 0, x[l + 16] ?? 0, p[l] ?? 0, p[l + 16] ?? 0)));
  return [
    lane((a, b) => a - b),
    lane((a, b) => a / b),
    lane((a, b) => Math.min(a, b)),
    lane((a, b) => Math.max(a, b)),
    lane((a, b) => (a < b ? a : 0.1)),
    lane((_a, _b, i, j) => Math.floor(i / j)),
    lane((_a, _b, i, j) => i % j),
    lane((_a, _b, i, j) => i & j),
    lane((_a, _b, i, j) => i | j),
    lane((_a, _b, i) => i << 3),
    lane((_a, _b, i) => i >> 2),
    lane((_a, _b, i, j) => Math.max(i, j)),
    lane((_a, _b, i, j) => Math.min(i, j)),
    rows(() => x[5] ?? 0),
    rows(() => p[3] ?? 0),
    (x[0] ?? 0) >= 0 ? [...x.subarray(0, 16)] : [...x.subarray(16, 32)],
  ];
}
