/** The inverse of a square matrix in double precision. */
import { SpxError } from "../errors.ts";

/** Gauss-Jordan elimination with the largest pivot of each column. @throws SpxError SPX8413 when there is no inverse. */
export function inverseSquare(given: ArrayLike<number>, size: number): Float64Array {
  const work = Float64Array.from(given);
  const inverse = new Float64Array(size * size);
  for (let row = 0; row < size; row++) inverse[row * size + row] = 1;
  for (let pivot = 0; pivot < size; pivot++) {
    const row = largestRow(work, size, pivot);
    const divisor = work[row * size + pivot] ?? 0;
    if (divisor === 0 || !Number.isFinite(divisor)) throw singular(size);
    for (const half of [work, inverse]) {
      if (row !== pivot) swapRows(half, size, row, pivot);
      for (let k = 0; k < size; k++) half[pivot * size + k] = (half[pivot * size + k] ?? 0) / divisor;
    }
    for (let other = 0; other < size; other++) {
      const factor = work[other * size + pivot] ?? 0;
      if (other === pivot || factor === 0) continue;
      for (const half of [work, inverse]) subtractRow(half, size, other, pivot, factor);
    }
  }
  return inverse;
}

function largestRow(work: Float64Array, size: number, pivot: number): number {
  let best = pivot;
  for (let row = pivot + 1; row < size; row++) {
    if (Math.abs(work[row * size + pivot] ?? 0) > Math.abs(work[best * size + pivot] ?? 0)) best = row;
  }
  return best;
}

function swapRows(matrix: Float64Array, size: number, a: number, b: number): void {
  const kept = matrix.slice(a * size, (a + 1) * size);
  matrix.copyWithin(a * size, b * size, (b + 1) * size);
  matrix.set(kept, b * size);
}

function subtractRow(matrix: Float64Array, size: number, from: number, row: number, factor: number): void {
  for (let k = 0; k < size; k++)
    matrix[from * size + k] = (matrix[from * size + k] ?? 0) - factor * (matrix[row * size + k] ?? 0);
}

function singular(size: number): SpxError {
  return new SpxError("SPX8413", `a matrix [${size}, ${size}] that is to be inverted has no inverse`, {
    facts: { size },
    help: "start from values at which the matrix is regular, or train with a smaller step",
  });
}
