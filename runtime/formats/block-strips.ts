/** `block-strips`: the blocks of height x width that hold an entry, strip by strip, lane = token. */
import { columnsOf, type MatrixValue, rowsOf, type SparseMatrix, toSparse } from "./matrix-value.ts";
import {
  type Allocate,
  allocateOperand,
  floatsOf,
  integersOf,
  type PackedOperand,
  patternViolation,
} from "./packed-operand.ts";

export interface BlockShape {
  readonly height: number;
  readonly width: number;
}

/** Bytes: 4 * (rows / height + 1) + blocks * (2 + 4 * height * width). */
export function packBlockStrips(matrix: MatrixValue, shape: BlockShape, allocate: Allocate): PackedOperand {
  const { height, width } = shape;
  const rows = rowsOf(matrix);
  const columns = columnsOf(matrix);
  if (rows % height !== 0 || columns % width !== 0) {
    throw patternViolation("block-strips", `${rows} x ${columns} is not a multiple of ${height} x ${width}`);
  }
  if (columns / width > 65536) throw patternViolation("block-strips", `${columns / width} blocks in a row`);
  const sparse = toSparse(matrix);
  const { stripStarts, blockColumns } = blocksOf(sparse, shape);
  const blocks = blockColumns.length;
  const lengths = { stripStarts: stripStarts.length, blockColumns: blocks, values: blocks * height * width };
  const operand = allocateOperand("block-strips", rows, columns, lengths, allocate);
  integersOf(operand, "stripStarts").set(stripStarts);
  integersOf(operand, "blockColumns").set(blockColumns);
  fillBlocks(sparse, shape, stripStarts, blockColumns, floatsOf(operand, "values"));
  return operand;
}

function blocksOf({ rows, columns, rowStarts, columnIndices }: SparseMatrix, { height, width }: BlockShape) {
  const strips = rows / height;
  const stripStarts = new Int32Array(strips + 1);
  const blockColumns: number[] = [];
  const present = new Uint8Array(columns / width);
  for (let strip = 0; strip < strips; strip++) {
    present.fill(0);
    const end = rowStarts[(strip + 1) * height] ?? 0;
    for (let entry = rowStarts[strip * height] ?? 0; entry < end; entry++) {
      present[Math.floor((columnIndices[entry] ?? 0) / width)] = 1;
    }
    present.forEach((kept, block) => {
      if (kept === 1) blockColumns.push(block);
    });
    stripStarts[strip + 1] = blockColumns.length;
  }
  return { stripStarts, blockColumns };
}

function fillBlocks(
  { rows, rowStarts, columnIndices, values }: SparseMatrix,
  { height, width }: BlockShape,
  stripStarts: Int32Array,
  blockColumns: readonly number[],
  packed: Float32Array,
): void {
  for (let row = 0; row < rows; row++) {
    const end = rowStarts[row + 1] ?? 0;
    let block = stripStarts[Math.floor(row / height)] ?? 0;
    for (let entry = rowStarts[row] ?? 0; entry < end; entry++) {
      const column = columnIndices[entry] ?? 0;
      while ((blockColumns[block] ?? 0) < Math.floor(column / width)) block++;
      packed[(block * width + (column % width)) * height + (row % height)] = values[entry] ?? 0;
    }
  }
}

/** Dense row-major [rows, columns]. */
export function unpackBlockStrips(operand: PackedOperand, { height, width }: BlockShape): Float32Array {
  const { rows, columns } = operand;
  const stripStarts = integersOf(operand, "stripStarts");
  const blockColumns = integersOf(operand, "blockColumns");
  const values = floatsOf(operand, "values");
  const dense = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const strip = Math.floor(row / height);
    for (let block = stripStarts[strip] ?? 0; block < (stripStarts[strip + 1] ?? 0); block++) {
      for (let offset = 0; offset < width; offset++) {
        const column = (blockColumns[block] ?? 0) * width + offset;
        dense[row * columns + column] = values[(block * width + offset) * height + (row % height)] ?? 0;
      }
    }
  }
  return dense;
}
