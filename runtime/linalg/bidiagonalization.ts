/**
 * Block Golub-Kahan-Lanczos bidiagonalization of a linear map from a seeded random block, with full reorthogonalization
 * (Golub, Luk and Overton 1981; for the random start, Halko, Martinsson and Tropp 2011). The map is known by what it
 * does to blocks of vectors, so that a matrix serves as well as an inverse of which only solutions are known.
 */
import { fillNormal } from "../random/distributions.ts";
import { randomStream } from "../random/philox.ts";
import { transposed } from "./dense-vectors.ts";
import type { Multiply } from "./form-product.ts";
import { gramSvd } from "./gram-svd.ts";
import { multiply, type SingularValues } from "./jacobi-svd.ts";
import { orthonormalize, type VectorBlock } from "./orthonormal-block.ts";
import { orthonormalizeBy } from "./orthonormal-products.ts";

/** A map of vectors of `columns` entries to vectors of `rows`; blocks hold one vector after the other. */
export interface Operator {
  readonly rows: number;
  readonly columns: number;
  apply(block: Float64Array, count: number): Float64Array;
  applyTransposed(block: Float64Array, count: number): Float64Array;
  /** Who forms products of blocks; null where loops do. */
  readonly form: Multiply | null;
}

const tolerance = 1e-7;

/**
 * The `rank` largest singular values with their vectors, u [rows, rank] and v [columns, rank], from blocks of `width`
 * vectors: all that the blocks span if it is invariant to 1e-7 of the map, and the best in the span of `mostBlocks` otherwise.
 */
export function leadingTriples(
  operator: Operator,
  width: number,
  rank: number,
  mostBlocks: number,
): SingularValues {
  const { rows, columns } = operator;
  const { left, right, core } = bidiagonalize(operator, width, rank, mostBlocks);
  const u = multiply(stacked(left, rows), core.svd.u, rows, core.size, rank);
  const v = multiply(stacked(right, columns), core.svd.v, columns, core.size, rank);
  return { u, s: core.svd.s, v };
}

interface Bidiagonalization {
  /** Orthonormal vectors of `rows` and of `columns` entries; matrix ≈ left core rightᵀ. */
  readonly left: readonly VectorBlock[];
  readonly right: readonly VectorBlock[];
  readonly core: { readonly size: number; readonly svd: SingularValues };
}

function bidiagonalize(
  { rows, columns, apply, applyTransposed, form }: Operator,
  width: number,
  rank: number,
  mostBlocks: number,
): Bidiagonalization {
  const size = Math.min(rows, columns);
  const left: VectorBlock[] = [];
  const right: VectorBlock[] = [startBlock(columns, width)];
  /** Row i: coefficients of matrix · right_i in the left vectors so far. */
  const coefficients: Float64Array[] = [];
  for (;;) {
    const last = right[right.length - 1] as VectorBlock;
    const next = blockOf(apply(last.values.subarray(0, last.count * columns), last.count), last.count, rows);
    coefficients.push(...rowsOf(orthonormalizeBy(form, next, left), last.count));
    left.push(next);
    const known = coefficients.length;
    if (left.length === mostBlocks || known === size) return factored(left, right, coefficients, rank);
    const further = blockOf(applyTransposed(next.values, next.count), next.count, columns);
    const rest = orthonormalizeBy(form, further, right);
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
