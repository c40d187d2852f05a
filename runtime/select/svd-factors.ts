/** The two factors of the best approximation of a given rank. */
import { truncatedSvd } from "../linalg/truncated-svd.ts";
import type { DenseTensor } from "./dense-tensor.ts";
import { requireFinite } from "./largest-entries.ts";
import type { NamedMatrix } from "./magnitude.ts";

/**
 * B = U √Σ [rows, rank] and A = √Σ Vᵀ [rank, columns] of the truncated decomposition (Eckart and Young 1936).
 * @throws SpxError SPX8407 for a rank above min(rows, columns), SPX8408 for non-finite weights.
 */
export function svdFactors(weight: NamedMatrix, rank: number): { left: DenseTensor; right: DenseTensor } {
  const { name, rows, columns, values } = weight;
  requireFinite(name, values, columns);
  const { u, s, v } = truncatedSvd(values, rows, columns, rank);
  const root = s.map(Math.sqrt);
  const left = Float32Array.from(u, (value, at) => value * (root[at % rank] ?? 0));
  const right = new Float32Array(rank * columns);
  v.forEach((value, at) => {
    const k = at % rank;
    right[k * columns + (at - k) / rank] = value * (root[k] ?? 0);
  });
  return { left: { shape: [rows, rank], values: left }, right: { shape: [rank, columns], values: right } };
}
