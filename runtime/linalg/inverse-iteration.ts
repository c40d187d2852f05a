/**
 * Eigenvectors of a tridiagonal matrix for known eigenvalues, by inverse iteration from seeded random vectors. Each
 * vector is kept orthogonal to those found before, so that equal eigenvalues get vectors of their own.
 */
import { fillNormal } from "../random/distributions.ts";
import { randomStream } from "../random/philox.ts";
import { addScaled, dot } from "./dense-vectors.ts";
import type { Tridiagonal } from "./tridiagonal.ts";

const mostRounds = 6;
/** Of the largest entry of the matrix: what a residual may be. */
const tolerance = 1e-12;

/** One unit vector after the other; null when one does not settle, which rounding alone does not cause. */
export function eigenvectorsOf(matrix: Tridiagonal, eigenvalues: Float64Array): Float64Array | null {
  const { size, diagonal, beside } = matrix;
  const scale = Math.max(...diagonal.map(Math.abs), ...beside.map(Math.abs), Number.MIN_VALUE);
  const vectors = new Float64Array(eigenvalues.length * size);
  const start = fillNormal(randomStream(0, "inverse-iteration"), new Float32Array(size));
  for (let index = 0; index < eigenvalues.length; index += 1) {
    const at = index * size;
    const eigenvalue = eigenvalues[index] as number;
    const solve = shiftedSolver(matrix, eigenvalue, scale);
    for (let k = 0; k < size; k += 1) vectors[at + k] = start[(k + 7 * index) % size] as number;
    normalizeAgainst(vectors, index, size);
    let settled = false;
    for (let round = 0; round < mostRounds && !settled; round += 1) {
      solve(vectors, at);
      normalizeAgainst(vectors, index, size);
      // The first round amplifies the wanted direction, and a second one takes out what orthogonalising brought in.
      settled = round > 0 && residual(matrix, eigenvalue, vectors, at) <= tolerance * scale;
    }
    if (!settled) return null;
  }
  return vectors;
}

/** Takes out the directions found before, twice, and makes the rest a unit vector. */
function normalizeAgainst(vectors: Float64Array, index: number, size: number): void {
  const at = index * size;
  scaleToUnit(vectors, at, size);
  for (let pass = 0; pass < 2; pass += 1) {
    for (let other = 0; other < index; other += 1) {
      const part = dot(vectors, at, vectors, other * size, size);
      addScaled(vectors, at, -part, vectors, other * size, size);
    }
    scaleToUnit(vectors, at, size);
  }
}

function scaleToUnit(vectors: Float64Array, at: number, size: number): void {
  let largest = 0;
  for (let k = at; k < at + size; k += 1) largest = Math.max(largest, Math.abs(vectors[k] as number));
  if (largest === 0) return;
  // Solutions are as large as 1e16 times the right side; squares of them stay in range this way.
  for (let k = at; k < at + size; k += 1) vectors[k] = (vectors[k] as number) / largest;
  const norm = Math.sqrt(dot(vectors, at, vectors, at, size));
  for (let k = at; k < at + size; k += 1) vectors[k] = (vectors[k] as number) / norm;
}

function residual(
  { size, diagonal, beside }: Tridiagonal,
  eigenvalue: number,
  vectors: Float64Array,
  at: number,
): number {
  let sum = 0;
  for (let k = 0; k < size; k += 1) {
    let value = ((diagonal[k] as number) - eigenvalue) * (vectors[at + k] as number);
    if (k > 0) value += (beside[k - 1] as number) * (vectors[at + k - 1] as number);
    if (k + 1 < size) value += (beside[k] as number) * (vectors[at + k + 1] as number);
    sum += value * value;
  }
  return Math.sqrt(sum);
}

/** x ← (T - shift)⁻¹ x, by elimination with row exchanges; a pivot that vanishes is made a rounding of the scale. */
function shiftedSolver(
  { size, diagonal, beside }: Tridiagonal,
  shift: number,
  scale: number,
): (x: Float64Array, at: number) => void {
  const tiny = scale * 2.3e-16;
  const pivots = diagonal.map((value) => value - shift);
  const above = new Float64Array(size);
  above.set(beside);
  const second = new Float64Array(size);
  const factors = new Float64Array(size);
  const exchanged = new Uint8Array(size);
  for (let k = 0; k + 1 < size; k += 1) {
    const below = beside[k] as number;
    const pivot = pivots[k] as number;
    if (Math.abs(pivot) >= Math.abs(below)) {
      const safe = Math.abs(pivot) < tiny ? tiny : pivot;
      pivots[k] = safe;
      factors[k] = below / safe;
      pivots[k + 1] = (pivots[k + 1] as number) - (factors[k] as number) * (above[k] as number);
      continue;
    }
    exchanged[k] = 1;
    const factor = pivot / below;
    factors[k] = factor;
    pivots[k] = below;
    const held = above[k] as number;
    above[k] = pivots[k + 1] as number;
    pivots[k + 1] = held - factor * (pivots[k + 1] as number);
    if (k + 2 < size) {
      second[k] = above[k + 1] as number;
      above[k + 1] = -factor * (above[k + 1] as number);
    }
  }
  const end = size - 1;
  if (size > 0 && Math.abs(pivots[end] as number) < tiny) pivots[end] = tiny;
  return (x, at) => {
    for (let k = 0; k + 1 < size; k += 1) {
      const i = at + k;
      if (exchanged[k] === 1) {
        const held = x[i] as number;
        x[i] = x[i + 1] as number;
        x[i + 1] = held;
      }
      x[i + 1] = (x[i + 1] as number) - (factors[k] as number) * (x[i] as number);
    }
    for (let k = end; k >= 0; k -= 1) {
      let value = x[at + k] as number;
      if (k + 1 < size) value -= (above[k] as number) * (x[at + k + 1] as number);
      if (k + 2 < size) value -= (second[k] as number) * (x[at + k + 2] as number);
      x[at + k] = value / (pivots[k] as number);
    }
  };
}
