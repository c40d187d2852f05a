// The atoms as machine code, at every level that this CPU runs, over the sizes and batches of the interpreted tests.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { allTargets } from "../../compiler/targets/x86-targets.ts";
import { type NativeKernels, runnableSuffixes } from "../backend/native-kernels.ts";
import { atomFamilies, familiesOn, interestingBatches, interestingSizes } from "./atom-cases.ts";
import { checkNativeRun, type NativeRun, type PreparedRun, prepareRuns } from "./native-runs.ts";
import { createRandom } from "./weight-cases.ts";

const runsPerTarget = 40;
/** Compiling is what takes time here: patterns whose code has the same shape as that of a neighbour are interpreted only. */
const leftOut = [
  "1:4",
  "1:2",
  "4:8",
  "8:16",
  "7:16",
  "blocks 1x4",
  "blocks 6x1",
  "blocks 16x1",
  "blocks 32x4",
  "sparse 5%",
  ...["int8, runs of 24", "int8, runs of a row", "int4, runs of 8", "int4, runs of a row"].flatMap((name) => [
    name,
    `${name}, transposed`,
  ]),
  ...["int8, runs of 8", "int4, runs of 3"].flatMap((name) => [name, `${name}, transposed`]),
  "int8, runs of 3, transposed",
];
const families = atomFamilies.filter(({ name }) => !leftOut.includes(name));
const suffixes = runnableSuffixes(allTargets);
const targets = allTargets.filter(({ suffix }) => suffixes.includes(suffix));

function runsOf(target: (typeof allTargets)[number]): NativeRun[] {
  return familiesOn(target, families).flatMap((family, number) => {
    const random = createRandom(number * 17 + target.vectorBits);
    const any = (from: readonly number[]): number => from[random(from.length)] ?? 1;
    return Array.from({ length: runsPerTarget }, (_, run) => {
      const weight = family.make(any(interestingSizes), any(interestingSizes), run);
      const batch = interestingBatches[run % interestingBatches.length] ?? 1;
      const sizes = `${weight.weight.rows} x ${weight.weight.columns}, batch ${batch}`;
      return {
        label: `${family.name}, ${family.layout}: ${sizes}, run ${run}`,
        weight,
        target,
        batch,
        seed: run,
      };
    });
  });
}

describe.each(targets)("$name", (target) => {
  let kernels: NativeKernels;
  let prepared: readonly PreparedRun[];
  beforeAll(async () => {
    ({ kernels, prepared } = await prepareRuns(runsOf(target)));
  }, 240_000);
  afterAll(() => kernels?.remove());

  it("agrees with plain loops", () => {
    for (const run of prepared) checkNativeRun(kernels, run);
    expect(prepared).toHaveLength(familiesOn(target, families).length * runsPerTarget);
  });
});
