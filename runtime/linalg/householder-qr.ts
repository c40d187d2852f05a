/**
 * The QR factorization by Householder reflections (Golub and Van Loan, Matrix Computations, 5.2), in float64.
 */
import { addScaled, dot, transposed } from "./dense-vectors.ts";

export interface QrFactors {
  /** [rows, k] row-major, orthonormal columns; k = min(rows, columns). */
  readonly q: Float64Array;
  /** [k, columns] row-major, zero below the diagonal; diagonal entries are not negative. */
  readonly r: Float64Array;
}

/** matrix = q r for a row-major [rows, columns] matrix of finite values. */
export function householderQr(matrix: Float64Array, rows: number, columns: number): QrFactors {
  const count = Math.min(rows, columns);
  // Column after column, so that each reflection works on contiguous memory.
  const work = transposed(matrix, rows, columns);
  const scales = new Float64Array(count);
  const diagonal = new Float64Array(count);
  for (let step = 0; step < count; step += 1) reflectColumn(work, rows, columns, step, scales, diagonal);
  const r = new Float64Array(count * columns);
  for (let row = 0; row < count; row += 1) {
    // Turned to a diagonal that is not negative: the factors are unique then for full rank.
    const sign = (diagonal[row] as number) < 0 ? -1 : 1;
    r[row * columns + row] = sign * (diagonal[row] as number);
    for (let column = row + 1; column < columns; column += 1) {
      r[row * columns + column] = sign * (work[column * rows + row] as number);
    }
  }
  return { q: transposed(applyReflections(work, rows, count, scales, diagonal), count, rows), r };
}

/**
 * Makes the entries of column `step` below the diagonal zero. The reflection is I - s v vᵀ; v overwrites the
 * column, s and the new diagonal entry go into the arrays.
 */
function reflectColumn(
  work: Float64Array,
  rows: number,
  columns: number,
  step: number,
  scales: Float64Array,
  diagonal: Float64Array,
): void {
  const at = step * rows + step;
  const length = rows - step;
  const first = work[at] as number;
  const norm = Math.sqrt(dot(work, at, work, at, length));
  // Away from the first entry, so that nothing cancels.
  const target = first > 0 ? -norm : norm;
  diagonal[step] = target;
  if (norm === 0) return;
  work[at] = first - target;
  const scale = 2 / dot(work, at, work, at, length);
  scales[step] = scale;
  for (let column = step + 1; column < columns; column += 1) {
    const other = column * rows + step;
    addScaled(work, other, -scale * dot(work, at, work, other, length), work, at, length);
  }
}

/** The first `count` columns of the product of all reflections, column after column, signs as in r. */
function applyReflections(
  work: Float64Array,
  rows: number,
  count: number,
  scales: Float64Array,
  diagonal: Float64Array,
): Float64Array {
  const q = new Float64Array(count * rows);
  for (let column = 0; column < count; column += 1)
    q[column * rows + column] = (diagonal[column] as number) < 0 ? -1 : 1;
  for (let step = count - 1; step >= 0; step -= 1) {
    const at = step * rows + step;
    for (let column = step; column < count; column += 1) {
      const other = column * rows + step;
      const factor = -(scales[step] as number) * dot(work, at, q, other, rows - step);
      addScaled(q, other, factor, work, at, rows - step);
    }
  }
  return q;
}
