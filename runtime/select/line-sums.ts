/** One number for each row or column of a matrix: sums and Euclidean norms, accumulated in double precision. */
import type { DenseTensor } from "./dense-tensor.ts";
import type { NamedMatrix } from "./magnitude.ts";

export type Line = "row" | "column";

/** Sums of `f` over each row or column: [rows] or [columns]. */
function lineTotals({ rows, columns, values }: NamedMatrix, line: Line, f: (value: number) => number) {
  const totals = new Float64Array(line === "row" ? rows : columns);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      const index = line === "row" ? row : column;
      totals[index] = (totals[index] ?? 0) + f(values[at] ?? 0);
    }
  }
  return totals;
}

const vectorOf = (values: Float64Array): DenseTensor => ({
  shape: [values.length],
  values: Float32Array.from(values),
});

/** The sum of each row or column. */
export const lineSums = (matrix: NamedMatrix, line: Line): DenseTensor =>
  vectorOf(lineTotals(matrix, line, (value) => value));

/** The Euclidean norm of each row or column. */
export const lineNorms = (matrix: NamedMatrix, line: Line): DenseTensor =>
  vectorOf(lineTotals(matrix, line, (value) => value * value).map(Math.sqrt));

/** diag(by) matrix, or matrix diag(by); `by` has one number for each row, or column. */
export function scaleLines(matrix: NamedMatrix, line: Line, by: Float32Array): DenseTensor {
  const { rows, columns, values } = matrix;
  const scaled = values.map((value, at) => {
    const index = line === "row" ? Math.floor(at / columns) : at % columns;
    return value * (by[index] ?? 0);
  });
  return { shape: [rows, columns], values: scaled };
}

/** The square matrix with the vector on its diagonal. */
export function diagonalMatrix(entries: Float32Array): DenseTensor {
  const size = entries.length;
  const values = new Float32Array(size * size);
  entries.forEach((entry, index) => {
    values[index * (size + 1)] = entry;
  });
  return { shape: [size, size], values };
}
