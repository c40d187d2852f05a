/** `row-major`: a dense matrix as it is written. */
import { columnsOf, type MatrixValue, rowsOf, toDense } from "./matrix-value.ts";
import { type Allocate, allocateOperand, floatsOf, type PackedOperand } from "./packed-operand.ts";

/** Bytes: 4 * rows * columns. */
export function packRowMajor(matrix: MatrixValue, allocate: Allocate): PackedOperand {
  const dense = toDense(matrix);
  const lengths = { values: dense.values.length };
  const operand = allocateOperand("row-major", rowsOf(matrix), columnsOf(matrix), lengths, allocate);
  floatsOf(operand, "values").set(dense.values);
  return operand;
}

/** Dense row-major [rows, columns]. */
export const unpackRowMajor = (operand: PackedOperand): Float32Array => floatsOf(operand, "values").slice();
