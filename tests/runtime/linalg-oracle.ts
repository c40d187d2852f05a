/** Plain dense algebra in float64 for the tests of runtime/linalg: triple loops and nothing else. */
import { fillNormal } from "../../runtime/random/distributions.ts";
import { randomStream } from "../../runtime/random/philox.ts";

/** A row-major [rows, columns] matrix of standard normal numbers. */
export function noise(rows: number, columns: number, seed: number): Float64Array {
  return Float64Array.from(fillNormal(randomStream(seed, "noise"), new Float32Array(rows * columns)));
}

export function product(
  a: Float64Array,
  b: Float64Array,
  rows: number,
  inner: number,
  columns: number,
): Float64Array {
  const result = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i += 1) {
    for (let k = 0; k < inner; k += 1) {
      const factor = a[i * inner + k] ?? 0;
      for (let j = 0; j < columns; j += 1) {
        result[i * columns + j] = (result[i * columns + j] ?? 0) + factor * (b[k * columns + j] ?? 0);
      }
    }
  }
  return result;
}

export function transpose(matrix: Float64Array, rows: number, columns: number): Float64Array {
  return Float64Array.from(
    matrix,
    (_, index) => matrix[(index % rows) * columns + Math.floor(index / rows)] ?? 0,
  );
}

export function diagonal(values: Float64Array): Float64Array {
  const size = values.length;
  return new Float64Array(size * size).map((_, index) =>
    index % (size + 1) === 0 ? (values[index / (size + 1)] ?? 0) : 0,
  );
}

export function frobenius(values: Float64Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

export function distance(a: Float64Array, b: Float64Array): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return frobenius(a.map((value, index) => value - (b[index] ?? 0)));
}

/** ‖QᵀQ - I‖ of a row-major [rows, columns] matrix. */
export function columnsDefect(q: Float64Array, rows: number, columns: number): number {
  if (q.length !== rows * columns) return Number.POSITIVE_INFINITY;
  const gram = product(transpose(q, rows, columns), q, columns, rows, columns);
  return distance(gram, diagonal(new Float64Array(columns).fill(1)));
}
