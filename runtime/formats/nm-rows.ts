/** `nm-rows`: N:M along the input, rows one after the other for lane = token. */
import { columnsOf, type MatrixValue, rowsOf, toSparse } from "./matrix-value.ts";
import { checkNm, type NmShape, visitGroups } from "./nm-groups.ts";
import {
  type Allocate,
  allocateOperand,
  floatsOf,
  integersOf,
  type PackedOperand,
} from "./packed-operand.ts";

/** Bytes: 5 * rows * (columns / m) * n. */
export function packNmRows(matrix: MatrixValue, shape: NmShape, allocate: Allocate): PackedOperand {
  checkNm("nm-rows", shape, 256);
  const rows = rowsOf(matrix);
  const columns = columnsOf(matrix);
  const perRow = Math.floor(columns / shape.m) * shape.n;
  const lengths = { values: rows * perRow, indices: rows * perRow };
  const operand = allocateOperand("nm-rows", rows, columns, lengths, allocate);
  const values = floatsOf(operand, "values");
  const indices = integersOf(operand, "indices");
  visitGroups("nm-rows", toSparse(matrix), shape, (row, group, slot, position, value) => {
    const target = row * perRow + group * shape.n + slot;
    values[target] = value;
    indices[target] = position;
  });
  return operand;
}

/** Dense row-major [rows, columns]. */
export function unpackNmRows(operand: PackedOperand, { n, m }: NmShape): Float32Array {
  const { rows, columns } = operand;
  const perRow = (columns / m) * n;
  const values = floatsOf(operand, "values");
  const indices = integersOf(operand, "indices");
  const dense = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let slot = 0; slot < perRow; slot++) {
      const column = Math.floor(slot / n) * m + (indices[row * perRow + slot] ?? 0);
      dense[row * columns + column] = values[row * perRow + slot] ?? 0;
    }
  }
  return dense;
}
