/** What the layers of published systems start as: known answers in float64 from W alone, without the compiler's algebra. */
import { beforeAll, describe, expect, test } from "vitest";
import { relativeError } from "../../bench/quickstart/layer-oracle.ts";
import type { DenseParameter, Layer, SparseParameter } from "../../runtime/index.ts";
import { dequantizeMatrix, quantizeMatrix } from "../../runtime/tensor/quantized-matrix.ts";
import { type BuiltProgram, buildProgram, testMatrix } from "./built-program.ts";

const files = [
  "pissa",
  "corda",
  "vera",
  "allora",
  "lq_lora",
  "qlora",
  "fourier_ft",
  "block_sparse",
  "welore",
  "lora",
  "dsee",
  "sltrain",
  "sparse_delta",
  "super_tuning",
  "phm",
] as const;
const programs = new Map<string, BuiltProgram>();

beforeAll(async () => {
  for (const file of files) programs.set(file, await buildProgram({ file: `stdlib/${file}.spx` }));
}, 480_000);

const [out, inputs] = [24, 16];
const W = { data: testMatrix(7, out * inputs), shape: [out, inputs] };
const exact = Float64Array.from(W.data);

async function load(file: string, transform: string, args: Record<string, unknown>): Promise<Layer> {
  const program = programs.get(file);
  if (program === undefined) throw new Error(`no ${file}`);
  return (await program.artefact.transform(transform).load({ W, ...args })) as Layer;
}

/** Σ xᵀ x of 40 inputs. */
function secondMoment(): Float32Array {
  const x = testMatrix(3, 40 * inputs);
  return Float32Array.from({ length: inputs * inputs }, (_, at) => {
    const [i, j] = [Math.floor(at / inputs), at % inputs];
    let sum = 0;
    for (let token = 0; token < 40; token++)
      sum += (x[token * inputs + i] ?? 0) * (x[token * inputs + j] ?? 0);
    return sum;
  });
}

describe("start at W", () => {
  const C = { data: secondMoment(), shape: [inputs, inputs] };
  test.each([
    ["pissa", "PiSSA", { r: 3 }],
    ["pissa", "MiLoRA", { r: 3 }],
    ["corda", "CorDA", { C, r: 3 }],
    ["corda", "PreviewedCorDA", { C, r: 16 }],
    ["vera", "VeRA", { r: 9 }],
    ["allora", "ALLoRA", { r: 2 }],
    ["lora", "LoRA", { r: 2 }],
    ["sparse_delta", "SparseDelta", { nnz: 9 }],
    ["sparse_delta", "RandomDelta", { nnz: 9 }],
    ["super_tuning", "SuperTuning", { sparsity: 0.9 }],
    ["super_tuning", "Supra", { sparsity: 0.9, r: 2 }],
  ])("%s %s", async (file, transform, args) => {
    const layer = await load(file, transform, args);
    expect(relativeError(layer.merge().data, exact)).toBeLessThan(1e-6);
    const x = testMatrix(4, 5 * inputs);
    const y = layer.forward(x).data;
    for (let token = 0; token < 5; token++) {
      for (let row = 0; row < out; row++) {
        let sum = 0;
        for (let k = 0; k < inputs; k++) sum += (exact[row * inputs + k] ?? 0) * (x[token * inputs + k] ?? 0);
        expect(Math.abs((y[token * out + row] ?? 9) - sum)).toBeLessThan(1e-4);
      }
    }
    layer.dispose();
  });
});

