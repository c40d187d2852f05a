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

interface WindowCounts {
  /** [ceil(rows/16) + 1]: first entry and first line of each panel. */
  readonly panelEntries: Int32Array;
  readonly panelLines: Int32Array;
  /** Per entry: window number, lines. */
  readonly entries: readonly number[];
}

/** Bytes: 8 * (ceil(rows / 16) + 1) + 4 * entries + 80 * lines. */
export function packWindowEll(matrix: MatrixValue, allocate: Allocate): PackedOperand {
  const rows = rowsOf(matrix);
  const columns = columnsOf(matrix);
  if (columns > largestColumns) {
    throw patternViolation("window-ell", `${columns} columns are more than ${largestColumns}`);
  }
  const sparse = toSparse(matrix);
  const counts = countWindows(sparse);
  const panels = Math.ceil(rows / 16);
  const lines = counts.panelLines[panels] ?? 0;
  const operand = allocateOperand(
    "window-ell",
    rows,
    columns,
    {
      panelEntries: panels + 1,
      panelLines: panels + 1,
      entries: counts.entries.length,
      values: lines * 16,
      indices: lines * 16,
    },
    allocate,
  );
  integersOf(operand, "panelEntries").set(counts.panelEntries);
  integersOf(operand, "panelLines").set(counts.panelLines);
  integersOf(operand, "entries").set(counts.entries);
  fillLines(sparse, counts, floatsOf(operand, "values"), integersOf(operand, "indices"));
  return operand;
}

/** The lines of a window are as many as its fullest row has entries. */
function countWindows({ rows, columns, rowStarts, columnIndices }: SparseMatrix): WindowCounts {
  const panels = Math.ceil(rows / 16);
  const panelEntries = new Int32Array(panels + 1);
  const panelLines = new Int32Array(panels + 1);
  const entries: number[] = [];
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
    let lines = panelLines[panel] ?? 0;
    longest.forEach((length, window) => {
      if (length === 0) return;
      entries.push(window, length);
      lines += length;
    });
    panelEntries[panel + 1] = entries.length / 2;
    panelLines[panel + 1] = lines;
  }
  return { panelEntries, panelLines, entries };
}

function fillLines(
  { rows, rowStarts, columnIndices, values }: SparseMatrix,
  { panelEntries, panelLines, entries }: WindowCounts,
  lines: Float32Array,
  indices: { [index: number]: number },
): void {
  for (let row = 0; row < rows; row++) {
    const panel = row >> 4;
    const lane = row & 15;
    const end = rowStarts[row + 1] ?? 0;
    let entry = rowStarts[row] ?? 0;
    let firstLine = panelLines[panel] ?? 0;
    for (let window = panelEntries[panel] ?? 0; window < (panelEntries[panel + 1] ?? 0); window++) {
      const number = entries[2 * window] ?? 0;
      let line = firstLine;
      while (entry < end && (columnIndices[entry] ?? 0) >> 4 === number) {
        lines[line * 16 + lane] = values[entry] ?? 0;
        indices[line * 16 + lane] = (columnIndices[entry] ?? 0) & 15;
        line++;
        entry++;
      }
      firstLine += entries[2 * window + 1] ?? 0;
    }
  }
}

/** Dense row-major [rows, columns]. */
export function unpackWindowEll(operand: PackedOperand): Float32Array {
  const { rows, columns } = operand;
  const panelEntries = integersOf(operand, "panelEntries");
  const panelLines = integersOf(operand, "panelLines");
  const entries = integersOf(operand, "entries");
  const values = floatsOf(operand, "values");
  const indices = integersOf(operand, "indices");
  const dense = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const panel = row >> 4;
    let line = panelLines[panel] ?? 0;
    for (let window = panelEntries[panel] ?? 0; window < (panelEntries[panel + 1] ?? 0); window++) {
      const end = line + (entries[2 * window + 1] ?? 0);
      for (; line < end; line++) {
        const value = values[line * 16 + (row & 15)] ?? 0;
        const column = (entries[2 * window] ?? 0) * 16 + (indices[line * 16 + (row & 15)] ?? 0);
        if (value !== 0) dense[row * columns + column] = value;
      }
    }
  }
  return dense;
}
