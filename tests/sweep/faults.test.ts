/** The sweep has to catch a fault in any single pass and name its level. Each test hands in one broken pass. */
import { describe, expect, test } from "vitest";
import { nodeHost } from "../../compiler/driver/node-host.ts";
import { offByOne, plantedFaults } from "./planted-faults.ts";
import { levels, type Road, road } from "./road.ts";
import { type ReportedDifference, type SweepOptions, sweep } from "./sweep.ts";

const options: SweepOptions = {
  programs: 60,
  seed: 2,
  nativeEvery: 0,
  casesInLibrary: 4,
  nativeVariants: 2,
  backwardEvery: 1,
  sizesEach: 1,
  choices: { loopVariants: 1, loopBatches: 2, everyTarget: true },
  host: nodeHost(),
  road,
  shrinkTries: 6,
};

/** The first difference of a sweep on a road with a fault. */
async function caught(
  fault: Partial<Road>,
  changes: Partial<SweepOptions> = {},
): Promise<ReportedDifference> {
  const { differences } = await sweep({ ...options, ...changes, road: { ...road, ...fault } });
  const [first] = differences;
  if (first === undefined) throw new Error("the fault was not caught");
  return first;
}

describe("a fault is caught at its level:", () => {
  test.each(plantedFaults)(
    "$name: $level",
    async ({ level, fault, changes }) => {
      // Loops are slow to interpret and come after most levels.
      const early = levels.indexOf(level) < levels.indexOf("loop v4");
      const found = await caught(fault, {
        ...(early ? { choices: { loopVariants: 0, loopBatches: 0, everyTarget: false } } : {}),
        ...changes,
      });
      expect(found.level, found.message).toBe(level);
      expect(found.text).toContain("transform S");
    },
    240_000,
  );
});

test("every level has a planted fault, and every pass can be broken", () => {
  expect(new Set(plantedFaults.map(({ level }) => level))).toEqual(new Set(levels));
  const broken = new Set(plantedFaults.flatMap(({ fault }) => Object.keys(fault)));
  expect(Object.keys(road).filter((pass) => !broken.has(pass))).toEqual([]);
});

test("what is reported is small", async () => {
  const found = await caught(offByOne, { shrinkTries: 200 });
  expect(found.text.split("\n").filter((line) => line.includes("param ")).length).toBeLessThanOrEqual(1);
  const sides = Object.entries(found.sizes).filter(([name]) => ["m", "n", "k"].includes(name));
  expect(sides.filter(([, size]) => size > 2)).toEqual([]);
});
