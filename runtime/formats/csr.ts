/** `csr`: unstructured, lane = token. Stored zeros of a sparse matrix stay entries. */
import { columnsOf, type MatrixValue, rowsOf, toDense, toSparse } from "./matrix-value.ts";
import {
  type Allocate,
  allocateOperand,
  floatsOf,
  integersOf,
  type PackedOperand,
  patternViolation,
} from "./packed-operand.ts";

const largestColumns = 65536;

/** Bytes: 4 * (rows + 1) + 6 * entries. */
export function packCsr(matrix: MatrixValue, allocate: Allocate): PackedOperand {
  const rows = rowsOf(matrix);
  const columns = columnsOf(matrix);
  if (columns > largestColumns)
    throw patternViolation("csr", `${columns} columns are more than ${largestColumns}`);
  const { rowStarts, columnIndices, values } = toSparse(matrix);
  if (values.length > 0x7fffffff)
    throw patternViolation("csr", `${values.length} entries are more than 2^31 - 1`);
  const lengths = { rowStarts: rows + 1, columns: values.length, values: values.length };
  const operand = allocateOperand("csr", rows, columns, lengths, allocate);
  integersOf(operand, "rowStarts").set(rowStarts);
  integersOf(operand, "columns").set(columnIndices);
  floatsOf(operand, "values").set(values);
  return operand;
}

/** Dense row-major [rows, columns]. */
export function unpackCsr(operand: PackedOperand): Float32Array {
  return toDense({
    kind: "sparse",
    rows: operand.rows,
    columns: operand.columns,
    rowStarts: Uint32Array.from(integersOf(operand, "rowStarts")),
    columnIndices: Uint32Array.from(integersOf(operand, "columns")),
    values: floatsOf(operand, "values"),
  }).values;
}
