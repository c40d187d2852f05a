// The passes of a selection, interpreted and as machine code, against sorting: ties, both zeros, sizes around vectors and runs.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { interpretLoop } from "../../compiler/backend/reference/interpret-loop.ts";
import type { LoopProgram } from "../../compiler/loop/loop-node.ts";
import { lowerBracket, lowerGroups, lowerMark } from "../../compiler/loop/lower-selection.ts";
import { verifyLoop } from "../../compiler/loop/verify-loop.ts";
import { type X86Target, x86Targets } from "../../compiler/targets/x86-targets.ts";
import { selectionRun } from "../../runtime/contract/manifest.ts";
import { addressOf } from "../../runtime/native/foreign-library.ts";
import {
  loadKernels,
  type NativeKernels,
  runnableSuffixes,
  smallIntegers,
} from "../backend/native-kernels.ts";

const bitsOf = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;

/** Few different numbers, of both signs, zeros of both signs among them. */
function valuesOf(length: number, seed: number): Float32Array {
  return smallIntegers(length, seed).map((value, at) => (value === 0 && at % 2 === 0 ? -0 : value / 4));
}

interface Pass {
  readonly program: (target: X86Target, name: string) => LoopProgram;
  readonly symbols: Readonly<Record<string, number>>;
  readonly counts: boolean;
}
type Run = (pass: Pass, values: Float32Array, y: Float32Array | Uint16Array, counts: Uint32Array) => void;

const scores = {
  magnitude: Math.abs,
  value: (value: number) => (value === 0 ? 0 : value),
} as const;
const orders = ["magnitude", "value"] as const;

function checkBracket(
  run: Run,
  order: (typeof orders)[number],
  length: number,
  [low, high]: readonly [number, number],
  held = selectionRun,
) {
  const values = valuesOf(length, length + 1);
  const runs = Math.ceil(length / selectionRun);
  const room = held + 16;
  const y = new Float32Array(runs * room).fill(Number.NaN);
  const counts = new Uint32Array(runs * 4).fill(77);
  const symbols = { low: bitsOf(low), high: bitsOf(high), room: held };
  run({ program: (t, name) => lowerBracket(order, t, name), symbols, counts: true }, values, y, counts);
  for (let tile = 0; tile < runs; tile++) {
    const part = [...values.subarray(tile * selectionRun, (tile + 1) * selectionRun)].map(scores[order]);
    const inside = part.filter((score) => score >= low && score <= high);
    const kept = inside.slice(0, held);
    const found = [...y.subarray(tile * room, tile * room + kept.length)];
    expect(found.map(scores[order]), `${order} ${length}`).toEqual(kept);
    const most = Math.max(...values.subarray(tile * selectionRun, (tile + 1) * selectionRun).map(Math.abs));
    const above = part.filter((score) => score > high).length;
    expect([...counts.subarray(4 * tile, 4 * tile + 3)]).toEqual([above, inside.length, bitsOf(most)]);
  }
}

const bitAt = (y: Uint16Array, position: number): boolean =>
  (((y[position >> 4] ?? 0) >> (position & 15)) & 1) === 1;

function checkMark(run: Run, order: (typeof orders)[number], length: number, threshold: number, cut: number) {
  const values = valuesOf(length, length + 2);
  const y = new Uint16Array(Math.ceil(length / 16)).fill(0xffff);
  const symbols = { threshold: bitsOf(threshold), cut };
  run({ program: (t, n) => lowerMark(order, t, n), symbols, counts: false }, values, y, new Uint32Array());
  values.forEach((value, at) => {
    const score = scores[order](value);
    if (bitAt(y, at) !== (at < cut ? score >= threshold : score > threshold))
      expect.fail(`${order} ${length}: ${at}`);
  });
  for (let at = length; at < 16 * y.length; at++) expect(bitAt(y, at)).toBe(false);
}

