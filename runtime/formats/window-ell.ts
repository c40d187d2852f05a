/**
 * `window-ell`: unstructured, lane = output: panels of 16 outputs, lines of one entry a lane out of a window of 16
 * inputs. A window starts wherever the lane that is furthest behind has its next entry, so that lanes run ahead of
 * one another and few slots stay empty.
 */
import { columnsOf, type MatrixValue, rowsOf, type SparseMatrix, toSparse } from "./matrix-value.ts";
import {
  type Allocate,
  allocateOperand,
  floatsOf,
  integersOf,
  type PackedOperand,
} from "./packed-operand.ts";

const windowWidth = 16;

export interface WindowLines {
  /** [ceil(rows/16) + 1]: first line of each panel. */
  readonly panelLines: Int32Array;
  /** Per line: first input of its window, ascending inside a panel. */
  readonly starts: readonly number[];
}

/** Bytes: 4 * (ceil(rows / 16) + 1) + 76 * lines. */
export function packWindowEll(matrix: MatrixValue, allocate: Allocate): PackedOperand {
  const sparse = toSparse(matrix);
  const laid = layLines(sparse);
  const lengths = windowLengths(laid);
  const operand = allocateOperand("window-ell", rowsOf(matrix), columnsOf(matrix), lengths, allocate);
  fillWindows(sparse, laid, operand);
  return operand;
}

/** Lengths of the buffers that hold the lines. */
export const windowLengths = ({ panelLines, starts: { length } }: WindowLines) => ({
  panelLines: panelLines.length,
  starts: length,
  values: length * 16,
  indices: length * 8,
});

/** Writes the lines into the buffers of an operand, and the entries of the panels that have lines. */
export function fillWindows(sparse: SparseMatrix, laid: WindowLines, operand: PackedOperand): void {
  integersOf(operand, "panelLines").set(laid.panelLines);
  integersOf(operand, "starts").set(laid.starts);
  fillLines(sparse, laid, floatsOf(operand, "values"), integersOf(operand, "indices"));
}

/**
 * Each line takes the next entry of every lane whose entry lies in its window. A panel of so many entries that would need
 * more lines than `mostLines` says has none.
 */
export function layLines(
  { rows, columns, rowStarts, columnIndices }: SparseMatrix,
  mostLines: (entries: number) => number = () => Number.POSITIVE_INFINITY,
): WindowLines {
  const panels = Math.ceil(rows / 16);
  const panelLines = new Int32Array(panels + 1);
  const starts: number[] = [];
  const last = Math.max(0, columns - windowWidth);
  const entries = new Int32Array(16);
  const ends = new Int32Array(16);
  const nextColumns = new Int32Array(16);
  for (let panel = 0; panel < panels; panel++) {
    const lanes = Math.min(16, rows - panel * 16);
    const first = starts.length;
    const held = (rowStarts[panel * 16 + lanes] ?? 0) - (rowStarts[panel * 16] ?? 0);
    const end = first + mostLines(held);
    let behind = columns;
    for (let lane = 0; lane < lanes; lane++) {
      const entry = rowStarts[panel * 16 + lane] ?? 0;
      const next = rowStarts[panel * 16 + lane + 1] ?? 0;
      const column = entry < next ? (columnIndices[entry] ?? 0) : columns;
      entries[lane] = entry;
      ends[lane] = next;
      nextColumns[lane] = column;
      if (column < behind) behind = column;
    }
    while (behind < columns) {
      if (starts.length >= end) {
        starts.length = first;
        break;
      }
      const start = Math.min(behind, last);
      starts.push(start);
      behind = columns;
      for (let lane = 0; lane < lanes; lane++) {
        let column = nextColumns[lane] ?? columns;
        if (column < start + windowWidth && column < columns) {
          const entry = (entries[lane] ?? 0) + 1;
          entries[lane] = entry;
          column = entry < (ends[lane] ?? 0) ? (columnIndices[entry] ?? 0) : columns;
          nextColumns[lane] = column;
        }
        if (column < behind) behind = column;
      }
    }
    // Two lines share their index bytes: an empty one completes the last pair.
    if (starts.length % 2 === 1) starts.push(starts[starts.length - 1] ?? 0);
    panelLines[panel + 1] = starts.length;
  }
  return { panelLines, starts };
}

/** Lane by lane: the windows ascend, so that an entry goes to the first line after the last one whose window reaches it. */
function fillLines(
  { rows, rowStarts, columnIndices, values }: SparseMatrix,
  { panelLines, starts }: WindowLines,
  lines: Float32Array,
  indices: { [index: number]: number },
): void {
  for (let row = 0; row < rows; row++) {
    const lane = row & 15;
    const end = rowStarts[row + 1] ?? 0;
    let line = panelLines[row >> 4] ?? 0;
    if (line === panelLines[(row >> 4) + 1]) continue;
    for (let entry = rowStarts[row] ?? 0; entry < end; entry++) {
      const column = columnIndices[entry] ?? 0;
      while ((starts[line] ?? 0) + windowWidth <= column) line++;
      const place = (line >> 1) * 16 + lane;
      lines[line * 16 + lane] = values[entry] ?? 0;
      indices[place] = (indices[place] ?? 0) | ((column - (starts[line] ?? 0)) << (4 * (line & 1)));
      line++;
    }
  }
}

/** Dense row-major [rows, columns]. */
export function unpackWindowEll(operand: PackedOperand): Float32Array {
  const { rows, columns } = operand;
  const panelLines = integersOf(operand, "panelLines");
  const starts = integersOf(operand, "starts");
  const values = floatsOf(operand, "values");
  const indices = integersOf(operand, "indices");
  const dense = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const panel = row >> 4;
    const lane = row & 15;
    for (let line = panelLines[panel] ?? 0; line < (panelLines[panel + 1] ?? 0); line++) {
      const value = values[line * 16 + lane] ?? 0;
      const index = ((indices[(line >> 1) * 16 + lane] ?? 0) >> (4 * (line & 1))) & 15;
      if (value !== 0) dense[row * columns + (starts[line] ?? 0) + index] = value;
    }
  }
  return dense;
}
