/** Phases, workspace and the thread pool: every tile exactly once, barriers between phases, several callers at once. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LoopProgram } from "../../compiler/loop/loop-node.ts";
import {
  add,
  binary,
  buffer,
  compare,
  constant,
  convert,
  f32,
  forBothLevels,
  forLoop,
  i32,
  letValue,
  load,
  long,
  mul,
  phase,
  read,
  register,
  select,
  set,
  store,
  sub,
  symbol,
} from "./loop-builders.ts";
import {
  alignedBytes,
  loadKernels,
  type NativeKernels,
  runnableSuffixes,
  smallIntegers,
} from "./native-kernels.ts";

const tile = symbol("tile");
const n = symbol("n");

/**
 * Phase one: doubled[i] = 2 x[i] and number[i] = i + 1, one element a tile.
 * Phase two: y[i] = doubled[n-1-i] + number[n-1-i], elements that another thread has written.
 */
const twoPhases: Omit<LoopProgram, "level"> = {
  name: "two_phases",
  buffers: [
    buffer("number", "workspace", n, "u16"),
    buffer("x", "input", n),
    buffer("doubled", "workspace", n),
    buffer("y", "output", n),
  ],
  symbols: ["n"],
  phases: [
    phase("double", n, [
      store("doubled", tile, mul(constant(f32, 2), load("x", tile, f32))),
      store("number", tile, convert(add(tile, long(1)), "i32")),
    ]),
    phase("reverse", n, [
      letValue("other", sub(sub(n, tile), long(1))),
      store(
        "y",
        tile,
        add(
          load("doubled", read("other", { scalar: "i64", lanes: 1 }), f32),
          convert(load("number", read("other", { scalar: "i64", lanes: 1 }), i32), "f32"),
        ),
      ),
    ]),
  ],
};

/** y[tile] += 1 + work, where work = sum of x[0 .. length): a tile that runs twice or never shows. */
const counting: Omit<LoopProgram, "level"> = {
  name: "counting",
  buffers: [buffer("x", "input", symbol("length")), buffer("y", "output", symbol("tiles"))],
  symbols: ["length", "tiles"],
  phases: [
    phase("count", symbol("tiles"), [
      register("sum", constant(f32, 1)),
      forLoop("k", symbol("length"), [set("sum", add(read("sum", f32), load("x", symbol("k"), f32)))]),
      store("y", tile, add(load("y", tile, f32), read("sum", f32))),
    ]),
  ],
};

/**
 * Two tiles; tile t counts up in y[16 t], looks at the other's counter on the way, and writes 1 to y[30 + t] if it
 * has ever seen it strictly between start and end, which takes two threads at the same time.
 */
const meeting: Omit<LoopProgram, "level"> = {
  name: "meeting",
  buffers: [buffer("y", "output", long(32))],
  symbols: ["turns"],
  phases: [
    phase("count", long(2), [
      letValue("own", mul(tile, long(16))),
      letValue("other", sub(long(16), mul(tile, long(16)))),
      register("met", constant(f32, 0)),
      forLoop("k", symbol("turns"), [
        store("y", read("own"), convert(convert(add(symbol("k"), long(1)), "i32"), "f32")),
        letValue("seen", load("y", read("other"), f32)),
        set(
          "met",
          select(
            binary(
              "and",
              compare("gt", read("seen", f32), constant(f32, 0)),
              compare("lt", read("seen", f32), convert(convert(symbol("turns"), "i32"), "f32")),
            ),
            constant(f32, 1),
            read("met", f32),
          ),
        ),
      ]),
      store("y", add(tile, long(30)), read("met", f32)),
    ]),
  ],
};

const suffixes = runnableSuffixes();
let kernels: NativeKernels;
beforeAll(async () => {
  kernels = await loadKernels([twoPhases, counting].flatMap(forBothLevels));
});
afterAll(() => kernels?.remove());

/** Where the second workspace buffer begins: behind `number`, rounded up to 64 bytes. */
function doubledStart(size: number): number {
  return Math.ceil((size * 2) / 64) * 64;
}

function twoPhaseCase(size: number, seed: number, threads: number) {
  const x = smallIntegers(size, seed);
  const y = new Float32Array(size + 8).fill(Number.NaN);
  const workspace = alignedBytes(doubledStart(size) + size * 4);
  const expected = Array.from(y, (_, i) => (i < size ? 2 * (x[size - 1 - i] ?? 0) + (size - i) : Number.NaN));
  return { call: { symbols: [size], workspace, x, y, threads }, y, expected };
}

