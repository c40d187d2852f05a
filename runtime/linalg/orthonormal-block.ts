/**
 * Orthonormal blocks of vectors, one vector after the other in memory: Gram-Schmidt, done twice, since once
 * loses orthogonality where vectors are nearly dependent and twice is enough (Giraud et al. 2005).
 */
import { addScaled, dot, removeFour } from "./dense-vectors.ts";

/** Vectors of `length` entries, `count` of them. */
export interface VectorBlock {
  readonly values: Float64Array;
  readonly count: number;
  readonly length: number;
}

/**
 * Makes `block` orthonormal in place, against the vectors of `earlier` (orthonormal) and within itself. Gives
 * the coefficients, one row of `total` = (vectors of `earlier`) + count entries for each vector: vector i
 * before = Σ_j coefficients[i, j] direction_j, the directions being those of `earlier` and then `block` after.
 * A vector that depends on the ones before it is replaced by a unit vector orthogonal to all, with coefficient 0.
 */
export function orthonormalize(block: VectorBlock, earlier: readonly VectorBlock[]): Float64Array {
  const { values, count, length } = block;
  const before = earlier.reduce((sum, other) => sum + other.count, 0);
  const total = before + count;
  const coefficients = new Float64Array(count * total);
  for (let i = 0; i < count; i += 1) {
    const at = i * length;
    const full = Math.sqrt(dot(values, at, values, at, length));
    const directions = [...earlier, { values, count: i, length }];
    for (let pass = 0; pass < 2; pass += 1) project(values, at, directions, coefficients, i * total);
    const norm = Math.sqrt(dot(values, at, values, at, length));
    // Less than this is rounding noise of the projections.
    if (norm <= full * 1e-13) replaceByUnitVector(block, i, directions);
    else {
      coefficients[i * total + before + i] = norm;
      for (let k = at; k < at + length; k += 1) values[k] = (values[k] as number) / norm;
    }
  }
  return coefficients;
}

/** Takes the part along each direction out of a vector and adds it to the coefficients. */
function project(
  values: Float64Array,
  at: number,
  directions: readonly VectorBlock[],
  coefficients: Float64Array,
  coefficientsAt: number,
): void {
  let place = coefficientsAt;
  for (const direction of directions) {
    const length = direction.length;
    let j = 0;
    for (; j + 3 < direction.count; j += 4)
      removeFour(values, at, direction.values, j * length, length, coefficients, place + j);
    for (; j < direction.count; j += 1) {
      const coefficient = dot(values, at, direction.values, j * length, length);
      addScaled(values, at, -coefficient, direction.values, j * length, length);
      coefficients[place + j] = (coefficients[place + j] as number) + coefficient;
    }
    place += direction.count;
  }
}

/** Tries the axes in order: among them is one that the span of fewer than `length` vectors does not contain. */
function replaceByUnitVector(block: VectorBlock, index: number, directions: readonly VectorBlock[]): void {
  const { values, length } = block;
  const at = index * length;
  const ignored = new Float64Array(directions.reduce((sum, direction) => sum + direction.count, 0));
  for (let axis = 0; axis < length; axis += 1) {
    values.fill(0, at, at + length);
    values[at + axis] = 1;
    for (let pass = 0; pass < 2; pass += 1) project(values, at, directions, ignored, 0);
    const norm = Math.sqrt(dot(values, at, values, at, length));
    // Some axis keeps at least 1 / sqrt(length) of its length; half of that is well above rounding.
    if (norm < 0.5 / Math.sqrt(length)) continue;
    for (let k = at; k < at + length; k += 1) values[k] = (values[k] as number) / norm;
    return;
  }
  // The space is full: there is no further direction, and zero is the only honest vector.
  values.fill(0, at, at + length);
}
