/** Crossovers of known lines are found, also behind noise; forms that never cross are said to. */
import { describe, expect, it } from "vitest";
import {
  ladderAround,
  measuredCrossover,
  predictedCrossover,
} from "../../bench/crossover/locate-crossover.ts";
import { testNumbers } from "../programs/built-program.ts";

const line = (fixed: number, each: number) => (batch: number) => fixed + each * batch;

describe("predicted crossovers", () => {
  it("lie where two lines meet", () => {
    expect((predictedCrossover(line(100, 10), line(270, 5)) ?? 0) / 34).toBeCloseTo(1, 1);
    expect(predictedCrossover(line(10, 3), (batch) => 40 * Math.ceil(batch / 16))).toBeCloseTo(10, 1);
  });

  it("do not depend on where the first panel that is not full ends", () => {
    const stairs = (batch: number) => 50 + 100 * Math.ceil(batch / 16);
    // Batch by batch they meet inside the third panel, at 46.7; the line through full panels is met at 40.
    expect(stairs(46)).toBeGreaterThan(line(0, 7.5)(46));
    expect(stairs(47)).toBeLessThan(line(0, 7.5)(47));
    expect((predictedCrossover(line(0, 7.5), stairs) ?? 0) / 40).toBeCloseTo(1, 1);
  });

  it("are none where one side is always the faster", () => {
    expect(predictedCrossover(line(100, 5), line(270, 5))).toBeNull();
    expect(predictedCrossover(line(270, 10), line(100, 5))).toBeNull();
  });
});

describe("ladders", () => {
  it("are of full panels beyond the first, ascend, and have the crossover between their ends", () => {
    for (const crossover of [2, 12, 48, 700]) {
      const batches = ladderAround(crossover);
      expect(batches).toEqual([...new Set(batches)].sort((a, b) => a - b));
      expect(batches[0]).toBeLessThan(crossover);
      expect(batches.at(-1)).toBeGreaterThan(crossover);
      expect(batches.filter((batch) => batch > 16 && batch % 16 > 0)).toEqual([]);
    }
  });
});

describe("measured crossovers", () => {
  const rungs = (crossover: number, noise: (index: number) => number) =>
    ladderAround(crossover).map((batch, index) => ({
      batch,
      advantage: Math.log((10 * batch + 100) / (5 * batch + 100 + 5 * crossover)) + noise(index),
    }));

  it("are where the times are equal", () => {
    for (const crossover of [9, 40, 300])
      expect((measuredCrossover(rungs(crossover, () => 0)) ?? 0) / crossover).toBeCloseTo(1, 1);
  });

  it("move little with noise, and with one rung that is wrong", () => {
    const next = testNumbers(3);
    const noisy = measuredCrossover(rungs(300, () => 0.03 * next())) ?? 0;
    expect(Math.abs(noisy / 300 - 1)).toBeLessThan(0.3);
    const wrong = measuredCrossover(rungs(300, (index) => (index === 1 ? 0.3 : 0))) ?? 0;
    expect(wrong / 300).toBeCloseTo(1, 1);
  });

  it("are none when one side is the faster on every rung", () => {
    expect(measuredCrossover([1, 2, 3].map((batch) => ({ batch, advantage: -0.2 })))).toBeNull();
    expect(measuredCrossover([1, 2, 3].map((batch) => ({ batch, advantage: 0.2 })))).toBeNull();
  });
});
