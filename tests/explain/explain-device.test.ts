// The explanation of a device plan: every batch is served, and its numbers are those of the dispatch.
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { planFile } from "../../compiler/driver/compile.ts";
import { nodeHost } from "../../compiler/driver/node-host.ts";
import { explainDevice } from "../../compiler/explain/explain-device.ts";
import { printDeviceScreen } from "../../compiler/explain/print-device.ts";
import { costAt } from "../../compiler/plan/envelope.ts";

const cases = [
  { file: "dsee", values: { out: 4096, in: 4096, r: 16, nnz: 64, alpha: 32, keep: 0.5 } },
  { file: "lora", values: { out: 4096, in: 1024, r: 8, alpha: 16 } },
  { file: "nm", values: { out: 768, in: 768 } },
  { file: "qlora", values: { out: 2048, in: 2048, r: 16, alpha: 16, b: 64 } },
];

describe.each(cases)("$file", ({ file, values }) => {
  const { transforms } = planFile(
    join("stdlib", `${file}.spx`),
    nodeHost(),
    undefined,
    undefined,
    undefined,
    ["f32", "bf16"],
  );
  const [stages] = transforms;
  const device = stages?.device;
  if (stages === undefined || device === null || device === undefined) throw new Error("no device plan");
  const sizes = new Map(Object.entries(values));
  const explained = explainDevice(stages.checked.name, device, sizes);

  it("serves every batch of each number type once", () => {
    expect(explained.types.map(({ elements }) => elements)).toEqual(["f32", "bf16"]);
    for (const { variants } of explained.types) {
      const ranges = variants.flatMap(({ intervals }) => intervals).sort((a, b) => a.from - b.from);
      expect(ranges[0]?.from).toBe(1);
      expect(ranges.at(-1)?.to).toBeNull();
      for (const [index, { to }] of ranges.entries())
        if (to !== null) expect(ranges[index + 1]?.from).toBe(to + 1);
    }
  });

  it("gives the prices that decide, and kernels that add up to no more", () => {
    for (const { elements, variants } of explained.types)
      for (const { name, batch, nanoseconds, kernels } of variants) {
        const planned = device.variants.find(
          (variant) => variant.name === name && variant.elements === elements,
        );
        if (planned === undefined) throw new Error(`no ${name}`);
        expect(nanoseconds).toBe(costAt(planned.cost, sizes, batch));
        const sum = kernels.reduce((all, kernel) => all + kernel.nanoseconds, 0);
        expect(sum).toBeGreaterThan(0);
        expect(sum).toBeLessThanOrEqual(nanoseconds * (1 + 1e-9));
        expect(kernels.some(({ kernel }) => kernel === "tensor")).toBe(
          elements === "bf16" &&
            kernels.some(({ formats }) => formats.some((format) => format.endsWith("-tiles"))),
        );
      }
  });

  it("shows the backward call of each type, step by step, and what it costs in all", () => {
    for (const { elements, backward } of explained.types) {
      const planned = device.backward.find((one) => one.elements === elements);
      if (planned === undefined || backward === null) throw new Error(`no backward in ${elements}`);
      expect(backward.nanoseconds).toBe(costAt(planned.cost, sizes, backward.batch));
      expect(backward.kernels).toHaveLength(planned.steps.length);
      const gradients = planned.steps.flatMap((step) => (step.kind === "gradient" ? [step.parameter] : []));
      expect(
        backward.kernels.flatMap(({ kernel, output }) => (kernel === "entries" ? [output] : [])),
      ).toEqual(gradients.map((parameter) => `d${parameter} +=`));
      const sum = backward.kernels.reduce((all, kernel) => all + kernel.nanoseconds, 0);
      expect(backward.forming).toBeGreaterThanOrEqual(-1e-6 * sum);
      expect(sum + backward.forming).toBeCloseTo(backward.nanoseconds, 3);
      expect(
        backward.kernels.filter(({ dxOnly }) => dxOnly).map(({ output }) => output.split(" ")[0]),
      ).toContain("dx");
      expect(printDeviceScreen(explained)).toContain(`${elements}, backward`);
    }
  });

  it("fits a screen and says where its rates come from", () => {
    const screen = printDeviceScreen(explained);
    expect(screen).toContain("not measured here");
    for (const line of screen.split("\n").filter((text) => !/^(note| {2}y = )/.test(text)))
      expect(line.length).toBeLessThanOrEqual(100);
    expect(screen).toContain("bf16, batch 1");
  });
});
