// A step of AdamW, interpreted and as machine code, against the formula in float64; nothing beside the values is touched.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { interpretLoop } from "../../compiler/backend/reference/interpret-loop.ts";
import { lowerAdamW } from "../../compiler/loop/lower-update.ts";
import { verifyLoop } from "../../compiler/loop/verify-loop.ts";
import { x86Targets } from "../../compiler/targets/x86-targets.ts";
import { adamWNumbers } from "../../runtime/contract/manifest.ts";
import { addressOf } from "../../runtime/native/foreign-library.ts";
import { loadKernels, type NativeKernels, runnableSuffixes } from "../backend/native-kernels.ts";

const numbers = {
  scale: 0.5,
  decay: 0.875,
  beta1: 0.75,
  new1: 0.25,
  beta2: 0.9375,
  new2: 0.0625,
  step: 0.125,
  root: 1.5,
  epsilon: 0.0625,
} satisfies Record<(typeof adamWNumbers)[number], number>;
const bits = [...new Uint32Array(Float32Array.from(adamWNumbers, (name) => numbers[name]).buffer)];

const wave = (length: number, speed: number): Float32Array =>
  Float32Array.from({ length }, (_, at) => Math.sin(speed * (at + 1)));
const arraysOf = (length: number) => ({
  x: wave(length, 0.7),
  y: wave(length, 1.3),
  m: wave(length, 2.1),
  v: wave(length, 0.4).map(Math.abs),
});

/** The formula, value by value. */
function expected({ x, y, m, v }: ReturnType<typeof arraysOf>) {
  const { scale, decay, beta1, new1, beta2, new2, step, root, epsilon } = numbers;
  const [mean, square] = [
    Array.from(m, (before, at) => beta1 * before + new1 * scale * (x[at] ?? 0)),
    Array.from(v, (before, at) => beta2 * before + new2 * (scale * (x[at] ?? 0)) ** 2),
  ];
  const moved = Array.from(
    y,
    (value, at) => decay * value - (step * (mean[at] ?? 0)) / (Math.sqrt(square[at] ?? 0) * root + epsilon),
  );
  return { y: moved, m: mean, v: square };
}

function compare(found: ReturnType<typeof arraysOf>, wanted: ReturnType<typeof expected>): void {
  for (const name of ["y", "m", "v"] as const)
    wanted[name].forEach((value, at) => {
      const error = Math.abs((found[name][at] ?? Number.NaN) - value);
      if (!(error <= 4e-7 * (1 + Math.abs(value)))) expect.fail(`${name}[${at}] is off by ${error}`);
    });
}

describe.each(x86Targets)("$name interpreted", (target) => {
  it.each([0, 1, 15, 16, 17, 101])("%i values", (length) => {
    const program = lowerAdamW(target, "adamw");
    expect(verifyLoop(program)).toEqual([]);
    const arrays = arraysOf(length);
    const wanted = expected(arrays);
    interpretLoop(program, {
      buffers: new Map(Object.entries(arrays)),
      symbols: new Map(adamWNumbers.map((name, at) => [name, bits[at] ?? 0])),
      batch: length,
    });
    compare(arrays, wanted);
  });
});

describe("machine code", () => {
  let kernels: NativeKernels;
  beforeAll(async () => {
    kernels = await loadKernels(x86Targets.map((target) => lowerAdamW(target, `adamw_${target.suffix}`)));
  }, 60_000);
  afterAll(() => kernels.remove());

  it.each(runnableSuffixes())("%s", (suffix) => {
    const guard = 16;
    for (const length of [0, 1, 2, 63, 64, 65, (1 << 14) - 1, (1 << 14) + 33]) {
      const arrays = arraysOf(length);
      const wanted = expected(arrays);
      const rooms = { y: arrays.y, m: arrays.m, v: arrays.v };
      for (const name of ["y", "m", "v"] as const) {
        const room = new Float32Array(length + 2 * guard).fill(7);
        room.set(arrays[name], guard);
        rooms[name] = room;
        arrays[name] = room.subarray(guard, guard + length);
      }
      const { x, y, m, v } = arrays;
      const symbols = [...bits, Number(addressOf(m)), Number(addressOf(v))];
      expect(kernels.run(`adamw_${suffix}`, { symbols, x, y, batch: length, threads: 2 })).toBe(0);
      compare(arrays, wanted);
      for (const room of Object.values(rooms))
        expect([...room.subarray(0, guard), ...room.subarray(guard + length)]).toEqual(
          new Array(2 * guard).fill(7),
        );
    }
  });
});
