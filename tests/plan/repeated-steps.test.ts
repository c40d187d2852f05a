/** What backward computes again: found by what it means, whatever the formats, stacks and permutations of forward. */
import { describe, expect, it } from "vitest";
import { widestMachine } from "../../compiler/plan/cost-model.ts";
import { costAt } from "../../compiler/plan/envelope.ts";
import { lookupIn } from "../../compiler/plan/operand-table.ts";
import { keepingCost, keptBytes, repeatedSteps } from "../../compiler/plan/repeated-steps.ts";
import { defaultRates } from "../../compiler/targets/cpu-rates.ts";
import { samples } from "../algebra/sample-transforms.ts";
import { planOf, sampleNamed, squareValues } from "./sample-plans.ts";

const machine = widestMachine(defaultRates);

const repeatedIn = (name: string) => {
  const plan = planOf(sampleNamed(name), "all");
  return { plan, repeated: repeatedSteps(plan, lookupIn(plan.operands)) };
};

describe("steps of backward that forward has, too", () => {
  it("finds A x of B A in every variant that does not form the product, stacked or not", () => {
    const { plan, repeated } = repeatedIn("DSEE");
    expect(repeated.map(({ output }) => output)).toEqual(["t1"]);
    const thin = plan.variants.filter(({ form }) => form.includes("(A x)")).map(({ name }) => name);
    expect(thin.some((name) => name.includes("stacked"))).toBe(true);
    expect(repeated[0]?.formedBy).toEqual(thin);
    expect(thin.length).toBeLessThan(plan.variants.length);
  });

  it("finds nothing that reads dy, and dx never", () => {
    for (const { transform } of samples) {
      const plan = planOf(transform);
      const fromGradient = new Set(["dy"]);
      for (const step of plan.backward.steps) {
        if (step.kind !== "apply") continue;
        if (step.step.terms.some(({ input }) => fromGradient.has(input))) fromGradient.add(step.step.output);
      }
      for (const { output, index } of repeatedSteps(plan, lookupIn(plan.operands))) {
        expect(fromGradient.has(output), `${transform.name} ${output}`).toBe(false);
        expect(plan.backward.steps[index]).toMatchObject({ step: { output } });
      }
    }
  });

  it("prices keeping by whole panels of 16 tokens, written and read", () => {
    const values = squareValues(1024);
    const [step] = repeatedIn("DSEE").repeated;
    if (step === undefined) throw new Error("a step");
    expect([1, 16, 17].map((batch) => costAt(keptBytes(step), values, batch))).toEqual([1024, 1024, 2048]);
    const { all } = machine.rates.memory.memoryNanoseconds;
    expect(costAt(keepingCost(step, machine), values, 17)).toBeCloseTo(2 * 2048 * all, 6);
    const alone = { ...machine, threads: 1 };
    expect(costAt(keepingCost(step, alone), values, 17)).toBeCloseTo(
      2 * 2048 * machine.rates.memory.memoryNanoseconds.one,
      6,
    );
  });
});
