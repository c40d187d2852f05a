/** Plans of the sample transforms. */
import { createTermFactory } from "../../compiler/algebra/algebra-graph.ts";
import type { Term } from "../../compiler/algebra/algebra-node.ts";
import { buildAlgebra } from "../../compiler/algebra/build-algebra.ts";
import { deriveGradients } from "../../compiler/algebra/derive-gradient.ts";
import { normalise } from "../../compiler/algebra/normalise.ts";
import type { CheckedTransform } from "../../compiler/check/checked-module.ts";
import { choosePlan } from "../../compiler/plan/choose-plan.ts";
import type { VariantChoice } from "../../compiler/plan/keep-variants.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import { samples } from "../algebra/sample-transforms.ts";

/** @throws Error with the diagnostics when there is no plan. */
export function planOf(transform: CheckedTransform, variants: VariantChoice = "winning"): Plan {
  const factory = createTermFactory(transform.tensors);
  const graph = normalise(buildAlgebra(transform, factory), factory);
  const gradients = deriveGradients(graph.root, factory);
  const { plan, diagnostics } = choosePlan(graph, transform, gradients, variants);
  if (plan === null) throw new Error(JSON.stringify(diagnostics));
  return plan;
}

/** The weight of a sample as written. */
export const builtRoot = (transform: CheckedTransform): Term =>
  buildAlgebra(transform, createTermFactory(transform.tensors)).root;

/** Values for every symbol of the samples: layers of `size` features, 1 % of the entries in supports, rank 16. */
export const squareValues = (size: number): ReadonlyMap<string, number> =>
  new Map(
    Object.entries({
      out: size,
      in: size,
      n: size,
      b: 16,
      r: 16,
      alpha: 32,
      keep: 0.5,
      nnz: Math.floor(size * size * 0.01),
      p: 4,
      q: 4,
      s: size / 4,
      t: size / 4,
      u: 2,
      v: 2,
      a: size / 2,
      c: size / 2,
      d: size,
    }),
  );

export function sampleNamed(name: string): CheckedTransform {
  const found = samples.find(({ transform }) => transform.name === name);
  if (found === undefined) throw new ReferenceError(name);
  return found.transform;
}
