/** `window-ell`: unstructured, lane = output: panels of 16 outputs, windows of 16 inputs, empty windows left out. */
import { columnsOf, type MatrixValue, rowsOf, type SparseMatrix, toSparse } from "./matrix-value.ts";
import {
  type Allocate,
  allocateOperand,
  floatsOf,
  integersOf,
  type PackedOperand,
  patternViolation,
} from "./packed-operand.ts";

const largestColumns = 1048576;

interface WindowLines {
  /** [ceil(rows/16) + 1]: first line of each panel. */
  readonly panelLines: Int32Array;
  /** Per line: window number, ascending inside a panel. */
  readonly windows: readonly number[];
}

/** Bytes: 4 * (ceil(rows / 16) + 1) + 82 * lines. */
export function packWindowEll(matrix: MatrixValue, allocate: Allocate): PackedOperand {
  const rows = rowsOf(matrix);
  const columns = columnsOf(matrix);
  if (columns > largestColumns) {
    throw patternViolation("window-ell", `${columns} columns are more than ${largestColumns}`);
  }
  const sparse = toSparse(matrix);
  const counted = countLines(sparse);
  const lines = counted.windows.length;
  const operand = allocateOperand(
    "window-ell",
    rows,
    columns,
    {
      panelLines: counted.panelLines.length,
      windows: lines,
      values: lines * 16,
      indices: lines * 16,
    },
    allocate,
  );
  integersOf(operand, "panelLines").set(counted.panelLines);
  integersOf(operand, "windows").set(counted.windows);
  fillLines(sparse, counted, floatsOf(operand, "values"), integersOf(operand, "indices"));
  return operand;
}

/** The lines of a window are as many as its fullest row has entries. */
function countLines({ rows, columns, rowStarts, columnIndices }: SparseMatrix): WindowLines {
  const panels = Math.ceil(rows / 16);
  const panelLines = new Int32Array(panels + 1);
  const windows: number[] = [];
  const longest = new Uint8Array(Math.ceil(columns / 16));
  for (let panel = 0; panel < panels; panel++) {
    longest.fill(0);
    for (let row = panel * 16; row < Math.min(rows, panel * 16 + 16); row++) {
      const end = rowStarts[row + 1] ?? 0;
      let window = -1;
      let length = 0;
      for (let entry = rowStarts[row] ?? 0; entry < end; entry++) {
        const next = (columnIndices[entry] ?? 0) >> 4;
        length = next === window ? length + 1 : 1;
        window = next;
        if (length > (longest[window] ?? 0)) longest[window] = length;
      }
    }
    longest.forEach((length, window) => {
      for (let line = 0; line < length; line++) windows.push(window);
    });
    panelLines[panel + 1] = windows.length;
  }
  return { panelLines, windows };
}

/** Both the lines of a panel and the entries of a row go through the windows in order. */
function fillLines(
  { rows, rowStarts, columnIndices, values }: SparseMatrix,
  { panelLines, windows }: WindowLines,
  lines: Float32Array,
  indices: { [index: number]: number },
): void {
  for (let row = 0; row < rows; row++) {
    const lane = row & 15;
    const end = rowStarts[row + 1] ?? 0;
    let line = panelLines[row >> 4] ?? 0;
    for (let entry = rowStarts[row] ?? 0; entry < end; entry++) {
      const column = columnIndices[entry] ?? 0;
      while ((windows[line] ?? 0) < column >> 4) line++;
      lines[line * 16 + lane] = values[entry] ?? 0;
      indices[line * 16 + lane] = column & 15;
      line++;
    }
  }
}

/** Dense row-major [rows, columns]. */
export function unpackWindowEll(operand: PackedOperand): Float32Array {
  const { rows, columns } = operand;
  const panelLines = integersOf(operand, "panelLines");
  const windows = integersOf(operand, "windows");
  const values = floatsOf(operand, "values");
  const indices = integersOf(operand, "indices");
  const dense = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const panel = row >> 4;
    for (let line = panelLines[panel] ?? 0; line < (panelLines[panel + 1] ?? 0); line++) {
      const value = values[line * 16 + (row & 15)] ?? 0;
      const column = (windows[line] ?? 0) * 16 + (indices[line * 16 + (row & 15)] ?? 0);
      if (value !== 0) dense[row * columns + column] = value;
    }
  }
  return dense;
}
