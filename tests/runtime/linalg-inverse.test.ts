// Inverses against the product with the matrix itself, and what has none.
import { describe, expect, it } from "vitest";
import { inverseSquare } from "../../runtime/linalg/inverse.ts";

/** Small whole numbers with a dominant diagonal: never singular. */
const regular = (size: number): Float64Array =>
  Float64Array.from({ length: size * size }, (_, place) => {
    const [row, column] = [Math.floor(place / size), place % size];
    return row === column ? 4 * size : ((row * 7 + column * 13) % 5) - 2;
  });

function times(left: ArrayLike<number>, right: ArrayLike<number>, size: number): number[] {
  return Array.from({ length: size * size }, (_, place) => {
    let sum = 0;
    for (let k = 0; k < size; k += 1)
      sum += (left[Math.floor(place / size) * size + k] ?? 0) * (right[k * size + (place % size)] ?? 0);
    return sum;
  });
}

describe("the inverse", () => {
  it.each([1, 2, 7, 16, 17])("of a matrix of size %i gives the identity with it", (size) => {
    const matrix = regular(size);
    const product = times(inverseSquare(matrix, size), matrix, size);
    for (const [place, value] of product.entries())
      expect(value).toBeCloseTo(place % (size + 1) === 0 ? 1 : 0, 12);
  });

  it("exchanges rows where a pivot is zero", () => {
    expect([...inverseSquare([0, 1, 1, 0], 2)]).toEqual([0, 1, 1, 0]);
  });

  it.each([
    ["zeros", [0]],
    ["equal rows", [1, 2, 1, 2]],
    ["a value that is no number", [Number.NaN]],
  ])("of %s does not exist", (_, matrix) => {
    expect(() => inverseSquare(matrix, Math.sqrt(matrix.length))).toThrow("SPX8413");
  });
});