describe.each(suffixes)("level %s", (suffix) => {
  test.each([1, 2, 4, 100])("two phases on %i threads", (threads) => {
    for (const size of [0, 1, 2, 3, 31, 32, 33, 97, 1009, 4096]) {
      const { call, y, expected } = twoPhaseCase(size, size + threads, threads);
      expect(kernels.run(`two_phases_${suffix}`, call)).toBe(0);
      expect([...y]).toEqual(expected);
    }
  });

  test("workspace buffers lie one after the other, each start rounded up to 64 bytes", () => {
    for (const size of [1, 31, 32, 33]) {
      const { call } = twoPhaseCase(size, size, 2);
      kernels.run(`two_phases_${suffix}`, call);
      const { buffer: memory, byteOffset } = call.workspace;
      const number = new Uint16Array(memory, byteOffset, size);
      const doubled = new Float32Array(memory, byteOffset + doubledStart(size), size);
      expect([...number]).toEqual(Array.from(number, (_, i) => i + 1));
      expect([...doubled]).toEqual(Array.from(call.x, (value) => 2 * value));
    }
  });

  test.each([0, -3])("%i threads mean the caller alone", (threads) => {
    const { call, y, expected } = twoPhaseCase(97, 5, threads);
    kernels.run(`two_phases_${suffix}`, call);
    expect([...y]).toEqual(expected);
  });

  test("every tile runs exactly once, call after call", () => {
    const x = new Float32Array([1, 2]);
    for (let round = 1; round <= 400; round += 1) {
      const tiles = (round * 7) % 61;
      const y = new Float32Array(tiles + 1);
      kernels.run(`counting_${suffix}`, { symbols: [2, tiles], x, y, threads: 1 + (round % 5) });
      expect([...y]).toEqual([...Array.from({ length: tiles }, () => 4), 0]);
    }
  });

  test("many callers at once, waiting and busy ones mixed", async () => {
    const cases = Array.from({ length: 48 }, (_, i) => twoPhaseCase(200 + 37 * i, i + 1, 1 + (i % 5)));
    const running = cases.map(({ call }) => kernels.runAsync(`two_phases_${suffix}`, call));
    const onThisThread = twoPhaseCase(3001, 99, 3);
    for (let round = 0; round < 50; round += 1) {
      onThisThread.y.fill(Number.NaN);
      kernels.run(`two_phases_${suffix}`, onThisThread.call);
      expect([...onThisThread.y]).toEqual(onThisThread.expected);
    }
    expect(await Promise.all(running)).toEqual(cases.map(() => 0));
    for (const { y, expected } of cases) expect([...y]).toEqual(expected);
  });

  test("sleeping helpers wake for the next call", async () => {
    for (let round = 0; round < 5; round += 1) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      const { call, y, expected } = twoPhaseCase(5000, round, 4);
      kernels.run(`two_phases_${suffix}`, call);
      expect([...y]).toEqual(expected);
    }
  });

  test("tiles much longer than a helper's and a caller's patience", () => {
    const x = new Float32Array(2_000_000).fill(0);
    const y = new Float32Array(3);
    kernels.run(`counting_${suffix}`, { symbols: [x.length, 3], x, y, threads: 3 });
    expect([...y]).toEqual([1, 1, 1]);
  });
});

describe("the pool", () => {
  // A library of its own has a pool of its own, with no helper yet.
  let fresh: NativeKernels;
  beforeAll(async () => {
    fresh = await loadKernels([meeting, twoPhases].flatMap(forBothLevels));
  });
  afterAll(() => fresh?.remove());
  const symbolOf = (program: { readonly name: string }): string => `${program.name}_${suffixes.at(-1)}`;

  test("tiles really run at the same time", () => {
    // How soon a helper gets a processor is the system's choice: once in many rounds is enough.
    const met = Array.from({ length: 200 }).some(() => {
      const y = new Float32Array(32);
      fresh.run(symbolOf(meeting), { symbols: [1_000_000], y, threads: 2 });
      return y[30] === 1 || y[31] === 1;
    });
    expect(met).toBe(true);
  });

  test("one thread never meets itself", () => {
    const y = new Float32Array(32);
    fresh.run(symbolOf(meeting), { symbols: [100_000], y, threads: 1 });
    expect([y[30], y[31]]).toEqual([0, 0]);
  });

  test.runIf(process.platform === "linux")("grows on demand, never beyond 64 helpers", () => {
    const run = (threads: number): number => {
      fresh.run(symbolOf(twoPhases), twoPhaseCase(10_000, 1, threads).call);
      return threadCount();
    };
    const withOneHelper = run(2);
    expect(run(2) - withOneHelper).toBe(0);
    expect(run(4) - withOneHelper).toBe(2);
    expect(run(3) - withOneHelper).toBe(2);
    expect(run(100_000) - withOneHelper).toBe(63);
    expect(run(100_000) - withOneHelper).toBe(63);
  });
});

function threadCount(): number {
  return Number(/^Threads:\s*(\d+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
}
