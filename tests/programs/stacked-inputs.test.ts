/** Factors that read the same x stacked into one product: chosen where that is cheaper, native, against the oracle. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { oracleForward, relativeError } from "../../bench/quickstart/layer-oracle.ts";
import { onlyVariant } from "../../compiler/calibrate/forced-variant.ts";
import { costAt } from "../../compiler/plan/envelope.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import { x86Targets } from "../../compiler/targets/x86-targets.ts";
import { detectCpu } from "../../runtime/native/cpu-features.ts";
import { checkBackward, checkForward, loadCase } from "./backward-check.ts";
import { type BuiltProgram, buildProgram, openChanged, testMatrix } from "./built-program.ts";

const source = `
transform TwoAdapters(W: [out, in], r: int = 16, s: int = 16) {
  param B: [out, r] = 0
  param A: [r, in]  = 0
  param D: [out, s] = 0
  param C: [s, in]  = 0
  weight = B @ A + 2 * (D @ C)
}
transform WholeAndThin(W: [out, in], r: int = 16) {
  param V: [out, in] = 0
  param B: [out, r]  = 0
  param A: [r, in]   = 0
  weight = V + B @ A
}
`;

const folder = mkdtempSync(join(tmpdir(), "spx-stacked-"));
let program: BuiltProgram;

beforeAll(async () => {
  program = await buildProgram({ text: source }, "covering");
}, 240_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const planNamed = (name: string): Plan => {
  const plan = program.stages.get(name)?.plan;
  if (plan === undefined) throw new ReferenceError(name);
  return plan;
};
const stackedIn = (name: string): readonly string[] =>
  planNamed(name)
    .variants.map((variant) => variant.name)
    .filter((variant) => variant.includes("stacked"));

describe("stacked inputs", () => {
  test("are one operand, one below the other, and read part by part", () => {
    const { operands, variants } = planNamed("TwoAdapters");
    const stacked = operands.find(({ source }) => source.kind === "stack");
    expect(stacked).toMatchObject({ name: "A_C_panels", description: "[A; C]", stage: "step" });
    const variant = variants.find(({ name }) => name.startsWith("separate-stacked/"));
    expect(variant?.rules).toContain("stacked-input");
    expect(variant?.steps).toHaveLength(2);
    const whole = planNamed("WholeAndThin").operands.find(({ source }) => source.kind === "stack");
    expect(whole?.description).toBe("[V; A]");
  });

  test("cost less where a thin factor alone would keep one thread busy, and about as much where nothing is gained", () => {
    const { variants } = planNamed("TwoAdapters");
    const price = (name: string, size: Record<string, number>, batch: number): number => {
      const found = variants.find((variant) => variant.name === name);
      if (found === undefined) throw new ReferenceError(name);
      return costAt(found.cost, new Map(Object.entries({ r: 16, s: 16, ...size })), batch);
    };
    const [apart, together] = ["separate/lane-output", "separate-stacked/lane-output"] as const;
    const wide = { out: 48, in: 4096 };
    expect(price(together, wide, 1)).toBeLessThan(0.9 * price(apart, wide, 1));
    const flat = { out: 4096, in: 16 };
    expect(price(together, flat, 256)).toBeGreaterThan(0.98 * price(apart, flat, 256));
  });

  test("run where they are cheapest", async () => {
    const { layer, weight } = await loadCase(program, "TwoAdapters", 48, 4096, { r: 16, s: 16 });
    expect(layer.plan(1)[0]?.variant).toContain("stacked");
    const x = testMatrix(3, 4096);
    expect(relativeError(layer.forward(x).data, oracleForward(weight, x, 1))).toBeLessThan(1e-5);
    layer.dispose();
  });

  const { features } = detectCpu();
  const levels = x86Targets.filter(({ needs }) => needs.every((need) => features.has(need)));

  test.each(["TwoAdapters", "WholeAndThin"])(
    "%s: every stacked variant, merged and backward",
    async (name) => {
      const ranks = name === "TwoAdapters" ? { r: 3, s: 17 } : { r: 5 };
      const stacked = stackedIn(name);
      expect(new Set(stacked.map((variant) => variant.split("/")[1]))).toEqual(
        new Set(["lane-output", "lane-token"]),
      );
      for (const [at, variant] of stacked.entries()) {
        for (const { name: level } of levels) {
          const place = { folder, name: `${name}-${at}-${level}`, level };
          const artefact = openChanged(program, place, (manifest) => ({
            ...manifest,
            transforms: manifest.transforms
              .filter((transform) => transform.name === name)
              .map((transform) => ({ ...transform, plan: onlyVariant(transform.plan, variant) })),
          }));
          for (const [out, inputs] of [
            [1, 1],
            [5, 33],
            [16, 16],
            [49, 17],
          ] as const) {
            const loaded = await loadCase(program, name, out, inputs, ranks, artefact);
            const { layer, weight } = loaded;
            expect(layer.plan().map((interval) => interval.variant)).toEqual([variant]);
            checkForward({ layer, weight }, [1, 4, 5, 16, 17, 50], `${variant} ${out}x${inputs}, ${level}`);
            if (at === 0) await checkBackward(loaded);
            layer.dispose();
          }
        }
      }
    },
  );
});
