/**
 * Sums, scales, transposes, masks and elementwise products of matrix values. Structure is kept where it costs
 * nothing: sparse stays sparse, blocks stay blocks; sums accumulate in double precision and are rounded once.
 */
import {
  columnsOf,
  type DenseMatrix,
  type MatrixValue,
  rowsOf,
  type SparseMatrix,
  toDense,
  toSparse,
} from "../formats/matrix-value.ts";
import { type Pattern, rowsOfPattern } from "../select/pattern.ts";

/** factor * matrix, of the same kind. */
export function scaleMatrix(matrix: MatrixValue, factor: number): MatrixValue {
  return { ...matrix, values: matrix.values.map((value) => value * factor) };
}

export function transposeValue(matrix: MatrixValue): MatrixValue {
  switch (matrix.kind) {
    case "diag":
      return matrix;
    case "sparse":
      return transposeSparse(matrix);
    case "dense":
      return {
        kind: "dense",
        rows: matrix.columns,
        columns: matrix.rows,
        values: transposeBlocks(matrix.values, 1, matrix.rows, matrix.columns),
      };
    case "blockdiag": {
      const { blocks, blockRows, blockColumns, values } = matrix;
      const transposed = transposeBlocks(values, blocks, blockRows, blockColumns);
      return {
        kind: "blockdiag",
        blocks,
        blockRows: blockColumns,
        blockColumns: blockRows,
        values: transposed,
      };
    }
  }
}

function transposeBlocks(values: Float32Array, blocks: number, rows: number, columns: number): Float32Array {
  const transposed = new Float32Array(values.length);
  for (let block = 0; block < blocks; block++) {
    const first = block * rows * columns;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        transposed[first + column * rows + row] = values[first + row * columns + column] ?? 0;
      }
    }
  }
  return transposed;
}

/** Counting sort by column keeps rows ascending within each. */
function transposeSparse({ rows, columns, rowStarts, columnIndices, values }: SparseMatrix): SparseMatrix {
  const starts = new Uint32Array(columns + 1);
  for (const column of columnIndices) starts[column + 1] = (starts[column + 1] ?? 0) + 1;
  for (let column = 0; column < columns; column++)
    starts[column + 1] = (starts[column + 1] ?? 0) + (starts[column] ?? 0);
  const next = starts.slice();
  const indices = new Uint32Array(values.length);
  const moved = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const end = rowStarts[row + 1] ?? 0;
    for (let entry = rowStarts[row] ?? 0; entry < end; entry++) {
      const column = columnIndices[entry] ?? 0;
      const target = next[column] ?? 0;
      next[column] = target + 1;
      indices[target] = row;
      moved[target] = values[entry] ?? 0;
    }
  }
  return {
    kind: "sparse",
    rows: columns,
    columns: rows,
    rowStarts: starts,
    columnIndices: indices,
    values: moved,
  };
}

/** The sum of matrices of one shape; blocks, diagonals and sparse matrices stay so, with the union of their entries. */
export function sumMatrices(terms: readonly MatrixValue[]): MatrixValue {
  const [first, ...rest] = terms;
  if (first === undefined) throw new RangeError("a sum without terms has no shape");
  if (rest.length === 0) return first;
  const blocks = sumBlocks(terms);
  if (blocks !== null) return blocks;
  if (terms.every(({ kind }) => kind !== "dense"))
    return collectRows(rowsOf(first), columnsOf(first), terms.map(toSparse));
  const columns = columnsOf(first);
  const rows = rowsOf(first);
  const parts = terms.map((term) => (term.kind === "dense" ? term : toSparse(term)));
  const values = new Float32Array(rows * columns);
  const line = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    line.fill(0);
    for (const part of parts) addRow(part, row, 1, line);
    values.set(line, row * columns);
  }
  return { kind: "dense", rows, columns, values };
}

/** The sum of diagonals and of square block diagonals of equal blocks; null for anything else. */
function sumBlocks(terms: readonly MatrixValue[]): MatrixValue | null {
  const shape = terms.find((term) => term.kind === "blockdiag") ?? terms[0];
  const fits = terms.every(
    (term) =>
      term.kind === "diag" ||
      (term.kind === "blockdiag" && shape?.kind === "blockdiag" && term.blocks === shape.blocks),
  );
  if (!fits || shape === undefined || (shape.kind !== "diag" && shape.kind !== "blockdiag")) return null;
  if (shape.kind === "blockdiag" && shape.blockRows !== shape.blockColumns) return null;
  const size = shape.kind === "diag" ? 1 : shape.blockRows;
  const values = new Float64Array(shape.values.length);
  for (const term of terms) {
    term.values.forEach((value, at) => {
      const place = term.kind === "diag" ? at * size + (at % size) : at;
      values[place] = (values[place] ?? 0) + value;
    });
  }
  return { ...shape, values: Float32Array.from(values) };
}

/** line += weight * row of `matrix`. */
export function addRow(
  matrix: DenseMatrix | SparseMatrix,
  row: number,
  weight: number,
  line: Float64Array,
): void {
  if (matrix.kind === "dense") {
    const { columns, values } = matrix;
    for (let column = 0, at = row * columns; column < columns; column++, at++) {
      line[column] = (line[column] ?? 0) + weight * (values[at] ?? 0);
    }
    return;
  }
  const { rowStarts, columnIndices, values } = matrix;
  const end = rowStarts[row + 1] ?? 0;
  for (let entry = rowStarts[row] ?? 0; entry < end; entry++) {
    const column = columnIndices[entry] ?? 0;
    line[column] = (line[column] ?? 0) + weight * (values[entry] ?? 0);
  }
}

