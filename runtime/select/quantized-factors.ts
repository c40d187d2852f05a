/**
 * A low-rank part for a matrix whose rest is quantized, W ≈ Q + B A (Guo et al., "LQ-LoRA: Low-rank Plus Quantized
 * Matrix Decomposition for Efficient Language Model Finetuning", 2024): B A from the decomposition of W - Q, Q from
 * rounding W - B A, in turn, starting at Q = 0, until the error rises; the round before is the result.
 */
import { SpxError } from "../errors.ts";
import type { Multiply } from "../linalg/form-product.ts";
import { dequantizeMatrix, quantizeMatrix } from "../tensor/quantized-matrix.ts";
import type { DenseTensor } from "./dense-tensor.ts";
import { multiplyMatrices } from "./dense-tensor.ts";
import type { NamedMatrix } from "./magnitude.ts";
import { type Factors, svdFactors, weightedFactors } from "./svd-factors.ts";

export interface QuantizedSplit {
  readonly rank: number;
  /** Of the normal float that Q is rounded to: 2, 3 or 4. */
  readonly bits: number;
  /** Entries of a row with one scale. */
  readonly block: number;
  /** At least one is made. */
  readonly rounds: number;
}

/** What errors of rows and columns count; null for all the same. */
export type SideWeights = { readonly left: DenseTensor; readonly right: DenseTensor } | null;

/**
 * B and A; Q is `W - B A`, rounded.
 * @throws SpxError SPX8407 for bits, a block, a rank or weights that do not fit, SPX8408 for non-finite weights.
 */
export function quantizedFactors(
  weight: NamedMatrix,
  split: QuantizedSplit,
  sides: SideWeights,
  form: Multiply | null = null,
): Factors {
  const grid = gridOf(split.bits);
  const { rows, columns, values } = weight;
  let rest: NamedMatrix = weight;
  let best: { factors: Factors; error: number } | null = null;
  for (let round = 0; round < Math.max(1, split.rounds); round++) {
    const factors =
      sides === null
        ? svdFactors(rest, split.rank, "largest", form)
        : weightedFactors(rest, sides.left, sides.right, split.rank, form);
    const product = multiplyMatrices(factors.left, factors.right).values;
    const difference = { ...weight, values: values.map((value, at) => value - (product[at] ?? 0)) };
    const rounded = dequantizeMatrix(quantizeMatrix(difference, grid, split.block));
    const error = errorOf(difference.values, rounded, columns, sides);
    if (best !== null && error >= best.error) break;
    best = { factors, error };
    rest = { ...weight, values: values.map((value, at) => value - (rounded[at] ?? 0)) };
  }
  if (best === null) throw new RangeError(`no round for a matrix [${rows}, ${columns}]`);
  return best.factors;
}

/** ‖diag(left) (difference - rounded) diag(right)‖². */
function errorOf(
  difference: Float32Array,
  rounded: Float32Array,
  columns: number,
  sides: SideWeights,
): number {
  let sum = 0;
  for (let at = 0; at < difference.length; at++) {
    const row = Math.floor(at / columns);
    const weight =
      sides === null ? 1 : (sides.left.values[row] ?? 1) * (sides.right.values[at % columns] ?? 1);
    const error = weight * ((difference[at] ?? 0) - (rounded[at] ?? 0));
    sum += error * error;
  }
  return sum;
}

function gridOf(bits: number): "nf2" | "nf3" | "nf4" {
  if (bits === 2) return "nf2";
  if (bits === 3) return "nf3";
  if (bits === 4) return "nf4";
  throw new SpxError("SPX8407", `a normal float of ${bits} bits does not exist`, {
    facts: { found: bits },
    help: "choose 2, 3 or 4 bits",
  });
}
