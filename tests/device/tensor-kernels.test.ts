// Kernels on matrix units: dense terms of any size, exactly, and the order of bytes in which they read their weights.
import { describe, expect, it } from "vitest";
import { multiplyFragments } from "../../compiler/backend/reference/matrix-fragments.ts";
import type { CudaElements } from "../../runtime/contract/cuda.ts";
import { symbol } from "../../runtime/contract/number-expression.ts";
import type { OperandFormat } from "../../runtime/contract/operand-format.ts";
import { placeInTile, type TileElement, tileInputs } from "../../runtime/formats/matrix-tiles.ts";
import { packOperand, unpackOperand } from "../../runtime/formats/pack-operand.ts";
import {
  createRandom,
  denseMatrix,
  type Matrix,
  product,
  total,
  type WeightCase,
  weightCase,
} from "../loop/weight-cases.ts";
import { createTestMemory } from "../runtime/formats-memory.ts";
import { term } from "./dense-terms.ts";
import { checkDeviceCase } from "./device-case.ts";

type TensorElements = Exclude<CudaElements, "f32">;
const tensorElements: readonly TensorElements[] = ["bf16", "f16", "tf32"];

const tilesOf = (elements: TensorElements): OperandFormat =>
  elements === "tf32" ? { name: "tf32-tiles" } : { name: "half-tiles", element: elements };

function denseCase(elements: TensorElements, weight: Matrix, accumulate = false): WeightCase {
  const W = {
    name: "W",
    format: tilesOf(elements),
    matrix: weight,
    rows: symbol("out"),
    columns: symbol("in"),
  };
  const step = { name: "y", output: "y", outputPermutation: null, accumulate, terms: [term("W")] };
  return weightCase({ layout: "lane-output", operands: [W], steps: [step], weight });
}

/** y = W x + B (A x), the two products of the second step one chain; small enough that t = A x is exact in 8 bits. */
function lowRankCase(elements: TensorElements, rows: number, columns: number, rank: number): WeightCase {
  const random = createRandom(rows * 31 + columns);
  const signs = (): Matrix => {
    const dense = denseMatrix(rank, columns, random);
    return { ...dense, values: dense.values.map(Math.sign) };
  };
  const [W, B, A] = [denseMatrix(rows, columns, random), denseMatrix(rows, rank, random), signs()];
  const format = tilesOf(elements);
  const dimensions = { out: symbol("out"), in: symbol("in"), r: symbol("r") };
  const { out, in: inputs, r } = dimensions;
  return weightCase({
    layout: "lane-output",
    operands: [
      { name: "W", format, matrix: W, rows: out, columns: inputs },
      { name: "B", format, matrix: B, rows: out, columns: r },
      { name: "A", format, matrix: A, rows: r, columns: inputs },
    ],
    activations: [{ name: "t1", width: r }],
    steps: [
      { name: "t1", output: "t1", outputPermutation: null, accumulate: false, terms: [term("A")] },
      {
        name: "y",
        output: "y",
        outputPermutation: null,
        accumulate: false,
        terms: [term("W"), term("B", "t1")],
      },
    ],
    weight: total(W, product(B, A)),
    symbols: { r: rank },
  });
}

describe.each(tensorElements)("%s", (elements) => {
  it.each([
    [1, 1, 1],
    [15, 31, 7],
    [16, 32, 8],
    [17, 33, 16],
    [40, 24, 17],
    [33, 100, 63],
    [130, 72, 0],
    [16, 129, 64],
  ])("dense [%i, %i], %i tokens from memory", (rows, columns, batch) => {
    const weight = denseMatrix(rows, columns, createRandom(rows + columns));
    const launched = checkDeviceCase(denseCase(elements, weight, columns === 33), {
      batch,
      seed: rows,
      elements,
      kernel: "tensor",
    });
    if (batch > 0)
      expect(launched.map((kernel) => kernel.replace(/.*_/, ""))).toEqual([
        batch <= 16 ? "stream16" : "stream64",
      ]);
  });

  it.each([
    [1, 1, 65],
    [127, 40, 127],
    [130, 33, 129],
    [17, 200, 66],
  ])("dense [%i, %i], %i tokens in tiles", { timeout: 60_000 }, (rows, columns, batch) => {
    const weight = denseMatrix(rows, columns, createRandom(rows * columns));
    const launched = checkDeviceCase(denseCase(elements, weight, rows === 17), {
      batch,
      seed: rows,
      elements,
      kernel: "tensor",
    });
    expect(launched.map((kernel) => kernel.replace(/.*_/, ""))).toEqual(["tiles"]);
  });

  it.each([
    [33, 20, 3, 5],
    [18, 24, 16, 40],
    [40, 17, 8, 70],
  ])("low rank [%i, %i], rank %i, %i tokens", { timeout: 60_000 }, (rows, columns, rank, batch) => {
    const launched = checkDeviceCase(lowRankCase(elements, rows, columns, rank), {
      batch,
      seed: rank,
      elements,
      kernel: "tensor",
    });
    expect(launched).toHaveLength(2);
  });
});

describe.each<TileElement>(["bf16", "f16", "tf32"])("tiles of %s", (element) => {
  it("hold every entry once", () => {
    const places = Array.from({ length: 16 }, (_, row) =>
      Array.from({ length: tileInputs[element] }, (_, input) => placeInTile(element, row, input)),
    ).flat();
    expect(new Set(places).size).toBe(16 * tileInputs[element]);
    expect(Math.max(...places)).toBe(16 * tileInputs[element] - 1);
  });

  it("unpack to what was packed, rounded", () => {
    const [rows, columns] = [19, 37];
    const values = Float32Array.from({ length: rows * columns }, (_, at) => 1 + Math.sin(at) / 2);
    const format: OperandFormat =
      element === "tf32" ? { name: "tf32-tiles" } : { name: "half-tiles", element };
    const packed = packOperand(
      format,
      { kind: "dense", rows, columns, values },
      new Map(),
      createTestMemory().allocate,
    );
    const found = unpackOperand(format, packed, new Map());
    const bits = { bf16: 8, f16: 11, tf32: 11 }[element];
    found.forEach((value, at) => {
      const exact = values[at] ?? 0;
      expect(Math.abs(value - exact)).toBeLessThanOrEqual(Math.abs(exact) * 2 ** -bits);
    });
  });
});

describe("products of a warp", () => {
  // 1 at (row 9, k 5) and at (k 5, column 6): the sum at (9, 6) alone is 1.
  it("have the layouts of m16n8k16", () => {
    const zeros = () => Array.from({ length: 4 }, () => new Array<number>(32).fill(0));
    const one = 0x3f80;
    const [a, b] = [zeros(), zeros().slice(0, 2)];
    // Row 9 is g = 1 in the upper half (register 1), k 5 is t = 2, odd.
    (a[1] as number[])[4 * 1 + 2] = one << 16;
    (b[0] as number[])[4 * 6 + 2] = one << 16;
    const sums = multiplyFragments("m16n8k16", "bf16", a, b, zeros(), []);
    // Column 6 is t = 3, even; row 9 is g = 1, register 2.
    expect(sums[2]?.[4 * 1 + 3]).toBe(1);
    expect(sums.flat().reduce((x, y) => x + y, 0)).toBe(1);
  });
});
