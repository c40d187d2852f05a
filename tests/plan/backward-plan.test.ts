/** Backward passes of generated and sample weights: legal, and exactly the gradients of the chain rule in small integers. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { transposeMatrix } from "../../compiler/algebra/dense-matrix.ts";
import { deriveGradients } from "../../compiler/algebra/derive-gradient.ts";
import { applyDense, densify } from "../../compiler/algebra/evaluate-algebra.ts";
import type { WeightValues } from "../../compiler/algebra/evaluate-source.ts";
import { normalise } from "../../compiler/algebra/normalise.ts";
import type { CheckedTensor } from "../../compiler/check/checked-module.ts";
import { choosePlan } from "../../compiler/plan/choose-plan.ts";
import { interpretBackward } from "../../compiler/plan/interpret-backward.ts";
import type { BackwardStep, Plan } from "../../compiler/plan/plan.ts";
import { verifyPlan } from "../../compiler/plan/verify-plan.ts";
import { number } from "../../runtime/contract/number-expression.ts";
import { anyTerm, generatedValues, newFactory, patterns, tensors } from "../algebra/generated-terms.ts";
import { leaf, samples, transformOf } from "../algebra/sample-transforms.ts";
import { smallIntegers, valuesFor } from "../algebra/sample-values.ts";
import { oracleGradients, weightGradient } from "../programs/gradient-oracle.ts";
import { builtRoot, planOf, sampleNamed } from "./sample-plans.ts";

const batch = 3;
/** -0 is 0. */
const plain = (values: Float64Array): number[] => [...values].map((value) => value + 0);
const dot = (a: Float64Array, b: Float64Array): number =>
  a.reduce((sum, value, at) => sum + value * (b[at] ?? Number.NaN), 0);

/** x, dy, and what the plan makes of them. */
function runBackward(
  plan: Plan,
  of: readonly CheckedTensor[],
  values: WeightValues,
  out: number,
  inputs: number,
) {
  const x = Float64Array.from({ length: batch * inputs }, smallIntegers(4));
  const dy = Float64Array.from({ length: batch * out }, smallIntegers(5));
  const result = interpretBackward(plan.backward, { plan, tensors: of, values }, x, dy, batch);
  return { x, dy, ...result };
}

describe("backward passes of generated weights", () => {
  it("are legal and give dx and every gradient exactly", () => {
    const values = generatedValues(21);
    const [anyTensor] = tensors;
    if (anyTensor === undefined) throw new Error("generated tensors");
    const transform = transformOf("Generated", leaf(anyTensor), tensors, patterns);
    const outcomes = { all: 0, withIntermediates: 0 };
    fc.assert(
      fc.property(anyTerm(4), (recipe) => {
        const factory = newFactory();
        const root = recipe(factory);
        const graph = normalise({ transform: "Generated", root, tensors, patterns }, factory);
        const { plan } = choosePlan(graph, transform, deriveGradients(graph.root, factory));
        if (plan === null) return;
        expect(verifyPlan(plan)).toEqual([]);
        outcomes.all += 1;
        outcomes.withIntermediates += Number(plan.backward.intermediates.length > 0);
        const weight = densify(root, values);
        const { x, dy, dx, gradients } = runBackward(plan, tensors, values, weight.rows, weight.columns);
        expect(plain(dx)).toEqual(plain(applyDense(transposeMatrix(weight), dy)));
        const expected = oracleGradients(root, tensors, values, weightGradient(x, dy, batch));
        for (const [name, gradient] of expected)
          expect(plain(gradients.get(name) ?? new Float64Array()), name).toEqual(plain(gradient));
      }),
      { numRuns: 200, seed: 33 },
    );
    expect(outcomes.all).toBeGreaterThan(100);
    expect(outcomes.withIntermediates).toBeGreaterThan(10);
  }, 120_000);
});

describe.each(samples.map(({ transform, sizes }) => ({ name: transform.name, transform, sizes })))(
  "$name",
  ({ transform, sizes }) => {
    const plan = planOf(transform);
    const root = builtRoot(transform);
    it("keeps the adjoint identity exactly, and gives the change of the loss by each parameter", () => {
      for (const size of sizes) {
        const values = valuesFor(transform, size, 7);
        const weight = densify(root, values);
        const { x, dy, dx, gradients } = runBackward(
          plan,
          transform.tensors,
          values,
          weight.rows,
          weight.columns,
        );
        expect(dot(dx, x)).toBe(dot(dy, applyDense(weight, x)));
        for (const [name, gradient] of gradients) {
          const stored = values.tensors.get(name);
          if (stored === undefined) throw new Error(name);
          const direction = Float64Array.from(stored.values, smallIntegers(9));
          const lossAt = (step: number): number => {
            const moved = stored.values.map((value, at) => value + step * (direction[at] ?? 0));
            const there = {
              ...values,
              tensors: new Map(values.tensors).set(name, { ...stored, values: moved }),
            };
            return dot(dy, applyDense(densify(root, there), x));
          };
          // The loss is a polynomial of degree two at most in one parameter, of which this difference is the derivative.
          expect((lossAt(1) - lossAt(-1)) / 2, name).toBe(dot(gradient, direction));
        }
      }
    });
  },
);

describe("the verifier", () => {
  const plan = planOf(sampleNamed("DSEE"));
  const backward = plan.backward;
  const { steps } = backward;
  const withSteps = (...changed: readonly BackwardStep[]): Plan => ({
    ...plan,
    backward: { ...backward, steps: changed },
  });
  const gradients = steps.filter((step) => step.kind === "gradient");
  const applied = steps.filter((step) => step.kind === "apply");
  const [first, second] = gradients;
  if (first === undefined || second === undefined) throw new Error("two gradients");
  const permutation = { size: number(5), stride: number(2) };
  const broken: readonly (readonly [string, Plan])[] = [
    ["reads x, dy or what an earlier step wrote", withSteps(...gradients, ...applied)],
    [
      "completes dx",
      withSteps(...steps.filter((step) => step.kind === "gradient" || step.step.output !== "dx")),
    ],
    ["adds only to what was written, and overwrites nothing", withSteps(...steps, ...applied)],
    [
      "leaves out without dx only",
      withSteps(...steps.map((step) => (step.kind === "apply" ? { ...step, dxOnly: true } : step))),
    ],
    ["forms gradients of parameters", withSteps(...steps, { ...first, parameter: "Q" })],
    ["has operands of the formats that gradients read", withSteps(...steps, { ...first, scale: "B_panels" })],
    ["permutes whole activations", withSteps(...steps, { ...first, left: { ...first.left, permutation } })],
  ];
  it.each(broken)("finds a backward pass that does not keep: %s", (sentence, damaged) => {
    expect(verifyPlan(damaged).join("\n")).toContain(sentence);
  });
});

describe("sharing", () => {
  it("computes A x once for dB, and Bᵀ dy once for dA and dx", () => {
    const { steps } = planOf(sampleNamed("LoRA")).backward;
    const applied = steps.flatMap((step) => (step.kind === "apply" ? [[step.step.output, step.dxOnly]] : []));
    expect(applied).toEqual([
      ["t1", false],
      ["t2", false],
      ["dx", true],
    ]);
  });
});
