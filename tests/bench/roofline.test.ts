// What the benchmark makes of samples and probes: errors, rooflines, drift.
import { describe, expect, it } from "vitest";
import { undisturbedRounds } from "../../bench/speed/measure-cell.ts";
import { driftOf, type MachineRates } from "../../bench/speed/probes.ts";
import { compressRows, errorOf } from "../../bench/speed/problem.ts";
import { levelOf, rooflineOf } from "../../bench/speed/roofline.ts";

const rates: MachineRates = {
  read: { L2: 100e9, L3: 50e9, memory: 10e9 },
  multiplies: 50e9,
  copy: 8e9,
  permutes: 4e9,
};

describe("a problem", () => {
  const problem = {
    out: 2,
    inputs: 3,
    batch: 1,
    weight: Float32Array.of(1, 0, 2, 0, 0, 3),
    x: Float32Array.of(1, 1, 1),
  };

  it("tells a right result from a wrong one and from one never written", () => {
    expect(errorOf(problem, Float32Array.of(3, 3))).toBe(0);
    expect(errorOf(problem, Float32Array.of(3, 3.3))).toBeCloseTo(0.1, 5);
    expect(errorOf(problem, Float32Array.of(3, Number.NaN))).toBe(Number.POSITIVE_INFINITY);
  });

  it("is compressed row by row", () => {
    const { starts, columns, values } = compressRows(problem.weight, 2, 3);
    expect([...starts]).toEqual([0, 2, 3]);
    expect([...columns]).toEqual([0, 2, 2]);
    expect([...values]).toEqual([1, 2, 3]);
  });
});

describe("the roofline", () => {
  it("is the slowest of bytes, multiplies and permutes", () => {
    const work = { bytes: 100e3, multiplies: 1e6, permutes: 1e3 };
    expect(rooflineOf(work, rates, "memory")).toMatchObject({ seconds: 2e-5, bound: "multiplies" });
    expect(rooflineOf({ ...work, bytes: 1e6 }, rates, "memory")).toMatchObject({
      seconds: 1e-4,
      bound: "bytes",
    });
  });

  it("takes the level that holds the bytes", () => {
    const caches = { secondLevel: 1 << 20, thirdLevel: 32 << 20 };
    expect(levelOf(1 << 19, caches, 1, false)).toBe("L2");
    expect(levelOf(1 << 20, caches, 2, false)).toBe("L2");
    expect(levelOf(1 << 20, caches, 1, false)).toBe("L3");
    expect(levelOf(1 << 19, caches, 1, true)).toBe("memory");
  });

  it("of a machine that changed is seen as drift", () => {
    expect(driftOf(rates, rates)).toBe(0);
    expect(driftOf(rates, { ...rates, multiplies: 40e9 })).toBeCloseTo(0.2);
  });
});

describe("rounds of a cell", () => {
  it("count when the machine gave all but a tenth of its best", () => {
    const probes = {
      pulseRate: (threads: number, seconds: number) => (threads * 100) / seconds,
      shortfall: (_: number, { multiplies }: { readonly multiplies: number }) => 1 - multiplies / 200,
    };
    // The third round ran at half speed, the fourth a little below the best.
    expect(undisturbedRounds({ probes }, 2, [1, 1, 2, 1.05])).toEqual([0, 1, 3]);
  });
});
