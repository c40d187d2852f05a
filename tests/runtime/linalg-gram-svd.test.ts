// Singular values by eigenvalues of the Gram matrix, against the Jacobi decomposition, which shares none of its steps.

import { describe, expect, it } from "vitest";
import { gramSvd, singularValuesOf } from "../../runtime/linalg/gram-svd.ts";
import { jacobiSvd } from "../../runtime/linalg/jacobi-svd.ts";
import { eigenvaluesOf, tridiagonalize } from "../../runtime/linalg/tridiagonal.ts";
import { fillNormal } from "../../runtime/random/distributions.ts";
import { randomStream } from "../../runtime/random/philox.ts";

const noise = (rows: number, columns: number): Float64Array =>
  Float64Array.from(fillNormal(randomStream(3, `${rows}x${columns}`), new Float32Array(rows * columns)));

/** ‖Mᵀ M - 1‖ for the columns of a row-major [rows, count] matrix. */
function departureFromOrthonormal(m: Float64Array, rows: number, count: number): number {
  let worst = 0;
  for (let a = 0; a < count; a++) {
    for (let b = 0; b < count; b++) {
      let sum = 0;
      for (let row = 0; row < rows; row++) sum += (m[row * count + a] ?? 0) * (m[row * count + b] ?? 0);
      worst = Math.max(worst, Math.abs(sum - Number(a === b)));
    }
  }
  return worst;
}

/** The largest entry of matrix v - u s. */
function departureFromPairs(
  matrix: Float64Array,
  { u, s, v }: { u: Float64Array; s: Float64Array; v: Float64Array },
  rows: number,
  columns: number,
): number {
  const count = s.length;
  let worst = 0;
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < count; k++) {
      let sum = 0;
      for (let column = 0; column < columns; column++)
        sum += (matrix[row * columns + column] ?? 0) * (v[column * count + k] ?? 0);
      worst = Math.max(worst, Math.abs(sum - (u[row * count + k] ?? 0) * (s[k] ?? 0)));
    }
  }
  return worst;
}

describe("tridiagonal form", () => {
  it.each([1, 2, 3, 5, 16, 31])("keeps the eigenvalues of a symmetric matrix of size %i", (size) => {
    const factor = noise(size, size);
    const gram = Float64Array.from({ length: size * size }, (_, at) => {
      let sum = 0;
      for (let k = 0; k < size; k++)
        sum += (factor[k * size + Math.floor(at / size)] ?? 0) * (factor[k * size + (at % size)] ?? 0);
      return sum;
    });
    const values = eigenvaluesOf(tridiagonalize(gram, size));
    const expected = jacobiSvd(factor, size, size).s;
    expected.forEach((s, index) => {
      expect(Math.abs((values[index] ?? 0) - s * s)).toBeLessThan(1e-13 * (expected[0] ?? 1) ** 2);
    });
  });
});

describe("singular values by the Gram matrix", () => {
  it.each([
    [1, 1, 1],
    [2, 2, 1],
    [3, 17, 3],
    [40, 23, 5],
    [23, 40, 5],
    [65, 65, 65],
    [90, 70, 8],
  ])("[%i, %i]: %i of either end agree with Jacobi", (rows, columns, count) => {
    const matrix = noise(rows, columns);
    const exact = jacobiSvd(matrix, rows, columns);
    const largest = exact.s[0] ?? 1;
    expect(singularValuesOf(matrix, rows, columns)).toHaveLength(exact.s.length);
    singularValuesOf(matrix, rows, columns).forEach((s, index) => {
      expect(Math.abs(s - (exact.s[index] ?? 0))).toBeLessThan(1e-7 * largest);
    });
    for (const end of ["largest", "smallest"] as const) {
      const found = gramSvd(matrix, rows, columns, count, end);
      const first = end === "largest" ? 0 : exact.s.length - count;
      found.s.forEach((s, k) => {
        expect(Math.abs(s - (exact.s[first + k] ?? 0)), `${end} ${k}`).toBeLessThan(1e-10 * largest);
      });
      expect(departureFromPairs(matrix, found, rows, columns)).toBeLessThan(1e-10 * largest);
      expect(departureFromOrthonormal(found.v, columns, count)).toBeLessThan(1e-12);
      expect(departureFromOrthonormal(found.u, rows, count)).toBeLessThan(1e-12);
    }
  });

  it("gives equal values vectors of their own", () => {
    const size = 12;
    const identity = Float64Array.from({ length: size * size }, (_, at) => Number(at % (size + 1) === 0));
    const { u, s, v } = gramSvd(identity, size, size, size);
    expect([...s].every((value) => Math.abs(value - 1) < 1e-14)).toBe(true);
    expect(departureFromOrthonormal(v, size, size)).toBeLessThan(1e-12);
    expect(departureFromPairs(identity, { u, s, v }, size, size)).toBeLessThan(1e-13);
  });

  it("of rank two has zeros at the lower end and exact values at the upper", () => {
    const [rows, columns] = [30, 24];
    const [left, right] = [noise(rows, 2), noise(2, columns)];
    const matrix = Float64Array.from({ length: rows * columns }, (_, at) => {
      const [row, column] = [Math.floor(at / columns), at % columns];
      return (
        (left[row * 2] ?? 0) * (right[column] ?? 0) +
        (left[row * 2 + 1] ?? 0) * (right[columns + column] ?? 0)
      );
    });
    const exact = jacobiSvd(matrix, rows, columns).s;
    const upper = gramSvd(matrix, rows, columns, 2).s;
    expect(Math.abs((upper[1] ?? 0) - (exact[1] ?? 0))).toBeLessThan(1e-13 * (exact[0] ?? 1));
    const lower = gramSvd(matrix, rows, columns, 5, "smallest");
    for (const s of lower.s) expect(s).toBeLessThan(1e-7 * (exact[0] ?? 1));
    expect(departureFromOrthonormal(lower.u, rows, 5)).toBeLessThan(1e-12);
  });

  it("stands far from one: squares neither overflow nor vanish", () => {
    for (const scale of [1e-30, 1e30]) {
      const matrix = noise(20, 20).map((value) => value * scale);
      const exact = jacobiSvd(matrix, 20, 20).s;
      gramSvd(matrix, 20, 20, 3).s.forEach((s, k) => {
        expect(Math.abs(s / (exact[k] ?? 0) - 1)).toBeLessThan(1e-12);
      });
    }
  });

  it("is zero for zero", () => {
    expect([...gramSvd(new Float64Array(12), 3, 4, 2).s]).toEqual([0, 0]);
    expect([...singularValuesOf(new Float64Array(12), 3, 4)]).toEqual([0, 0, 0]);
  });
});
