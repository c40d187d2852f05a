/**
 * Two factors B [rows, rank] and A [rank, columns] from the singular components at one end of the spectrum of a matrix
 * or of a weighted one; the singular values go to both factors by their roots. Everything is computed in float64 and
 * rounded once.
 */

import { SpxError } from "../errors.ts";
import type { Multiply } from "../linalg/form-product.ts";
import { cutSvd, gramSvd, type SpectrumEnd } from "../linalg/gram-svd.ts";
import { jacobiSvd, type SingularValues } from "../linalg/jacobi-svd.ts";
import { trailingSvd } from "../linalg/trailing-svd.ts";
import { truncatedSvd } from "../linalg/truncated-svd.ts";
import type { DenseTensor } from "./dense-tensor.ts";
import { requireFinite } from "./largest-entries.ts";
import type { NamedMatrix } from "./magnitude.ts";

export interface Factors {
  readonly left: DenseTensor;
  readonly right: DenseTensor;
}

/**
 * B = U √Σ and A = √Σ Vᵀ of the components at one end: at the upper one B A is the nearest matrix of its rank (Eckart
 * and Young 1936).
 * @throws SpxError SPX8407 for a rank above min(rows, columns), SPX8408 for non-finite weights.
 */
export function svdFactors(
  weight: NamedMatrix,
  rank: number,
  end: SpectrumEnd = "largest",
  form: Multiply | null = null,
): Factors {
  const { name, rows, columns, values } = weight;
  requireFinite(name, values, columns);
  if (end === "largest") return factorsOf(truncatedSvd(values, rows, columns, rank, form), rows, columns);
  return factorsOf(componentsAt(Float64Array.from(values), rows, columns, rank, end, form), rows, columns);
}

/** Up to this smaller side the decomposition that is exact for small singular values too costs little. */
const jacobiSize = 64;
/** Up to this one that by all eigenvalues of the Gram matrix does. */
const gramSize = 256;

/**
 * `rank` components at one end: at the upper one as exactly as a matrix in single precision allows, at the lower one
 * by inverses, or by a whole decomposition where no kernel forms the products or inverses do not tell the values apart. @throws SpxError SPX8407 for a rank that the matrix does not have.
 */
export function componentsAt(
  matrix: Float64Array,
  rows: number,
  columns: number,
  rank: number,
  end: SpectrumEnd,
  form: Multiply | null = null,
): SingularValues {
  const size = Math.min(rows, columns);
  if (!(Number.isSafeInteger(rank) && rank >= 0 && rank <= size)) {
    throw new SpxError("SPX8407", `the rank is ${rank}, expected a whole number from 0 to ${size}`, {
      facts: { found: String(rank), largest: size },
      help: "choose a smaller rank",
    });
  }
  if (size <= jacobiSize) return cutSvd(jacobiSvd(matrix, rows, columns), rows, columns, rank, end);
  if (end === "largest") return truncatedSvd(Float32Array.from(matrix), rows, columns, rank, form);
  const isFew = size > gramSize && 24 * rank <= size;
  const found = form !== null && isFew ? trailingSvd(matrix, rows, columns, rank, form) : null;
  return found ?? gramSvd(matrix, rows, columns, rank, end);
}

/** U √Σ and √Σ Vᵀ. */
export function factorsOf({ u, s, v }: SingularValues, rows: number, columns: number): Factors {
  const rank = s.length;
  const root = s.map(Math.sqrt);
  const left = Float32Array.from(u, (value, at) => value * (root[at % rank] ?? 0));
  const right = new Float32Array(rank * columns);
  v.forEach((value, at) => {
    const k = at % rank;
    right[k * columns + (at - k) / rank] = value * (root[k] ?? 0);
  });
  return { left: { shape: [rows, rank], values: left }, right: { shape: [rank, columns], values: right } };
}

/**
 * The factors for which ‖diag(left) (W - B A) diag(right)‖ is least: those of the weighted matrix, with the weights
 * taken out again. A weight of zero would leave its row or column open and is refused.
 * @throws SpxError SPX8407 for a weight that is not positive or a rank, SPX8408 for non-finite weights.
 */
export function weightedFactors(
  weight: NamedMatrix,
  left: DenseTensor,
  right: DenseTensor,
  rank: number,
  form: Multiply | null = null,
): Factors {
  const { name, rows, columns, values } = weight;
  requireFinite(name, values, columns);
  requirePositive("left", left);
  requirePositive("right", right);
  const of = (tensor: DenseTensor, index: number): number => tensor.values[index] ?? 1;
  const weighted = Float64Array.from(
    values,
    (value, at) => value * of(left, Math.floor(at / columns)) * of(right, at % columns),
  );
  const { u, s, v } = componentsAt(weighted, rows, columns, rank, "largest", form);
  return factorsOf(
    {
      u: u.map((value, at) => value / of(left, Math.floor(at / rank))),
      s,
      v: v.map((value, at) => value / of(right, Math.floor(at / rank))),
    },
    rows,
    columns,
  );
}

function requirePositive(operand: string, { values }: DenseTensor): void {
  const at = values.findIndex((value) => !(value > 0 && Number.isFinite(value)));
  if (at < 0) return;
  throw new SpxError(
    "SPX8407",
    `weight ${at} of \`${operand}\` is ${values[at]}, expected a positive number`,
    {
      facts: { operand, index: at, found: String(values[at]) },
      help: "give every row and column a positive weight: add a small number to all of them",
    },
  );
}