describe("start elsewhere", () => {
  test("DSEE is W where its mask is, and 0 elsewhere", async () => {
    const layer = await load("dsee", "DSEE", { r: 2, nnz: 3, keep: 0.5 });
    const kept = new Set(layer.patterns().M?.positions);
    expect(kept.size).toBe(Math.round((out * inputs) / 2));
    expect([...layer.merge().data]).toEqual([...W.data].map((value, at) => (kept.has(at) ? value : 0)));
  });

  test("SLTrain is its sparse part, within the bound of its draw", async () => {
    const layer = await load("sltrain", "SLTrain", { r: 2, delta: 0.2 });
    const { S } = layer.parameters() as { S: SparseParameter };
    const expected = new Float32Array(out * inputs);
    S.positions.forEach((position, index) => {
      expected[position] = S.values[index] ?? 0;
    });
    expect([...layer.merge().data]).toEqual([...expected]);
    expect(S.values).toHaveLength(Math.floor(0.2 * out * inputs));
    for (const value of S.values) expect(Math.abs(value)).toBeLessThanOrEqual(1 / Math.sqrt(inputs));
  });

  test("PHM with the units of the quaternions multiplies as they do", async () => {
    const layer = await load("phm", "PHM", { W: { data: new Float32Array(16), shape: [4, 4] } });
    const { A, B } = layer.parameters() as { A: DenseParameter; B: DenseParameter };
    // Row-major: what 1, i, j and k make of (1, i, j, k) from the left.
    const left: readonly (readonly number[])[] = [
      [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
      [0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 0, -1, 0, 0, 1, 0],
      [0, 0, -1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, -1, 0, 0],
      [0, 0, 0, -1, 0, 0, -1, 0, 0, 1, 0, 0, 1, 0, 0, 0],
    ];
    A.values.set(left.flat());
    const [a, b, c, d] = [2, -1, 3, 5];
    B.values.set([a, b, c, d]);
    layer.updated();
    const [e, f, g, h] = [1, 4, -2, 7];
    expect([...layer.forward(Float32Array.of(e, f, g, h)).data]).toEqual([
      a * e - b * f - c * g - d * h,
      a * f + b * e + c * h - d * g,
      a * g - b * h + c * e + d * f,
      a * h + b * g - c * f + d * e,
    ]);
  });

  test("equal weights of rows and columns leave LQ-LoRA as it is", async () => {
    const ones = (size: number) => ({ data: new Float32Array(size).fill(1), shape: [size] });
    const plain = await load("lq_lora", "LQLoRA", { r: 3, b: 8 });
    const weighted = await load("lq_lora", "WeightedLQLoRA", {
      r: 3,
      b: 8,
      left: ones(out),
      right: ones(inputs),
    });
    const wanted = Float64Array.from(plain.merge().data);
    expect(relativeError(weighted.merge().data, wanted)).toBeLessThan(1e-4);
  });
});

describe("start at the rounded weight", () => {
  const rounded = (grid: "nf4" | "int8", block: number, values = W.data): Float64Array =>
    Float64Array.from(
      dequantizeMatrix(quantizeMatrix({ name: "W", rows: out, columns: inputs, values }, grid, block)),
    );

  test("QLoRA is W on its grid", async () => {
    const layer = await load("qlora", "QLoRA", { r: 2, b: 8 });
    expect(relativeError(layer.merge().data, rounded("nf4", 8))).toBeLessThan(1e-6);
  });

  test("LQ-LoRA is nearer to W than rounding alone, the nearer the more bits", async () => {
    const errors: number[] = [relativeError(Float32Array.from(rounded("nf4", 8)), exact)];
    for (const transform of ["LQLoRA", "LQLoRA3", "LQLoRA2"]) {
      const layer = await load("lq_lora", transform, { r: 4, b: 8 });
      errors.push(relativeError(layer.merge().data, exact));
    }
    const [alone = 0, four = 0, three = 0, two = 0] = errors;
    expect(four).toBeLessThan(alone);
    expect(four).toBeLessThan(three);
    expect(three).toBeLessThan(two);
  });

  test("blocks of whole numbers are kept entries over their scales, and give exact sums", async () => {
    const layer = await load("block_sparse", "BlockSparseInt8", { keep: 0.5 });
    const kept = new Set(layer.patterns().M?.positions);
    const masked = W.data.map((value, at) => (kept.has(at) ? value : 0));
    const expected = rounded("int8", inputs, masked);
    const merged = layer.merge().data;
    merged.forEach((value, at) => {
      expect(value).toBe(expected[at]);
    });
    expect(merged.filter((value) => value !== 0).length).toBeLessThanOrEqual((out * inputs) / 2);
    // Whole numbers times whole numbers: every sum is exact in single precision, whatever its order.
    const scales = Float64Array.from({ length: out }, (_, row) => {
      const line = masked.subarray(row * inputs, (row + 1) * inputs);
      return Math.fround(Math.max(...line.map(Math.abs)) / 127);
    });
    for (let row = 0; row < out; row++) {
      for (let k = 0; k < inputs; k++) {
        const scale = scales[row] ?? 0;
        const code = scale === 0 ? 0 : (merged[row * inputs + k] ?? 0) / scale;
        expect(Math.abs(code - Math.round(code))).toBeLessThan(1e-4);
        expect(Math.abs(code)).toBeLessThan(127.001);
      }
    }
  });
});

describe("a rank from the spectrum", () => {
  test("WeLore keeps the directions that are large beside the others, and refuses what would not get smaller", async () => {
    // Left and right reflections of diag(12, 11, 4, 3.9, …): the gap after two values is the only large one.
    const values = Array.from({ length: inputs }, (_, k) => (k < 2 ? 12 - k : 4 - 0.1 * k));
    const direction = (seed: number, size: number): Float64Array => {
      const v = Float64Array.from(testMatrix(seed, size));
      const length = Math.sqrt(v.reduce((sum, value) => sum + value * value, 0));
      return v.map((value) => value / length);
    };
    const [u, v] = [direction(1, out), direction(2, inputs)];
    const reflected = (w: Float64Array, i: number, j: number): number =>
      Number(i === j) - 2 * (w[i] ?? 0) * (w[j] ?? 0);
    const data = Float32Array.from({ length: out * inputs }, (_, at) => {
      const [row, column] = [Math.floor(at / inputs), at % inputs];
      return values.reduce((sum, s, k) => sum + s * reflected(u, row, k) * reflected(v, column, k), 0);
    });
    const layer = await load("welore", "WeLore", { W: { data, shape: [out, inputs] }, tau: 0.5 });
    expect(layer.trainable).toBe(2 * (out + inputs));
    const rest = data.map((value, at) => value - (layer.merge().data[at] ?? 0));
    const expected = Math.sqrt(values.slice(2).reduce((sum, s) => sum + s * s, 0));
    const found = Math.sqrt(rest.reduce((sum, value) => sum + value * value, 0));
    expect(Math.abs(found / expected - 1)).toBeLessThan(1e-4);
    await expect(load("welore", "WeLore", { W: { data, shape: [out, inputs] }, tau: 0 })).rejects.toThrow(
      "requires `k * (out + in) <= out * in`",
    );
  });
});

describe("a spectrum", () => {
  test("is the real part of the inverse transform, by its definition", async () => {
    const layer = await load("fourier_ft", "FourierFT", { n: 9, scale: 150, seed: 4 });
    const { S } = layer.parameters() as { S: SparseParameter & DenseParameter };
    expect(S.positions).toHaveLength(9);
    expect(layer.trainable).toBe(9);
    const expected = exact.slice();
    for (let p = 0; p < out; p++) {
      for (let q = 0; q < inputs; q++) {
        let sum = 0;
        S.positions.forEach((position, index) => {
          const [u, v] = [Math.floor(position / inputs), position % inputs];
          sum += (S.values[index] ?? 0) * Math.cos(2 * Math.PI * ((u * p) / out + (v * q) / inputs));
        });
        expected[p * inputs + q] = (expected[p * inputs + q] ?? 0) + (150 * sum) / (out * inputs);
      }
    }
    expect(relativeError(layer.merge().data, expected)).toBeLessThan(1e-5);
  });
});
