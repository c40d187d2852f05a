import { describe, expect, it } from "vitest";
import { createTermFactory } from "../../compiler/algebra/algebra-graph.ts";
import { buildAlgebra } from "../../compiler/algebra/build-algebra.ts";
import { applyDense, densify } from "../../compiler/algebra/evaluate-algebra.ts";
import { normalise } from "../../compiler/algebra/normalise.ts";
import { verifyAlgebra } from "../../compiler/algebra/verify-algebra.ts";
import { choosePlan } from "../../compiler/plan/choose-plan.ts";
import { interpretMerge, interpretVariant } from "../../compiler/plan/interpret-plan.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import { verifyPlan } from "../../compiler/plan/verify-plan.ts";
import type { CheckedTransform } from "../../compiler/check/checked-module.ts";
import { samples, smallIntegers, valuesFor } from "../algebra/sample-transforms.ts";

function plan(transform: CheckedTransform): Plan {
  const factory = createTermFactory(transform.tensors);
  const graph = normalise(buildAlgebra(transform, factory), factory);
  expect(verifyAlgebra(graph, "normal")).toEqual([]);
  const result = choosePlan(graph, transform);
  if (result.plan === null) throw new Error(JSON.stringify(result.diagnostics));
  return result.plan;
}

describe.each(samples)("plan of $transform.name", ({ transform, sizes }) => {
  const chosen = plan(transform);

  it("keeps every law", () => {
    expect(verifyPlan(chosen)).toEqual([]);
    expect(chosen.variants.length).toBeLessThanOrEqual(6);
    expect(new Set(chosen.variants.map(({ layout }) => layout))).toEqual(new Set(["lane-output", "lane-token"]));
  });

  it.each(sizes)("applies and merges the weight exactly at %o", (given) => {
    const values = valuesFor(transform, given, 11);
    const weight = densify(buildAlgebra(transform).root, values);
    const batch = 3;
    const x = Float64Array.from({ length: batch * weight.columns }, smallIntegers(5));
    const expected = applyDense(weight, x);
    expect(expected.some((value) => value !== 0)).toBe(true);
    for (const variant of chosen.variants) {
      expect(interpretVariant(chosen, variant, transform.tensors, values, x, batch), variant.name).toEqual(expected.map((v) => v + 0));
    }
    expect(interpretMerge(chosen, transform.tensors, values).values.map((v) => v + 0)).toEqual(weight.values.map((v) => v + 0));
  });
});
