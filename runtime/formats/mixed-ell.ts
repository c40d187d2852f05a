/**
 * `mixed-ell`: unstructured, lane = output: each panel of 16 outputs as lines of windows or, where its entries lie too
 * far apart for those, as quads: lines of four rows of similar lengths, each entry with its own input. Chosen panel by
 * panel from the entries that are there, which a plan does not know.
 */
import { entriesWorthLine, quadColumns } from "../contract/operand-format.ts";
import { columnsOf, type MatrixValue, rowsOf, type SparseMatrix, toSparse } from "./matrix-value.ts";
import {
  type Allocate,
  allocateOperand,
  floatsOf,
  integersOf,
  type PackedOperand,
} from "./packed-operand.ts";
import { fillWindows, layLines, unpackWindowEll, type WindowLines, windowLengths } from "./window-ell.ts";

interface Quads {
  /** [4 * panels + 1]: first line of each quad. */
  readonly lines: Int32Array;
  /** [panels][16]: low four bits: place of an output; high four: output at a place. */
  readonly order: Uint8Array;
}

/** Bytes: 76 a line of a window, 24 a line of a quad, 36 * ceil(rows / 16) + 8. */
export function packMixedEll(matrix: MatrixValue, allocate: Allocate): PackedOperand {
  const sparse = toSparse(matrix);
  const isWide = sparse.columns > quadColumns;
  const laid = layLines(sparse, (entries) =>
    isWide ? Number.POSITIVE_INFINITY : Math.floor(entries / entriesWorthLine),
  );
  const quads = layQuads(sparse, laid);
  const lines = quads.lines[quads.lines.length - 1] ?? 0;
  const lengths = {
    ...windowLengths(laid),
    quadLines: quads.lines.length,
    order: quads.order.length,
    columns: lines * 4,
    weights: lines * 4,
  };
  const operand = allocateOperand("mixed-ell", rowsOf(matrix), columnsOf(matrix), lengths, allocate);
  fillWindows(sparse, laid, operand);
  integersOf(operand, "quadLines").set(quads.lines);
  integersOf(operand, "order").set(quads.order);
  fillQuads(sparse, quads, integersOf(operand, "columns"), floatsOf(operand, "weights"));
  return operand;
}

/** Orders the rows of the panels that have no windows, and counts the lines of their quads. */
function layQuads({ rows, rowStarts }: SparseMatrix, { panelLines }: WindowLines): Quads {
  const panels = panelLines.length - 1;
  const lines = new Int32Array(4 * panels + 1);
  const order = new Uint8Array(16 * panels);
  const lengths = new Int32Array(16);
  const ordered = new Int32Array(16);
  let line = 0;
  for (let panel = 0; panel < panels; panel++) {
    const first = panel * 16;
    const isQuads = panelLines[panel] === panelLines[panel + 1];
    for (let lane = 0; lane < 16; lane++) {
      const row = first + lane;
      const length = row < rows && isQuads ? (rowStarts[row + 1] ?? 0) - (rowStarts[row] ?? 0) : 0;
      lengths[lane] = length;
      let place = lane;
      for (; place > 0 && (lengths[ordered[place - 1] ?? 0] ?? 0) < length; place--)
        ordered[place] = ordered[place - 1] ?? 0;
      ordered[place] = lane;
    }
    for (let place = 0; place < 16; place++) {
      const lane = ordered[place] ?? 0;
      order[first + place] = (order[first + place] ?? 0) | (lane << 4);
      order[first + lane] = (order[first + lane] ?? 0) | place;
    }
    // The first row of a quad is its longest one.
    for (let quad = 0; quad < 4; quad++) {
      lines[4 * panel + quad] = line;
      line += lengths[ordered[4 * quad] ?? 0] ?? 0;
    }
  }
  lines[4 * panels] = line;
  return { lines, order };
}

function fillQuads(
  { rowStarts, columnIndices, values }: SparseMatrix,
  { lines, order }: Quads,
  columns: { [index: number]: number },
  weights: Float32Array,
): void {
  for (let place = 0; place < order.length; place++) {
    const quad = place >> 2;
    const from = lines[quad] ?? 0;
    if (from === lines[quad + 1]) continue;
    const row = (place & ~15) + ((order[place] ?? 0) >> 4);
    const end = rowStarts[row + 1] ?? 0;
    let at = 4 * from + (place & 3);
    for (let entry = rowStarts[row] ?? end; entry < end; entry++) {
      columns[at] = columnIndices[entry] ?? 0;
      weights[at] = values[entry] ?? 0;
      at += 4;
    }
  }
}

/** Dense row-major [rows, columns]. */
export function unpackMixedEll(operand: PackedOperand): Float32Array {
  const dense = unpackWindowEll(operand);
  const lines = integersOf(operand, "quadLines");
  const order = integersOf(operand, "order");
  const columns = integersOf(operand, "columns");
  const weights = floatsOf(operand, "weights");
  for (let place = 0; place < order.length; place++) {
    const row = (place & ~15) + ((order[place] ?? 0) >> 4);
    for (let line = lines[place >> 2] ?? 0; line < (lines[(place >> 2) + 1] ?? 0); line++) {
      const at = 4 * line + (place & 3);
      const weight = weights[at] ?? 0;
      if (weight !== 0) dense[row * operand.columns + (columns[at] ?? 0)] = weight;
    }
  }
  return dense;
}