function collectRows(rows: number, columns: number, parts: readonly SparseMatrix[]): SparseMatrix {
  return buildSparse(rows, columns, (row, collect) => {
    for (const { rowStarts, columnIndices, values } of parts) {
      const end = rowStarts[row + 1] ?? 0;
      for (let entry = rowStarts[row] ?? 0; entry < end; entry++)
        collect(columnIndices[entry] ?? 0, values[entry] ?? 0);
    }
  });
}

/** A sparse matrix from the entries of each row in any order; entries of one position are added up. */
export function buildSparse(
  rows: number,
  columns: number,
  entriesOf: (row: number, collect: (column: number, value: number) => void) => void,
): SparseMatrix {
  const rowStarts = new Uint32Array(rows + 1);
  const line = new Float64Array(columns);
  const present = new Uint8Array(columns);
  const pieces: { readonly indices: Uint32Array; readonly values: Float32Array }[] = [];
  let touched: number[] = [];
  const collect = (column: number, value: number): void => {
    if (present[column] === 0) touched.push(column);
    present[column] = 1;
    line[column] = (line[column] ?? 0) + value;
  };
  for (let row = 0; row < rows; row++) {
    touched = [];
    entriesOf(row, collect);
    const indices = Uint32Array.from(touched).sort();
    const values = new Float32Array(indices.length);
    indices.forEach((column, entry) => {
      values[entry] = line[column] ?? 0;
      line[column] = 0;
      present[column] = 0;
    });
    pieces.push({ indices, values });
    rowStarts[row + 1] = (rowStarts[row] ?? 0) + indices.length;
  }
  const columnIndices = new Uint32Array(rowStarts[rows] ?? 0);
  const values = new Float32Array(columnIndices.length);
  pieces.forEach((piece, row) => {
    columnIndices.set(piece.indices, rowStarts[row] ?? 0);
    values.set(piece.values, rowStarts[row] ?? 0);
  });
  return { kind: "sparse", rows, columns, rowStarts, columnIndices, values };
}

/** The entries of `matrix` that the pattern keeps; of a dense matrix all of them, zeros included. */
export function maskMatrix(matrix: MatrixValue, pattern: Pattern): SparseMatrix {
  const { rows, columns } = pattern;
  const { rowStarts, columnIndices } = rowsOfPattern(pattern);
  if (matrix.kind !== "dense") {
    const ones = new Float32Array(columnIndices.length).fill(1);
    return intersect(toSparse(matrix), {
      kind: "sparse",
      rows,
      columns,
      rowStarts,
      columnIndices,
      values: ones,
    });
  }
  return {
    kind: "sparse",
    rows,
    columns,
    rowStarts,
    columnIndices,
    values: gather(matrix, rowStarts, columnIndices),
  };
}

function gather(dense: DenseMatrix, rowStarts: Uint32Array, columnIndices: Uint32Array): Float32Array {
  const values = new Float32Array(columnIndices.length);
  for (let row = 0; row < dense.rows; row++) {
    const end = rowStarts[row + 1] ?? 0;
    for (let entry = rowStarts[row] ?? 0; entry < end; entry++) {
      values[entry] = dense.values[row * dense.columns + (columnIndices[entry] ?? 0)] ?? 0;
    }
  }
  return values;
}

/** The elementwise product. */
export function hadamardMatrices(left: MatrixValue, right: MatrixValue): MatrixValue {
  if (left.kind === "dense" && right.kind === "dense") {
    return { ...left, values: left.values.map((value, at) => value * (right.values[at] ?? 0)) };
  }
  if (left.kind === "dense") return hadamardMatrices(right, left);
  const sparse = toSparse(left);
  if (right.kind !== "dense") return intersect(sparse, toSparse(right));
  const other = gather(toDense(right), sparse.rowStarts, sparse.columnIndices);
  return { ...sparse, values: sparse.values.map((value, entry) => value * (other[entry] ?? 0)) };
}

/** The products of entries that both have. */
function intersect(left: SparseMatrix, right: SparseMatrix): SparseMatrix {
  const other = new Float64Array(left.columns);
  const present = new Uint8Array(left.columns);
  return buildSparse(left.rows, left.columns, (row, collect) => {
    const end = right.rowStarts[row + 1] ?? 0;
    for (let entry = right.rowStarts[row] ?? 0; entry < end; entry++) {
      const column = right.columnIndices[entry] ?? 0;
      other[column] = right.values[entry] ?? 0;
      present[column] = 1;
    }
    const leftEnd = left.rowStarts[row + 1] ?? 0;
    for (let entry = left.rowStarts[row] ?? 0; entry < leftEnd; entry++) {
      const column = left.columnIndices[entry] ?? 0;
      if (present[column] === 1) collect(column, (left.values[entry] ?? 0) * (other[column] ?? 0));
    }
    for (let entry = right.rowStarts[row] ?? 0; entry < end; entry++)
      present[right.columnIndices[entry] ?? 0] = 0;
  });
}
