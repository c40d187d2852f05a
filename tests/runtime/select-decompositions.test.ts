/**
 * Decompositions that initial values are taken from: what each makes least is compared with the spectrum of a float64
 * Jacobi decomposition, or with every other candidate at hand.
 */
import { describe, expect, it } from "vitest";
import { jacobiSvd } from "../../runtime/linalg/jacobi-svd.ts";
import { leastSquares } from "../../runtime/linalg/least-squares.ts";
import { fillNormal } from "../../runtime/random/distributions.ts";
import { randomStream } from "../../runtime/random/philox.ts";
import { contextFactors, dampedMoment } from "../../runtime/select/context-factors.ts";
import type { DenseTensor } from "../../runtime/select/dense-tensor.ts";
import { fourierBasis } from "../../runtime/select/fourier-basis.ts";
import { quantizedFactors } from "../../runtime/select/quantized-factors.ts";
import { type Factors, svdFactors, weightedFactors } from "../../runtime/select/svd-factors.ts";
import { dequantizeMatrix, quantizeMatrix } from "../../runtime/tensor/quantized-matrix.ts";

const noise = (name: string, count: number): Float32Array =>
  fillNormal(randomStream(11, name), new Float32Array(count));
const matrix = (rows: number, columns: number, name = "W") => ({
  name,
  rows,
  columns,
  values: noise(`${name}${rows}x${columns}`, rows * columns),
});
const vector = (values: readonly number[]): DenseTensor => ({
  shape: [values.length],
  values: Float32Array.from(values),
});

/** left right in float64, plain loops. */
function times(
  left: ArrayLike<number>,
  right: ArrayLike<number>,
  rows: number,
  inner: number,
  columns: number,
) {
  const product = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      for (let k = 0; k < inner; k++) {
        const at = row * columns + column;
        product[at] = (product[at] ?? 0) + (left[row * inner + k] ?? 0) * (right[k * columns + column] ?? 0);
      }
    }
  }
  return product;
}

const productOf = ({ left, right }: Factors): Float64Array => {
  const [rows = 0, inner = 0] = left.shape;
  return times(left.values, right.values, rows, inner, right.shape[1] ?? 0);
};
const difference = (a: ArrayLike<number>, b: ArrayLike<number>): Float64Array =>
  Float64Array.from(a, (value, at) => value - (b[at] ?? 0));
const norm = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let at = 0; at < values.length; at++) sum += (values[at] ?? 0) ** 2;
  return Math.sqrt(sum);
};
const tail = (spectrum: ArrayLike<number>, from: number, to = spectrum.length): number =>
  norm(Array.from(spectrum).slice(from, to));

describe("singular components", () => {
  it.each([
    [20, 13, 4],
    [70, 66, 5],
    [90, 130, 16],
  ])("[%i, %i], rank %i: what is left has the norm of the rest of the spectrum", (rows, columns, rank) => {
    const W = matrix(rows, columns);
    const spectrum = jacobiSvd(Float64Array.from(W.values), rows, columns).s;
    const upper = difference(W.values, productOf(svdFactors(W, rank)));
    expect(Math.abs(norm(upper) / tail(spectrum, rank) - 1)).toBeLessThan(1e-5);
    const lower = productOf(svdFactors(W, rank, "smallest"));
    const last = tail(spectrum, spectrum.length - rank);
    expect(Math.abs(norm(lower) / last - 1)).toBeLessThan(1e-4);
    const rest = difference(W.values, lower);
    expect(Math.abs(norm(rest) / tail(spectrum, 0, spectrum.length - rank) - 1)).toBeLessThan(1e-6);
  });

  it("both factors have the singular values as their Gram matrix", () => {
    const W = matrix(18, 25);
    for (const end of ["largest", "smallest"] as const) {
      const { left, right } = svdFactors(W, 3, end);
      const turned = Float32Array.from(
        { length: 54 },
        (_, at) => left.values[(at % 18) * 3 + Math.floor(at / 18)] ?? 0,
      );
      const outer = times(turned, left.values, 3, 18, 3);
      const spectrum = jacobiSvd(Float64Array.from(W.values), 18, 25).s;
      for (let a = 0; a < 3; a++) {
        const expected = spectrum[(end === "largest" ? 0 : 15) + a] ?? 0;
        for (let b = 0; b < 3; b++) {
          let inner = 0;
          for (let k = 0; k < 25; k++)
            inner += (right.values[a * 25 + k] ?? 0) * (right.values[b * 25 + k] ?? 0);
          expect(inner).toBeCloseTo(a === b ? expected : 0, 4);
          expect(outer[a * 3 + b]).toBeCloseTo(a === b ? expected : 0, 4);
        }
      }
    }
  });
});

