/**
 * The smallest singular values of a large matrix with their vectors: with AᵀA = L Lᵀ they are the inverses of the largest
 * ones of L⁻ᵀ, which blocks of solutions find in a few steps, because inverses of small values lie far apart. About
 * m n² + n³ / 6 multiplications for the factor, all of them in products, instead of the 2 n³ / 3 of a tridiagonal form,
 * of which none are.
 */
import { leadingTriples } from "./bidiagonalization.ts";
import { transposed } from "./dense-vectors.ts";
import type { Multiply } from "./form-product.ts";
import { completedFromRight, largestMagnitude } from "./gram-svd.ts";
import { type SingularValues, withFixedSigns } from "./jacobi-svd.ts";
import { solveFactor, solveTransposed, stripCholesky } from "./strip-cholesky.ts";

const oversampling = 8;
/** Vectors that all blocks hold together, about; and their bounds. */
const spanned = 640;
const blocks = { fewest: 7, most: 12 } as const;
/** Of the largest of the wanted eigenvalues: what a residual may be. */
const tolerance = 1e-4;

/**
 * `count` singular values of a row-major [rows, columns] matrix of finite values, descending: u [rows, count],
 * v [columns, count], as exact as the eigenvalues of the Gram matrix allow. Null where it is too close to singular, or the
 * values lie too close together, for that.
 */
export function trailingSvd(
  matrix: Float64Array,
  rows: number,
  columns: number,
  count: number,
  form: Multiply,
): SingularValues | null {
  if (rows < columns) {
    const found = trailingSvd(transposed(matrix, rows, columns), columns, rows, count, form);
    return found === null ? null : withFixedSigns(found.v, found.s, found.u, rows, columns);
  }
  const scale = largestMagnitude(matrix);
  if (scale === 0 || count === 0) return null;
  const scaled = matrix.map((value) => value / scale);
  const gram = form(transposed(scaled, rows, columns), scaled, columns, rows, columns);
  const factor = stripCholesky(gram, columns, form);
  if (factor === null) return null;
  const width = Math.min(columns, count + oversampling);
  const mostBlocks = Math.max(blocks.fewest, Math.min(blocks.most, Math.floor(spanned / width)));
  const inverse = {
    rows: columns,
    columns,
    form,
    apply: (block: Float64Array, vectors: number) => solveTransposed(factor, block, vectors, form),
    applyTransposed: (block: Float64Array, vectors: number) => solveFactor(factor, block, vectors, form),
  };
  const right = transposed(leadingTriples(inverse, width, count, mostBlocks).u, columns, count);
  return isSettled(gram, columns, right, count, form)
    ? completedFromRight(matrix, rows, columns, right, count)
    : null;
}

/** True when every vector v has a small ‖G v - (v · G v) v‖. */
function isSettled(
  gram: Float64Array,
  size: number,
  vectors: Float64Array,
  count: number,
  form: Multiply,
): boolean {
  const images = form(vectors, gram, count, size, size);
  let [worst, largest] = [0, 0];
  for (let vector = 0; vector < count; vector += 1) {
    let value = 0;
    for (let k = vector * size; k < (vector + 1) * size; k += 1)
      value += (vectors[k] as number) * (images[k] as number);
    let square = 0;
    for (let k = vector * size; k < (vector + 1) * size; k += 1) {
      const rest = (images[k] as number) - value * (vectors[k] as number);
      square += rest * rest;
    }
    worst = Math.max(worst, Math.sqrt(square));
    largest = Math.max(largest, value);
  }
  return worst <= tolerance * largest;
}
