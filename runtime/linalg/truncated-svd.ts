/**
 * The leading singular values and vectors of a matrix: block Golub-Kahan-Lanczos bidiagonalization from a
 * seeded random block, with full reorthogonalization (Golub, Luk and Overton 1981; for the random start,
 * Halko, Martinsson and Tropp 2011). Each step costs one product with the matrix and one with its transpose, as
 * a power iteration does, but all blocks are kept and used, which converges much faster where singular values
 * lie close together.
 *
 * Exact to rounding for small matrices, for those of low rank, and where the eigenvalues of the Gram matrix cost less
 * than the blocks; otherwise it stops when the residuals are
 * below 1e-7 of the largest singular value, or at a bound on the steps, where the error of the low-rank
 * approximation exceeds the least possible one by less than one part in a thousand even for a matrix of noise.
 */
import { SpxError } from "../errors.ts";
import { leadingTriples, type Operator } from "./bidiagonalization.ts";
import { applyToBlock, transposed } from "./dense-vectors.ts";
import type { Multiply } from "./form-product.ts";
import { cutSvd, gramSvd } from "./gram-svd.ts";
import { jacobiSvd, type SingularValues, withFixedSigns } from "./jacobi-svd.ts";

/** Vectors beyond the rank: they speed up the last of the wanted ones. */
const oversampling = 8;
const mostBlocks = 7;
/** Up to this size the decomposition that is exact for small singular values too is as fast. */
const exactSize = 64;

/**
 * The `rank` largest singular values of a row-major float32 [rows, columns] matrix with their vectors, u as
 * [rows, rank] and v as [columns, rank]. Computed in float64; the same on every machine.
 * @throws SpxError SPX8407 when rank is no whole number from 0 to min(rows, columns), SPX8408 when the matrix
 *   holds NaN or infinity.
 */
export function truncatedSvd(
  matrix: Float32Array,
  rows: number,
  columns: number,
  rank: number,
  form: Multiply | null = null,
): SingularValues {
  const size = Math.min(rows, columns);
  refuseRank(rank, size);
  refuseNonFinite(matrix, columns);
  if (rank === 0) return { u: new Float64Array(0), s: new Float64Array(0), v: new Float64Array(0) };
  const width = rank + oversampling;
  if (size <= exactSize)
    return cutSvd(jacobiSvd(Float64Array.from(matrix), rows, columns), rows, columns, rank, "largest");
  if (gramWork(rows, columns) <= lanczosWork(rows, columns, width))
    return gramSvd(Float64Array.from(matrix), rows, columns, rank);
  const { u, s, v } = leadingTriples(operatorOf(matrix, rows, columns, form), width, rank, mostBlocks);
  return withFixedSigns(u, s, v, rows, columns);
}

/** By kernels on copies in double precision where there are any; by loops that read the matrix itself otherwise. */
function operatorOf(matrix: Float32Array, rows: number, columns: number, form: Multiply | null): Operator {
  if (form === null) {
    const turned = transposed(matrix, rows, columns);
    return {
      rows,
      columns,
      form,
      apply: (block, count) => applyToBlock(matrix, rows, columns, block, count),
      applyTransposed: (block, count) => applyToBlock(turned, columns, rows, block, count),
    };
  }
  const wide = new Float64Array(matrix);
  return {
    rows,
    columns,
    form,
    // The matrix is read as it lies; the thin factors are turned.
    apply: (block, count) =>
      transposed(form(wide, transposed(block, count, columns), rows, columns, count), rows, count),
    applyTransposed: (block, count) => form(block, wide, count, rows, columns),
  };
}

/** Multiplications of the decomposition by eigenvalues. */
const gramWork = (rows: number, columns: number): number => {
  const size = Math.min(rows, columns);
  return size * ((rows * columns) / 2 + size * size);
};

/** Those of the bidiagonalization with all its blocks: products with the matrix, orthogonalising, and the core. */
const lanczosWork = (rows: number, columns: number, width: number): number => {
  const total = Math.min(mostBlocks * width, Math.min(rows, columns));
  return 2 * total * rows * columns + 2 * total * total * (rows + columns) + gramWork(total, total);
};

function refuseRank(rank: number, size: number): void {
  if (Number.isSafeInteger(rank) && rank >= 0 && rank <= size) return;
  throw new SpxError(
    "SPX8407",
    `the rank is ${rank}, expected a whole number from 0 to min(rows, columns) = ${size}`,
    {
      facts: { found: String(rank), largest: size },
      help: "choose a smaller rank",
    },
  );
}

function refuseNonFinite(matrix: Float32Array, columns: number): void {
  let at = 0;
  // A loop, because calls back for each entry take ten times as long.
  while (at < matrix.length && Number.isFinite(matrix[at] as number)) at += 1;
  if (at === matrix.length) return;
  const [row, column] = [Math.floor(at / columns), at % columns];
  throw new SpxError("SPX8408", `the matrix to factorize holds ${matrix[at]} at [${row}, ${column}]`, {
    facts: { found: String(matrix[at]), row, column },
    help: "repair the checkpoint, or leave this tensor out",
  });
}