describe("components in a context", () => {
  const [rows, columns, rank] = [14, 10, 4];
  const W = matrix(rows, columns);
  const inputs = noise("x", 30 * columns).map((value, at) => value * (1 + (at % columns)));
  const turned = Float32Array.from(
    { length: 30 * columns },
    (_, at) => inputs[(at % 30) * columns + Math.floor(at / 30)] ?? 0,
  );
  const C = {
    name: "C",
    rows: columns,
    columns,
    values: Float32Array.from(times(turned, inputs, columns, 30, columns)),
  };
  const damped = dampedMoment(C).matrix;
  const inContext = (M: ArrayLike<number>): Float64Array => times(M, damped, rows, columns, columns);
  const spectrum = jacobiSvd(inContext(W.values), rows, columns).s;

  it("leave exactly the rest of the spectrum of W C, and less than the plain ones do", () => {
    const rest = difference(W.values, productOf(contextFactors(W, C, rank, "largest")));
    expect(Math.abs(norm(inContext(rest)) / tail(spectrum, rank) - 1)).toBeLessThan(1e-4);
    const plain = difference(W.values, productOf(svdFactors(W, rank)));
    expect(norm(inContext(rest))).toBeLessThan(norm(inContext(plain)));
    expect(norm(plain)).toBeLessThan(norm(rest));
  });

  it("at the lower end hold exactly the tail of it", () => {
    const part = productOf(contextFactors(W, C, rank, "smallest"));
    const expected = tail(spectrum, spectrum.length - rank);
    expect(Math.abs(norm(inContext(part)) - expected)).toBeLessThan(1e-5 * (spectrum[0] ?? 1));
  });

  it("of full rank are W", () => {
    const all = productOf(contextFactors(W, C, columns, "largest"));
    expect(norm(difference(W.values, all))).toBeLessThan(1e-4 * norm(W.values));
  });

  it("are the plain ones where C is a multiple of the identity", () => {
    const values = Float32Array.from({ length: columns ** 2 }, (_, at) => (at % (columns + 1) === 0 ? 3 : 0));
    const found = productOf(contextFactors(W, { ...C, values }, rank, "largest"));
    expect(norm(difference(found, productOf(svdFactors(W, rank))))).toBeLessThan(1e-5);
  });

  it("damp a C of low rank by a hundredth of its mean diagonal, and refuse what is no second moment", () => {
    const ones = { ...C, values: new Float32Array(columns ** 2).fill(1) };
    expect(dampedMoment(ones).matrix[0]).toBeCloseTo(1.01, 12);
    expect(dampedMoment(ones).matrix[1]).toBe(1);
    expect(() => dampedMoment({ ...C, values: new Float32Array(columns ** 2) })).toThrow(
      "the mean of its diagonal is 0",
    );
    expect(() =>
      dampedMoment({ ...C, values: C.values.map((value, at) => (at === 1 ? value + 100 : value)) }),
    ).toThrow("it is not symmetric");
  });
});

describe("weighted components", () => {
  const [rows, columns, rank] = [12, 9, 3];
  const W = matrix(rows, columns);
  const left = vector(Array.from({ length: rows }, (_, i) => 0.2 + ((i * 7) % 5)));
  const right = vector(Array.from({ length: columns }, (_, i) => 0.5 + ((i * 3) % 4)));
  const weighted = (M: ArrayLike<number>): Float64Array =>
    Float64Array.from(
      M,
      (value, at) => value * (left.values[Math.floor(at / columns)] ?? 0) * (right.values[at % columns] ?? 0),
    );

  it("leave the rest of the weighted spectrum, and less than the plain ones", () => {
    const rest = difference(W.values, productOf(weightedFactors(W, left, right, rank)));
    const spectrum = jacobiSvd(weighted(W.values), rows, columns).s;
    expect(Math.abs(norm(weighted(rest)) / tail(spectrum, rank) - 1)).toBeLessThan(1e-5);
    const plain = difference(W.values, productOf(svdFactors(W, rank)));
    expect(norm(weighted(rest))).toBeLessThan(norm(weighted(plain)));
  });

  it("refuse a weight of zero", () => {
    const zero = vector(Array.from({ length: rows }, (_, i) => i));
    expect(() => weightedFactors(W, zero, right, rank)).toThrow("weight 0 of `left` is 0");
  });
});

