/** Operands of intrinsics that have to be vectors. */
import { SpxError } from "../errors.ts";
import type { DenseTensor } from "./dense-tensor.ts";

/** @throws SpxError SPX8405 for a tensor without one dimension. */
export function vectorOf({ name, tensor }: { readonly name: string; readonly tensor: DenseTensor }): {
  readonly name: string;
  readonly values: Float32Array;
} {
  const { shape, values } = tensor;
  if (shape.length === 1) return { name, values };
  throw new SpxError("SPX8405", `\`${name}\` is [${shape.join(", ")}], where a vector is needed`, {
    facts: { tensor: name, shape },
    help: "give a tensor with one dimension",
  });
}
