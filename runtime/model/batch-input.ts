/** What `forward` and `backward` take and write, checked. */
import { SpxError } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** [batch, in] values: flat, with a shape, or as a tensor. */
export type BatchInput =
  | Float32Array
  | Tensor<"f32">
  | { readonly data: Float32Array; readonly shape: readonly number[] };

export interface CheckedBatch {
  readonly values: Float32Array;
  readonly batch: number;
}

/**
 * @throws SpxError SPX8404 for values that are no float32, SPX8405 unless the last dimension is `inputs`; leading
 *   dimensions count together as the batch.
 */
export function batchOf(
  x: BatchInput,
  inputs: number,
  transform: string,
  name: "x" | "dy" = "x",
): CheckedBatch {
  const values = x instanceof Float32Array ? x : x.data;
  if (!(values instanceof Float32Array)) {
    const found = "elementType" in x ? x.elementType : typeof values;
    throw new SpxError("SPX8404", `\`${name}\` of \`${transform}\` is ${found}, expected f32`, {
      facts: { transform, found: String(found), expected: "f32" },
      help: "convert it to float32 first",
    });
  }
  const shape = x instanceof Float32Array ? [inputs === 0 ? 0 : values.length / inputs, inputs] : x.shape;
  const batch = shape.slice(0, -1).reduce((count, size) => count * size, 1);
  if (
    shape.length >= 2 &&
    shape.at(-1) === inputs &&
    Number.isInteger(batch) &&
    batch * inputs === values.length
  ) {
    return { values, batch };
  }
  const found =
    x instanceof Float32Array
      ? `${values.length} values`
      : `[${shape.join(", ")}] with ${values.length} values`;
  throw new SpxError("SPX8405", `\`${name}\` of \`${transform}\` is ${found}, expected [batch, ${inputs}]`, {
    facts: { transform, found, in: inputs },
    help: `give rows of ${inputs} values`,
  });
}

/** The array that the result is written to. @throws SpxError SPX8405 for another length, SPX8407 when it overlaps `x`. */
export function outputFor(
  y: Float32Array | undefined,
  { values, batch }: CheckedBatch,
  out: number,
): Float32Array {
  if (y === undefined) return new Float32Array(batch * out);
  if (y.length !== batch * out) {
    throw new SpxError("SPX8405", `\`y\` has ${y.length} values, expected ${batch} x ${out}`, {
      facts: { found: y.length, batch, out },
      help: "give an array of batch * out values, or none",
    });
  }
  const overlaps =
    y.buffer === values.buffer &&
    y.byteOffset < values.byteOffset + values.byteLength &&
    values.byteOffset < y.byteOffset + y.byteLength;
  if (!overlaps) return y;
  throw new SpxError("SPX8407", "`y` overlaps `x` in memory", {
    help: "give an array of its own for the result",
  });
}
