/**
 * The sparse part S of a split W ≈ L + S with rank(L) <= rank and exactly `count` entries in S, by alternation:
 * L follows from W − S by one sweep of a subspace iteration that starts where the last round ended, S keeps the
 * largest entries of W − L. This is the greedy bilateral scheme of GreBsmo (Zhou and Tao, "Greedy bilateral
 * sketch, completion and smoothing", 2013) with the rank fixed from the start and an exact count as threshold.
 */
import { checkCount, largestEntries, magnitudeKeys, requireFinite } from "./largest-entries.ts";
import type { NamedMatrix } from "./magnitude.ts";
import { hasBit, type Pattern } from "./pattern.ts";

export interface SparseSplit {
  /** At most min(rows, columns) is used. */
  readonly rank: number;
  readonly count: number;
  readonly rounds: number;
}

/**
 * S, dense row-major, zero outside its `count` entries; `start` holds numbers from which the first basis is
 * made, at least rank * columns of them.
 * @throws SpxError SPX8407 for a count above the size, SPX8408 for non-finite weights.
 */
export function sparsePart(weight: NamedMatrix, split: SparseSplit, start: Float32Array): Float32Array {
  const { rows, columns, values } = weight;
  requireFinite(weight.name, values, columns);
  checkCount("sparse_part", split.count, values.length);
  const rank = Math.min(split.rank, rows, columns);
  const basis = Array.from({ length: rank }, (_, index) =>
    Float64Array.from(start.subarray(index * columns, (index + 1) * columns)),
  );
  orthonormalize(basis);
  const smooth = Float32Array.from(values);
  const residual = new Float32Array(values.length);
  let support: Pattern = largestEntries(magnitudeKeys(residual), rows, columns, split.count);
  for (let round = 0; round < Math.max(1, split.rounds); round++) {
    lowRankSweep(smooth, rows, columns, basis, (row, approximation) => {
      for (let column = 0, at = row * columns; column < columns; column++, at++) {
        residual[at] = (values[at] ?? 0) - (approximation[column] ?? 0);
      }
    });
    support = largestEntries(magnitudeKeys(residual), rows, columns, split.count);
    for (let at = 0; at < values.length; at++) {
      const value = values[at] ?? 0;
      smooth[at] = hasBit(support.bits, at) ? value - (residual[at] ?? 0) : value;
    }
  }
  return residual.map((value, at) => (hasBit(support.bits, at) ? value : 0));
}

/**
 * One sweep on M [rows, columns]: U = orth(M Vᵀ), Z = Uᵀ M, and the rows of U Z, one after the other, to `use`.
 * `basis` holds the rows of V and afterwards those of orth(Z), the start of the next sweep.
 */
function lowRankSweep(
  matrix: Float32Array,
  rows: number,
  columns: number,
  basis: Float64Array[],
  use: (row: number, approximation: Float64Array) => void,
): void {
  const left = basis.map((direction) => {
    const image = new Float64Array(rows);
    for (let row = 0, at = 0; row < rows; row++) {
      let sum = 0;
      for (let column = 0; column < columns; column++, at++) sum += (matrix[at] ?? 0) * (direction[column] ?? 0);
      image[row] = sum;
    }
    return image;
  });
  orthonormalize(left);
  const right = left.map((direction) => {
    const image = new Float64Array(columns);
    for (let row = 0, at = 0; row < rows; row++) {
      const weight = direction[row] ?? 0;
      for (let column = 0; column < columns; column++, at++) image[column] = (image[column] ?? 0) + weight * (matrix[at] ?? 0);
    }
    return image;
  });
  const line = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    line.fill(0);
    right.forEach((direction, index) => {
      const weight = left[index]?.[row] ?? 0;
      for (let column = 0; column < columns; column++) line[column] = (line[column] ?? 0) + weight * (direction[column] ?? 0);
    });
    use(row, line);
  }
  right.forEach((direction, index) => basis[index]?.set(direction));
  orthonormalize(basis);
}

/**
 * Makes the vectors orthonormal in place, in order; a vector that depends on earlier ones becomes zero.
 * Gram-Schmidt twice: the second pass removes what rounding left of the first ("twice is enough").
 */
function orthonormalize(vectors: readonly Float64Array[]): void {
  vectors.forEach((vector, index) => {
    const before = norm(vector);
    for (let pass = 0; pass < 2; pass++) {
      for (const other of vectors.slice(0, index)) {
        const overlap = dot(vector, other);
        for (let at = 0; at < vector.length; at++) vector[at] = (vector[at] ?? 0) - overlap * (other[at] ?? 0);
      }
    }
    const length = norm(vector);
    const factor = length > 1e-12 * before ? 1 / length : 0;
    for (let at = 0; at < vector.length; at++) vector[at] = (vector[at] ?? 0) * factor;
  });
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += (a[at] ?? 0) * (b[at] ?? 0);
  return sum;
}

const norm = (vector: Float64Array): number => Math.sqrt(dot(vector, vector));
