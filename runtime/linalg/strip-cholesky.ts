/**
 * The Cholesky factorization of a large symmetric positive definite matrix, by strips of rows, so that nearly all of its
 * n³ / 6 multiplications, and those of solutions for several vectors, are products of matrices.
 */
import { choleskyFactor } from "./cholesky.ts";
import { transposed } from "./dense-vectors.ts";
import type { Multiply } from "./form-product.ts";

/** Rows [start, start + rows) of the lower factor. */
interface Strip {
  readonly start: number;
  readonly rows: number;
  /** Left of the diagonal block: [rows, start], and turned [start, rows]. */
  readonly beside: Float64Array;
  readonly turned: Float64Array;
  /** The diagonal block, lower: [rows, rows]. */
  readonly corner: Float64Array;
}

export interface StripFactor {
  readonly size: number;
  readonly strips: readonly Strip[];
}

/** Wide enough for products to be fast, and narrow beside the matrix. */
const stripRows = 128;

/** L with L Lᵀ = matrix, row-major [size, size]; null when it is not safely positive definite. */
export function stripCholesky(matrix: Float64Array, size: number, multiply: Multiply): StripFactor | null {
  const strips: Strip[] = [];
  for (let start = 0; start < size; start += stripRows) {
    const rows = Math.min(stripRows, size - start);
    const beside = new Float64Array(rows * start);
    for (const other of strips) {
      const known = cut(beside, start, rows, 0, other.start);
      const done = multiply(known, other.turned, rows, other.start, other.rows);
      const block = cut(matrix, size, rows, other.start, other.rows, start);
      for (let at = 0; at < block.length; at += 1) block[at] = (block[at] as number) - (done[at] as number);
      solveLower(other.corner, other.rows, block, rows);
      for (let row = 0; row < rows; row += 1)
        beside.set(block.subarray(row * other.rows, (row + 1) * other.rows), row * start + other.start);
    }
    const turned = transposed(beside, rows, start);
    const rest = cut(matrix, size, rows, start, rows, start);
    const done = multiply(beside, turned, rows, start, rows);
    for (let at = 0; at < rest.length; at += 1) rest[at] = (rest[at] as number) - (done[at] as number);
    const corner = choleskyFactor(rest, rows);
    if (corner === null) return null;
    strips.push({ start, rows, beside, turned, corner });
  }
  return { size, strips };
}

/** `columns` columns from `column` on of `rows` rows from `row` on, close together. */
function cut(
  matrix: Float64Array,
  width: number,
  rows: number,
  column: number,
  columns: number,
  row = 0,
): Float64Array {
  const block = new Float64Array(rows * columns);
  for (let index = 0; index < rows; index += 1) {
    const from = (row + index) * width + column;
    block.set(matrix.subarray(from, from + columns), index * columns);
  }
  return block;
}

/** Each row x of `values` becomes the solution of corner · x = row. */
function solveLower(corner: Float64Array, size: number, values: Float64Array, count: number): void {
  for (let vector = 0; vector < count; vector += 1) {
    const at = vector * size;
    for (let i = 0; i < size; i += 1) {
      let rest = values[at + i] as number;
      for (let k = 0; k < i; k += 1) rest -= (corner[i * size + k] as number) * (values[at + k] as number);
      values[at + i] = rest / (corner[i * size + i] as number);
    }
  }
}

/** Each row x of `values` becomes the solution of cornerᵀ · x = row. */
function solveUpper(corner: Float64Array, size: number, values: Float64Array, count: number): void {
  for (let vector = 0; vector < count; vector += 1) {
    const at = vector * size;
    for (let i = size - 1; i >= 0; i -= 1) {
      const solved = (values[at + i] as number) / (corner[i * size + i] as number);
      values[at + i] = solved;
      for (let k = 0; k < i; k += 1)
        values[at + k] = (values[at + k] as number) - solved * (corner[i * size + k] as number);
    }
  }
}

/** L⁻¹ x for `count` vectors, one after the other in `values`. */
export function solveFactor(
  { size, strips }: StripFactor,
  values: Float64Array,
  count: number,
  multiply: Multiply,
): Float64Array {
  const result = values.slice();
  for (const { start, rows, turned, corner } of strips) {
    const done = multiply(cut(result, size, count, 0, start), turned, count, start, rows);
    const own = cut(result, size, count, start, rows);
    for (let at = 0; at < own.length; at += 1) own[at] = (own[at] as number) - (done[at] as number);
    solveLower(corner, rows, own, count);
    place(own, rows, count, result, size, start);
  }
  return result;
}

/** L⁻ᵀ x for `count` vectors, one after the other in `values`. */
export function solveTransposed(
  { size, strips }: StripFactor,
  values: Float64Array,
  count: number,
  multiply: Multiply,
): Float64Array {
  const result = values.slice();
  for (const { start, rows, beside, corner } of strips.toReversed()) {
    const own = cut(result, size, count, start, rows);
    solveUpper(corner, rows, own, count);
    place(own, rows, count, result, size, start);
    const done = multiply(own, beside, count, rows, start);
    for (let vector = 0; vector < count; vector += 1)
      for (let k = 0; k < start; k += 1) {
        const at = vector * size + k;
        result[at] = (result[at] as number) - (done[vector * start + k] as number);
      }
  }
  return result;
}

function place(
  block: Float64Array,
  columns: number,
  count: number,
  values: Float64Array,
  size: number,
  start: number,
): void {
  for (let vector = 0; vector < count; vector += 1)
    values.set(block.subarray(vector * columns, (vector + 1) * columns), vector * size + start);
}
