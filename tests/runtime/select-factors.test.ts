import { describe, expect, it } from "vitest";
import type { MultiplySingle } from "../../runtime/linalg/form-product.ts";
import { jacobiSvd } from "../../runtime/linalg/jacobi-svd.ts";
import { fillNormal } from "../../runtime/random/distributions.ts";
import { randomStream } from "../../runtime/random/philox.ts";
import type { DenseTensor } from "../../runtime/select/dense-tensor.ts";
import { projectMonarch } from "../../runtime/select/monarch-projection.ts";
import { sparsePart } from "../../runtime/select/sparse-part.ts";
import { svdFactors } from "../../runtime/select/svd-factors.ts";

const noise = (name: string, count: number): Float32Array =>
  fillNormal(randomStream(5, name), new Float32Array(count));
const at = (values: ArrayLike<number>, index: number): number => values[index] ?? Number.NaN;

/** W[l b + j, k b + i] = L_j[l, k] R_k[j, i], written as P(b) L P(b)ᵀ R with explicit permutations. */
function monarchDense(left: DenseTensor, right: DenseTensor, b: number, n: number): Float64Array {
  const q = n / b;
  const dense = new Float64Array(n * n);
  for (let column = 0; column < n; column++) {
    const z = new Float64Array(n);
    const block = Math.floor(column / b);
    for (let j = 0; j < b; j++) z[block * b + j] = at(right.values, (block * b + j) * b + (column % b));
    const turned = new Float64Array(n);
    for (let j = 0; j < b; j++) for (let k = 0; k < q; k++) turned[j * q + k] = at(z, k * b + j);
    const mixed = new Float64Array(n);
    for (let j = 0; j < b; j++) {
      for (let l = 0; l < q; l++) {
        let sum = 0;
        for (let k = 0; k < q; k++) sum += at(left.values, (j * q + l) * q + k) * at(turned, j * q + k);
        mixed[j * q + l] = sum;
      }
    }
    for (let k = 0; k < q; k++)
      for (let j = 0; j < b; j++) dense[(k * b + j) * n + column] = at(mixed, j * q + k);
  }
  return dense;
}

describe("monarch projection", () => {
  for (const [n, b] of [
    [1, 1],
    [6, 2],
    [6, 3],
    [16, 4],
    [12, 1],
    [12, 12],
    [35, 5],
  ] as const) {
    it(`gives a Monarch matrix of size ${n} with ${b} blocks back`, () => {
      const q = n / b;
      const left = { shape: [b, q, q], values: noise("L", b * q * q) };
      const right = { shape: [q, b, b], values: noise("R", q * b * b) };
      const dense = Float32Array.from(monarchDense(left, right, b, n));
      const factors = projectMonarch({ name: "W", rows: n, columns: n, values: dense }, b);
      const rebuilt = monarchDense(factors.left, factors.right, b, n);
      let error = 0;
      let norm = 0;
      dense.forEach((value, index) => {
        error += (at(rebuilt, index) - value) ** 2;
        norm += value ** 2;
      });
      expect(Math.sqrt(error / norm)).toBeLessThan(1e-6);
    });

    it(`leaves the singular values from the second on as residual (${n}, ${b})`, () => {
      const q = n / b;
      const values = noise("W", n * n);
      const factors = projectMonarch({ name: "W", rows: n, columns: n, values }, b);
      const rebuilt = monarchDense(factors.left, factors.right, b, n);
      let residual = 0;
      values.forEach((value, index) => {
        residual += (value - at(rebuilt, index)) ** 2;
      });
      let certificate = 0;
      for (let j = 0; j < b; j++) {
        for (let k = 0; k < q; k++) {
          const slice = Float64Array.from({ length: q * b }, (_, p) =>
            at(values, (Math.floor(p / b) * b + j) * n + k * b + (p % b)),
          );
          const { s } = jacobiSvd(slice, q, b);
          certificate += s.slice(1).reduce((sum, sigma) => sum + sigma * sigma, 0);
        }
      }
      expect(Math.abs(residual - certificate)).toBeLessThan(1e-5 * (certificate + 1e-3));
    });
  }

  it("refuses a weight that has no such form", () => {
    const weight = { name: "W", rows: 6, columns: 6, values: new Float32Array(36) };
    expect(() => projectMonarch(weight, 4)).toThrow(/SPX8405/);
    expect(() => projectMonarch({ ...weight, rows: 4, columns: 9 }, 2)).toThrow(/square/);
    const zero = projectMonarch(weight, 2);
    expect(zero.left.values.every((value) => value === 0)).toBe(true);
  });

  it("handles equal leading singular values", () => {
    const values = Float32Array.from({ length: 16 }, (_, p) => (Math.floor(p / 4) === p % 4 ? 1 : 0));
    const factors = projectMonarch({ name: "I", rows: 4, columns: 4, values }, 2);
    const rebuilt = monarchDense(factors.left, factors.right, 2, 4);
    let residual = 0;
    values.forEach((value, index) => {
      residual += (value - at(rebuilt, index)) ** 2;
    });
    expect(residual).toBeCloseTo(0, 10);
  });
});