describe("a low-rank part beside a quantized one", () => {
  const remainder = (W: ReturnType<typeof matrix>, factors: Factors | null, bits: number): number => {
    const rest = {
      ...W,
      values: Float32Array.from(factors === null ? W.values : difference(W.values, productOf(factors))),
    };
    const grid = `nf${bits}` as "nf2" | "nf3" | "nf4";
    return norm(difference(rest.values, dequantizeMatrix(quantizeMatrix(rest, grid, 64))));
  };

  // Known ratios of Gaussian weights [128, 128] at rank 16 with runs of 64, over many draws.
  it.each([
    [2, 0.66],
    [3, 0.57],
    [4, 0.56],
  ])("%i bits: the error is about %f of rounding alone, and less than after one round", (bits, ratio) => {
    const W = matrix(128, 128);
    const split = { rank: 16, bits, block: 64 };
    const alone = remainder(W, null, bits);
    const once = remainder(W, quantizedFactors(W, { ...split, rounds: 1 }, null), bits);
    const best = remainder(W, quantizedFactors(W, { ...split, rounds: 100 }, null), bits);
    expect(Math.abs(once / alone - 0.79)).toBeLessThan(0.03);
    expect(Math.abs(best / alone - ratio)).toBeLessThan(0.03);
    expect(best).toBeLessThan(once);
  });

  it("with equal weights is the same, and with others better in their norm", () => {
    const W = matrix(24, 32);
    const split = { rank: 3, bits: 3, block: 16, rounds: 50 };
    const ones = { left: vector(new Array(24).fill(1)), right: vector(new Array(32).fill(1)) };
    const plain = quantizedFactors(W, split, null);
    expect(norm(difference(productOf(quantizedFactors(W, split, ones)), productOf(plain)))).toBeLessThan(
      1e-4,
    );
    const sides = {
      left: vector(Array.from({ length: 24 }, (_, i) => (i < 3 ? 20 : 0.1))),
      right: vector(new Array(32).fill(1)),
    };
    const error = (factors: Factors): number => {
      const rest = { ...W, values: Float32Array.from(difference(W.values, productOf(factors))) };
      const left = difference(rest.values, dequantizeMatrix(quantizeMatrix(rest, "nf3", 16)));
      return norm(left.map((value, at) => value * (sides.left.values[Math.floor(at / 32)] ?? 0)));
    };
    expect(error(quantizedFactors(W, split, sides))).toBeLessThan(0.8 * error(plain));
  });

  it("refuses bits that no grid has", () => {
    expect(() => quantizedFactors(matrix(4, 4), { rank: 1, bits: 5, block: 4, rounds: 1 }, null)).toThrow(
      "a normal float of 5 bits does not exist",
    );
  });
});

describe("least squares", () => {
  it("leaves a rest orthogonal to every column of A", () => {
    const [rows, inner, columns] = [15, 4, 3];
    const [A, B] = [noise("A", rows * inner), noise("B", rows * columns)];
    const X = leastSquares(Float64Array.from(A), Float64Array.from(B), rows, inner, columns);
    const rest = difference(B, times(A, X, rows, inner, columns));
    const turned = Float64Array.from(
      { length: rows * inner },
      (_, at) => A[(at % rows) * inner + Math.floor(at / rows)] ?? 0,
    );
    for (const value of times(turned, rest, inner, rows, columns))
      expect(Math.abs(value)).toBeLessThan(1e-11);
  });

  it("of columns that depend on each other has the least norm: both get half", () => {
    const X = leastSquares(Float64Array.of(1, 1, 2, 2), Float64Array.of(2, 4), 2, 2, 1);
    expect(X[0]).toBeCloseTo(1, 12);
    expect(X[1]).toBeCloseTo(1, 12);
  });
});

describe("Fourier basis", () => {
  it.each([1, 2, 3, 4, 5, 8, 12, 17, 64])("of size %i is cos and sin of 2 π j k / n", (size) => {
    const [cosine, sine] = [fourierBasis("cosine", size), fourierBasis("sine", size)];
    for (let j = 0; j < size; j++) {
      for (let k = 0; k < size; k++) {
        const angle = (2 * Math.PI * ((j * k) % size)) / size;
        expect(Math.abs((cosine[j * size + k] ?? 9) - Math.cos(angle))).toBeLessThan(6e-8);
        expect(Math.abs((sine[j * size + k] ?? 9) - Math.sin(angle))).toBeLessThan(6e-8);
      }
    }
  });

  it("is exact at quarters", () => {
    expect([...fourierBasis("cosine", 4)].slice(4, 8)).toEqual(
      [1, 0, -1, -0].map((value) => expect.closeTo(value, 15)),
    );
    expect([...fourierBasis("sine", 4)].slice(4, 8)).toEqual(
      [0, 1, 0, -1].map((value) => expect.closeTo(value, 15)),
    );
  });
});
