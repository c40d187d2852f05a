/** Packs and unpacks by format; the one place that knows all of them. */
import { evaluateNumber, type SymbolValues } from "../contract/number-expression.ts";
import type { OperandFormat } from "../contract/operand-format.ts";
import { unpackHalfPanels } from "./bf16-panels.ts";
import { packBitmapTiles, unpackBitmapTiles } from "./bitmap-tiles.ts";
import { packBlockStrips, unpackBlockStrips } from "./block-strips.ts";
import { packBlockDiagonal16, unpackBlockDiagonal16 } from "./blockdiag16.ts";
import { unpackCodeTiles } from "./code-tiles.ts";
import { packCsr, unpackCsr } from "./csr.ts";
import { packMatrixTiles, unpackMatrixTiles } from "./matrix-tiles.ts";
import type { MatrixValue } from "./matrix-value.ts";
import { packMixedEll, unpackMixedEll } from "./mixed-ell.ts";
import { packNmLanes, unpackNmLanes } from "./nm-lanes.ts";
import { packNmRows, unpackNmRows } from "./nm-rows.ts";
import { packNmTiles, unpackNmTiles } from "./nm-tiles.ts";
import { type Allocate, type PackedOperand, patternViolation } from "./packed-operand.ts";
import { packPanel16, packStackedPanels, unpackPanel16 } from "./panel16.ts";
import { packPositions, unpackPositions } from "./positions.ts";
import { unpackQuantizedPanels } from "./quantized-panels.ts";
import { packRowMajor, unpackRowMajor } from "./row-major.ts";
import { packVector, unpackVector } from "./vector.ts";
import { packWindowEll, unpackWindowEll } from "./window-ell.ts";

/**
 * The bytes of a matrix, or of several of one width, one below the other, in `format`; `symbols` gives the values that
 * the format reads.
 * @throws SpxError SPX8411 when the matrix does not have the structure of the format, or the format holds one only.
 */
export function packOperand(
  format: OperandFormat,
  given: MatrixValue | readonly MatrixValue[],
  symbols: SymbolValues,
  allocate: Allocate,
): PackedOperand {
  const parts = "kind" in given ? [given] : given;
  const [matrix, ...below] = parts;
  if (matrix === undefined) throw patternViolation(format.name, "it holds at least one matrix");
  if (below.length > 0) {
    if (format.name === "panel16") return packStackedPanels(parts, allocate);
    if (format.name === "half-tiles") return packMatrixTiles(format.element, parts, allocate);
    if (format.name === "tf32-tiles") return packMatrixTiles("tf32", parts, allocate);
    throw patternViolation(format.name, "it holds one matrix");
  }
  switch (format.name) {
    case "panel16":
      return packPanel16(matrix, allocate);
    case "nm-lanes":
      return packNmLanes(matrix, format, allocate);
    case "nm-rows":
      return packNmRows(matrix, format, allocate);
    case "window-ell":
      return packWindowEll(matrix, allocate);
    case "mixed-ell":
      return packMixedEll(matrix, allocate);
    case "csr":
      return packCsr(matrix, allocate);
    case "block-strips":
      return packBlockStrips(matrix, format, allocate);
    case "blockdiag16": {
      const blocks = evaluateNumber(format.blocks, symbols);
      return packBlockDiagonal16(matrix, { blocks, repeated: format.repeated }, allocate);
    }
    case "table4-panel16":
    case "int8-panel16":
    case "bf16-panel16":
    case "code-tiles":
      throw patternViolation(format.name, "it holds codes, and a matrix has none");
    case "half-tiles":
      return packMatrixTiles(format.element, parts, allocate);
    case "tf32-tiles":
      return packMatrixTiles("tf32", parts, allocate);
    case "nm-tiles":
      return packNmTiles(format.element, matrix, allocate);
    case "bitmap-tiles":
      return packBitmapTiles(format.element, matrix, allocate);
    case "vector":
      return packVector(matrix, allocate);
    case "positions":
      return packPositions(matrix, allocate);
    case "row-major":
      return packRowMajor(matrix, allocate);
  }
}

/** The dense matrix, row-major, that the packed bytes stand for. */
export function unpackOperand(
  format: OperandFormat,
  operand: PackedOperand,
  symbols: SymbolValues,
): Float32Array {
  switch (format.name) {
    case "panel16":
      return unpackPanel16(operand);
    case "nm-lanes":
      return unpackNmLanes(operand, format);
    case "nm-rows":
      return unpackNmRows(operand, format);
    case "window-ell":
      return unpackWindowEll(operand);
    case "mixed-ell":
      return unpackMixedEll(operand);
    case "csr":
      return unpackCsr(operand);
    case "block-strips":
      return unpackBlockStrips(operand, format);
    case "blockdiag16": {
      const blocks = evaluateNumber(format.blocks, symbols);
      return unpackBlockDiagonal16(operand, { blocks, repeated: format.repeated });
    }
    case "table4-panel16":
    case "int8-panel16":
      return unpackQuantizedPanels(operand);
    case "bf16-panel16":
      return unpackHalfPanels(operand);
    case "half-tiles":
      return unpackMatrixTiles(format.element, operand);
    case "tf32-tiles":
      return unpackMatrixTiles("tf32", operand);
    case "nm-tiles":
      return unpackNmTiles(format.element, operand);
    case "bitmap-tiles":
      return unpackBitmapTiles(format.element, operand);
    case "code-tiles":
      return unpackCodeTiles(format, evaluateNumber(format.block, symbols), operand);
    case "vector":
      return unpackVector(operand);
    case "positions":
      return unpackPositions(operand);
    case "row-major":
      return unpackRowMajor(operand);
  }
}
