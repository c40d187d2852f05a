// Who is timed after whom, for how long, and what is made of the samples.
import { describe, expect, it } from "vitest";
import { timeInTurn, turnsOf } from "../../compiler/calibrate/interleaved-timing.ts";
import { geometricMean, median, pairedRatio, quantile } from "../../compiler/calibrate/sample-statistics.ts";

/** A contestant whose calls take `seconds` each, and the order in which all were sampled. */
function scripted(name: string, seconds: number, order: string[], late = false) {
  return {
    name,
    sample: (calls: number) => {
      order.push(`${name}${calls}`);
      return late ? Promise.resolve(calls * seconds) : calls * seconds;
    },
  };
}

describe("samples", () => {
  it("give quantiles between the neighbours", () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(median([3, 1, 2])).toBe(2);
    expect(quantile([5], 0.25)).toBe(5);
    expect(median([])).toBeNaN();
  });

  it("are compared round by round: a slow round of both changes nothing", () => {
    expect(pairedRatio([2, 20, 2], [1, 10, 1])).toBe(2);
  });

  it("have a geometric mean in which a ratio and its inverse cancel", () => {
    expect(geometricMean([4, 0.25])).toBeCloseTo(1, 12);
    expect(geometricMean([])).toBe(1);
  });
});

describe("turns", () => {
  it("change with the rounds, so that each follows each", () => {
    expect(turnsOf(3, 3)).toEqual([0, 1, 2, 1, 2, 0, 2, 0, 1]);
  });

  it("are taken by those who answer at once and those who answer later alike", async () => {
    const order: string[] = [];
    const both = [scripted("a", 1e-3, order), scripted("b", 1e-3, order, true)];
    const times = await timeInTurn(both, { rounds: 2, sampleSeconds: 1e-3 });
    expect(order.slice(4)).toEqual(["a1", "b1", "b1", "a1"]);
    expect(times.map(({ samples }) => samples)).toEqual([
      [1e-3, 1e-3],
      [1e-3, 1e-3],
    ]);
  });
});

describe("what a run lasts", () => {
  it("has short calls repeated until a sample lasts", async () => {
    const order: string[] = [];
    await timeInTurn([scripted("a", 1e-4, order)], { rounds: 1, sampleSeconds: 1e-3 });
    expect(order).toEqual(["a1", "a1", "a10"]);
  });

  it("has rounds left out where calls are long, never below three", async () => {
    for (const [seconds, rounds] of [
      [1, 4],
      [10, 3],
    ] as const) {
      const order: string[] = [];
      const [timing] = await timeInTurn([scripted("a", seconds, order)], {
        rounds: 9,
        sampleSeconds: 1e-3,
        budgetSeconds: 4,
      });
      expect(timing?.samples.length).toBe(rounds);
    }
  });
});
