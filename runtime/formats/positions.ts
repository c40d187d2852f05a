/** `positions`: where a sparse gradient exists, row by row, and what it is multiplied by there. */
import { columnsOf, type MatrixValue, rowsOf, toSparse } from "./matrix-value.ts";
import {
  type Allocate,
  allocateOperand,
  floatsOf,
  integersOf,
  type PackedOperand,
  patternViolation,
} from "./packed-operand.ts";

/** Bytes: 12 * entries. Stored zeros of a sparse matrix stay entries. */
export function packPositions(matrix: MatrixValue, allocate: Allocate): PackedOperand {
  const { rowStarts, columnIndices, values } = toSparse(matrix);
  if (values.length > 0x7fffffff)
    throw patternViolation("positions", `${values.length} entries are more than 2^31 - 1`);
  const lengths = { rows: values.length, columns: values.length, weights: values.length };
  const operand = allocateOperand("positions", rowsOf(matrix), columnsOf(matrix), lengths, allocate);
  const rows = integersOf(operand, "rows");
  for (let row = 0; row + 1 < rowStarts.length; row++) rows.fill(row, rowStarts[row], rowStarts[row + 1]);
  integersOf(operand, "columns").set(columnIndices);
  floatsOf(operand, "weights").set(values);
  return operand;
}

/** Dense row-major [rows, columns]. */
export function unpackPositions(operand: PackedOperand): Float32Array {
  const dense = new Float32Array(operand.rows * operand.columns);
  const [rows, columns] = [integersOf(operand, "rows"), integersOf(operand, "columns")];
  floatsOf(operand, "weights").forEach((weight, entry) => {
    dense[(rows[entry] ?? 0) * operand.columns + (columns[entry] ?? 0)] = weight;
  });
  return dense;
}