function checkGroups(run: Run, m: number, n: number, length: number) {
  const values = valuesOf(length, length + m);
  const y = new Uint16Array(Math.ceil(length / 16)).fill(0xffff);
  const counts = new Uint32Array(4 * Math.ceil(length / selectionRun));
  run({ program: (t, name) => lowerGroups(m, t, name), symbols: { n }, counts: true }, values, y, counts);
  for (let first = 0; first < length; first += m) {
    const order = Array.from({ length: m }, (_, at) => first + at).sort(
      (a, b) => Math.abs(values[b] ?? 0) - Math.abs(values[a] ?? 0) || a - b,
    );
    for (const [rank, at] of order.entries())
      if (bitAt(y, at) !== rank < n) expect.fail(`${n}:${m} of ${length}: ${at}`);
  }
  for (let at = length; at < 16 * y.length; at++) expect(bitAt(y, at)).toBe(false);
  const most = Math.max(0, ...values.subarray(0, selectionRun).map(Math.abs));
  if (length > 0) expect(counts[0]).toBe(bitsOf(most));
}

describe.each(x86Targets)("$name interpreted", (target) => {
  const run: Run = (pass, values, y, counts) => {
    const program = pass.program(target, "selection");
    expect(verifyLoop(program)).toEqual([]);
    interpretLoop(program, {
      buffers: new Map<string, Float32Array | Uint32Array | Uint16Array>([
        ["x", new Uint32Array(values.buffer, values.byteOffset, values.length)],
        ["y", y],
        ["counts", counts],
      ]),
      symbols: new Map(Object.entries(pass.symbols)),
      batch: values.length,
    });
  };
  it.each([0, 1, 15, 16, 17, 97])("%i entries", (length) => {
    for (const order of orders) {
      for (const held of [selectionRun, 7]) checkBracket(run, order, length, [0.5, 1.25], held);
      for (const cut of [0, 16, 112]) checkMark(run, order, length, 0.75, cut);
    }
    for (const m of [2, 4, 16]) if (length % m === 0) checkGroups(run, m, m / 2, length);
  });
});

describe("machine code", () => {
  const groups = [2, 4, 8, 16];
  let kernels: NativeKernels;
  beforeAll(async () => {
    kernels = await loadKernels(
      x86Targets.flatMap((target) => [
        ...orders.map((order) => lowerBracket(order, target, `bracket_${order}_${target.suffix}`)),
        ...orders.map((order) => lowerMark(order, target, `mark_${order}_${target.suffix}`)),
        ...groups.map((m) => lowerGroups(m, target, `groups_${m}_${target.suffix}`)),
      ]),
    );
  }, 60_000);
  afterAll(() => kernels.remove());

  const runner =
    (suffix: string, kind: string, threads: number): Run =>
    (pass, values, y, counts) => {
      const addresses = pass.counts ? [addressOf(counts)] : [];
      const status = kernels.run(`${kind}_${suffix}`, {
        symbols: [...Object.values(pass.symbols), ...addresses.map(Number)],
        x: values,
        y: y as Float32Array,
        batch: values.length,
        threads,
      });
      expect(status).toBe(0);
    };
  const sizes = [0, 1, 2, 31, 64, 65, 127, selectionRun - 1, selectionRun, 2 * selectionRun + 19];

  it.each(runnableSuffixes())("%s", (suffix) => {
    for (const length of sizes)
      for (const threads of length < 1000 ? [1] : [2]) {
        for (const order of orders) {
          const marked = runner(suffix, `mark_${order}`, threads);
          const bracket = runner(suffix, `bracket_${order}`, threads);
          for (const held of [selectionRun, 100]) checkBracket(bracket, order, length, [0.5, 1.25], held);
          if (length < 1000) checkBracket(bracket, order, length, [-Infinity, Infinity]);
          for (const cut of length < 1000 ? [0, 48, 128] : [selectionRun + 32])
            checkMark(marked, order, length, 0.75, cut);
          checkMark(marked, order, length, 0, 32);
        }
        for (const m of length < 1000 ? groups : [4]) {
          const run = runner(suffix, `groups_${m}`, threads);
          for (const n of length < 1000 ? [0, 1, m / 2, m] : [2])
            if (length % m === 0) checkGroups(run, m, n, length);
        }
      }
  });
});
