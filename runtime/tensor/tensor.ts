/**
 * Tensors: immutable records of element type, shape and a typed array in row-major order. The record never
 * changes; the array is shared, not copied, and who hands it over must not write to it afterwards.
 */
import { SpxError } from "../errors.ts";
import {
  type ElementType,
  elementBytes,
  elementTypes,
  storageWidth,
  type TensorData,
  viewData,
} from "./element-type.ts";

export interface Tensor<E extends ElementType = ElementType> {
  readonly elementType: E;
  /** Dimensions, outermost first; `[]` is a scalar. */
  readonly shape: readonly number[];
  /** Row-major values; f16 and bf16 as bits. May be a view into a larger buffer. */
  readonly data: TensorData<E>;
}

/**
 * A tensor over `data` (not copied).
 * @throws SpxError SPX8409 when the length of `data` is not that of `shape`.
 */
export function tensor<E extends ElementType>(
  elementType: E,
  shape: readonly number[],
  data: TensorData<E>,
): Tensor<E> {
  const expected = tensorBytes(elementType, shape);
  if (data.byteLength !== expected || data.BYTES_PER_ELEMENT !== storageWidth(elementType)) {
    throw new SpxError(
      "SPX8409",
      `an ${elementType} tensor of shape [${shape.join(", ")}] takes ${expected} bytes in a ` +
        `${elementTypes[elementType].storage}, found ${data.byteLength} bytes in a ${data.constructor.name}`,
      {
        facts: { elementType, shape, expected, found: data.byteLength },
        help: "give a typed array with one entry for each element of the shape",
      },
    );
  }
  return Object.freeze({ elementType, shape: Object.freeze([...shape]), data });
}

/** A tensor of zeros. @throws SpxError as `tensor`. */
export function zeros<E extends ElementType>(elementType: E, shape: readonly number[]): Tensor<E> {
  const bytes = tensorBytes(elementType, shape);
  return tensor(elementType, shape, viewData(elementType, allocateBuffer(bytes), 0, bytes));
}

/**
 * Number of elements of a shape.
 * @throws SpxError SPX8407 when a dimension is no whole number from 0 on, or the count is not exact.
 */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const dimension of shape) {
    if (!Number.isSafeInteger(dimension) || dimension < 0)
      throw badShape(shape, "each dimension to be a whole number");
    count *= dimension;
    if (!Number.isSafeInteger(count)) throw badShape(shape, "fewer than 2^53 elements");
  }
  return count;
}

/** Bytes of a tensor. @throws SpxError as `elementCount`. */
export function tensorBytes(elementType: ElementType, shape: readonly number[]): number {
  const bytes = elementBytes(elementType, elementCount(shape));
  if (bytes === null) throw badShape(shape, `a shape whose ${elementType} elements fill whole bytes`);
  return bytes;
}

/** True when `value` has the element type `elementType`; narrows. */
export function hasElementType<E extends ElementType>(value: Tensor, elementType: E): value is Tensor<E> {
  return value.elementType === elementType;
}

/** An ArrayBuffer of zeros. @throws SpxError SPX8304 or SPX8305 when it cannot be had. */
export function allocateBuffer(bytes: number): ArrayBuffer {
  try {
    return new ArrayBuffer(bytes);
  } catch (cause) {
    throw new SpxError("SPX8304", `no memory for a buffer of ${bytes} bytes`, {
      facts: { bytes },
      help: "read the tensor by rows, or free memory",
      cause,
    });
  }
}

function badShape(shape: readonly number[], expected: string): SpxError {
  return new SpxError("SPX8407", `shape [${shape.join(", ")}] is not usable: expected ${expected}`, {
    facts: { shape, expected },
    help: "check the dimensions that were computed or read",
  });
}
