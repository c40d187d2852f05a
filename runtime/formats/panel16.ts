/** `panel16`: dense, 16 outputs side by side, one 64-byte line per input. */
import { columnsOf, type MatrixValue, rowsOf, type SparseMatrix, toSparse } from "./matrix-value.ts";
import { type Allocate, allocateOperand, floatsOf, type PackedOperand } from "./packed-operand.ts";

/** Bytes: 4 * 16 * ceil(rows / 16) * columns. */
export const packPanel16 = (matrix: MatrixValue, allocate: Allocate): PackedOperand =>
  packStackedPanels([matrix], allocate);

/** Matrices of one width, one below the other, as if they were one: no row of panels stands between them. */
export function packStackedPanels(parts: readonly MatrixValue[], allocate: Allocate): PackedOperand {
  const rows = parts.reduce((sum, part) => sum + rowsOf(part), 0);
  const [top] = parts;
  const columns = top === undefined ? 0 : columnsOf(top);
  const length = Math.ceil(rows / 16) * columns * 16;
  const operand = allocateOperand("panel16", rows, columns, { values: length }, allocate);
  const panels = floatsOf(operand, "values");
  let first = 0;
  for (const part of parts) {
    if (part.kind === "dense") writePanels(part.values, part.rows, columns, panels, first);
    else scatterPanels(toSparse(part), panels, first);
    first += rowsOf(part);
  }
  return operand;
}

/** Writes row-major [rows, columns] into [panels][columns][16] from row `first` on; no other lane is touched. */
export function writePanels(
  values: Float32Array,
  rows: number,
  columns: number,
  panels: Float32Array,
  first = 0,
): void {
  for (let row = 0; row < rows; row++) {
    const place = first + row;
    let target = (place >> 4) * columns * 16 + (place & 15);
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
  first: number,
): void {
  for (let row = 0; row < rows; row++) {
    const place = first + row;
    const line = (place >> 4) * columns * 16 + (place & 15);
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
