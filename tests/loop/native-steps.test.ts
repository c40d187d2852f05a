// Variants of several terms and steps as machine code, general and specialised, at every level that this CPU runs.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { x86Targets } from "../../compiler/targets/x86-targets.ts";
import { type NativeKernels, runnableSuffixes } from "../backend/native-kernels.ts";
import { interestingBatches, interestingSizes } from "./atom-cases.ts";
import { checkNativeRun, type NativeRun, type PreparedRun, prepareRuns } from "./native-runs.ts";
import { stepFamilies, tokenStepFamilies } from "./step-cases.ts";
import { createRandom } from "./weight-cases.ts";

const suffixes = runnableSuffixes();
const targets = x86Targets.filter(({ suffix }) => suffixes.includes(suffix));
const runsPerFamily = 26;

const families = [
  ...stepFamilies.flatMap((family) => [
    { ...family, layout: "lane-output" as const },
    { ...family, layout: "lane-token" as const },
  ]),
  ...tokenStepFamilies.map((family) => ({ ...family, layout: "lane-token" as const })),
];

function runsOf(target: (typeof x86Targets)[number]): NativeRun[] {
  return families.flatMap(({ name, layout, make }, number) => {
    const random = createRandom(number * 19 + target.vectorBits);
    const any = (from: readonly number[]): number => from[random(from.length)] ?? 1;
    return Array.from({ length: runsPerFamily }, (_, run) => {
      const weight = make(layout, any(interestingSizes), any(interestingSizes), run);
      const batch = interestingBatches[run % interestingBatches.length] ?? 1;
      const rank = weight.symbols.get("r");
      // One run is specialised, so that one more program is compiled for the family and not one for each rank.
      const constants: Record<string, number> = run === 9 && rank !== undefined ? { r: rank } : {};
      const sizes = `${weight.weight.rows} x ${weight.weight.columns}, batch ${batch}`;
      return {
        label: `${name}, ${layout}: ${sizes}, run ${run}`,
        weight,
        target,
        batch,
        seed: run,
        constants,
      };
    });
  });
}

describe.each(targets)("$name", (target) => {
  let kernels: NativeKernels;
  let prepared: readonly PreparedRun[];
  beforeAll(async () => {
    ({ kernels, prepared } = await prepareRuns(runsOf(target)));
  }, 120_000);
  afterAll(() => kernels?.remove());

  it("agrees with plain loops", () => {
    for (const run of prepared) checkNativeRun(kernels, run);
    expect(prepared.length).toBe(families.length * runsPerFamily);
    expect(prepared.some(({ constants }) => constants?.r !== undefined)).toBe(true);
  });
});
