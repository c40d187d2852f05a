import { describe, expect, test } from "vitest";
import { SpxError } from "../../runtime/errors.ts";
import type { Multiply } from "../../runtime/linalg/form-product.ts";
import { householderQr } from "../../runtime/linalg/householder-qr.ts";
import { jacobiSvd, type SingularValues } from "../../runtime/linalg/jacobi-svd.ts";
import { truncatedSvd } from "../../runtime/linalg/truncated-svd.ts";
import { columnsDefect, diagonal, distance, frobenius, noise, product, transpose } from "./linalg-oracle.ts";

function approximation({ u, s, v }: SingularValues, rows: number, columns: number): Float64Array {
  const rank = s.length;
  return product(product(u, diagonal(s), rows, rank, rank), transpose(v, columns, rank), rows, rank, columns);
}

const single = (matrix: Float64Array): Float32Array => Float32Array.from(matrix);

/** A matrix with these singular values between random orthonormal factors. */
function withSingularValues(rows: number, columns: number, values: Float64Array): Float32Array {
  const count = values.length;
  const { q: u } = householderQr(noise(rows, count, 11), rows, count);
  const { q: v } = householderQr(noise(columns, count, 12), columns, count);
  return single(approximation({ u, s: values, v }, rows, columns));
}

const spectra = [
  { name: "noise", rows: 150, columns: 190, matrix: single(noise(150, 190, 1)), excess: 1e-3 },
  {
    name: "slowly falling",
    rows: 190,
    columns: 150,
    matrix: withSingularValues(
      190,
      150,
      Float64Array.from({ length: 150 }, (_, k) => 1 / Math.sqrt(1 + k)),
    ),
    excess: 1e-6,
  },
  {
    name: "quickly falling",
    rows: 130,
    columns: 200,
    matrix: withSingularValues(
      130,
      200,
      Float64Array.from({ length: 130 }, (_, k) => 0.7 ** k),
    ),
    excess: 1e-10,
  },
];

/** Products as kernels form them: one order of sums. */
const form: Multiply = (left, right, rows, inner, columns) => product(left, right, rows, inner, columns);

describe.each(spectra)("$name, $rows x $columns", ({ rows, columns, matrix, excess }) => {
  const exact = jacobiSvd(Float64Array.from(matrix), rows, columns);
  const rank = 6;
  const found = truncatedSvd(matrix, rows, columns, rank);

  test("with products formed for it it is the same", () => {
    const formed = truncatedSvd(matrix, rows, columns, rank, form);
    for (const part of ["u", "s", "v"] as const)
      expect(distance(formed[part], found[part])).toBeLessThan(1e-9 * frobenius(found[part]));
  });

  test("the error is hardly above the least possible one (Eckart and Young)", () => {
    const least = exact.s.slice(rank).reduce((sum, value) => sum + value * value, 0);
    const error = distance(approximation(found, rows, columns), Float64Array.from(matrix)) ** 2;
    expect(error / least - 1).toBeLessThan(excess);
    expect(error / least - 1).toBeGreaterThan(-1e-10);
  });

  test("singular values do not exceed the true ones and come near them; vectors are orthonormal", () => {
    found.s.forEach((value, index) => {
      const ratio = value / (exact.s[index] ?? 0);
      expect(ratio).toBeLessThan(1 + 1e-12);
      expect(ratio).toBeGreaterThan(1 - 20 * excess);
    });
    expect(columnsDefect(found.u, rows, rank)).toBeLessThan(1e-12);
    expect(columnsDefect(found.v, columns, rank)).toBeLessThan(1e-12);
  });

  test("twice the same, bit for bit, and positive at the largest entry of each left vector", () => {
    expect(truncatedSvd(matrix, rows, columns, rank)).toEqual(found);
    for (let column = 0; column < rank; column += 1) {
      const entries = Array.from({ length: rows }, (_, row) => found.u[row * rank + column] ?? 0);
      expect(Math.max(...entries)).toBe(Math.max(...entries.map(Math.abs)));
    }
  });
});

test.each([
  [200, 300, 3, 10],
  [300, 200, 1, 1],
  [129, 127, 5, 5],
])("%i x %i of rank %i is found exactly with rank %i", (rows, columns, rank, asked) => {
  const matrix = single(product(noise(rows, rank, 2), noise(rank, columns, 3), rows, rank, columns));
  const found = truncatedSvd(matrix, rows, columns, asked);
  const full = Float64Array.from(matrix);
  // Rounding the product to float32 adds noise of that size.
  expect(distance(approximation(found, rows, columns), full)).toBeLessThan(1e-6 * frobenius(full));
  expect(columnsDefect(found.u, rows, asked)).toBeLessThan(1e-12);
  expect(columnsDefect(found.v, columns, asked)).toBeLessThan(1e-12);
  if (asked > rank) expect((found.s[rank] ?? 1) / (found.s[0] ?? 0)).toBeLessThan(1e-6);
});

test("the zero matrix has zero singular values and orthonormal vectors", () => {
  const { u, s, v } = truncatedSvd(new Float32Array(100 * 90), 100, 90, 4);
  expect([...s]).toEqual([0, 0, 0, 0]);
  expect(columnsDefect(u, 100, 4)).toBeLessThan(1e-13);
  expect(columnsDefect(v, 90, 4)).toBeLessThan(1e-13);
});

test.each([
  [1, 1, 1],
  [1, 9, 1],
  [9, 1, 1],
  [31, 64, 31],
  [70, 66, 66],
  [97, 101, 50],
])("%i x %i at rank %i, small or full, is exact", (rows, columns, rank) => {
  const matrix = single(noise(rows, columns, 4));
  const exact = jacobiSvd(Float64Array.from(matrix), rows, columns);
  const found = truncatedSvd(matrix, rows, columns, rank);
  expect(distance(found.s, exact.s.slice(0, rank))).toBeLessThan(1e-12 * (exact.s[0] ?? 0));
});

test("rank 0 and empty matrices", () => {
  expect(truncatedSvd(single(noise(5, 4, 1)), 5, 4, 0).s).toHaveLength(0);
  expect(truncatedSvd(new Float32Array(0), 0, 4, 0).u).toHaveLength(0);
});

test("a rank that cannot be and values that are not finite are refused", () => {
  const matrix = single(noise(70, 80, 1));
  for (const rank of [-1, 71, 1.5, Number.NaN])
    expect(() => truncatedSvd(matrix, 70, 80, rank)).toThrow(SpxError);
  matrix[2 * 80 + 3] = Number.NaN;
  expect(() => truncatedSvd(matrix, 70, 80, 2)).toThrow(/SPX8408.*NaN at \[2, 3\]/);
});
