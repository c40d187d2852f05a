/**
 * Dot products and updates of float64 vectors that lie one after the other in an array ("rows of a block"), the
 * only inner loops of this folder. Sums run in a fixed order, so results are the same on every machine.
 */

/** Σ x[i] y[i] over `length` entries, in four interleaved sums. */
export function dot(x: Float64Array, xAt: number, y: Float64Array, yAt: number, length: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let index = 0;
  for (; index + 3 < length; index += 4) {
    const i = xAt + index;
    const j = yAt + index;
    a += (x[i] as number) * (y[j] as number);
    b += (x[i + 1] as number) * (y[j + 1] as number);
    c += (x[i + 2] as number) * (y[j + 2] as number);
    d += (x[i + 3] as number) * (y[j + 3] as number);
  }
  for (; index < length; index += 1) a += (x[xAt + index] as number) * (y[yAt + index] as number);
  return a + b + (c + d);
}

/** y += factor x */
export function addScaled(
  y: Float64Array,
  yAt: number,
  factor: number,
  x: Float64Array,
  xAt: number,
  length: number,
): void {
  for (let index = 0; index < length; index += 1) {
    y[yAt + index] = (y[yAt + index] as number) + factor * (x[xAt + index] as number);
  }
}

/**
 * Takes the parts along four orthonormal vectors (at `from`, one after the other) out of the vector at `at`, and
 * adds them to `coefficients`. Four at once, because the vector is then read and written once instead of thrice.
 */
export function removeFour(
  values: Float64Array,
  at: number,
  directions: Float64Array,
  from: number,
  length: number,
  coefficients: Float64Array,
  coefficientsAt: number,
): void {
  const from1 = from + length;
  const from2 = from1 + length;
  const from3 = from2 + length;
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let k = 0; k < length; k += 1) {
    const x = values[at + k] as number;
    a += x * (directions[from + k] as number);
    b += x * (directions[from1 + k] as number);
    c += x * (directions[from2 + k] as number);
    d += x * (directions[from3 + k] as number);
  }
  for (let k = 0; k < length; k += 1) {
    const first = a * (directions[from + k] as number) + b * (directions[from1 + k] as number);
    const second = c * (directions[from2 + k] as number) + d * (directions[from3 + k] as number);
    values[at + k] = (values[at + k] as number) - (first + second);
  }
  coefficients[coefficientsAt] = (coefficients[coefficientsAt] as number) + a;
  coefficients[coefficientsAt + 1] = (coefficients[coefficientsAt + 1] as number) + b;
  coefficients[coefficientsAt + 2] = (coefficients[coefficientsAt + 2] as number) + c;
  coefficients[coefficientsAt + 3] = (coefficients[coefficientsAt + 3] as number) + d;
}

/** (x, y) ← (cos x - sin y, sin x + cos y) */
export function rotate(
  values: Float64Array,
  xAt: number,
  yAt: number,
  length: number,
  cos: number,
  sin: number,
): void {
  for (let index = 0; index < length; index += 1) {
    const x = values[xAt + index] as number;
    const y = values[yAt + index] as number;
    values[xAt + index] = cos * x - sin * y;
    values[yAt + index] = sin * x + cos * y;
  }
}

/** The transpose of a row-major [rows, columns] matrix, by tiles that fit the first cache. */
export function transposed<A extends Float32Array | Float64Array>(
  matrix: A,
  rows: number,
  columns: number,
): A {
  const result = new (matrix.constructor as new (length: number) => A)(matrix.length);
  const tile = 32;
  for (let row = 0; row < rows; row += tile) {
    for (let column = 0; column < columns; column += tile) {
      for (let i = row; i < Math.min(rows, row + tile); i += 1) {
        for (let j = column; j < Math.min(columns, column + tile); j += 1) {
          result[j * rows + i] = matrix[i * columns + j] as number;
        }
      }
    }
  }
  return result;
}

/**
 * result[c, i] = Σ_k block[c, k] matrix[i, k]: a float32 [rows, length] matrix applied to `count` vectors of
 * `length`, giving `count` vectors of `rows`. Two rows by four vectors at a time keep eight independent sums in
 * registers and read each matrix entry once for four vectors.
 */
export function applyToBlock(
  matrix: Float32Array,
  rows: number,
  length: number,
  block: Float64Array,
  count: number,
): Float64Array {
  const result = new Float64Array(count * rows);
  for (let c = 0; c < count; c += 4) {
    const width = Math.min(4, count - c);
    for (let row = 0; row < rows; row += 2) {
      const height = Math.min(2, rows - row);
      if (width === 4 && height === 2) tile2x4(matrix, rows, length, block, result, row, c);
      else edgeTile(matrix, rows, length, block, result, row, height, c, width);
    }
  }
  return result;
}

function tile2x4(
  matrix: Float32Array,
  rows: number,
  length: number,
  block: Float64Array,
  result: Float64Array,
  row: number,
  c: number,
): void {
  let s00 = 0;
  let s01 = 0;
  let s02 = 0;
  let s03 = 0;
  let s10 = 0;
  let s11 = 0;
  let s12 = 0;
  let s13 = 0;
  const m0 = row * length;
  const m1 = m0 + length;
  const v0 = c * length;
  const v1 = v0 + length;
  const v2 = v1 + length;
  const v3 = v2 + length;
  for (let k = 0; k < length; k += 1) {
    const a = matrix[m0 + k] as number;
    const b = matrix[m1 + k] as number;
    const x0 = block[v0 + k] as number;
    const x1 = block[v1 + k] as number;
    const x2 = block[v2 + k] as number;
    const x3 = block[v3 + k] as number;
    s00 += a * x0;
    s01 += a * x1;
    s02 += a * x2;
    s03 += a * x3;
    s10 += b * x0;
    s11 += b * x1;
    s12 += b * x2;
    s13 += b * x3;
  }
  const at = c * rows + row;
  result[at] = s00;
  result[at + rows] = s01;
  result[at + 2 * rows] = s02;
  result[at + 3 * rows] = s03;
  result[at + 1] = s10;
  result[at + rows + 1] = s11;
  result[at + 2 * rows + 1] = s12;
  result[at + 3 * rows + 1] = s13;
}

function edgeTile(
  matrix: Float32Array,
  rows: number,
  length: number,
  block: Float64Array,
  result: Float64Array,
  row: number,
  height: number,
  c: number,
  width: number,
): void {
  for (let i = row; i < row + height; i += 1) {
    for (let j = c; j < c + width; j += 1) {
      let sum = 0;
      for (let k = 0; k < length; k += 1)
        sum += (matrix[i * length + k] as number) * (block[j * length + k] as number);
      result[j * rows + i] = sum;
    }
  }
}
