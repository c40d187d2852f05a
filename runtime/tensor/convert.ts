/**
 * Tensors to and from float32, the one number type that kernels compute in.
 */
import { SpxError } from "../errors.ts";
import type { ElementType, TensorData } from "./element-type.ts";
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
} from "./half-precision.ts";
import { hasElementType, type Tensor, tensor } from "./tensor.ts";

/** Element types that hold real numbers and have a conversion to float32. */
export type NumericElementType =
  | "bool"
  | "u8"
  | "i8"
  | "u16"
  | "i16"
  | "u32"
  | "i32"
  | "u64"
  | "i64"
  | "f16"
  | "bf16"
  | "f32"
  | "f64";

/** Floating-point types that float32 values can be rounded to. */
export type FloatElementType = "f16" | "bf16" | "f32" | "f64";

/**
 * The values of `source` as float32, row-major. For an f32 tensor its own data, not a copy. f16, bf16, and
 * integers of up to 16 bits are exact; f64 and wider integers are rounded to nearest (64-bit ones by way of f64).
 * @throws SpxError SPX8015 for types without numbers here (8-bit and smaller floats, complex).
 */
export function toFloat32(source: Tensor): Float32Array {
  if (hasElementType(source, "f32")) return source.data;
  if (hasElementType(source, "f16")) return float16ToFloat32(source.data);
  if (hasElementType(source, "bf16")) return bfloat16ToFloat32(source.data);
  if (hasElementType(source, "i64") || hasElementType(source, "u64"))
    return Float32Array.from(source.data, Number);
  if (!isNumeric(source.elementType)) {
    throw new SpxError("SPX8015", `${source.elementType} values cannot be read as numbers`, {
      facts: { elementType: source.elementType },
      help: "convert the tensor to f32, f16 or bf16 first",
    });
  }
  return new Float32Array(source.data as Exclude<TensorData, BigInt64Array | BigUint64Array>);
}

/** A tensor of `elementType` from float32 values (taken over, not copied, for f32). @throws SpxError as `tensor`. */
export function fromFloat32<E extends FloatElementType>(
  elementType: E,
  shape: readonly number[],
  values: Float32Array,
): Tensor<E> {
  return tensor(elementType, shape, roundTo[elementType](values) as TensorData<E>);
}

const roundTo: { readonly [E in FloatElementType]: (values: Float32Array) => TensorData<E> } = {
  f16: (values) => float32ToFloat16(values),
  bf16: (values) => float32ToBfloat16(values),
  f32: (values) => values,
  f64: (values) => new Float64Array(values),
};

const numeric: Readonly<Record<NumericElementType, true>> = {
  bool: true,
  u8: true,
  i8: true,
  u16: true,
  i16: true,
  u32: true,
  i32: true,
  u64: true,
  i64: true,
  f16: true,
  bf16: true,
  f32: true,
  f64: true,
};

function isNumeric(type: ElementType): type is NumericElementType {
  return Object.hasOwn(numeric, type);
}
