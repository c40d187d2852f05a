/** `blockdiag16`: equal diagonal blocks, each in panels of 16 outputs. */
import { columnsOf, type MatrixValue, rowsOf, type SparseMatrix, toDense, toSparse } from "./matrix-value.ts";
import {
  type Allocate,
  allocateOperand,
  floatsOf,
  type PackedOperand,
  patternViolation,
} from "./packed-operand.ts";
import { readPanels, writePanels } from "./panel16.ts";

export interface BlockDiagonalShape {
  readonly blocks: number;
  /** Every block is the same matrix, and the matrix given is that one block. */
  readonly repeated: boolean;
}

/** Bytes: 64 * stored * ceil(blockRows / 16) * blockColumns; stored is `blocks`, or 1 when repeated. */
export function packBlockDiagonal16(
  matrix: MatrixValue,
  { blocks, repeated }: BlockDiagonalShape,
  allocate: Allocate,
): PackedOperand {
  const stored = repeated ? 1 : blocks;
  const rows = rowsOf(matrix);
  const columns = columnsOf(matrix);
  if (stored < 1 || rows % stored !== 0 || columns % stored !== 0) {
    throw patternViolation("blockdiag16", `${rows} x ${columns} cannot be cut into ${stored} equal blocks`);
  }
  const blockRows = rows / stored;
  const blockColumns = columns / stored;
  const panelLength = Math.ceil(blockRows / 16) * blockColumns * 16;
  const totalRows = blockRows * blocks;
  const totalColumns = blockColumns * blocks;
  const lengths = { values: stored * panelLength };
  const operand = allocateOperand("blockdiag16", totalRows, totalColumns, lengths, allocate);
  const panels = floatsOf(operand, "values");
  const values = stored === 1 ? toDense(matrix).values : blockValues(matrix, stored);
  for (let block = 0; block < stored; block++) {
    const source = values.subarray(block * blockRows * blockColumns, (block + 1) * blockRows * blockColumns);
    writePanels(
      source,
      blockRows,
      blockColumns,
      panels.subarray(block * panelLength, (block + 1) * panelLength),
    );
  }
  return operand;
}

/** [blocks][blockRows][blockColumns] of a matrix whose other entries are zero. */
function blockValues(matrix: MatrixValue, blocks: number): Float32Array {
  if (matrix.kind === "blockdiag" && matrix.blocks === blocks) return matrix.values;
  const { rows, columns, rowStarts, columnIndices, values }: SparseMatrix = toSparse(matrix);
  const blockRows = rows / blocks;
  const blockColumns = columns / blocks;
  const stored = new Float32Array(rows * blockColumns);
  for (let row = 0; row < rows; row++) {
    const first = Math.floor(row / blockRows) * blockColumns;
    const end = rowStarts[row + 1] ?? 0;
    for (let entry = rowStarts[row] ?? 0; entry < end; entry++) {
      const offset = (columnIndices[entry] ?? 0) - first;
      if (offset < 0 || offset >= blockColumns) {
        throw patternViolation(
          "blockdiag16",
          `row ${row}, column ${columnIndices[entry]} lies outside the blocks`,
        );
      }
      stored[row * blockColumns + offset] = values[entry] ?? 0;
    }
  }
  return stored;
}

/** Dense row-major [rows, columns], every block written out. */
export function unpackBlockDiagonal16(
  operand: PackedOperand,
  { blocks, repeated }: BlockDiagonalShape,
): Float32Array {
  const blockRows = operand.rows / blocks;
  const blockColumns = operand.columns / blocks;
  const panelLength = Math.ceil(blockRows / 16) * blockColumns * 16;
  const panels = floatsOf(operand, "values");
  const length = blockRows * blockColumns;
  const values = new Float32Array(blocks * length);
  for (let block = 0; block < blocks; block++) {
    const stored = repeated ? 0 : block;
    const panel = panels.subarray(stored * panelLength, (stored + 1) * panelLength);
    values.set(readPanels(panel, blockRows, blockColumns), block * length);
  }
  return toDense({ kind: "blockdiag", blocks, blockRows, blockColumns, values }).values;
}
