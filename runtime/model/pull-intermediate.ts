/** What a kernel left as the gradient of a part of the weight, taken on to the gradients of the parameters in it. */
import type { MatrixSource } from "../contract/matrix-source.ts";
import type { LayerLeaves } from "./formula-scope.ts";
import { addGradient } from "./parameter-gradient.ts";
import { type LayerParameter, parameterMatrix } from "./parameter-values.ts";
import type { Work } from "./product-work.ts";
import { pullBack } from "./pull-back.ts";

/** The gradient of a part of the weight, stored as a parameter of its form would be, and what the part is. */
export interface IntermediateGradient extends LayerParameter {
  readonly formula: MatrixSource;
}

/**
 * Adds to `gradients`, which hold those of parameters by the names of their targets.
 * @throws SpxError SPX8102 when the formula reads what the layer does not have.
 */
export function* pullIntermediate(
  { formula, target, values }: IntermediateGradient,
  gradients: readonly LayerParameter[],
  leaves: LayerLeaves,
): Work<void> {
  const byName = new Map(gradients.map((gradient) => [gradient.target.name, gradient]));
  yield* pullBack(formula, parameterMatrix({ target, values }, null), {
    ...leaves,
    *give(name, slice, given) {
      const gradient = byName.get(name);
      if (gradient !== undefined) yield* addGradient(gradient, slice, given);
    },
  });
}
