/** The Cholesky factorization of symmetric positive definite matrices, in float64, and solutions with it. */
import { dot } from "./dense-vectors.ts";

/** Lower factor L, row-major [size, size], with L Lᵀ = matrix; null when a pivot is not safely positive. */
export function choleskyFactor(matrix: Float64Array, size: number): Float64Array | null {
  const factor = new Float64Array(size * size);
  let largest = 0;
  for (let i = 0; i < size; i += 1) largest = Math.max(largest, matrix[i * size + i] as number);
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j < i; j += 1) {
      const rest = (matrix[i * size + j] as number) - dot(factor, i * size, factor, j * size, j);
      factor[i * size + j] = rest / (factor[j * size + j] as number);
    }
    const pivot = (matrix[i * size + i] as number) - dot(factor, i * size, factor, i * size, i);
    // Below this, what is left is rounding noise of what was taken away.
    if (!(pivot > largest * size * 1e-15)) return null;
    factor[i * size + i] = Math.sqrt(pivot);
  }
  return factor;
}

/** Solves L Lᵀ x = b in place for the vector of `size` entries at `at`. */
export function choleskySolve(factor: Float64Array, size: number, values: Float64Array, at: number): void {
  for (let i = 0; i < size; i += 1) {
    const rest = (values[at + i] as number) - dot(factor, i * size, values, at, i);
    values[at + i] = rest / (factor[i * size + i] as number);
  }
  for (let i = size - 1; i >= 0; i -= 1) {
    const solved = (values[at + i] as number) / (factor[i * size + i] as number);
    values[at + i] = solved;
    for (let j = 0; j < i; j += 1)
      values[at + j] = (values[at + j] as number) - solved * (factor[i * size + j] as number);
  }
}
