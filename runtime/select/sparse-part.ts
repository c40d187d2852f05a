/**
 * The sparse part S of a split W ≈ L + S with rank(L) <= rank and exactly `count` entries in S, by alternation:
 * L follows from W − S by one sweep of a subspace iteration that starts where the last round ended, S keeps the
 * largest entries of W − L. This is the greedy bilateral scheme of GreBsmo (Zhou and Tao, "Greedy bilateral
 * sketch, completion and smoothing", 2013) with the rank fixed from the start and an exact count as threshold.
 */
import { applyToBlock, transposed } from "../linalg/dense-vectors.ts";
import { orthonormalize, type VectorBlock } from "../linalg/orthonormal-block.ts";
import { fillNormal } from "../random/distributions.ts";
import { randomStream } from "../random/philox.ts";
import { checkCount, largestEntries, magnitudeKeys, requireFinite } from "./largest-entries.ts";
import type { NamedMatrix } from "./magnitude.ts";
import { hasBit, type Pattern } from "./pattern.ts";

export interface SparseSplit {
  /** At most min(rows, columns) is used. */
  readonly rank: number;
  readonly count: number;
  /** At least one is made. */
  readonly rounds: number;
}

/**
 * S, dense row-major, zero outside its `count` entries. The start is the same for every weight of a width: the
 * split is a property of the weight alone, the start only has to be in general position.
 * @throws SpxError SPX8407 for a count above the size, SPX8408 for non-finite weights.
 */
export function sparsePart(weight: NamedMatrix, split: SparseSplit): Float32Array {
  const { rows, columns, values } = weight;
  requireFinite(weight.name, values, columns);
  checkCount("sparse_part", split.count, values.length);
  const rank = Math.max(0, Math.min(split.rank, rows, columns));
  const start = fillNormal(randomStream(0, "sparse_part"), new Float32Array(rank * columns));
  let basis: VectorBlock = { values: Float64Array.from(start), count: rank, length: columns };
  const smooth = Float32Array.from(values);
  const residual = new Float32Array(values.length);
  let support: Pattern | null = null;
  for (let round = 0; round < Math.max(1, split.rounds); round++) {
    orthonormalize(basis, []);
    const left = imagesOf(smooth, rows, columns, basis);
    orthonormalize(left, []);
    const right = imagesOf(transposed(smooth, rows, columns), columns, rows, left);
    subtractProduct(values, left, right, residual);
    support = largestEntries(magnitudeKeys(residual), rows, columns, split.count);
    for (let at = 0; at < values.length; at++) {
      const value = values[at] ?? 0;
      smooth[at] = hasBit(support.bits, at) ? value - (residual[at] ?? 0) : value;
    }
    basis = right;
  }
  const { bits } = support ?? { bits: new Uint32Array(0) };
  return residual.map((value, at) => (hasBit(bits, at) ? value : 0));
}

function imagesOf(matrix: Float32Array, rows: number, columns: number, block: VectorBlock): VectorBlock {
  return {
    values: applyToBlock(matrix, rows, columns, block.values, block.count),
    count: block.count,
    length: rows,
  };
}

/** residual = weight − Σ_k left_k right_kᵀ. */
function subtractProduct(
  weight: Float32Array,
  left: VectorBlock,
  right: VectorBlock,
  residual: Float32Array,
): void {
  const columns = right.length;
  const line = new Float64Array(columns);
  for (let row = 0; row < left.length; row++) {
    line.set(weight.subarray(row * columns, (row + 1) * columns));
    for (let k = 0; k < left.count; k++) {
      const factor = left.values[k * left.length + row] ?? 0;
      for (let column = 0, at = k * columns; column < columns; column++, at++) {
        line[column] = (line[column] ?? 0) - factor * (right.values[at] ?? 0);
      }
    }
    residual.set(line, row * columns);
  }
}
