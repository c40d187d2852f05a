/** Adds the gradient of a parameter, still a sum of products, to the values that hold it, in the parameter's own form. */
import { type Chain, settle } from "./matrix-chains.ts";
import { type LayerParameter, parameterMatrix } from "./parameter-values.ts";
import type { Work } from "./product-work.ts";

/** @param slice of a stacked parameter; null for any other. */
export function* addGradient(
  gradient: LayerParameter,
  slice: number | null,
  sum: readonly Chain[],
): Work<void> {
  const matrix = parameterMatrix(gradient, slice);
  const { values } = yield* settle(sum, matrix.kind === "dense" ? null : matrix);
  // The matrix shows the very memory of the gradient.
  const target = matrix.values;
  for (const [at, value] of values.entries()) target[at] = (target[at] ?? 0) + value;
}
