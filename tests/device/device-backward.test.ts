// dx and gradients on the device level, against the interpreter of the CPU's backward plan in float64.
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CudaElements } from "../../runtime/contract/cuda.ts";
import { largestError, loadForDevice, planForDevice, runBackwardOnDevice } from "./device-program.ts";

const value = (index: number): number => ((Math.imul(index + 1, 2654435761) >>> 16) % 97) / 64 - 0.75;
const elements: readonly CudaElements[] = ["f32", "bf16"];
const bounds: Readonly<Partial<Record<CudaElements, number>>> = { f32: 1e-5, bf16: 3e-2 };

const cases: readonly {
  readonly file: string;
  readonly transform: string;
  readonly size: readonly [out: number, inputs: number];
  readonly numbers?: Readonly<Record<string, number>>;
}[] = [
  { file: "dsee", transform: "DSEE", size: [33, 21], numbers: { r: 5, nnz: 40, keep: 0.4 } },
  { file: "lora", transform: "LoRA", size: [17, 40], numbers: { r: 3 } },
  { file: "nm", transform: "TrainedNM", size: [17, 36] },
  { file: "monarch", transform: "Monarch", size: [36, 36] },
  { file: "dora", transform: "DoRA", size: [18, 24], numbers: { r: 2 } },
  { file: "phm", transform: "PHM", size: [20, 12] },
];

describe.each(cases)("$transform", ({ file, transform, size: [out, inputs], numbers = {} }) => {
  const program = planForDevice(join("stdlib", `${file}.spx`), elements).get(transform);
  if (program === undefined) throw new Error(`no ${transform}`);
  const state = loadForDevice(program, { out, inputs }, numbers, value);

  it.each(elements)("%s", (type) => {
    for (const batch of [0, 1, 19]) {
      const { dx, gradients } = runBackwardOnDevice(program, type, state, batch, true, value);
      expect(largestError(dx), `dx, batch ${batch}`).toBeLessThan(bounds[type] ?? 0);
      expect(gradients.size).toBeGreaterThan(0);
      for (const [name, { found, expected }] of gradients) {
        const error = largestError({ y: found, expected, launched: [] });
        if (batch === 0) expect(Math.max(0, ...found.map(Math.abs)), name).toBe(0);
        else expect(error, `d${name}, batch ${batch}`).toBeLessThan(bounds[type] ?? 0);
      }
    }
  });

  it("leaves out what only dx needs unless it is asked for", () => {
    const all = runBackwardOnDevice(program, "f32", state, 3, true, value);
    const some = runBackwardOnDevice(program, "f32", state, 3, false, value);
    expect(some.launched.length).toBeLessThan(all.launched.length);
    for (const [name, { found }] of some.gradients) expect(found).toEqual(all.gradients.get(name)?.found);
  });
});
