// Every atom in both layouts against plain loops in float64, over a seeded choice of sizes and batches around the tiles.
import { describe, expect, it } from "vitest";
import { allTargets, roundingTargets, x86Targets } from "../../compiler/targets/x86-targets.ts";
import { atomFamilies, familiesOn, interestingBatches, interestingSizes } from "./atom-cases.ts";
import { checkAgainstPlainLoops } from "./run-reference.ts";
import { createRandom } from "./weight-cases.ts";

const runsPerTarget = 14;

describe.each(allTargets)("$name", (target) => {
  it.each(familiesOn(target, atomFamilies))("$name, $layout", (family) => {
    const random = createRandom(atomFamilies.indexOf(family) * 31 + target.vectorBits);
    const any = (from: readonly number[]): number => from[random(from.length)] ?? 1;
    for (let run = 0; run < runsPerTarget; run++) {
      const [rows, columns] = [any(interestingSizes), any(interestingSizes)];
      const batch = interestingBatches[(run * 5 + random(2)) % interestingBatches.length] ?? 1;
      const weight = family.make(rows, columns, run);
      try {
        checkAgainstPlainLoops(weight, { target, batch, seed: run });
      } catch (thrown) {
        const sizes = `${weight.weight.rows} x ${weight.weight.columns}, batch ${batch}, run ${run}`;
        throw new Error(`${family.name}, ${family.layout}: ${sizes}`, { cause: thrown });
      }
    }
  });
});

// The first tokens of a call share tiles of many sizes; their inputs pass 16 at a time, then one by one.
describe.each(x86Targets)("dense panels on $name", (target) => {
  const family = atomFamilies.find(({ name, layout }) => name === "dense" && layout === "lane-output");
  it.each([15, 16, 17, 37])("of %i inputs, every number of tokens", (inputs) => {
    for (let batch = 1; batch <= 25; batch++) {
      const weight = family?.make(19, inputs, batch) ?? expect.fail("no dense panels");
      checkAgainstPlainLoops(weight, { target, batch, seed: batch });
    }
  });
});

// Levels that round have tiles of 24 tokens beside those of eight; the last pair of odd inputs is half.
describe.each(roundingTargets)("pairs on $name", (target) => {
  const [family] = familiesOn(target, atomFamilies);
  it.each([1, 2, 31, 33, 64])("of %i inputs", (inputs) => {
    for (const batch of [1, 7, 23, 24, 25, 57]) {
      const weight = family?.make(19, inputs, batch) ?? expect.fail("no pairs");
      checkAgainstPlainLoops(weight, { target, batch, seed: batch });
    }
  });
});

// Codes are decoded in stretches of 256 lines, transposed ones in stretches of 16 panels.
describe("coded panels longer than a stretch", () => {
  const families = atomFamilies.filter(
    ({ name, layout }) => layout === "lane-token" && /^(int4, runs of 24|int8, runs of 3|bf16)/.test(name),
  );
  it.each(families)("$name", (family) => {
    const [rows, columns] = family.name.endsWith("transposed") ? [5, 300] : [17, 530];
    for (const target of x86Targets)
      checkAgainstPlainLoops(family.make(rows, columns, 1), { target, batch: 17, seed: 1 });
    expect(families).toHaveLength(6);
  });
});

describe("matrices without rows or columns", () => {
  const families = atomFamilies.filter(({ name }) =>
    ["dense", "2:4", "sparse 5%", "blocks 4x1"].includes(name),
  );
  it.each(families)("$name, $layout", (family) => {
    for (const target of x86Targets) {
      for (const batch of [0, 1, 17]) {
        checkAgainstPlainLoops(family.make(0, 8, 1), { target, batch, seed: 1 });
        checkAgainstPlainLoops(family.make(8, 0, 1), { target, batch, seed: 1 });
      }
    }
    expect(families).toHaveLength(7);
  });
});
