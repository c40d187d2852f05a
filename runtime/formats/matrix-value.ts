/** A matrix in memory as the runtime computes it, before it is packed; and the conversions between its kinds. */

export interface DenseMatrix {
  readonly kind: "dense";
  readonly rows: number;
  readonly columns: number;
  /** Row-major. */
  readonly values: Float32Array;
}

/** Compressed rows. Stored entries are structural: a stored zero is an entry. */
export interface SparseMatrix {
  readonly kind: "sparse";
  readonly rows: number;
  readonly columns: number;
  /** [rows + 1]: first entry of each row. */
  readonly rowStarts: Uint32Array;
  /** Ascending within a row. */
  readonly columnIndices: Uint32Array;
  readonly values: Float32Array;
}

export interface BlockDiagonalMatrix {
  readonly kind: "blockdiag";
  readonly blocks: number;
  readonly blockRows: number;
  readonly blockColumns: number;
  /** [blocks][blockRows][blockColumns]. */
  readonly values: Float32Array;
}

export interface DiagonalMatrix {
  readonly kind: "diag";
  readonly values: Float32Array;
}

export type MatrixValue = DenseMatrix | SparseMatrix | BlockDiagonalMatrix | DiagonalMatrix;

export function rowsOf(matrix: MatrixValue): number {
  switch (matrix.kind) {
    case "blockdiag":
      return matrix.blocks * matrix.blockRows;
    case "diag":
      return matrix.values.length;
    default:
      return matrix.rows;
  }
}

export function columnsOf(matrix: MatrixValue): number {
  switch (matrix.kind) {
    case "blockdiag":
      return matrix.blocks * matrix.blockColumns;
    case "diag":
      return matrix.values.length;
    default:
      return matrix.columns;
  }
}

/** The matrix in compressed rows; zeros of a dense matrix are left out, block and diagonal entries all stay. */
export function toSparse(matrix: MatrixValue): SparseMatrix {
  switch (matrix.kind) {
    case "sparse":
      return matrix;
    case "dense":
      return denseToSparse(matrix);
    case "blockdiag":
      return blockDiagonalToSparse(matrix);
    case "diag": {
      const size = matrix.values.length;
      const columnIndices = Uint32Array.from({ length: size }, (_, index) => index);
      const rowStarts = Uint32Array.from({ length: size + 1 }, (_, index) => index);
      return { kind: "sparse", rows: size, columns: size, rowStarts, columnIndices, values: matrix.values };
    }
  }
}

function denseToSparse({ rows, columns, values }: DenseMatrix): SparseMatrix {
  let count = 0;
  for (const value of values) if (value !== 0) count++;
  const rowStarts = new Uint32Array(rows + 1);
  const columnIndices = new Uint32Array(count);
  const kept = new Float32Array(count);
  let entry = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = values[row * columns + column] ?? 0;
      if (value === 0) continue;
      columnIndices[entry] = column;
      kept[entry++] = value;
    }
    rowStarts[row + 1] = entry;
  }
  return { kind: "sparse", rows, columns, rowStarts, columnIndices, values: kept };
}

function blockDiagonalToSparse({
  blocks,
  blockRows,
  blockColumns,
  values,
}: BlockDiagonalMatrix): SparseMatrix {
  const rows = blocks * blockRows;
  const rowStarts = Uint32Array.from({ length: rows + 1 }, (_, row) => row * blockColumns);
  const columnIndices = new Uint32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const first = Math.floor(row / blockRows) * blockColumns;
    for (let offset = 0; offset < blockColumns; offset++) {
      columnIndices[row * blockColumns + offset] = first + offset;
    }
  }
  return { kind: "sparse", rows, columns: blocks * blockColumns, rowStarts, columnIndices, values };
}

/** The matrix with every entry written out, row-major. A dense matrix is returned as it is, not copied. */
export function toDense(matrix: MatrixValue): DenseMatrix {
  if (matrix.kind === "dense") return matrix;
  const { rows, columns, rowStarts, columnIndices, values } = toSparse(matrix);
  const dense = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const end = rowStarts[row + 1] ?? 0;
    for (let entry = rowStarts[row] ?? 0; entry < end; entry++) {
      dense[row * columns + (columnIndices[entry] ?? 0)] = values[entry] ?? 0;
    }
  }
  return { kind: "dense", rows, columns, values: dense };
}
