/**
 * The sparse part S of a split W ≈ L + S with rank(L) <= rank and exactly `count` entries in S, by alternation:
 * L follows from W − S by one sweep of a subspace iteration that starts where the last round ended, S keeps the
 * largest entries of W − L. This is the greedy bilateral scheme of GreBsmo (Zhou and Tao, "Greedy bilateral
 * sketch, completion and smoothing", 2013) with the rank fixed from the start and an exact count as threshold.
 */
import { addScaled, applyToBlock, transposed } from "../linalg/dense-vectors.ts";
import type { MultiplySingle } from "../linalg/form-product.ts";
import { orthonormalize, type VectorBlock } from "../linalg/orthonormal-block.ts";
import { fillNormal } from "../random/distributions.ts";
import { randomStream } from "../random/philox.ts";
import { checkCount, largestEntries, magnitudeKeys, requireFinite } from "./largest-entries.ts";
import type { NamedMatrix } from "./magnitude.ts";
import { forPositions } from "./pattern.ts";
import { largestByPasses, type SelectionPasses } from "./select-by-passes.ts";

export interface SparseSplit {
  /** At most min(rows, columns) is used. */
  readonly rank: number;
  readonly count: number;
  /** At least one is made. */
  readonly rounds: number;
}

/** Who computes for a split of a large weight; null where loops do. */
export interface SplitKernels {
  readonly multiply: MultiplySingle | null;
  readonly passes: SelectionPasses | null;
}

const byLoops: SplitKernels = { multiply: null, passes: null };

/**
 * S, dense row-major, zero outside its `count` entries. The start is the same for every weight of a width: the
 * split is a property of the weight alone, the start only has to be in general position.
 * @throws SpxError SPX8407 for a count above the size, SPX8408 for non-finite weights.
 */
export function sparsePart(weight: NamedMatrix, split: SparseSplit, kernels = byLoops): Float32Array {
  const { rows, columns, values } = weight;
  requireFinite(weight.name, values, columns);
  checkCount("sparse_part", split.count, values.length);
  const rank = Math.max(0, Math.min(split.rank, rows, columns));
  const start = fillNormal(randomStream(0, "sparse_part"), new Float32Array(rank * columns));
  let basis: VectorBlock = { values: Float64Array.from(start), count: rank, length: columns };
  const products = productsFor(weight, rank, kernels.multiply);
  const smooth = Float32Array.from(values);
  const residual = new Float32Array(values.length);
  let kept: Uint32Array = new Uint32Array(0);
  for (let round = 0; round < Math.max(1, split.rounds); round++) {
    orthonormalize(basis, []);
    const left = products.left(smooth, basis);
    orthonormalize(left, []);
    const right = products.right(smooth, left);
    products.subtract(left, right, residual);
    forPositions(kept, (at) => {
      smooth[at] = values[at] ?? 0;
    });
    kept =
      largestByPasses(residual, "magnitude", split.count, kernels.passes) ??
      largestEntries(magnitudeKeys(residual), rows, columns, split.count).bits;
    forPositions(kept, (at) => {
      smooth[at] = (values[at] ?? 0) - (residual[at] ?? 0);
    });
    basis = right;
  }
  const sparse = new Float32Array(values.length);
  forPositions(kept, (at) => {
    sparse[at] = residual[at] ?? 0;
  });
  return sparse;
}

/** The products of a round with the vectors of a block. */
interface RoundProducts {
  /** smooth basis_k */
  readonly left: (smooth: Float32Array, basis: VectorBlock) => VectorBlock;
  /** smoothᵀ left_k */
  readonly right: (smooth: Float32Array, left: VectorBlock) => VectorBlock;
  /** residual = weight − Σ_k left_k right_kᵀ */
  readonly subtract: (left: VectorBlock, right: VectorBlock, residual: Float32Array) => void;
}

/** Entries below which loops take less than the calls. */
const fewest = 1 << 16;

function productsFor(
  { rows, columns, values }: NamedMatrix,
  rank: number,
  multiply: MultiplySingle | null,
): RoundProducts {
  if (multiply === null || rank === 0 || values.length < fewest)
    return {
      left: (smooth, basis) => imagesOf(smooth, rows, columns, basis),
      right: (smooth, left) => imagesOf(transposed(smooth, rows, columns), columns, rows, left),
      subtract: (left, right, residual) => subtractProduct(values, left, right, residual),
    };
  /** The vectors as columns of a matrix. */
  const asColumns = ({ values: vectors, count, length }: VectorBlock, sign = 1): Float32Array => {
    const turned = new Float32Array(transposed(vectors, count, length));
    return sign === 1 ? turned : turned.map((value) => -value);
  };
  return {
    left: (smooth, basis) => {
      const images = multiply(smooth, asColumns(basis), rows, columns, rank);
      return { values: new Float64Array(transposed(images, rows, rank)), count: rank, length: rows };
    },
    right: (smooth, left) => {
      const images = multiply(new Float32Array(left.values), smooth, rank, rows, columns);
      return { values: new Float64Array(images), count: rank, length: columns };
    },
    subtract: (left, right, residual) => {
      residual.set(values);
      multiply(asColumns(left, -1), new Float32Array(right.values), rows, rank, columns, residual);
    },
  };
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
