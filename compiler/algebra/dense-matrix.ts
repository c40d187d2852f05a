/** Dense float64 matrices with plain loops: what the oracle and the plan's interpreter calculate with. */

/** Row-major [rows, columns]. */
export interface DenseMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

/** The matrix whose entry (i, j) is `entry(i, j)`. */
export function denseMatrix(
  rows: number,
  columns: number,
  entry: (row: number, column: number) => number,
): DenseMatrix {
  const values = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) values[row * columns + column] = entry(row, column);
  }
  return { rows, columns, values };
}

/** Entry (row, column); 0 outside the matrix. */
export const entryOf = (matrix: DenseMatrix, row: number, column: number): number =>
  matrix.values[row * matrix.columns + column] ?? 0;

/** @throws RangeError when the shapes differ. */
export function combineEntries(
  a: DenseMatrix,
  b: DenseMatrix,
  combine: (a: number, b: number) => number,
): DenseMatrix {
  if (a.rows !== b.rows || a.columns !== b.columns) {
    throw new RangeError(`shapes differ: [${a.rows}, ${a.columns}] and [${b.rows}, ${b.columns}]`);
  }
  return denseMatrix(a.rows, a.columns, (row, column) =>
    combine(entryOf(a, row, column), entryOf(b, row, column)),
  );
}

export const addMatrices = (a: DenseMatrix, b: DenseMatrix): DenseMatrix =>
  combineEntries(a, b, (x, y) => x + y);
export const hadamardProduct = (a: DenseMatrix, b: DenseMatrix): DenseMatrix =>
  combineEntries(a, b, (x, y) => x * y);
export const scaleMatrix = (factor: number, a: DenseMatrix): DenseMatrix =>
  denseMatrix(a.rows, a.columns, (row, column) => factor * entryOf(a, row, column));
export const transposeMatrix = (a: DenseMatrix): DenseMatrix =>
  denseMatrix(a.columns, a.rows, (row, column) => entryOf(a, column, row));

/** @throws RangeError when the inner dimensions differ. */
export function multiplyMatrices(a: DenseMatrix, b: DenseMatrix): DenseMatrix {
  if (a.columns !== b.rows) throw new RangeError(`inner dimensions differ: ${a.columns} and ${b.rows}`);
  return denseMatrix(a.rows, b.columns, (row, column) => {
    let sum = 0;
    for (let inner = 0; inner < a.columns; inner++) sum += entryOf(a, row, inner) * entryOf(b, inner, column);
    return sum;
  });
}

/** (a ⊗ b)[i s + k, j t + l] = a[i, j] b[k, l] for b of s by t. */
export const kroneckerProduct = (a: DenseMatrix, b: DenseMatrix): DenseMatrix =>
  denseMatrix(a.rows * b.rows, a.columns * b.columns, (row, column) => {
    const left = entryOf(a, Math.floor(row / b.rows), Math.floor(column / b.columns));
    return left * entryOf(b, row % b.rows, column % b.columns);
  });

/** Blocks down the diagonal, zeros elsewhere. */
export function blockDiagonal(blocks: readonly DenseMatrix[]): DenseMatrix {
  const rows = blocks.reduce((sum, block) => sum + block.rows, 0);
  const columns = blocks.reduce((sum, block) => sum + block.columns, 0);
  const values = new Float64Array(rows * columns);
  let [top, left] = [0, 0];
  for (const block of blocks) {
    for (let row = 0; row < block.rows; row++) {
      for (let column = 0; column < block.columns; column++) {
        values[(top + row) * columns + left + column] = entryOf(block, row, column);
      }
    }
    top += block.rows;
    left += block.columns;
  }
  return { rows, columns, values };
}

/** `a` above `b`. @throws RangeError when their widths differ. */
export function stackMatrices(a: DenseMatrix, b: DenseMatrix): DenseMatrix {
  if (a.columns !== b.columns) throw new RangeError(`widths differ: ${a.columns} and ${b.columns}`);
  return denseMatrix(a.rows + b.rows, a.columns, (row, column) =>
    row < a.rows ? entryOf(a, row, column) : entryOf(b, row - a.rows, column),
  );
}

export const identityMatrix = (size: number): DenseMatrix =>
  denseMatrix(size, size, (row, column) => Number(row === column));

/** (S v)[i] = v[offset + i] for i < rows. */
export const windowMatrix = (rows: number, columns: number, offset: number): DenseMatrix =>
  denseMatrix(rows, columns, (row, column) => Number(column === offset + row));

/** (P v)[k stride + j] = v[j (size / stride) + k]. */
export const stridePermutationMatrix = (size: number, stride: number): DenseMatrix =>
  denseMatrix(size, size, (row, column) =>
    Number(column === (row % stride) * (size / stride) + Math.floor(row / stride)),
  );
