/**
 * `csr`: unstructured, lane = token: compressed rows, cut into tiles of rows by inputs. Stored zeros of a sparse matrix
 * stay entries.
 */
import { evaluateNumber, number } from "../contract/number-expression.ts";
import { csrTileInputs, csrTileRows } from "../contract/operand-format.ts";
import { columnsOf, type MatrixValue, rowsOf, type SparseMatrix, toSparse } from "./matrix-value.ts";
import {
  type Allocate,
  allocateOperand,
  floatsOf,
  integersOf,
  type PackedOperand,
  patternViolation,
} from "./packed-operand.ts";

/** Inputs of a tile, all tiles as wide as one another but for the last. */
function tileWidth({ rows, columns, values }: SparseMatrix): number {
  if (columns === 0) return 1;
  const wanted = evaluateNumber(
    csrTileInputs(number(rows), number(columns), number(values.length)),
    new Map(),
  );
  return Math.ceil(columns / Math.ceil(columns / wanted));
}

/** Bytes: 4 + 5 * rows * (tiles across) + 4 + 6 * entries. */
export function packCsr(matrix: MatrixValue, allocate: Allocate): PackedOperand {
  const sparse = toSparse(matrix);
  const { rows, columns, values } = sparse;
  if (values.length > 0x7fffffff)
    throw patternViolation("csr", `${values.length} entries are more than 2^31 - 1`);
  const width = tileWidth(sparse);
  const parts = rows * Math.ceil(columns / width);
  const lengths = {
    width: 1,
    order: parts,
    starts: parts + 1,
    columns: values.length,
    values: values.length,
  };
  const operand = allocateOperand("csr", rowsOf(matrix), columnsOf(matrix), lengths, allocate);
  integersOf(operand, "width")[0] = width;
  const order = integersOf(operand, "order");
  const starts = integersOf(operand, "starts");
  const [tileColumns, tileValues] = [integersOf(operand, "columns"), floatsOf(operand, "values")];
  let part = 0;
  let filled = 0;
  for (let firstRow = 0; firstRow < rows; firstRow += csrTileRows) {
    const next = rowsFrom(sparse, firstRow);
    for (let firstColumn = 0; firstColumn < columns; firstColumn += width) {
      const ends = next.map((entry, offset) =>
        endBefore(sparse, entry, firstRow + offset, firstColumn + width),
      );
      for (const offset of byLength(next, ends)) {
        for (let entry = next[offset] ?? 0; entry < (ends[offset] ?? 0); entry++) {
          tileColumns[filled] = (sparse.columnIndices[entry] ?? 0) - firstColumn;
          tileValues[filled++] = values[entry] ?? 0;
        }
        next[offset] = ends[offset] ?? 0;
        order[part++] = offset;
        starts[part] = filled;
      }
    }
  }
  return operand;
}

/** First entry of each row of the tiles that start at `firstRow`. */
const rowsFrom = ({ rows, rowStarts }: SparseMatrix, firstRow: number): Int32Array =>
  Int32Array.from(rowStarts.subarray(firstRow, Math.min(rows, firstRow + csrTileRows)));

/** First entry of the row, from `entry` on, whose column is `limit` or more. */
function endBefore(
  { rowStarts, columnIndices }: SparseMatrix,
  entry: number,
  row: number,
  limit: number,
): number {
  const end = rowStarts[row + 1] ?? 0;
  let at = entry;
  while (at < end && (columnIndices[at] ?? 0) < limit) at++;
  return at;
}

/** Rows by their number of entries, those with as many in order: loops of one length follow one another. */
function byLength(starts: Int32Array, ends: Int32Array): Int32Array {
  const lengths = ends.map((end, offset) => end - (starts[offset] ?? 0));
  // Sorted as numbers: the length first, then the row.
  const keys = Float64Array.from(lengths, (length, offset) => length * csrTileRows + offset).sort();
  return Int32Array.from(keys, (key) => key % csrTileRows);
}

/** Dense row-major [rows, columns]. */
export function unpackCsr(operand: PackedOperand): Float32Array {
  const { rows, columns } = operand;
  const width = integersOf(operand, "width")[0] ?? 1;
  const [order, starts] = [integersOf(operand, "order"), integersOf(operand, "starts")];
  const [tileColumns, values] = [integersOf(operand, "columns"), floatsOf(operand, "values")];
  const dense = new Float32Array(rows * columns);
  let part = 0;
  for (let firstRow = 0; firstRow < rows; firstRow += csrTileRows) {
    const height = Math.min(csrTileRows, rows - firstRow);
    for (let firstColumn = 0; firstColumn < columns; firstColumn += width) {
      for (let turn = 0; turn < height; turn++, part++) {
        const start = (firstRow + (order[part] ?? 0)) * columns + firstColumn;
        for (let entry = starts[part] ?? 0; entry < (starts[part + 1] ?? 0); entry++)
          dense[start + (tileColumns[entry] ?? 0)] = values[entry] ?? 0;
      }
    }
  }
  return dense;
}
