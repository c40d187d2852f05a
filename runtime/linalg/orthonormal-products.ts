/**
 * Orthonormal blocks by products of matrices: block Gram-Schmidt, done twice, then Cholesky factors of the Gram matrix,
 * done twice ("CholeskyQR2", Fukaya et al. 2014). As exact as vector by vector while a block is far from dependent, on
 * the earlier ones and in itself; what is nearer is left to that.
 */
import { choleskyFactor } from "./cholesky.ts";
import { dot, transposed } from "./dense-vectors.ts";
import type { Multiply } from "./form-product.ts";
import { orthonormalize, type VectorBlock } from "./orthonormal-block.ts";

/** What must be left of a vector's length without the parts along others. */
const leastRest = 1e-3;

/** As `orthonormalize`, the products formed by `form`. */
export function orthonormalizeBy(
  form: Multiply | null,
  block: VectorBlock,
  earlier: readonly VectorBlock[],
): Float64Array {
  const found = form === null ? null : factorBlock(form, block, earlier);
  if (found === null) return orthonormalize(block, earlier);
  block.values.set(found.values);
  return found.coefficients;
}

interface Factored {
  readonly values: Float64Array;
  readonly coefficients: Float64Array;
}

/** Null where too little is left of a vector. */
function factorBlock(
  form: Multiply,
  { values: given, count, length }: VectorBlock,
  earlier: readonly VectorBlock[],
): Factored | null {
  const before = earlier.reduce((sum, other) => sum + other.count, 0);
  const total = before + count;
  const coefficients = new Float64Array(count * total);
  let values: Float64Array = given.slice(0, count * length);
  const full = normsOf(values, count, length);
  for (let pass = 0; pass < 2; pass += 1) {
    let place = 0;
    const asColumns = transposed(values, count, length);
    for (const other of earlier) {
      // [other.count, count]: what each vector has along each direction.
      const parts = form(
        other.values.subarray(0, other.count * length),
        asColumns,
        other.count,
        length,
        count,
      );
      const turned = transposed(parts, other.count, count);
      const along = form(turned, other.values, count, other.count, length);
      values = values.map((value, at) => value - (along[at] as number));
      addRows(coefficients, turned, { total, place, width: other.count });
      place += other.count;
    }
  }
  const rest = normsOf(values, count, length);
  if (rest.some((norm, i) => !(norm > leastRest * (full[i] as number)))) return null;
  let own = identity(count);
  for (let pass = 0; pass < 2; pass += 1) {
    const gram = form(values, transposed(values, count, length), count, length, count);
    const factor = choleskyFactor(gram, count);
    if (factor === null) return null;
    for (let i = 0; i < count; i += 1) {
      const size = Math.sqrt(gram[i * count + i] as number);
      if (!((factor[i * count + i] as number) > leastRest * size)) return null;
    }
    values = form(lowerInverse(factor, count), values, count, count, length);
    own = smallProduct(own, factor, count);
  }
  addRows(coefficients, own, { total, place: before, width: count });
  return { values, coefficients };
}

const normsOf = (values: Float64Array, count: number, length: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => Math.sqrt(dot(values, i * length, values, i * length, length)));

/** Adds the rows of `part` [count, width] to those of `coefficients`, from column `place` on. */
function addRows(
  coefficients: Float64Array,
  part: Float64Array,
  { total, place, width }: { readonly total: number; readonly place: number; readonly width: number },
): void {
  part.forEach((value, at) => {
    const to = Math.floor(at / width) * total + place + (at % width);
    coefficients[to] = (coefficients[to] as number) + value;
  });
}

const identity = (size: number): Float64Array =>
  Float64Array.from({ length: size * size }, (_, at) => Number(at % (size + 1) === 0));

/** left right of lower triangular matrices. */
function smallProduct(left: Float64Array, right: Float64Array, size: number): Float64Array {
  const product = new Float64Array(size * size);
  for (let i = 0; i < size; i += 1)
    for (let j = 0; j <= i; j += 1) {
      let sum = 0;
      for (let k = j; k <= i; k += 1) sum += (left[i * size + k] as number) * (right[k * size + j] as number);
      product[i * size + j] = sum;
    }
  return product;
}

/** L⁻¹ of a lower triangular L. */
function lowerInverse(factor: Float64Array, size: number): Float64Array {
  const inverse = new Float64Array(size * size);
  for (let column = 0; column < size; column += 1)
    for (let row = column; row < size; row += 1) {
      let rest = Number(row === column);
      for (let k = column; k < row; k += 1)
        rest -= (factor[row * size + k] as number) * (inverse[k * size + column] as number);
      inverse[row * size + column] = rest / (factor[row * size + row] as number);
    }
  return inverse;
}
