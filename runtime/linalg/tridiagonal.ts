/**
 * Symmetric matrices as Q T Qᵀ with T tridiagonal, by Householder reflections (Golub and Van Loan, Matrix
 * Computations, 8.3), and the eigenvalues of T by implicitly shifted QL steps. Of T alone, single eigenvectors cost
 * little; Q is never formed, its reflections are applied to those that are wanted.
 */
import { addScaled, dot } from "./dense-vectors.ts";

export interface Tridiagonal {
  readonly size: number;
  readonly diagonal: Float64Array;
  /** [size - 1] */
  readonly beside: Float64Array;
  /** Reflection k is I - scales[k] v vᵀ with v in row k from column k + 1 on. */
  readonly reflections: Float64Array;
  readonly scales: Float64Array;
}

/** Overwrites `matrix`, row-major [size, size], symmetric and finite. */
export function tridiagonalize(matrix: Float64Array, size: number): Tridiagonal {
  const diagonal = new Float64Array(size);
  const beside = new Float64Array(Math.max(0, size - 1));
  const scales = new Float64Array(size);
  // Entries before a step are never read, so that two pairs of vectors serve in turn.
  let last: Update = { v: new Float64Array(size), w: new Float64Array(size) };
  let next: Update = { v: new Float64Array(size), w: new Float64Array(size) };
  for (let k = 0; k < size; k += 1) {
    const row = k * size;
    // The row of this step has missed the update of the last one, which the others get below.
    updateRow(matrix, row, k, size, last);
    diagonal[k] = matrix[row + k] as number;
    if (k === size - 1) break;
    const first = matrix[row + k + 1] as number;
    const length = size - k - 1;
    const norm = Math.sqrt(dot(matrix, row + k + 1, matrix, row + k + 1, length));
    // Away from the first entry, so that nothing cancels.
    const target = first > 0 ? -norm : norm;
    beside[k] = target;
    if (norm > 0) {
      matrix[row + k + 1] = first - target;
      scales[k] = 2 / dot(matrix, row + k + 1, matrix, row + k + 1, length);
    }
    next.v.set(matrix.subarray(row + k + 1, row + size), k + 1);
    updateAndApply(matrix, size, k + 1, last, next);
    finishStep(next, scales[k] as number, k + 1, size);
    [last, next] = [next, last];
  }
  return { size, diagonal, beside, reflections: matrix, scales };
}

/** matrix -= v wᵀ + w vᵀ; w holds zeros until it is known. */
interface Update {
  readonly v: Float64Array;
  readonly w: Float64Array;
}

function updateRow(matrix: Float64Array, row: number, k: number, size: number, { v, w }: Update): void {
  const [vk, wk] = [v[k] as number, w[k] as number];
  for (let j = k; j < size; j += 1)
    matrix[row + j] = (matrix[row + j] as number) - (vk * (w[j] as number) + wk * (v[j] as number));
}

/** Rows from `start` on: the update of the last step, and next.w = matrix next.v. One pass, two rows at a time. */
function updateAndApply(
  matrix: Float64Array,
  size: number,
  start: number,
  { v, w }: Update,
  next: Update,
): void {
  const x = next.v;
  let i = start;
  for (; i + 1 < size; i += 2) {
    const [v0, w0, v1, w1] = [v[i] as number, w[i] as number, v[i + 1] as number, w[i + 1] as number];
    const row = i * size;
    const below = row + size;
    let sum = 0;
    let sumBelow = 0;
    for (let j = start; j < size; j += 1) {
      const vj = v[j] as number;
      const wj = w[j] as number;
      const xj = x[j] as number;
      const a = (matrix[row + j] as number) - (v0 * wj + w0 * vj);
      const b = (matrix[below + j] as number) - (v1 * wj + w1 * vj);
      matrix[row + j] = a;
      matrix[below + j] = b;
      sum += a * xj;
      sumBelow += b * xj;
    }
    next.w[i] = sum;
    next.w[i + 1] = sumBelow;
  }
  for (; i < size; i += 1) {
    updateRowFrom(matrix, i * size, start, size, v[i] as number, w[i] as number, { v, w });
    next.w[i] = dot(matrix, i * size + start, x, start, size - start);
  }
}

function updateRowFrom(
  matrix: Float64Array,
  row: number,
  start: number,
  size: number,
  vi: number,
  wi: number,
  { v, w }: Update,
): void {
  for (let j = start; j < size; j += 1)
    matrix[row + j] = (matrix[row + j] as number) - (vi * (w[j] as number) + wi * (v[j] as number));
}

/** w = p - (scale / 2 pᵀv) v for p = scale · matrix v: then H matrix H = matrix - v wᵀ - w vᵀ. */
function finishStep({ v, w }: Update, scale: number, start: number, size: number): void {
  for (let j = start; j < size; j += 1) w[j] = (w[j] as number) * scale;
  const half = (scale / 2) * dot(w, start, v, start, size - start);
  addScaled(w, start, -half, v, start, size - start);
}

/** vector ← Q vector, for a vector of `size` entries at `at`. */
export function applyReflections(
  { size, reflections, scales }: Tridiagonal,
  values: Float64Array,
  at: number,
): void {
  for (let k = size - 2; k >= 0; k -= 1) {
    const from = k * size + k + 1;
    const length = size - k - 1;
    const factor = -(scales[k] as number) * dot(reflections, from, values, at + k + 1, length);
    addScaled(values, at + k + 1, factor, reflections, from, length);
  }
}

const mostSteps = 80;

/** All eigenvalues, descending. Absolute error: a few roundings of the largest. */
export function eigenvaluesOf({ size, diagonal, beside }: Tridiagonal): Float64Array {
  const d = diagonal.slice();
  const e = new Float64Array(size);
  e.set(beside);
  for (let l = 0; l < size; l += 1) {
    for (let step = 0; step < mostSteps; step += 1) {
      let m = l;
      while (m < size - 1) {
        const scale = Math.abs(d[m] as number) + Math.abs(d[m + 1] as number);
        if (Math.abs(e[m] as number) <= 2.3e-16 * scale) break;
        m += 1;
      }
      if (m === l) break;
      qlStep(d, e, l, m);
    }
  }
  return d.sort().reverse();
}

/** One implicit QL step with Wilkinson's shift on rows l to m, from below. */
function qlStep(d: Float64Array, e: Float64Array, l: number, m: number): void {
  const at = (values: Float64Array, index: number): number => values[index] as number;
  let g = (at(d, l + 1) - at(d, l)) / (2 * at(e, l));
  const r0 = Math.sqrt(g * g + 1);
  g = at(d, m) - at(d, l) + at(e, l) / (g + (g < 0 ? -r0 : r0));
  let sine = 1;
  let cosine = 1;
  let p = 0;
  for (let i = m - 1; i >= l; i -= 1) {
    const f = sine * at(e, i);
    const b = cosine * at(e, i);
    const r = Math.sqrt(f * f + g * g);
    e[i + 1] = r;
    if (r === 0) {
      d[i + 1] = at(d, i + 1) - p;
      e[m] = 0;
      return;
    }
    sine = f / r;
    cosine = g / r;
    const shifted = at(d, i + 1) - p;
    const turn = (at(d, i) - shifted) * sine + 2 * cosine * b;
    p = sine * turn;
    d[i + 1] = shifted + p;
    g = cosine * turn - b;
  }
  d[l] = at(d, l) - p;
  e[l] = g;
  e[m] = 0;
}
