/** A scale on a chain goes into one factor, once, whatever the factors are. */
import { expect, it } from "vitest";
import { buildAlgebra } from "../../compiler/algebra/build-algebra.ts";
import { applyDense, densify } from "../../compiler/algebra/evaluate-algebra.ts";
import { interpretVariant } from "../../compiler/plan/interpret-plan.ts";
import { leaf, product, scale, sum, tensor, transformOf } from "../algebra/sample-transforms.ts";
import { smallIntegers, valuesFor } from "../algebra/sample-values.ts";
import { planOf } from "./sample-plans.ts";

const W = tensor("W", "frozen", ["m", "n"]);
const A = tensor("A", "param", ["m", "n"]);
const V = tensor("V", "frozen", ["n", "m"]);
const B = tensor("B", "param", ["n", "m"]);
const S = tensor("S", "frozen", ["m", "m"]);
const T = tensor("T", "param", ["m", "m"]);

const chains = [
  ["different", product(sum(leaf(W), leaf(A)), sum(leaf(V), leaf(B)), leaf(W)), [W, A, V, B]],
  ["equal", product(sum(leaf(S), leaf(T)), sum(leaf(S), leaf(T))), [S, T]],
] as const;

it.each(chains)("scales a product of two trained sums once: %s ones", (_title, chain, tensors) => {
  const transform = transformOf("SumsTimesSums", scale("q", chain), tensors, []);
  const values = valuesFor(transform, { m: 3, n: 2, q: 5 }, 4);
  const weight = densify(buildAlgebra(transform).root, values);
  const x = Float64Array.from({ length: 2 * weight.columns }, smallIntegers(3));
  const expected = applyDense(weight, x);
  expect(expected.some((value) => value !== 0)).toBe(true);
  const plan = planOf(transform, "all");
  for (const variant of plan.variants)
    expect(interpretVariant(plan, variant, transform.tensors, values, x, 2), variant.name).toEqual(expected);
});
