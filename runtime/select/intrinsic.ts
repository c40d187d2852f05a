/** What a row of the table of intrinsics is, and the values that rows give. */
import { SpxError } from "../errors.ts";
import type { DenseTensor } from "./dense-tensor.ts";
import type { NamedMatrix } from "./magnitude.ts";
import type { Call, RecipeValue } from "./recipe-value.ts";

/** One row of the table of intrinsics. */
export interface Intrinsic {
  /** True when the shape, the granularity or the name of the target enters the result. */
  readonly dependsOnTarget: boolean;
  readonly evaluate: (call: Call) => RecipeValue;
}

export const tensorValue = (shape: readonly number[], values: Float32Array): RecipeValue => ({
  kind: "tensor",
  name: "",
  tensor: { shape, values },
});
export const ofTensor = (tensor: DenseTensor): RecipeValue => ({ kind: "tensor", name: "", tensor });
export const fixed = (evaluate: Intrinsic["evaluate"]): Intrinsic => ({ dependsOnTarget: false, evaluate });
export const forTarget = (evaluate: Intrinsic["evaluate"]): Intrinsic => ({
  dependsOnTarget: true,
  evaluate,
});

/** The operand as a matrix. @throws SpxError SPX8405 for another number of dimensions. */
export function matrixOf({ name, tensor }: { name: string; tensor: DenseTensor }): NamedMatrix {
  const [rows, columns] = tensor.shape;
  if (rows === undefined || columns === undefined || tensor.shape.length !== 2) {
    throw new SpxError("SPX8405", `\`${name}\` is [${tensor.shape.join(", ")}], where a matrix is needed`, {
      facts: { tensor: name, shape: tensor.shape },
      help: "give a tensor with two dimensions",
    });
  }
  return { name, rows, columns, values: tensor.values };
}
