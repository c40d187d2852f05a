/**
 * `table4-panel16` and `int8-panel16`: quantized matrices as codes, 16 outputs side by side. Level times scale is the
 * value that dequantizing gives; a kernel may add up the levels of a run and multiply their sum by its scale.
 */
import { gridLevels, zeroCode } from "../tensor/quantized-grid.ts";
import { codeAt, type QuantizedMatrix } from "../tensor/quantized-matrix.ts";
import {
  type Allocate,
  allocateOperand,
  floatsOf,
  integersOf,
  type PackedOperand,
  patternViolation,
} from "./packed-operand.ts";

export type QuantizedFormatName = "table4-panel16" | "int8-panel16";

/**
 * The matrix times `factor`, which goes into the scales. Bytes of `table4-panel16`: 64 for 8 inputs of a panel and 64
 * for a run; of `int8-panel16`: 16 an input and 64 a run.
 * @throws SpxError SPX8411 for a grid that the format does not hold.
 */
export function packQuantizedPanels(
  format: QuantizedFormatName,
  matrix: QuantizedMatrix,
  factor: number,
  allocate: Allocate,
): PackedOperand {
  const { rows, columns, grid, block, scales } = matrix;
  const isTable = format === "table4-panel16";
  if ((grid === "int8") === isTable) throw patternViolation(format, `its codes are ${grid}`);
  const panels = Math.ceil(rows / 16);
  const runs = columns / block;
  const words = Math.ceil(columns / 8);
  const lengths = {
    codes: panels * 16 * (isTable ? words : columns),
    levels: 16,
    scales: panels * runs * 16,
  };
  const operand = allocateOperand(format, rows, columns, lengths, allocate);
  const codes = integersOf(operand, "codes");
  const packedScales = floatsOf(operand, "scales");
  if (isTable) floatsOf(operand, "levels").set(gridLevels[grid]);
  for (let row = 0; row < rows; row++) {
    const [panel, lane] = [row >> 4, row & 15];
    for (let run = 0; run < runs; run++)
      packedScales[(panel * runs + run) * 16 + lane] = (scales[row * runs + run] ?? 0) * factor;
    for (let column = 0; column < columns; column++) {
      const code = codeAt(matrix, row * columns + column);
      if (!isTable) codes[(panel * columns + column) * 16 + lane] = code - zeroCode.int8;
      else {
        const word = (panel * words + (column >> 3)) * 16 + lane;
        codes[word] = (codes[word] ?? 0) | (code << (4 * (column & 7)));
      }
    }
  }
  return operand;
}

/** Row-major [rows, columns]: levels times scales. */
export function unpackQuantizedPanels(operand: PackedOperand): Float32Array {
  const { rows, columns, format } = operand;
  const isTable = format === "table4-panel16";
  const codes = integersOf(operand, "codes");
  const scales = floatsOf(operand, "scales");
  const levels = isTable ? floatsOf(operand, "levels") : null;
  const panels = Math.ceil(rows / 16);
  const runs = panels === 0 ? 1 : scales.length / (16 * panels);
  const words = Math.ceil(columns / 8);
  return Float32Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    const [panel, lane] = [row >> 4, row & 15];
    const code = isTable
      ? ((codes[(panel * words + (column >> 3)) * 16 + lane] ?? 0) >>> (4 * (column & 7))) & 15
      : (codes[(panel * columns + column) * 16 + lane] ?? 0);
    const run = Math.floor((column * runs) / columns);
    const level = levels === null ? code : (levels[code] ?? 0);
    return level * (scales[(panel * runs + run) * 16 + lane] ?? 0);
  });
}
