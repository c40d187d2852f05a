// Every format and every kind of step of the lane = output plans, run by the device interpreter.
import { describe, expect, it } from "vitest";
import { atomFamilies } from "../loop/atom-cases.ts";
import { stepFamilies } from "../loop/step-cases.ts";
import { createRandom } from "../loop/weight-cases.ts";
import { checkDeviceCase } from "./device-case.ts";

const sizes = [1, 2, 15, 16, 17, 31, 33, 48];
const batches = [0, 1, 2, 7, 17, 33];

describe("lane kernels, exactly", () => {
  it.each(atomFamilies.filter(({ layout }) => layout === "lane-output"))("$name", ({ make, name }) => {
    const random = createRandom(name.length * 31);
    const any = (from: readonly number[]): number => from[random(from.length)] ?? 1;
    for (let run = 0; run < 6; run++) {
      const weight = make(any(sizes), any(sizes), run);
      const batch = batches[run] ?? 1;
      const launched = checkDeviceCase(weight, { batch, seed: run, elements: "f32" });
      expect(launched).toHaveLength(batch === 0 ? 0 : 1);
    }
  });

  it.each(stepFamilies)("steps: $name", ({ make, name }) => {
    const random = createRandom(name.length * 17);
    const any = (from: readonly number[]): number => from[random(from.length)] ?? 1;
    for (let run = 0; run < 4; run++)
      checkDeviceCase(make("lane-output", any(sizes), any(sizes), run), {
        batch: batches[run + 1] ?? 1,
        seed: run,
        elements: "f32",
      });
  });
});
