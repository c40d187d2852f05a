/**
 * Sums of products that are multiplied out as late as possible: a low-rank matrix stays two thin ones, and of a
 * product only those entries are computed that are asked for. What norms and gradients of formulas calculate with.
 */
import {
  type BlockDiagonalMatrix,
  columnsOf,
  type DenseMatrix,
  type MatrixValue,
  rowsOf,
  type SparseMatrix,
  toDense,
} from "../formats/matrix-value.ts";
import { hadamardMatrices, scaleMatrix, sumMatrices, transposeValue } from "./matrix-algebra.ts";
import { multiplyChain } from "./matrix-product.ts";
import { each, type Work } from "./product-work.ts";

/** scale · F₁ · F₂ · …; at least one factor. */
export interface Chain {
  readonly scale: number;
  readonly factors: readonly MatrixValue[];
}

export const chainOf = (...factors: MatrixValue[]): Chain => ({ scale: 1, factors });

export const transposeChain = ({ scale, factors }: Chain): Chain => ({
  scale,
  factors: factors.toReversed().map(transposeValue),
});

/** left · chain · right. */
export const extendChain = (
  left: readonly MatrixValue[],
  { scale, factors }: Chain,
  right: readonly MatrixValue[],
): Chain => ({ scale, factors: [...left, ...factors, ...right] });

/** The chain as one matrix. */
export function* multiplyOut({ scale, factors }: Chain): Work<MatrixValue> {
  const product = yield* multiplyChain(factors);
  return scale === 1 ? product : scaleMatrix(product, scale);
}

/** A chain without a gap much thinner than the whole is multiplied out: as factors it would cost more. */
export function* thinOrWhole(chain: Chain): Work<Chain> {
  const { factors } = chain;
  const gaps = factors.slice(0, -1).map(columnsOf);
  const narrow = Math.min(rowsOf(factors[0] as MatrixValue), columnsOf(factors.at(-1) as MatrixValue)) / 2;
  return gaps.every((gap) => gap > narrow) ? chainOf(yield* multiplyOut(chain)) : chain;
}

/** The products left_i · right_i of equal rows, as numbers: rowsum(L ⊙ R) = rowsum((L Qᵀ) ⊙ P) for R = P Q. */
export function* rowDots(left: Chain, right: Chain): Work<Float64Array> {
  const [long, short] = left.factors.length > right.factors.length ? [left, right] : [right, left];
  const [first, ...rest] = long.factors;
  if (first === undefined) throw new RangeError("a product without factors has no rows");
  if (rest.length === 0) {
    const scale = left.scale * right.scale;
    return rowSums(short.factors[0] as MatrixValue, first).map((sum) => scale * sum);
  }
  const across = extendChain([], short, rest.toReversed().map(transposeValue));
  const scaled = { ...across, scale: across.scale * long.scale };
  return yield* rowDots(chainOf(yield* multiplyOut(scaled)), chainOf(first));
}

function rowSums(left: MatrixValue, right: MatrixValue): Float64Array {
  if (left.kind !== "dense" || right.kind !== "dense") {
    const product = hadamardMatrices(left, right);
    const sums = new Float64Array(rowsOf(product));
    forEachEntry(product, (row, _, value) => {
      sums[row] = (sums[row] ?? 0) + value;
    });
    return sums;
  }
  return denseRowSums(left, right);
}

/** In four interleaved sums, without calls: norms of large weights come through here at every step. */
function denseRowSums(left: DenseMatrix, right: DenseMatrix): Float64Array {
  const { rows, columns, values: a } = left;
  const { values: b } = right;
  const sums = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const end = (row + 1) * columns;
    let at = row * columns;
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    for (; at + 4 <= end; at += 4) {
      s0 += (a[at] as number) * (b[at] as number);
      s1 += (a[at + 1] as number) * (b[at + 1] as number);
      s2 += (a[at + 2] as number) * (b[at + 2] as number);
      s3 += (a[at + 3] as number) * (b[at + 3] as number);
    }
    for (; at < end; at++) s0 += (a[at] as number) * (b[at] as number);
    sums[row] = s0 + s1 + (s2 + s3);
  }
  return sums;
}

