/**
 * Least squares: the X of least norm among those that make ‖A X - B‖ least, by the singular value decomposition of A;
 * directions in which A has less than 1e-12 of its largest singular value count as none.
 */

import { transposed } from "./dense-vectors.ts";
import { jacobiSvd, multiply } from "./jacobi-svd.ts";

/** [inner, columns] for row-major A [rows, inner] and B [rows, columns]. */
export function leastSquares(
  a: Float64Array,
  b: Float64Array,
  rows: number,
  inner: number,
  columns: number,
): Float64Array {
  const { u, s, v } = jacobiSvd(a, rows, inner);
  const count = s.length;
  const projected = multiply(transposed(u, rows, count), b, count, rows, columns);
  const smallest = 1e-12 * (s[0] ?? 0);
  for (let at = 0; at < projected.length; at += 1) {
    const value = s[Math.floor(at / columns)] as number;
    projected[at] = value <= smallest ? 0 : (projected[at] as number) / value;
  }
  return multiply(v, projected, inner, count, columns);
}
