/** Factors that were computed at load: what makes them those of a decomposition, from singular values found otherwise. */
import type { Decomposition } from "./program.ts";
import { LevelFault } from "./road.ts";
import { entryAt, type Matrix, matrix } from "./stored-values.ts";

const squares = ({ values }: Matrix): number => values.reduce((sum, value) => sum + value * value, 0);

/** Squared singular values, descending, by turning pairs of columns until all are orthogonal (Hestenes 1958). */
export function squaredSingularValues({ rows, columns, values }: Matrix): number[] {
  const lines = Array.from({ length: columns }, (_, column) =>
    Float64Array.from({ length: rows }, (_unused, row) => values[row * columns + column] ?? 0),
  );
  const dot = (a: Float64Array, b: Float64Array): number =>
    a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
  for (let sweep = 0; sweep < 40; sweep++) {
    let turned = false;
    for (const [left, a] of lines.entries())
      for (const b of lines.slice(left + 1)) {
        const [alpha, beta, gamma] = [dot(a, a), dot(b, b), dot(a, b)];
        if (Math.abs(gamma) <= 1e-14 * Math.sqrt(alpha * beta)) continue;
        turned = true;
        const zeta = (beta - alpha) / (2 * gamma);
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const cosine = 1 / Math.sqrt(1 + tangent * tangent);
        a.forEach((value, at) => {
          const other = b[at] ?? 0;
          a[at] = cosine * (value - tangent * other);
          b[at] = cosine * (tangent * value + other);
        });
      }
    if (!turned) break;
  }
  const lengths = lines.map((line) => dot(line, line)).sort((a, b) => b - a);
  return lengths.slice(0, Math.min(rows, columns));
}

/**
 * B A is the part of `of` with the largest, or the smallest, singular values: what is left has the others, and both
 * factors take the root of each. @throws LevelFault at "load".
 */
export function demandDecomposed(
  { name, names }: Decomposition,
  of: Matrix,
  rank: number,
  left: ArrayLike<number>,
  right: ArrayLike<number>,
): void {
  const B: Matrix = { rows: of.rows, columns: rank, values: Float64Array.from(left) };
  const A: Matrix = { rows: rank, columns: of.columns, values: Float64Array.from(right) };
  const product = matrix(of.rows, of.columns, (row, column) => {
    let sum = 0;
    for (let at = 0; at < rank; at++) sum += entryAt(B, row, at) * entryAt(A, at, column);
    return sum;
  });
  const all = squaredSingularValues(of);
  const chosen = name === "truncated_svd" ? all.slice(0, rank) : all.slice(all.length - rank);
  const inProduct = chosen.reduce((a, b) => a + b, 0);
  const rest = { ...of, values: of.values.map((value, at) => value - (product.values[at] ?? 0)) };
  const within = 1e-4 * (squares(of) + 1e-6);
  const demand = (what: string, found: number, expected: number): void => {
    if (!(Math.abs(found - expected) <= within))
      throw new LevelFault("load", `${what} of ${names.join(" @ ")} is ${found}, expected ${expected}`);
  };
  if (B.values.length !== of.rows * rank || A.values.length !== rank * of.columns)
    throw new LevelFault("load", `${names.join(" @ ")} has other sizes than its decomposition`);
  demand("the square", squares(product), inProduct);
  demand("the square of what is left", squares(rest), squares(of) - inProduct);
  demand("the share of the left factor", squares(B), squares(A));
}
