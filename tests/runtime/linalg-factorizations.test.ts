import { describe, expect, test } from "vitest";
import { householderQr } from "../../runtime/linalg/householder-qr.ts";
import { jacobiSvd } from "../../runtime/linalg/jacobi-svd.ts";
import { columnsDefect, diagonal, distance, frobenius, noise, product, transpose } from "./linalg-oracle.ts";

const shapes = [
  [1, 1],
  [1, 5],
  [5, 1],
  [2, 2],
  [7, 7],
  [13, 5],
  [5, 13],
  [40, 31],
] as const;

describe.each(shapes)("%i x %i", (rows, columns) => {
  const matrix = noise(rows, columns, 1);
  const count = Math.min(rows, columns);

  test("QR: orthonormal, triangular with a diagonal that is not negative, and the product is the matrix", () => {
    const { q, r } = householderQr(matrix, rows, columns);
    expect(columnsDefect(q, rows, count)).toBeLessThan(1e-13);
    expect(distance(product(q, r, rows, count, columns), matrix)).toBeLessThan(1e-13 * frobenius(matrix));
    for (let row = 0; row < count; row += 1) {
      expect(r[row * columns + row]).toBeGreaterThanOrEqual(0);
      for (let column = 0; column < row; column += 1) expect(r[row * columns + column]).toBe(0);
    }
  });

  test("SVD: orthonormal, descending, and the product is the matrix", () => {
    const { u, s, v } = jacobiSvd(matrix, rows, columns);
    expect(s).toHaveLength(count);
    expect(columnsDefect(u, rows, count)).toBeLessThan(1e-13);
    expect(columnsDefect(v, columns, count)).toBeLessThan(1e-13);
    expect([...s]).toEqual([...s].sort((a, b) => b - a));
    const us = product(u, diagonal(s), rows, count, count);
    expect(distance(product(us, transpose(v, columns, count), rows, count, columns), matrix)).toBeLessThan(
      1e-13 * frobenius(matrix),
    );
  });
});

test("the arguments are not written to", () => {
  const matrix = noise(6, 4, 2);
  const copy = matrix.slice();
  householderQr(matrix, 6, 4);
  jacobiSvd(matrix, 6, 4);
  expect(matrix).toEqual(copy);
});

test("QR of dependent columns and of zero is still orthonormal", () => {
  const matrix = Float64Array.of(1, 2, 0, 2, 4, 0, 3, 6, 0, 4, 8, 0);
  const { q, r } = householderQr(matrix, 4, 3);
  expect(columnsDefect(q, 4, 3)).toBeLessThan(1e-14);
  expect(distance(product(q, r, 4, 3, 3), matrix)).toBeLessThan(1e-14);
  expect(columnsDefect(householderQr(new Float64Array(6), 3, 2).q, 3, 2)).toBe(0);
});

test("singular values that are known", () => {
  // The 2 x 2 matrix [3 0; 4 5]: its squares are the eigenvalues 45 and 5 of the Gram matrix.
  const { u, s } = jacobiSvd(Float64Array.of(3, 0, 4, 5), 2, 2);
  expect(s[0]).toBeCloseTo(Math.sqrt(45), 13);
  expect(s[1]).toBeCloseTo(Math.sqrt(5), 13);
  expect(u[0]).toBeCloseTo(1 / Math.sqrt(10), 13);
  expect(u[2]).toBeCloseTo(3 / Math.sqrt(10), 13);
  // Path graph difference matrix: 2 sin(pi k / (2 (n + 1))).
  const n = 20;
  const difference = new Float64Array(n * (n + 1));
  for (let row = 0; row < n; row += 1) difference.set([1, -1], row * (n + 1) + row);
  const found = jacobiSvd(difference, n, n + 1).s;
  for (let k = 1; k <= n; k += 1) {
    expect(Math.abs((found[n - k] ?? 0) - 2 * Math.sin((Math.PI * k) / (2 * (n + 1))))).toBeLessThan(1e-14);
  }
});

test("small singular values keep their relative accuracy", () => {
  // diag(1, 1e-5, 1e-10, 1e-15) between two rotations of its rows.
  const scales = [1, 1e-5, 1e-10, 1e-15];
  const graded = product(diagonal(Float64Array.from(scales)), noise(4, 4, 3), 4, 4, 4);
  const { s } = jacobiSvd(transpose(graded, 4, 4), 4, 4);
  // Their product is the absolute determinant of the noise times that of the scales.
  const determinant = jacobiSvd(noise(4, 4, 3), 4, 4).s.reduce((a, b) => a * b, 1);
  expect(s.reduce((a, b) => a * b, 1) / (determinant * 1e-30)).toBeCloseTo(1, 10);
});

test("rank below the size: zeros, and directions of their own for them", () => {
  const matrix = product(noise(9, 2, 4), noise(2, 6, 5), 9, 2, 6);
  const { u, s, v } = jacobiSvd(matrix, 9, 6);
  expect(s[1]).toBeGreaterThan(0.1);
  expect(s[2]).toBeLessThan(1e-14);
  expect(columnsDefect(u, 9, 6)).toBeLessThan(1e-13);
  expect(columnsDefect(v, 6, 6)).toBeLessThan(1e-13);
  const zero = jacobiSvd(new Float64Array(12), 3, 4);
  expect([...zero.s]).toEqual([0, 0, 0]);
  expect(columnsDefect(zero.u, 3, 3)).toBe(0);
  expect(columnsDefect(zero.v, 4, 3)).toBe(0);
});

test("the largest entry of each left vector is positive, whichever sign the matrix has", () => {
  const matrix = noise(11, 8, 6);
  const plus = jacobiSvd(matrix, 11, 8);
  const minus = jacobiSvd(
    matrix.map((value) => -value),
    11,
    8,
  );
  for (let column = 0; column < 8; column += 1) {
    const entries = Array.from({ length: 11 }, (_, row) => plus.u[row * 8 + column] ?? 0);
    const largest = entries.reduce((best, entry) => (Math.abs(entry) > Math.abs(best) ? entry : best), 0);
    expect(largest).toBeGreaterThan(0);
  }
  expect(distance(plus.u, minus.u)).toBeLessThan(1e-13);
  expect(
    distance(
      plus.v,
      minus.v.map((value) => -value),
    ),
  ).toBeLessThan(1e-13);
});
