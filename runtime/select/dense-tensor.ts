/** Dense f32 tensors of recipes and the algebra on them; products accumulate in double precision. */
import { SpxError } from "../errors.ts";

export interface DenseTensor {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly values: Float32Array;
}

const shapeText = (shape: readonly number[]): string => `[${shape.join(", ")}]`;

/** @throws SpxError SPX8405. */
function shapeMismatch(operation: string, left: DenseTensor, right: DenseTensor): SpxError {
  const found = `${shapeText(left.shape)} and ${shapeText(right.shape)}`;
  return new SpxError("SPX8405", `\`${operation}\` cannot combine ${found}`, {
    facts: { operation, left: left.shape, right: right.shape },
    help: "check the shapes of the tensors in this initial value",
  });
}

/** f(left, right) entry by entry; a tensor with one entry and no dimension is repeated. @throws SpxError SPX8405. */
export function combine(
  operation: string,
  left: DenseTensor,
  right: DenseTensor,
  f: (a: number, b: number) => number,
): DenseTensor {
  const scalarLeft = left.shape.length === 0;
  const scalarRight = right.shape.length === 0;
  if (!scalarLeft && !scalarRight && shapeText(left.shape) !== shapeText(right.shape)) {
    throw shapeMismatch(operation, left, right);
  }
  const target = scalarLeft ? right : left;
  const values = target.values.map((_, index) =>
    f(left.values[scalarLeft ? 0 : index] ?? 0, right.values[scalarRight ? 0 : index] ?? 0),
  );
  return { shape: target.shape, values };
}

export const scalar = (value: number): DenseTensor => ({ shape: [], values: Float32Array.of(value) });

/** left [m, k] times right [k, n]. @throws SpxError SPX8405. */
export function multiplyMatrices(left: DenseTensor, right: DenseTensor): DenseTensor {
  const [rows = 0, inner = 0] = left.shape;
  const [inner2 = 0, columns = 0] = right.shape;
  if (left.shape.length !== 2 || right.shape.length !== 2 || inner !== inner2)
    throw shapeMismatch("matmul", left, right);
  const values = new Float32Array(rows * columns);
  const line = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    line.fill(0);
    for (let k = 0; k < inner; k++) {
      const weight = left.values[row * inner + k] ?? 0;
      if (weight === 0) continue;
      for (let column = 0, at = k * columns; column < columns; column++, at++) {
        line[column] = (line[column] ?? 0) + weight * (right.values[at] ?? 0);
      }
    }
    values.set(line, row * columns);
  }
  return { shape: [rows, columns], values };
}

/** left ⊗ right: entry (i p + k, j q + l) is left[i, j] right[k, l] for right [p, q]. @throws SpxError SPX8405. */
export function kronTensors(left: DenseTensor, right: DenseTensor): DenseTensor {
  const [rows = 0, columns = 0] = left.shape;
  const [p = 0, q = 0] = right.shape;
  if (left.shape.length !== 2 || right.shape.length !== 2) throw shapeMismatch("kron", left, right);
  const width = columns * q;
  const values = new Float32Array(rows * p * width);
  for (let row = 0, at = 0; row < rows * p; row++)
    for (let column = 0; column < width; column++, at++) {
      const outer = left.values[Math.floor(row / p) * columns + Math.floor(column / q)] ?? 0;
      values[at] = outer * (right.values[(row % p) * q + (column % q)] ?? 0);
    }
  return { shape: [rows * p, width], values };
}

/** The transpose of a matrix. @throws SpxError SPX8405 when the tensor is no matrix. */
export function transposeMatrix(matrix: DenseTensor): DenseTensor {
  if (matrix.shape.length !== 2) throw shapeMismatch("transpose", matrix, matrix);
  const [rows = 0, columns = 0] = matrix.shape;
  const values = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      values[column * rows + row] = matrix.values[row * columns + column] ?? 0;
  }
  return { shape: [columns, rows], values };
}

/** exp(x) / sum of exp(x), over a vector or along each row of a matrix. */
export function softmaxOf({ shape, values }: DenseTensor): DenseTensor {
  const width = shape.at(-1) ?? 1;
  const result = new Float32Array(values.length);
  for (let first = 0; first < values.length; first += width) {
    const line = values.subarray(first, first + width);
    const largest = line.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    const exponentials = Float64Array.from(line, (value) => Math.exp(value - largest));
    const sum = exponentials.reduce((total, value) => total + value, 0);
    result.set(
      exponentials.map((value) => value / sum),
      first,
    );
  }
  return { shape, values: result };
}
