/**
 * Functions of matrix values that are not sums or products: of each entry, of each row, inverses, face-splitting
 * products, skew-symmetric blocks. Numbers are computed in double precision and rounded once.
 */
import { type DenseMatrix, type MatrixValue, toDense, toSparse } from "../formats/matrix-value.ts";
import { inverseSquare } from "../linalg/inverse.ts";
import { buildSparse } from "./matrix-algebra.ts";

/** f of each entry; entries that do not exist stay away when f(0) = 0. */
export function mapEntries(matrix: MatrixValue, f: (x: number) => number, keepsZero: boolean): MatrixValue {
  const from = keepsZero ? matrix : toDense(matrix);
  return { ...from, values: from.values.map((value) => f(value)) };
}

/** f(left, right) entry by entry, dense. */
export function combineDense(
  left: MatrixValue,
  right: MatrixValue,
  f: (left: number, right: number) => number,
): DenseMatrix {
  const [a, b] = [toDense(left), toDense(right)];
  return { ...a, values: a.values.map((value, at) => f(value, b.values[at] ?? Number.NaN)) };
}

export const column = (values: ArrayLike<number>): DenseMatrix => ({
  kind: "dense",
  rows: values.length,
  columns: 1,
  values: Float32Array.from(values),
});

export const filled = (rows: number, columns: number, value: number): DenseMatrix => ({
  kind: "dense",
  rows,
  columns,
  values: new Float32Array(rows * columns).fill(value),
});

/** The entry at (row, column) as a matrix [1, 1]. */
export function entryAt(matrix: MatrixValue, row: number, columnIndex: number): DenseMatrix {
  const dense = toDense(matrix);
  return column([dense.values[row * dense.columns + columnIndex] ?? Number.NaN]);
}

/** exp(x - largest) / sum along each row. */
export function softmaxRows(matrix: MatrixValue): DenseMatrix {
  const dense = toDense(matrix);
  const { rows, columns } = dense;
  const values = new Float32Array(dense.values.length);
  for (let row = 0; row < rows; row++) {
    const line = dense.values.subarray(row * columns, (row + 1) * columns);
    const largest = line.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    const exponentials = Float64Array.from(line, (value) => Math.exp(value - largest));
    const sum = exponentials.reduce((total, value) => total + value, 0);
    values.set(
      exponentials.map((value) => value / sum),
      row * columns,
    );
  }
  return { kind: "dense", rows, columns, values };
}

/** (A • B)[i, k * q + l] = A[i, k] B[i, l] for B of q columns. */
export function faceSplitting(left: MatrixValue, right: MatrixValue): DenseMatrix {
  const [a, b] = [toDense(left), toDense(right)];
  const width = a.columns * b.columns;
  const values = new Float32Array(a.rows * width);
  for (let row = 0, at = 0; row < a.rows; row++) {
    for (let k = 0; k < a.columns; k++) {
      const factor = a.values[row * a.columns + k] ?? 0;
      for (let l = 0; l < b.columns; l++, at++) values[at] = factor * (b.values[row * b.columns + l] ?? 0);
    }
  }
  return { kind: "dense", rows: a.rows, columns: width, values };
}

/** Row and column of the strict upper triangle of a square of `size`, row by row. */
export function* upperPositions(size: number): Generator<readonly [row: number, column: number]> {
  for (let row = 0; row < size; row++) {
    for (let columnIndex = row + 1; columnIndex < size; columnIndex++) yield [row, columnIndex];
  }
}

/** Skew-symmetric blocks whose strict upper triangles are the rows of `triangles`. */
export function skewBlocks(triangles: MatrixValue, size: number): MatrixValue {
  const { rows: blocks, columns: entries, values: given } = toDense(triangles);
  const values = new Float32Array(blocks * size * size);
  for (let block = 0; block < blocks; block++) {
    let at = block * entries;
    for (const [row, columnIndex] of upperPositions(size)) {
      const value = given[at++] ?? Number.NaN;
      values[(block * size + row) * size + columnIndex] = value;
      values[(block * size + columnIndex) * size + row] = -value;
    }
  }
  return { kind: "blockdiag", blocks, blockRows: size, blockColumns: size, values };
}

/** The entries above the diagonal. */
export function strictUpper(matrix: MatrixValue): MatrixValue {
  if (matrix.kind === "dense") {
    const { columns } = matrix;
    return {
      ...matrix,
      values: matrix.values.map((value, at) => (at % columns > Math.floor(at / columns) ? value : 0)),
    };
  }
  if (matrix.kind === "diag") return { kind: "diag", values: new Float32Array(matrix.values.length) };
  const { rows, columns, rowStarts, columnIndices, values } = toSparse(matrix);
  return buildSparse(rows, columns, (row, collect) => {
    const end = rowStarts[row + 1] ?? 0;
    for (let entry = rowStarts[row] ?? 0; entry < end; entry++) {
      const columnIndex = columnIndices[entry] ?? 0;
      if (columnIndex > row) collect(columnIndex, values[entry] ?? 0);
    }
  });
}

/** The inverse; block by block for a block-diagonal matrix. @throws SpxError SPX8413 when there is none. */
export function inverseOf(matrix: MatrixValue): MatrixValue {
  if (matrix.kind === "diag") return { kind: "diag", values: matrix.values.map((value) => 1 / value) };
  if (matrix.kind === "blockdiag" && matrix.blockRows === matrix.blockColumns) {
    const { blocks, blockRows: size } = matrix;
    const values = new Float32Array(matrix.values.length);
    for (let block = 0; block < blocks; block++) {
      const first = block * size * size;
      values.set(inverseSquare(matrix.values.subarray(first, first + size * size), size), first);
    }
    return { ...matrix, values };
  }
  const dense = toDense(matrix);
  return { ...dense, values: Float32Array.from(inverseSquare(dense.values, dense.rows)) };
}

/** `count` rows of a matrix from `first` on. */
export function sliceRows(matrix: MatrixValue, first: number, count: number): MatrixValue {
  if (matrix.kind === "dense") {
    const { columns } = matrix;
    return {
      kind: "dense",
      rows: count,
      columns,
      values: matrix.values.subarray(first * columns, (first + count) * columns),
    };
  }
  const { columns, rowStarts, columnIndices, values } = toSparse(matrix);
  const start = rowStarts[first] ?? 0;
  const end = rowStarts[first + count] ?? start;
  return {
    kind: "sparse",
    rows: count,
    columns,
    rowStarts: rowStarts.slice(first, first + count + 1).map((entry) => entry - start),
    columnIndices: columnIndices.subarray(start, end),
    values: values.subarray(start, end),
  };
}
