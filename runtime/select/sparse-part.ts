/**
 * The sparse part S of a split W ≈ L + S with rank(L) <= rank and exactly `count` entries in S, by alternation:
 * L follows from W − S by one sweep of a subspace iteration that starts where the last round ended, S keeps the
 * largest entries of W − L. This is the greedy bilateral scheme of GreBsmo (Zhou and Tao, "Greedy bilateral
 * sketch, completion and smoothing", 2013) with the rank fixed from the start and an exact count as threshold.
 */
import { addScaled, applyToBlock, transposed } from "../linalg/dense-vectors.ts";
import { orthonormalize, type VectorBlock } from "../linalg/orthonormal-block.ts";
import { fillNormal } from "../random/distributions.ts";
import { randomStream } from "../random/philox.ts";
import { checkCount, forLargest, magnitudeKeys, requireFinite } from "./largest-entries.ts";
import type { NamedMatrix } from "./magnitude.ts";

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
  for (let round = 0; round < Math.max(1, split.rounds); round++) {
    orthonormalize(basis, []);
    const left = imagesOf(smooth, rows, columns, basis);
    orthonormalize(left, []);
    const right = imagesOf(transposed(smooth, rows, columns), columns, rows, left);
    subtractProduct(values, left, right, residual);
    smooth.set(values);
    forLargest(magnitudeKeys(residual), split.count, (at) => {
      smooth[at] = (values[at] ?? 0) - (residual[at] ?? 0);
    });
    basis = right;
  }
  const sparse = new Float32Array(values.length);
  forLargest(magnitudeKeys(residual), split.count, (at) => {
    sparse[at] = residual[at] ?? 0;
  });
  return sparse;
}

function imagesOf(matrix: Float32Array, rows: number, columns: number, block: VectorBlock): VectorBlock {
  return {
    values: applyToBlock(matrix, rows, columns, block.values, block.count),
    count: block.count,
    length: rows,
  };
}

/** residual = weight − Σ_k left_k right_kᵀ, four terms at a time, so that a line is read and written less often. */
function subtractProduct(
  weight: Float32Array,
  left: VectorBlock,
  right: VectorBlock,
  residual: Float32Array,
): void {
  const { length: columns, values: r } = right;
  const rows = left.length;
  const line = new Float64Array(columns);
  const factor = (k: number, row: number): number =>
    k < left.count ? (left.values[k * rows + row] ?? 0) : 0;
  for (let row = 0; row < rows; row++) {
    line.set(weight.subarray(row * columns, (row + 1) * columns));
    let k = 0;
    for (; k + 3 < left.count; k += 4) {
      const [a, b, c, d] = [factor(k, row), factor(k + 1, row), factor(k + 2, row), factor(k + 3, row)];
      const at = k * columns;
      for (let j = 0; j < columns; j++) {
        const first = a * (r[at + j] as number) + b * (r[at + columns + j] as number);
        const second = c * (r[at + 2 * columns + j] as number) + d * (r[at + 3 * columns + j] as number);
        line[j] = (line[j] as number) - (first + second);
      }
    }
    for (; k < left.count; k++) addScaled(line, 0, -factor(k, row), r, k * columns, columns);
    residual.set(line, row * columns);
  }
}
