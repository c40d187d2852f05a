/**
 * The singular value decomposition by one-sided Jacobi rotations (Hestenes 1958; Demmel and Veselić 1992):
 * slow for large matrices, but simple and accurate to the last bits for small singular values too. It is the
 * inner decomposition of the truncated one, and its judge in tests.
 */
import { dot, rotate, transposed } from "./dense-vectors.ts";
import { householderQr } from "./householder-qr.ts";
import { orthonormalize } from "./orthonormal-block.ts";

/** matrix = u diag(s) vᵀ; k = number of singular values. */
export interface SingularValues {
  /** [rows, k] row-major, orthonormal columns; in each the entry of largest magnitude (the first of them) is positive. */
  readonly u: Float64Array;
  /** Descending, not negative. */
  readonly s: Float64Array;
  /** [columns, k] row-major, orthonormal columns. */
  readonly v: Float64Array;
}

/** The decomposition of a row-major [rows, columns] matrix of finite values; k = min(rows, columns). */
export function jacobiSvd(matrix: Float64Array, rows: number, columns: number): SingularValues {
  if (rows < columns) {
    const { u, s, v } = jacobiSvd(transposed(matrix, rows, columns), columns, rows);
    return withFixedSigns(v, s, u, rows, columns);
  }
  if (rows > columns) {
    // Rotations then work on columns x columns entries only.
    const { q, r } = householderQr(matrix, rows, columns);
    const inner = jacobiSvd(r, columns, columns);
    return withFixedSigns(multiply(q, inner.u, rows, columns, columns), inner.s, inner.v, rows, columns);
  }
  return squareSvd(matrix, rows);
}

const mostSweeps = 60;

function squareSvd(matrix: Float64Array, size: number): SingularValues {
  // Columns one after the other: the rotated columns become u diag(s), the rotated identity v.
  const columns = transposed(matrix, size, size);
  const right = new Float64Array(size * size);
  for (let index = 0; index < size; index += 1) right[index * size + index] = 1;
  for (let sweep = 0; sweep < mostSweeps; sweep += 1) if (!sweepPairs(columns, right, size)) break;
  const norms = Float64Array.from({ length: size }, (_, i) =>
    Math.sqrt(dot(columns, i * size, columns, i * size, size)),
  );
  const order = Array.from(norms.keys()).sort((a, b) => (norms[b] as number) - (norms[a] as number) || a - b);
  const left = gather(columns, order, size);
  // Divides by the singular values, and gives columns that are zero a direction of their own.
  orthonormalize({ values: left, count: size, length: size }, []);
  const s = Float64Array.from(order, (index) => norms[index] as number);
  return withFixedSigns(
    transposed(left, size, size),
    s,
    transposed(gather(right, order, size), size, size),
    size,
    size,
  );
}

/** One rotation for every pair of columns that is not orthogonal yet; false when there was none. */
function sweepPairs(columns: Float64Array, right: Float64Array, size: number): boolean {
  // Squared lengths, carried along through the rotations and computed anew in each sweep.
  const squares = Float64Array.from({ length: size }, (_, i) =>
    dot(columns, i * size, columns, i * size, size),
  );
  let rotated = false;
  for (let p = 0; p < size - 1; p += 1) {
    for (let q = p + 1; q < size; q += 1) {
      const alpha = squares[p] as number;
      const beta = squares[q] as number;
      const gamma = dot(columns, p * size, columns, q * size, size);
      if (Math.abs(gamma) <= 1e-15 * Math.sqrt(alpha * beta)) continue;
      rotated = true;
      const zeta = (beta - alpha) / (2 * gamma);
      const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
      const cos = 1 / Math.sqrt(1 + tangent * tangent);
      rotate(columns, p * size, q * size, size, cos, cos * tangent);
      rotate(right, p * size, q * size, size, cos, cos * tangent);
      // Cancellation may leave a little less than nothing.
      squares[p] = Math.max(0, alpha - tangent * gamma);
      squares[q] = Math.max(0, beta + tangent * gamma);
    }
  }
  return rotated;
}

function gather(vectors: Float64Array, order: readonly number[], length: number): Float64Array {
  const result = new Float64Array(order.length * length);
  order.forEach((index, place) => {
    result.set(vectors.subarray(index * length, (index + 1) * length), place * length);
  });
  return result;
}

/** a b for row-major a [rows, inner], b [inner, columns]. */
export function multiply(
  a: Float64Array,
  b: Float64Array,
  rows: number,
  inner: number,
  columns: number,
): Float64Array {
  const right = transposed(b, inner, columns);
  const result = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      result[row * columns + column] = dot(a, row * inner, right, column * inner, inner);
    }
  }
  return result;
}

/** Turns pairs of singular vectors so that the result does not depend on the way it was found. */
export function withFixedSigns(
  u: Float64Array,
  s: Float64Array,
  v: Float64Array,
  rows: number,
  columns: number,
): SingularValues {
  const count = s.length;
  for (let index = 0; index < count; index += 1) {
    let largest = 0;
    for (let row = 0; row < rows; row += 1) {
      const entry = u[row * count + index] as number;
      if (Math.abs(entry) > Math.abs(largest)) largest = entry;
    }
    if (largest >= 0) continue;
    for (let row = 0; row < rows; row += 1) u[row * count + index] = -(u[row * count + index] as number);
    for (let row = 0; row < columns; row += 1) v[row * count + index] = -(v[row * count + index] as number);
  }
  return { u, s, v };
}
