import { expect, test } from "vitest";
import { SpxError } from "../../runtime/errors.ts";
import { randomStream } from "../../runtime/random/philox.ts";
import { sampleWithoutReplacement } from "../../runtime/random/sample-positions.ts";

const sample = (count: number, population: number, seed = 1, name = "S"): number[] => [
  ...sampleWithoutReplacement(randomStream(seed, name), count, population),
];

test.each([
  [0, 0],
  [0, 5],
  [1, 1],
  [7, 7],
  [31, 32],
  [33, 64],
  [1000, 1000],
  [999, 1000],
  [64, 4096],
  [64, 4097],
  [64, 1_000_003],
  [1, 2 ** 32 - 1],
  [5000, 2 ** 32 - 1],
])("%i of %i: exactly that many, distinct, ascending, in range", (count, population) => {
  const positions = sample(count, population);
  expect(positions).toHaveLength(count);
  expect(positions.every((position, index) => position > (positions[index - 1] ?? -1))).toBe(true);
  expect((positions.at(-1) ?? -1) < population).toBe(true);
});

test("the same stream gives the same positions, others give others", () => {
  expect(sample(20, 1e6)).toEqual(sample(20, 1e6));
  expect(sample(20, 1e6)).not.toEqual(sample(20, 1e6, 2));
  expect(sample(20, 1e6)).not.toEqual(sample(20, 1e6, 1, "T"));
});

test("every subset of three of six is equally likely", () => {
  const rounds = 20_000;
  const seen = new Map<string, number>();
  for (let round = 0; round < rounds; round += 1) {
    const key = sample(3, 6, round).join();
    seen.set(key, (seen.get(key) ?? 0) + 1);
  }
  expect(seen.size).toBe(20);
  const expected = rounds / 20;
  const chiSquare = [...seen.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  // 19 degrees of freedom: 0.1 % and 99.9 % quantiles.
  expect(chiSquare).toBeGreaterThan(5.4);
  expect(chiSquare).toBeLessThan(43.8);
});

test("a population that does not divide 2^32 gives no position twice the chance", () => {
  const rounds = 6000;
  const third = 2 ** 30;
  let low = 0;
  for (let round = 0; round < rounds; round += 1) if ((sample(1, 3 * third, round)[0] ?? 0) < third) low += 1;
  // The remainder of a 32-bit word alone would put one half of the draws there.
  expect(Math.abs(low / rounds - 1 / 3)).toBeLessThan(4 * Math.sqrt(2 / 9 / rounds));
});

test("positions of a sparse sample are spread evenly", () => {
  const cells = new Float64Array(50);
  for (const position of sample(10_000, 1_000_000)) {
    const cell = Math.floor(position / 20_000);
    cells[cell] = (cells[cell] ?? 0) + 1;
  }
  const chiSquare = cells.reduce((sum, count) => sum + (count - 200) ** 2 / 200, 0);
  // 49 degrees of freedom: 0.1 % and 99.9 % quantiles.
  expect(chiSquare).toBeGreaterThan(23.9);
  expect(chiSquare).toBeLessThan(85.4);
});

test.each([
  [6, 5],
  [-1, 5],
  [1.5, 5],
  [1, 2 ** 32],
  [Number.NaN, 5],
])("%d of %d is refused", (count, population) => {
  expect(() => sample(count, population)).toThrow(SpxError);
});
