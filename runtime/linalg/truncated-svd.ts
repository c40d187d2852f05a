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
import { fillNormal } from "../random/distributions.ts";
import { randomStream } from "../random/philox.ts";
import { applyToBlock, transposed } from "./dense-vectors.ts";
import { cutSvd, gramSvd } from "./gram-svd.ts";
import { jacobiSvd, multiply, type SingularValues, withFixedSigns } from "./jacobi-svd.ts";
import { orthonormalize, type VectorBlock } from "./orthonormal-block.ts";

/** Vectors beyond the rank: they speed up the last of the wanted ones. */
const oversampling = 8;
const mostBlocks = 7;
const tolerance = 1e-7;
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
  const { left, right, core } = bidiagonalize(matrix, rows, columns, width, rank);
  const u = multiply(stacked(left, rows), core.svd.u, rows, core.size, rank);
  const v = multiply(stacked(right, columns), core.svd.v, columns, core.size, rank);
  return withFixedSigns(u, core.svd.s, v, rows, columns);
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

interface Bidiagonalization {
  /** Orthonormal vectors of `rows` and of `columns` entries; matrix ≈ left core rightᵀ. */
  readonly left: readonly VectorBlock[];
  readonly right: readonly VectorBlock[];
  readonly core: { readonly size: number; readonly svd: SingularValues };
}

function bidiagonalize(
  matrix: Float32Array,
  rows: number,
  columns: number,
  width: number,
  rank: number,
): Bidiagonalization {
  const turned = transposed(matrix, rows, columns);
  const size = Math.min(rows, columns);
  const left: VectorBlock[] = [];
  const right: VectorBlock[] = [startBlock(columns, width)];
  /** Row i: coefficients of matrix · right_i in the left vectors so far. */
  const coefficients: Float64Array[] = [];
  for (;;) {
    const last = right[right.length - 1] as VectorBlock;
    const next = blockOf(applyToBlock(matrix, rows, columns, last.values, last.count), last.count, rows);
    coefficients.push(...rowsOf(orthonormalize(next, left), last.count));
    left.push(next);
    const known = coefficients.length;
    if (left.length === mostBlocks || known === size) return factored(left, right, coefficients, rank);
    const further = blockOf(
      applyToBlock(turned, columns, rows, next.values, next.count),
      next.count,
      columns,
    );
    const rest = orthonormalize(further, right);
    if (isInvariant(rest, further.count, known, coefficients))
      return factored(left, right, coefficients, rank);
    // The last block may be narrower, so that there are never more vectors than dimensions.
    const count = Math.min(width, size - known);
    right.push(blockOf(further.values.subarray(0, count * columns), count, columns));
  }
}

function factored(
  left: readonly VectorBlock[],
  right: readonly VectorBlock[],
  coefficients: readonly Float64Array[],
  rank: number,
): Bidiagonalization {
  const size = coefficients.length;
  return { left, right, core: { size, svd: gramSvd(coreMatrix(coefficients), size, size, rank) } };
}

function startBlock(length: number, count: number): VectorBlock {
  const start = fillNormal(randomStream(0, "truncated-svd"), new Float32Array(length * count));
  const block = blockOf(Float64Array.from(start), count, length);
  orthonormalize(block, []);
  return block;
}

const blockOf = (values: Float64Array, count: number, length: number): VectorBlock => ({
  values,
  count,
  length,
});

function rowsOf(coefficients: Float64Array, count: number): Float64Array[] {
  const width = coefficients.length / count;
  return Array.from({ length: count }, (_, row) => coefficients.slice(row * width, (row + 1) * width));
}

/** leftᵀ matrix right, row-major: its columns are the coefficients, shorter ones filled up with zeros. */
function coreMatrix(coefficients: readonly Float64Array[]): Float64Array {
  const size = coefficients.length;
  const core = new Float64Array(size * size);
  coefficients.forEach((row, column) => {
    row.forEach((value, index) => {
      core[index * size + column] = value;
    });
  });
  return core;
}

/** True when the transpose leads out of the right vectors by no more than the tolerance. */
function isInvariant(
  rest: Float64Array,
  count: number,
  known: number,
  coefficients: readonly Float64Array[],
): boolean {
  const width = rest.length / count;
  let outside = 0;
  rest.forEach((value, index) => {
    if (index % width >= known) outside += value * value;
  });
  let inside = 0;
  for (const row of coefficients) for (const value of row) inside += value * value;
  return outside <= tolerance * tolerance * inside;
}

/** The blocks' vectors as columns of a row-major [length, total] matrix. */
function stacked(blocks: readonly VectorBlock[], length: number): Float64Array {
  const total = blocks.reduce((sum, block) => sum + block.count, 0);
  const vectors = new Float64Array(total * length);
  let at = 0;
  for (const block of blocks) {
    vectors.set(block.values.subarray(0, block.count * length), at);
    at += block.count * length;
  }
  return transposed(vectors, total, length);
}

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
  const at = matrix.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  const [row, column] = [Math.floor(at / columns), at % columns];
  throw new SpxError("SPX8408", `the matrix to factorize holds ${matrix[at]} at [${row}, ${column}]`, {
    facts: { found: String(matrix[at]), row, column },
    help: "repair the checkpoint, or leave this tensor out",
  });
}
