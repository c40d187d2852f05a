// The smallest singular values by blocks of solutions, and the factor that gives them, against decompositions that share none of the steps.
import { describe, expect, it } from "vitest";
import { gramSvd } from "../../runtime/linalg/gram-svd.ts";
import { jacobiSvd, multiply } from "../../runtime/linalg/jacobi-svd.ts";
import { solveFactor, solveTransposed, stripCholesky } from "../../runtime/linalg/strip-cholesky.ts";
import { trailingSvd } from "../../runtime/linalg/trailing-svd.ts";
import { fillNormal } from "../../runtime/random/distributions.ts";
import { randomStream } from "../../runtime/random/philox.ts";

const noise = (rows: number, columns: number): Float64Array =>
  Float64Array.from(fillNormal(randomStream(4, `${rows}x${columns}`), new Float32Array(rows * columns)));

const transposedOf = (matrix: Float64Array, rows: number, columns: number): Float64Array =>
  Float64Array.from(
    { length: rows * columns },
    (_, at) => matrix[(at % rows) * columns + Math.floor(at / rows)] ?? 0,
  );

const largestDifference = (left: ArrayLike<number>, right: ArrayLike<number>): number => {
  let worst = 0;
  for (let at = 0; at < left.length; at++)
    worst = Math.max(worst, Math.abs((left[at] ?? 0) - (right[at] ?? 0)));
  return worst;
};

describe("the factor in strips", () => {
  it.each([1, 2, 127, 128, 129, 300])("of size %i gives the matrix and solves with it", (size) => {
    const half = noise(size, size + 3);
    const matrix = multiply(half, transposedOf(half, size, size + 3), size, size + 3, size);
    const factor = stripCholesky(matrix, size, multiply);
    if (factor === null) throw new Error("no factor");
    const lower = new Float64Array(size * size);
    for (const { start, rows, beside, corner } of factor.strips)
      for (let row = 0; row < rows; row++) {
        lower.set(beside.subarray(row * start, (row + 1) * start), (start + row) * size);
        lower.set(corner.subarray(row * rows, row * rows + row + 1), (start + row) * size + start);
      }
    const product = multiply(lower, transposedOf(lower, size, size), size, size, size);
    expect(largestDifference(product, matrix)).toBeLessThan(1e-11 * size);
    const b = noise(3, size);
    const forward = solveFactor(factor, b, 3, multiply);
    const checks = [
      multiply(forward, transposedOf(lower, size, size), 3, size, size),
      multiply(solveTransposed(factor, b, 3, multiply), lower, 3, size, size),
    ];
    for (const found of checks) expect(largestDifference(found, b)).toBeLessThan(1e-7);
  });

  it("does not exist for a matrix that is not positive definite", () => {
    expect(stripCholesky(Float64Array.of(1, 2, 2, 1), 2, multiply)).toBeNull();
    expect(stripCholesky(new Float64Array(9), 3, multiply)).toBeNull();
  });
});

describe("trailing singular values", () => {
  it.each([
    [40, 23, 3],
    [23, 40, 3],
    [150, 130, 8],
    [300, 300, 5],
  ])("[%i, %i]: the %i smallest agree with Jacobi's", (rows, columns, count) => {
    const matrix = noise(rows, columns);
    const exact = jacobiSvd(matrix, rows, columns);
    const found = trailingSvd(matrix, rows, columns, count, multiply);
    if (found === null) throw new Error("it did not settle");
    const size = Math.min(rows, columns);
    const expected = exact.s.subarray(size - count);
    expect(largestDifference(found.s, expected)).toBeLessThan(1e-9 * (exact.s[0] ?? 1));
    // B A of the factors is the same matrix, whatever the signs.
    const trailing = (u: Float64Array, s: Float64Array, v: Float64Array, all: number, first: number) =>
      Float64Array.from({ length: rows * columns }, (_, at) => {
        let sum = 0;
        for (let k = 0; k < count; k++)
          sum +=
            (u[Math.floor(at / columns) * all + first + k] ?? 0) *
            (s[first + k] ?? 0) *
            (v[(at % columns) * all + first + k] ?? 0);
        return sum;
      });
    const wanted = trailing(exact.u, exact.s, exact.v, size, size - count);
    expect(largestDifference(trailing(found.u, found.s, found.v, count, 0), wanted)).toBeLessThan(
      1e-5 * (expected[0] ?? 1),
    );
  });

  it("leaves what it cannot tell apart to the whole decomposition", () => {
    const thin = multiply(noise(60, 5), noise(5, 50), 60, 5, 50);
    expect(trailingSvd(thin, 60, 50, 4, multiply)).toBeNull();
    expect(trailingSvd(new Float64Array(20), 5, 4, 2, multiply)).toBeNull();
    expect(gramSvd(thin, 60, 50, 4, "smallest").s.every((s) => s < 1e-6)).toBe(true);
  });
});
