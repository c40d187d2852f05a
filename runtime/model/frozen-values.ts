/** Frozen tensors that a layer computes at load: as stored values, or in the bits of a narrower type. */
import type { FrozenManifest } from "../contract/manifest.ts";
import { evaluateNumber, type SymbolLookup } from "../contract/number-expression.ts";
import type { MatrixValue } from "../formats/matrix-value.ts";
import type { DenseTensor } from "../select/dense-tensor.ts";
import { type HalfMatrix, roundToHalf, widenHalf } from "../tensor/half-matrix.ts";
import { dequantizeMatrix, type QuantizedMatrix, quantizeMatrix } from "../tensor/quantized-matrix.ts";
import { type LayerParameter, parameterMatrix, parameterTensor } from "./parameter-values.ts";

export type FrozenTensor =
  | { readonly kind: "stored"; readonly tensor: LayerParameter }
  | { readonly kind: "quantized"; readonly matrix: QuantizedMatrix }
  | { readonly kind: "half"; readonly matrix: HalfMatrix };

/**
 * The value as the manifest wants it stored.
 * @throws SpxError SPX8407 for a block that does not divide the columns, SPX8408 for an entry that is not finite.
 */
export function storeFrozen(
  { name, quantization }: FrozenManifest,
  tensor: LayerParameter,
  symbols: SymbolLookup,
): FrozenTensor {
  if (quantization === null) return { kind: "stored", tensor };
  const [rows = 0, columns = 0] = tensor.target.dimensions;
  const { grid, block } = quantization;
  const matrix = { name, rows, columns, values: tensor.values };
  if (grid === "bf16") return { kind: "half", matrix: roundToHalf(matrix) };
  const run = block === null ? Math.max(columns, 1) : evaluateNumber(block, symbols);
  return { kind: "quantized", matrix: quantizeMatrix(matrix, grid, run) };
}

/** The tensor as a matrix; a quantized one as the values that its codes stand for. */
export function frozenMatrix(frozen: FrozenTensor, slice: number | null): MatrixValue {
  if (frozen.kind === "stored") return parameterMatrix(frozen.tensor, slice);
  const { rows, columns } = frozen.matrix;
  return { kind: "dense", rows, columns, values: valuesOf(frozen) };
}

/** The tensor written out: its declared shape, zeros where it has no values. */
export function frozenTensor(frozen: FrozenTensor): DenseTensor {
  if (frozen.kind === "stored") return parameterTensor(frozen.tensor);
  const { rows, columns } = frozen.matrix;
  return { shape: [rows, columns], values: valuesOf(frozen) };
}

const valuesOf = (frozen: Exclude<FrozenTensor, { kind: "stored" }>): Float32Array =>
  frozen.kind === "half" ? widenHalf(frozen.matrix) : dequantizeMatrix(frozen.matrix);
