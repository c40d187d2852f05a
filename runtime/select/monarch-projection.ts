/**
 * The Monarch matrix nearest to a weight in the Frobenius norm (Dao et al., "Monarch: expressive structured
 * matrices for efficient and accurate training", 2022, section 4.1).
 *
 * For W = P(b) L P(b)ᵀ R of size n with q = n / b, L of b blocks q x q and R of q blocks b x b,
 *   W[l * b + j, k * b + i] = L_j[l, k] * R_k[j, i]   for l, k < q and i, j < b,
 * so for each (j, k) the slice over (l, i) has rank one. Slices share no entry: each is projected alone, and the
 * squared distance is the sum of the squares of the singular values from the second on, over all slices.
 */
import { SpxError } from "../errors.ts";
import type { DenseTensor } from "./dense-tensor.ts";
import { requireFinite } from "./largest-entries.ts";
import type { NamedMatrix } from "./magnitude.ts";

/**
 * L [b, n/b, n/b] and R [n/b, b, b]; √σ goes to both.
 * @throws SpxError SPX8405 unless the weight is square and `blocks` divides its size, SPX8408.
 */
export function projectMonarch(
  weight: NamedMatrix,
  blocks: number,
): { left: DenseTensor; right: DenseTensor } {
  const { name, rows: n, columns, values } = weight;
  if (n !== columns || !Number.isInteger(blocks) || blocks < 1 || n % blocks !== 0) {
    throw new SpxError(
      "SPX8405",
      `\`${name}\` [${n}, ${columns}] has no Monarch form with ${blocks} blocks`,
      {
        facts: { tensor: name, rows: n, columns, blocks },
        help: "it needs a square weight and a block count that divides its size",
      },
    );
  }
  requireFinite(name, values, columns);
  const q = n / blocks;
  const left = new Float32Array(blocks * q * q);
  const right = new Float32Array(q * blocks * blocks);
  const slice = new Float64Array(q * blocks);
  for (let j = 0; j < blocks; j++) {
    for (let k = 0; k < q; k++) {
      for (let l = 0; l < q; l++) {
        const first = (l * blocks + j) * n + k * blocks;
        for (let i = 0; i < blocks; i++) slice[l * blocks + i] = values[first + i] ?? 0;
      }
      const { u, v } = nearestRankOne(slice, q, blocks);
      for (let l = 0; l < q; l++) left[(j * q + l) * q + k] = u[l] ?? 0;
      for (let i = 0; i < blocks; i++) right[(k * blocks + j) * blocks + i] = v[i] ?? 0;
    }
  }
  return {
    left: { shape: [blocks, q, q], values: left },
    right: { shape: [q, blocks, blocks], values: right },
  };
}

/** u vᵀ nearest to `matrix`, of equal norms; the entry of largest magnitude in u is positive. */
function nearestRankOne(
  matrix: Float64Array,
  rows: number,
  columns: number,
): { u: Float64Array; v: Float64Array } {
  const wide = columns > rows;
  const direction = dominantDirection(gram(matrix, rows, columns, wide), wide ? rows : columns);
  const image = wide
    ? applyTransposed(matrix, rows, columns, direction)
    : apply(matrix, rows, columns, direction);
  const sigma = Math.sqrt(image.reduce((sum, value) => sum + value * value, 0));
  if (sigma === 0) return { u: new Float64Array(rows), v: new Float64Array(columns) };
  // image = σ * (unit vector): dividing by √σ leaves √σ in it, and the direction gets the other √σ.
  const root = Math.sqrt(sigma);
  const scaledImage = image.map((value) => value / root);
  const scaledDirection = direction.map((value) => value * root);
  const [u, v] = wide ? [scaledDirection, scaledImage] : [scaledImage, scaledDirection];
  const largest = u.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
  return largest < 0 ? { u: u.map((value) => -value), v: v.map((value) => -value) } : { u, v };
}

/** A Aᵀ when `ofRows`, else Aᵀ A: the smaller of the two is asked for. */
function gram(matrix: Float64Array, rows: number, columns: number, ofRows: boolean): Float64Array {
  const size = ofRows ? rows : columns;
  const inner = ofRows ? columns : rows;
  const [outerStride, innerStride] = ofRows ? [columns, 1] : [1, columns];
  const product = new Float64Array(size * size);
  for (let a = 0; a < size; a++) {
    for (let b = a; b < size; b++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) {
        sum +=
          (matrix[a * outerStride + k * innerStride] ?? 0) * (matrix[b * outerStride + k * innerStride] ?? 0);
      }
      product[a * size + b] = sum;
      product[b * size + a] = sum;
    }
  }
  return product;
}

const mostSquarings = 40;

/**
 * A unit vector of the largest eigenvalue of a symmetric positive semidefinite matrix, by repeated squaring: k
 * squarings are 2^k steps of a power iteration. With trace 1, the square sum of the entries is 1 only at rank one,
 * where it stops; equal leading eigenvalues never get there, and any vector of their space is then as good.
 */
function dominantDirection(matrix: Float64Array, size: number): Float64Array {
  let current = normalizeTrace(matrix, size);
  for (let squaring = 0; squaring < mostSquarings; squaring++) {
    const squareSum = current.reduce((sum, value) => sum + value * value, 0);
    if (1 - squareSum < 1e-15) break;
    current = normalizeTrace(gram(current, size, size, true), size);
  }
  let best = 0;
  for (let at = 1; at < size; at++) {
    if ((current[at * size + at] ?? 0) > (current[best * size + best] ?? 0)) best = at;
  }
  const column = current.slice(best * size, (best + 1) * size);
  const length = Math.sqrt(column.reduce((sum, value) => sum + value * value, 0));
  return length === 0 ? column : column.map((value) => value / length);
}

function normalizeTrace(matrix: Float64Array, size: number): Float64Array {
  let trace = 0;
  for (let at = 0; at < size; at++) trace += matrix[at * size + at] ?? 0;
  return trace === 0 ? matrix : matrix.map((value) => value / trace);
}

function apply(matrix: Float64Array, rows: number, columns: number, vector: Float64Array): Float64Array {
  const image = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      image[row] = (image[row] ?? 0) + (matrix[row * columns + column] ?? 0) * (vector[column] ?? 0);
    }
  }
  return image;
}

function applyTransposed(
  matrix: Float64Array,
  rows: number,
  columns: number,
  vector: Float64Array,
): Float64Array {
  const image = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      image[column] = (image[column] ?? 0) + (matrix[row * columns + column] ?? 0) * (vector[row] ?? 0);
    }
  }
  return image;
}
