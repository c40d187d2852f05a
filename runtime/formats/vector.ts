/** `vector`: the diagonal of a square matrix that is zero elsewhere. */
import { columnsOf, type MatrixValue, rowsOf, toDense, toSparse } from "./matrix-value.ts";
import {
  type Allocate,
  allocateOperand,
  floatsOf,
  type PackedOperand,
  patternViolation,
} from "./packed-operand.ts";

/** Bytes: 4 * rows. */
export function packVector(matrix: MatrixValue, allocate: Allocate): PackedOperand {
  const rows = rowsOf(matrix);
  const columns = columnsOf(matrix);
  if (rows !== columns) throw patternViolation("vector", `${rows} x ${columns} is not square`);
  const operand = allocateOperand("vector", rows, columns, { values: rows }, allocate);
  floatsOf(operand, "values").set(diagonalOf(matrix));
  return operand;
}

function diagonalOf(matrix: MatrixValue): Float32Array {
  if (matrix.kind === "diag") return matrix.values;
  const { rows, rowStarts, columnIndices, values } = toSparse(matrix);
  const diagonal = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const end = rowStarts[row + 1] ?? 0;
    for (let entry = rowStarts[row] ?? 0; entry < end; entry++) {
      const column = columnIndices[entry] ?? 0;
      if (column === row) diagonal[row] = values[entry] ?? 0;
      else if (values[entry] !== 0) {
        throw patternViolation("vector", `row ${row}, column ${column} lies outside the diagonal`);
      }
    }
  }
  return diagonal;
}

/** Dense row-major [rows, rows]. */
export const unpackVector = (operand: PackedOperand): Float32Array =>
  toDense({ kind: "diag", values: floatsOf(operand, "values") }).values;
