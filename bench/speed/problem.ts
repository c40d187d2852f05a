/** The data of one cell, as every contestant gets it. */
import type { QuantizedWeight } from "./quantized-weight.ts";

export interface SparseEntries {
  /** Compressed rows of the weight [out, in]: starts i32 [out + 1], columns i32 ascending in a row, values f32. */
  readonly starts: Int32Array;
  readonly columns: Int32Array;
  readonly values: Float32Array;
}

export interface Problem {
  readonly out: number;
  readonly inputs: number;
  readonly batch: number;
  readonly threads: number;
  /** Copies of the dense weights that are used in turn: 1, or as many as no cache holds. */
  readonly copies: number;
  /** The same for those who store only what is not zero, or fewer bits of it. */
  readonly compactCopies: number;
  /** The whole weight as a dense matrix [out, in]: what the structured one equals. */
  readonly weight: Float32Array;
  /** Codes and scales of a quantized weight; null for others. */
  readonly quantized: QuantizedWeight | null;
  /** x [batch, in]. */
  readonly x: Float32Array;
}

/** What is not zero of a dense matrix. */
export function compressRows(weight: Float32Array, rows: number, columns: number): SparseEntries {
  const starts = new Int32Array(rows + 1);
  let count = 0;
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) if (weight[row * columns + column] !== 0) count += 1;
    starts[row + 1] = count;
  }
  const found = { starts, columns: new Int32Array(count), values: new Float32Array(count) };
  let entry = 0;
  for (let place = 0; place < weight.length; place += 1) {
    const value = weight[place] ?? 0;
    if (value === 0) continue;
    found.columns[entry] = place % columns;
    found.values[entry] = value;
    entry += 1;
  }
  return found;
}

const sampledOutputs = 96;

/**
 * Largest difference from the float64 product over `sampledOutputs` outputs spread over y [batch, out], relative to the
 * size of what is summed.
 */
export function errorOf(
  problem: Pick<Problem, "out" | "inputs" | "batch" | "weight" | "x">,
  y: Float32Array,
): number {
  const { out, inputs, batch, weight, x } = problem;
  const total = batch * out;
  const step = Math.max(1, Math.floor(total / sampledOutputs));
  let worst = 0;
  for (let place = 0; place < total; place += step) {
    const token = Math.floor(place / out);
    const row = place % out;
    let sum = 0;
    let size = 0;
    for (let k = 0; k < inputs; k += 1) {
      const product = (weight[row * inputs + k] ?? 0) * (x[token * inputs + k] ?? 0);
      sum += product;
      size += product * product;
    }
    const error = Math.abs((y[place] ?? Number.NaN) - sum) / Math.max(Math.sqrt(size), 1e-30);
    // A NaN is the worst error of all.
    worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error);
  }
  return worst;
}