describe("svd factors", () => {
  it("share the singular values and rebuild the best approximation", () => {
    const [rows, columns, rank] = [19, 13, 4];
    const values = noise("W", rows * columns);
    const { left, right } = svdFactors({ name: "W", rows, columns, values }, rank);
    const { s } = jacobiSvd(Float64Array.from(values), rows, columns);
    let residual = 0;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        let sum = 0;
        for (let k = 0; k < rank; k++)
          sum += at(left.values, row * rank + k) * at(right.values, k * columns + column);
        residual += (at(values, row * columns + column) - sum) ** 2;
      }
    }
    const best = s.slice(rank).reduce((sum, sigma) => sum + sigma * sigma, 0);
    expect(residual / best).toBeCloseTo(1, 5);
    for (let k = 0; k < rank; k++) {
      let leftNorm = 0;
      let rightNorm = 0;
      for (let row = 0; row < rows; row++) leftNorm += at(left.values, row * rank + k) ** 2;
      for (let column = 0; column < columns; column++)
        rightNorm += at(right.values, k * columns + column) ** 2;
      expect(leftNorm).toBeCloseTo(at(s, k), 4);
      expect(rightNorm).toBeCloseTo(at(s, k), 4);
    }
  });
});

describe("sparse part", () => {
  /** Products as kernels form them, added to what is there. */
  const multiply: MultiplySingle = (left, right, rows, inner, columns, sum) => {
    const product = sum ?? new Float32Array(rows * columns);
    for (let p = 0; p < product.length; p++) {
      const [row, column] = [Math.floor(p / columns), p % columns];
      let total = at(product, p);
      for (let k = 0; k < inner; k++) total += at(left, row * inner + k) * at(right, k * columns + column);
      product[p] = total;
    }
    return product;
  };

  it.each([
    ["loops", [40, 60, 3, 37], null, 60],
    ["kernels", [256, 258, 2, 101], multiply, 12],
  ] as const)(
    "finds planted spikes on a low-rank background, with the exact count: %s",
    (_, size, form, rounds) => {
      const [rows, columns, rank, count] = size;
      const u = noise("u", rows * rank);
      const v = noise("v", rank * columns);
      const values = new Float32Array(rows * columns);
      for (let p = 0; p < values.length; p++) {
        for (let k = 0; k < rank; k++)
          values[p] =
            at(values, p) + at(u, Math.floor(p / columns) * rank + k) * at(v, k * columns + (p % columns));
      }
      const planted = new Map<number, number>();
      for (let spike = 0; spike < count; spike++)
        planted.set((spike * 947) % values.length, spike % 2 === 0 ? 4 : -4);
      for (const [p, height] of planted) values[p] = at(values, p) + height;
      const kernels = { multiply: form, passes: null };
      const sparse = sparsePart({ name: "W", rows, columns, values }, { rank, count, rounds }, kernels);
      expect(sparse.filter((value) => value !== 0).length).toBe(count);
      for (const [p, height] of planted) expect(at(sparse, p)).toBeCloseTo(height, 3);
    },
  );

  it("with rank 0 is the top of the weight, with count 0 nothing, and repeats itself", () => {
    const values = Float32Array.of(3, -5, 1, 0, 4, -2);
    const weight = { name: "W", rows: 2, columns: 3, values };
    expect([...sparsePart(weight, { rank: 0, count: 2, rounds: 1 })]).toEqual([0, -5, 0, 0, 4, 0]);
    expect([...sparsePart(weight, { rank: 1, count: 0, rounds: 3 })]).toEqual([0, 0, 0, 0, 0, 0]);
    const split = { rank: 1, count: 2, rounds: 3 };
    expect(sparsePart(weight, split)).toEqual(sparsePart(weight, split));
    expect(() => sparsePart(weight, { ...split, count: 7 })).toThrow(/SPX8407/);
  });
});
