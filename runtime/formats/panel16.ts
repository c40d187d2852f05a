/** `panel16`: dense, 16 outputs side by side, one 64-byte line per input. */
import { columnsOf, type MatrixValue, rowsOf, type SparseMatrix, toSparse } from "./matrix-value.ts";
import { type Allocate, allocateOperand, floatsOf, type PackedOperand } from "./packed-operand.ts";

/** Bytes: 4 * 16 * ceil(rows / 16) * columns. */
export function packPanel16(matrix: MatrixValue, allocate: Allocate): PackedOperand {
  const rows = rowsOf(matrix);
  const columns = columnsOf(matrix);
  const length = Math.ceil(rows / 16) * columns * 16;
  const operand = allocateOperand("panel16", rows, columns, { values: length }, allocate);
  const panels = floatsOf(operand, "values");
  if (matrix.kind === "dense") writePanels(matrix.values, rows, columns, panels);
  else scatterPanels(toSparse(matrix), panels);
  return operand;
}

/** Writes row-major [rows, columns] into [ceil(rows/16)][columns][16]; the lanes past `rows` are not touched. */
export function writePanels(values: Float32Array, rows: number, columns: number, panels: Float32Array): void {
  for (let row = 0; row < rows; row++) {
    let target = (row >> 4) * columns * 16 + (row & 15);
    const end = (row + 1) * columns;
    for (let source = row * columns; source < end; source++, target += 16)
      panels[target] = values[source] ?? 0;
  }
}

/**
 * Writes `count` columns from `first` on, given as rows of the transposed matrix: `values` [count, rows]. A column
 * is one line of each panel, so both sides are walked in order.
 */
export function writePanelRows(
  values: Float32Array,
  { first, count, rows, columns }: { first: number; count: number; rows: number; columns: number },
  panels: Float32Array,
): void {
  for (let offset = 0; offset < count; offset++) {
    const source = offset * rows;
    for (let row = 0; row < rows; row += 16) {
      const line = ((row >> 4) * columns + first + offset) * 16;
      const lanes = Math.min(16, rows - row);
      for (let lane = 0; lane < lanes; lane++) panels[line + lane] = values[source + row + lane] ?? 0;
    }
  }
}

function scatterPanels(
  { rows, columns, rowStarts, columnIndices, values }: SparseMatrix,
  panels: Float32Array,
): void {
  for (let row = 0; row < rows; row++) {
    const line = (row >> 4) * columns * 16 + (row & 15);
    const end = rowStarts[row + 1] ?? 0;
    for (let entry = rowStarts[row] ?? 0; entry < end; entry++) {
      panels[line + (columnIndices[entry] ?? 0) * 16] = values[entry] ?? 0;
    }
  }
}

/** Row-major [rows, columns] from panels. */
export function readPanels(panels: Float32Array, rows: number, columns: number): Float32Array {
  const values = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    let source = (row >> 4) * columns * 16 + (row & 15);
    const end = (row + 1) * columns;
    for (let target = row * columns; target < end; target++, source += 16)
      values[target] = panels[source] ?? 0;
  }
  return values;
}

export const unpackPanel16 = (operand: PackedOperand): Float32Array =>
  readPanels(floatsOf(operand, "values"), operand.rows, operand.columns);
