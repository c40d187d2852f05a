/**
 * Some singular values at one end of the spectrum, or all values without vectors, from the eigenvalues of the smaller
 * of AᵀA and AAᵀ: about 2 m n k + 2 k³ operations for k = min(m, n), whatever the spectrum. Squaring costs half the
 * digits at the lower end: the absolute error of a singular value s is about 1e-16 s₁² / s, and below 1e-8 s₁ values
 * are noise. The Jacobi decomposition has no such limit and takes thirty times as long.
 */
import { dot, transposed } from "./dense-vectors.ts";
import { eigenvectorsOf } from "./inverse-iteration.ts";
import { jacobiSvd, type SingularValues, withFixedSigns } from "./jacobi-svd.ts";
import { orthonormalize } from "./orthonormal-block.ts";
import { applyReflections, eigenvaluesOf, tridiagonalize } from "./tridiagonal.ts";

export type SpectrumEnd = "largest" | "smallest";

/**
 * `count` singular values of a row-major [rows, columns] matrix of finite values, descending, with their vectors: u
 * [rows, count], v [columns, count].
 */
export function gramSvd(
  matrix: Float64Array,
  rows: number,
  columns: number,
  count: number,
  end: SpectrumEnd = "largest",
): SingularValues {
  if (rows < columns) {
    const { u, s, v } = gramSvd(transposed(matrix, rows, columns), columns, rows, count, end);
    return withFixedSigns(v, s, u, rows, columns);
  }
  const size = columns;
  const vectorsOfColumns = transposed(matrix, rows, columns);
  const scale = largestMagnitude(matrix);
  if (scale === 0 || count === 0) return cutSvd(jacobiSvd(matrix, rows, columns), rows, columns, count, end);
  const tridiagonal = tridiagonalize(gramOf(vectorsOfColumns, size, rows, scale), size);
  const values = eigenvaluesOf(tridiagonal);
  const first = end === "largest" ? 0 : size - count;
  const right = eigenvectorsOf(tridiagonal, values.slice(first, first + count));
  if (right === null) return cutSvd(jacobiSvd(matrix, rows, columns), rows, columns, count, end);
  for (let index = 0; index < count; index += 1) applyReflections(tridiagonal, right, index * size);
  return completedFromRight(matrix, rows, columns, right, count);
}

/** All min(rows, columns) singular values, descending. */
export function singularValuesOf(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const scale = largestMagnitude(matrix);
  const size = Math.min(rows, columns);
  if (scale === 0) return new Float64Array(size);
  const vectors = rows < columns ? matrix : transposed(matrix, rows, columns);
  const values = eigenvaluesOf(tridiagonalize(gramOf(vectors, size, Math.max(rows, columns), scale), size));
  return values.map((value) => scale * Math.sqrt(Math.max(0, value)));
}

/**
 * The triples of the `count` right vectors, one after the other in `right`: u s = matrix v, and the length of the image is
 * the singular value, to more digits than its eigenvalue has.
 */
export function completedFromRight(
  matrix: Float64Array,
  rows: number,
  columns: number,
  right: Float64Array,
  count: number,
): SingularValues {
  const left = new Float64Array(count * rows);
  for (let index = 0; index < count; index += 1) {
    for (let row = 0; row < rows; row += 1)
      left[index * rows + row] = dot(matrix, row * columns, right, index * columns, columns);
  }
  const lengths = Float64Array.from({ length: count }, (_, index) =>
    Math.sqrt(dot(left, index * rows, left, index * rows, rows)),
  );
  const order = Array.from(lengths.keys()).sort(
    (a, b) => (lengths[b] as number) - (lengths[a] as number) || a - b,
  );
  const sortedLeft = gather(left, order, rows);
  // Divides by the singular values, and gives columns that are zero a direction of their own.
  orthonormalize({ values: sortedLeft, count, length: rows }, []);
  return withFixedSigns(
    transposed(sortedLeft, count, rows),
    Float64Array.from(order, (index) => lengths[index] as number),
    transposed(gather(right, order, columns), count, columns),
    rows,
    columns,
  );
}

function gather(vectors: Float64Array, order: readonly number[], length: number): Float64Array {
  const result = new Float64Array(order.length * length);
  order.forEach((index, place) => {
    result.set(vectors.subarray(index * length, (index + 1) * length), place * length);
  });
  return result;
}

/** The `count` values of a whole decomposition at one end, with their vectors. */
export function cutSvd(
  svd: SingularValues,
  rows: number,
  columns: number,
  count: number,
  end: SpectrumEnd,
): SingularValues {
  const all = svd.s.length;
  const first = end === "largest" ? 0 : all - count;
  const cut = (vectors: Float64Array, length: number): Float64Array => {
    const result = new Float64Array(length * count);
    for (let row = 0; row < length; row += 1)
      result.set(vectors.subarray(row * all + first, row * all + first + count), row * count);
    return result;
  };
  return { u: cut(svd.u, rows), s: svd.s.slice(first, first + count), v: cut(svd.v, columns) };
}

export const largestMagnitude = (values: Float64Array): number => {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  return largest;
};

/** [count, count]: products of `count` vectors of `length` entries divided by `scale`, so that squares stay in range. */
function gramOf(vectors: Float64Array, count: number, length: number, scale: number): Float64Array {
  const scaled = vectors.map((value) => value / scale);
  const gram = new Float64Array(count * count);
  for (let i = 0; i < count; i += 2) {
    for (let j = i; j < count; j += 4) {
      if (i + 2 <= count && j + 4 <= count) gramTile(scaled, count, length, gram, i, j);
      else gramEdge(scaled, count, length, gram, i, j);
    }
  }
  for (let i = 0; i < count; i += 1)
    for (let j = 0; j < i; j += 1) gram[i * count + j] = gram[j * count + i] as number;
  return gram;
}

/** Eight products at once: each entry is read once for several of them, and the sums do not wait for each other. */
function gramTile(
  x: Float64Array,
  count: number,
  length: number,
  gram: Float64Array,
  i: number,
  j: number,
): void {
  let s00 = 0;
  let s01 = 0;
  let s02 = 0;
  let s03 = 0;
  let s10 = 0;
  let s11 = 0;
  let s12 = 0;
  let s13 = 0;
  const a0 = i * length;
  const a1 = a0 + length;
  const b0 = j * length;
  const b1 = b0 + length;
  const b2 = b1 + length;
  const b3 = b2 + length;
  for (let k = 0; k < length; k += 1) {
    const a = x[a0 + k] as number;
    const b = x[a1 + k] as number;
    const y0 = x[b0 + k] as number;
    const y1 = x[b1 + k] as number;
    const y2 = x[b2 + k] as number;
    const y3 = x[b3 + k] as number;
    s00 += a * y0;
    s01 += a * y1;
    s02 += a * y2;
    s03 += a * y3;
    s10 += b * y0;
    s11 += b * y1;
    s12 += b * y2;
    s13 += b * y3;
  }
  const at = i * count + j;
  gram[at] = s00;
  gram[at + 1] = s01;
  gram[at + 2] = s02;
  gram[at + 3] = s03;
  gram[at + count] = s10;
  gram[at + count + 1] = s11;
  gram[at + count + 2] = s12;
  gram[at + count + 3] = s13;
}

function gramEdge(
  x: Float64Array,
  count: number,
  length: number,
  gram: Float64Array,
  i: number,
  j: number,
): void {
  for (let a = i; a < Math.min(count, i + 2); a += 1) {
    for (let b = j; b < Math.min(count, j + 4); b += 1)
      gram[a * count + b] = dot(x, a * length, x, b * length, length);
  }
}
