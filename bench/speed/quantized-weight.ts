/**
 * Codes and scales of a weight that lies on a grid, found again from its values, so that every contestant stores the same
 * function: whole numbers times a scale, or 16 levels times the largest of a block.
 */

import { gridLevels, nearestCode, zeroCode } from "../../runtime/tensor/quantized-grid.ts";

/** `int8`: -127 to 127, one scale a row. `int4`: -7 to 7. `nf4`: places among its 16 levels. */
export type QuantizedType = "int8" | "int4" | "nf4";

export interface QuantizedWeight {
  readonly type: QuantizedType;
  /** [out, in] row by row. */
  readonly codes: Int8Array;
  /** [out, in / block] row by row: what a code is multiplied by. */
  readonly scales: Float32Array;
  /** Entries of a row with one scale. */
  readonly block: number;
}

const largestCode = { int8: 127, int4: 7, nf4: 1 } as const;
/** Relative to the scale; a value farther from the grid was not made on it. */
const tolerance = 1e-3;

/** @throws RangeError when the weight does not lie on the grid of the type. */
export function quantizedWeight(
  weight: Float32Array,
  inputs: number,
  type: QuantizedType,
  block: number,
): QuantizedWeight {
  const codes = new Int8Array(weight.length);
  const scales = new Float32Array(weight.length / block);
  const levels = gridLevels[type];
  // Whole numbers are their own codes for everybody but spx, which counts from the lowest.
  const first = type === "nf4" ? 0 : zeroCode[type];
  for (let start = 0; start < weight.length; start += block) {
    let largest = 0;
    for (let place = start; place < start + block; place += 1)
      largest = Math.max(largest, Math.abs(weight[place] ?? 0));
    const scale = largest === 0 ? 1 : largest / largestCode[type];
    scales[start / block] = scale;
    for (let place = start; place < start + block; place += 1) {
      const ratio = (weight[place] ?? 0) / scale;
      const code = nearestCode(levels, ratio);
      if (Math.abs(ratio - (levels[code] ?? Number.NaN)) > tolerance * largestCode[type])
        throw new RangeError(
          `row ${Math.floor(place / inputs)} is not on the grid of ${type} in blocks of ${block}`,
        );
      codes[place] = code - first;
    }
  }
  return { type, codes, scales, block };
}
