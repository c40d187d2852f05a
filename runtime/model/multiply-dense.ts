/**
 * The product of two dense matrices, accumulated in double precision. Entries are read in loops without calls: norms of
 * large weights come through here at every step.
 */
import type { DenseMatrix } from "../formats/matrix-value.ts";

/** Below this width of the result its entries are dot products, above it rows are added up. */
const narrow = 32;

/** Requires that the inner sizes agree. */
export function multiplyDense(left: DenseMatrix, right: DenseMatrix): DenseMatrix {
  const { rows } = left;
  const { columns } = right;
  const values = new Float32Array(rows * columns);
  if (columns <= narrow) fillByDots(left, right, values);
  else fillByRows(left, right, values);
  return { kind: "dense", rows, columns, values };
}

/** Four entries of a row at a time, each a sum over k; the right factor lies transposed. */
function fillByDots(left: DenseMatrix, right: DenseMatrix, values: Float32Array): void {
  const { columns: inner, values: a } = left;
  const { columns } = right;
  const b = new Float64Array(Math.ceil(columns / 4) * 4 * inner);
  for (let k = 0, at = 0; k < inner; k++)
    for (let column = 0; column < columns; column++, at++) b[column * inner + k] = right.values[at] as number;
  for (let row = 0; row < left.rows; row++) {
    const first = row * inner;
    for (let column = 0; column < columns; column += 4) {
      const [b0, b1] = [column * inner, (column + 1) * inner];
      const [b2, b3] = [(column + 2) * inner, (column + 3) * inner];
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      for (let k = 0; k < inner; k++) {
        const x = a[first + k] as number;
        s0 += x * (b[b0 + k] as number);
        s1 += x * (b[b1 + k] as number);
        s2 += x * (b[b2 + k] as number);
        s3 += x * (b[b3 + k] as number);
      }
      const sums = [s0, s1, s2, s3];
      const count = Math.min(4, columns - column);
      for (let offset = 0; offset < count; offset++)
        values[row * columns + column + offset] = sums[offset] as number;
    }
  }
}

/** Four rows of the right factor at a time into a row of the result. */
function fillByRows(left: DenseMatrix, right: DenseMatrix, values: Float32Array): void {
  const { columns: inner, values: a } = left;
  const { columns, values: b } = right;
  const line = new Float64Array(columns);
  for (let row = 0; row < left.rows; row++) {
    line.fill(0);
    let k = 0;
    for (; k + 4 <= inner; k += 4) {
      const at = row * inner + k;
      const [x0, x1] = [a[at] as number, a[at + 1] as number];
      const [x2, x3] = [a[at + 2] as number, a[at + 3] as number];
      const [b0, b1] = [k * columns, (k + 1) * columns];
      const [b2, b3] = [(k + 2) * columns, (k + 3) * columns];
      for (let column = 0; column < columns; column++) {
        line[column] =
          (line[column] as number) +
          x0 * (b[b0 + column] as number) +
          x1 * (b[b1 + column] as number) +
          x2 * (b[b2 + column] as number) +
          x3 * (b[b3 + column] as number);
      }
    }
    for (; k < inner; k++) {
      const x = a[row * inner + k] as number;
      const start = k * columns;
      for (let column = 0; column < columns; column++)
        line[column] = (line[column] as number) + x * (b[start + column] as number);
    }
    values.set(line, row * columns);
  }
}