/** Every stored entry, row by row. */
export function forEachEntry(
  matrix: MatrixValue,
  visit: (row: number, column: number, value: number, at: number) => void,
): void {
  if (matrix.kind === "diag") {
    matrix.values.forEach((value, at) => {
      visit(at, at, value, at);
    });
    return;
  }
  if (matrix.kind === "sparse") {
    for (let row = 0; row < matrix.rows; row++) {
      const end = matrix.rowStarts[row + 1] ?? 0;
      for (let at = matrix.rowStarts[row] ?? 0; at < end; at++)
        visit(row, matrix.columnIndices[at] ?? 0, matrix.values[at] ?? 0, at);
    }
    return;
  }
  const width = matrix.kind === "dense" ? matrix.columns : matrix.blockColumns;
  const height = matrix.kind === "dense" ? matrix.rows : matrix.blockRows;
  matrix.values.forEach((value, at) => {
    const row = Math.floor(at / width);
    const first = matrix.kind === "dense" ? 0 : Math.floor(row / height) * width;
    visit(row, first + (at % width), value, at);
  });
}

/** The places of a matrix that can hold something; of a dense one all. */
export type Places = Exclude<MatrixValue, DenseMatrix> | null;

/** The sum of the chains, at `places` alone and in their form; dense for null. */
export function* settle(chains: readonly Chain[], places: Places): Work<MatrixValue> {
  if (places === null) {
    const parts = (yield* each(chains, multiplyOut)).map(toDense);
    return parts.length === 1 ? (parts[0] as MatrixValue) : sumMatrices(parts);
  }
  const values = new Float64Array(places.values.length);
  for (const chain of chains) yield* addAt(chain, places, values);
  return { ...places, values: Float32Array.from(values) };
}

function* addAt({ scale, factors }: Chain, places: Exclude<Places, null>, values: Float64Array): Work<void> {
  const add = (at: number, value: number): void => {
    values[at] = (values[at] ?? 0) + scale * value;
  };
  const joined = yield* joinDiagonals(factors);
  const [only, ...rest] = joined;
  if (only === undefined) throw new RangeError("a product without factors has no entries");
  if (rest.length === 0) {
    const entry = lookup(only);
    forEachEntry(places, (row, column, _, at) => {
      add(at, entry(row, column));
    });
    return;
  }
  const split = narrowestGap(joined);
  const left = toDense(yield* multiplyChain(joined.slice(0, split)));
  const right = toDense(transposeValue(yield* multiplyChain(joined.slice(split))));
  const inner = left.columns;
  forEachEntry(places, (row, column, _, at) => {
    let sum = 0;
    for (let k = 0, a = row * inner, b = column * inner; k < inner; k++, a++, b++)
      sum += (left.values[a] ?? 0) * (right.values[b] ?? 0);
    add(at, sum);
  });
}

/** Diagonals multiplied into a neighbour, so that no half of a chain is a diagonal alone. */
function* joinDiagonals(factors: readonly MatrixValue[]): Work<readonly MatrixValue[]> {
  const index = factors.findIndex(({ kind }) => kind === "diag");
  if (index < 0 || factors.length === 1) return factors;
  const start = index === 0 ? 0 : index - 1;
  const joined = yield* multiplyChain(factors.slice(start, start + 2));
  return yield* joinDiagonals([...factors.slice(0, start), joined, ...factors.slice(start + 2)]);
}

function narrowestGap(factors: readonly MatrixValue[]): number {
  const gaps = factors.slice(0, -1).map(columnsOf);
  return gaps.indexOf(Math.min(...gaps)) + 1;
}

/** Entry (row, column) of any matrix; zero where it has none. */
function lookup(matrix: MatrixValue): (row: number, column: number) => number {
  switch (matrix.kind) {
    case "dense":
      return (row, column) => matrix.values[row * matrix.columns + column] ?? 0;
    case "diag":
      return (row, column) => (row === column ? (matrix.values[row] ?? 0) : 0);
    case "blockdiag":
      return (row, column) => blockEntry(matrix, row, column);
    case "sparse":
      return sparseLookup(matrix);
  }
}

function blockEntry(
  { blockRows, blockColumns, values }: BlockDiagonalMatrix,
  row: number,
  column: number,
): number {
  const block = Math.floor(row / blockRows);
  return Math.floor(column / blockColumns) === block
    ? (values[row * blockColumns + (column - block * blockColumns)] ?? 0)
    : 0;
}

/** Binary search in the row. */
function sparseLookup({ rowStarts, columnIndices, values }: SparseMatrix) {
  return (row: number, column: number): number => {
    let low = rowStarts[row] ?? 0;
    let high = (rowStarts[row + 1] ?? 0) - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = columnIndices[middle] ?? 0;
      if (found === column) return values[middle] ?? 0;
      if (found < column) low = middle + 1;
      else high = middle - 1;
    }
    return 0;
  };
}
