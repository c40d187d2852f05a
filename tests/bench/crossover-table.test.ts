/** What is said of a crossover: by its ratio, by the batches that are compared, by how little the two differ. */
import { expect, it } from "vitest";
import { printCrossovers, regretOf, verdictOf } from "../../bench/crossover/crossover-table.ts";
import type { MeasuredCrossover } from "../../bench/crossover/measure-crossover.ts";

/** @param rungs batch, measured and predicted ratio of the earlier time over the later one. */
const row = (
  predicted: number | null,
  measured: number | null,
  rungs: readonly (readonly [number, number, number])[] = [],
): MeasuredCrossover => ({
  size: 512,
  earlier: "a",
  later: "b",
  predicted,
  measured,
  undisturbed: measured,
  mergeSeconds: 0,
  rungs: rungs.map(([batch, ratio, price]) => ({
    batch,
    advantage: Math.log(ratio),
    undisturbed: Math.log(ratio),
    predicted: Math.log(price),
    earlierNanoseconds: 1,
    laterNanoseconds: 1,
    quartiles: [ratio, ratio],
  })),
});

it("agrees within a quarter, or where the same batches are chosen", () => {
  expect(verdictOf(row(100, 81))).toBe("within 25 %");
  expect(verdictOf(row(75, 100))).toBe("within 25 %");
  expect(verdictOf(row(100, 79))).toBe("differs");
  expect(verdictOf(row(74, 100))).toBe("differs");
  // No full panel lies between 19 and 27, one lies between 27 and 40.
  expect(verdictOf(row(27, 19))).toBe("same panels");
  expect(verdictOf(row(27, 40))).toBe("differs");
  // Inside the first panel every batch counts.
  expect(verdictOf(row(8.5, 5.6))).toBe("differs");
  expect(verdictOf(row(5.9, 4.1))).toBe("differs");
  expect(verdictOf(row(null, null))).toBe("none");
  expect(verdictOf(row(12, null))).toBe("differs");
});

it("calls lines flat that differ by less than 10 % all around the prediction, and only those", () => {
  const beside = [
    [16, 0.8, 0.8],
    [32, 0.95, 0.98],
    [48, 0.94, 1.02],
    [64, 0.96, 1.05],
  ] as const;
  expect(verdictOf(row(45, null, beside))).toBe("flat");
  expect(verdictOf(row(45, null, [...beside, [60, 1.2, 1.1]]))).toBe("differs");
  expect(verdictOf(row(20, null, beside))).toBe("differs");
});

it("regrets what wrong choices cost at most, and nothing where all are right", () => {
  const right = [
    [16, 0.8, 0.9],
    [32, 1.3, 1.1],
  ] as const;
  expect(regretOf(row(20, 20, right))).toBe(1);
  expect(regretOf(row(20, 20, [...right, [48, 0.8, 1.2], [64, 0.9, 1.2]]))).toBeCloseTo(1.25, 10);
});

it("counts every row once and prints the rule beside the counts", () => {
  const text = printCrossovers([
    { title: "one", ...row(100, 100, [[96, 0.9, 0.9]]) },
    { title: "two", ...row(27, 19, [[16, 0.9, 0.9]]) },
    { title: "three", ...row(50, 100, [[48, 0.5, 1.1]]) },
  ]);
  expect(text).toContain("1 of 3 crossovers are within 25 %; 1 lie between");
  expect(text).toContain("0 are flat");
  expect(text).toContain("1 differ\n");
  expect(text).toMatch(/three.*100 %.*differs/);
});
