/**
 * Factors by the components of W C, C the second moment of a layer's inputs (Yang et al., "CorDA: Context-Oriented
 * Decomposition Adaptation of Large Language Models", 2024): W = U S (Vᵀ C⁻¹), of which one end is kept. At the upper
 * end ‖(W - B A) C‖ is least for the rank; note C, not its root.
 */
import { SpxError } from "../errors.ts";
import { choleskyFactor, choleskySolve } from "../linalg/cholesky.ts";
import { transposed } from "../linalg/dense-vectors.ts";
import type { Multiply } from "../linalg/form-product.ts";
import type { SpectrumEnd } from "../linalg/gram-svd.ts";
import { multiply } from "../linalg/jacobi-svd.ts";
import { requireFinite } from "./largest-entries.ts";
import type { NamedMatrix } from "./magnitude.ts";
import { componentsAt, type Factors, factorsOf } from "./svd-factors.ts";

/**
 * B = U √S [rows, rank] and A = √S Vᵀ C⁻¹ [rank, columns], with C damped as `dampedMoment` says.
 * @throws SpxError SPX8407 for a rank or a C that is no second moment, SPX8408 for entries that are not finite.
 */
export function contextFactors(
  weight: NamedMatrix,
  moment: NamedMatrix,
  rank: number,
  end: SpectrumEnd,
  form: Multiply | null = null,
): Factors {
  const { name, rows, columns, values } = weight;
  requireFinite(name, values, columns);
  requireFinite(moment.name, moment.values, columns);
  const { matrix, factor } = dampedMoment(moment);
  const weighted = (form ?? multiply)(Float64Array.from(values), matrix, rows, columns, columns);
  const { u, s, v } = componentsAt(weighted, rows, columns, rank, end, form);
  const right = transposed(v, columns, rank);
  for (let k = 0; k < rank; k += 1) choleskySolve(factor, columns, right, k * columns);
  return factorsOf({ u, s, v: transposed(right, rank, columns) }, rows, columns);
}

const firstDamping = 0.01;
const mostDoublings = 30;

/**
 * C + d · mean(diagonal) · 1 with d = 0.01, doubled until the matrix has a Cholesky factorization in float64.
 * @throws SpxError SPX8407 when C is not symmetric or its diagonal is not positive on average.
 */
export function dampedMoment({ name, rows: size, values }: NamedMatrix): {
  readonly matrix: Float64Array;
  readonly factor: Float64Array;
} {
  let trace = 0;
  for (let index = 0; index < size; index += 1) trace += values[index * size + index] ?? 0;
  const mean = trace / size;
  if (!(mean > 0)) throw noMoment(name, `the mean of its diagonal is ${mean}`);
  for (let at = 0; at < values.length; at += 1) {
    const other = values[(at % size) * size + Math.floor(at / size)] ?? 0;
    if (Math.abs((values[at] ?? 0) - other) > 1e-4 * mean) throw noMoment(name, "it is not symmetric");
  }
  for (let doubling = 0, damping = firstDamping; doubling < mostDoublings; doubling += 1, damping *= 2) {
    const matrix = Float64Array.from(values, (value, at) => {
      const other = values[(at % size) * size + Math.floor(at / size)] ?? 0;
      return (value + other) / 2 + (at % (size + 1) === 0 ? damping * mean : 0);
    });
    const factor = choleskyFactor(matrix, size);
    if (factor !== null) return { matrix, factor };
  }
  throw noMoment(name, "no damping makes it positive definite");
}

const noMoment = (name: string, reason: string): SpxError =>
  new SpxError("SPX8407", `\`${name}\` is no second moment of inputs: ${reason}`, {
    facts: { tensor: name, reason },
    help: "give the sum of xᵀ x over the inputs of the layer",
  });
