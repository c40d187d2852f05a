/** Float tensors that a caller gives, as the values in single precision that a layer computes with. */
import type { TransformManifest } from "../contract/manifest.ts";
import { SpxError } from "../errors.ts";
import type { DenseTensor } from "../select/dense-tensor.ts";
import { toFloat32 } from "../tensor/convert.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";

/** A tensor of real numbers; f16 and bf16 are widened to f32. */
export type FloatMatrix =
  | Tensor<"f32">
  | Tensor<"f16">
  | Tensor<"bf16">
  | { readonly data: Float32Array; readonly shape: readonly number[] };

/** The values of a float tensor in f32. @throws SpxError SPX8403 for what is no tensor, SPX8404, SPX8409. */
export function widenTensor(transform: TransformManifest, name: string, value: unknown): DenseTensor {
  if (
    typeof value !== "object" ||
    value === null ||
    !("data" in value) ||
    !("shape" in value) ||
    !Array.isArray(value.shape)
  ) {
    throw new SpxError("SPX8403", `\`${name}\` of \`${transform.name}\` is neither a number nor a tensor`, {
      facts: { transform: transform.name, argument: name, found: typeof value },
      help: "give a number, a tensor, or { data, shape }",
    });
  }
  const shape: readonly number[] = value.shape;
  const elementType = "elementType" in value ? value.elementType : "f32";
  if (elementType !== "f32" && elementType !== "f16" && elementType !== "bf16") {
    throw new SpxError(
      "SPX8404",
      `\`${name}\` of \`${transform.name}\` is ${String(elementType)}, expected f32, f16 or bf16`,
      {
        facts: { transform: transform.name, argument: name, found: String(elementType) },
        help: "convert it to a float type first",
      },
    );
  }
  const { data } = value;
  const fits = elementType === "f32" ? data instanceof Float32Array : data instanceof Uint16Array;
  if (!fits || (data as Float32Array | Uint16Array).length !== elementCount(shape)) {
    throw new SpxError(
      "SPX8409",
      `the data of \`${name}\` are not the ${elementCount(shape)} values of [${shape.join(", ")}]`,
      {
        facts: { transform: transform.name, argument: name, shape },
        help: "give a Float32Array with one value for each entry of the shape",
      },
    );
  }
  return { shape, values: toFloat32({ elementType, shape, data } as Tensor) };
}
