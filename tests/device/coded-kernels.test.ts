// Codes multiplied by matrix units: whole numbers of 4 and 8 bits and a table, runs of any length, any size, exactly,
// alone and in a chain with dense terms and with entries behind bitmaps.
import { describe, expect, it } from "vitest";
import { type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import type { OperandFormat } from "../../runtime/contract/operand-format.ts";
import type { ScaledGrid } from "../../runtime/contract/quantized-type.ts";
import { SpxError } from "../../runtime/errors.ts";
import { packCodeTiles } from "../../runtime/formats/code-tiles.ts";
import { unpackOperand } from "../../runtime/formats/pack-operand.ts";
import { floatsOf, integersOf } from "../../runtime/formats/packed-operand.ts";
import { narrowToHalves, widenHalves } from "../../runtime/tensor/half-precision.ts";
import { gridLevels } from "../../runtime/tensor/quantized-grid.ts";
import { type QuantizedMatrix, quantizeMatrix } from "../../runtime/tensor/quantized-matrix.ts";
import {
  type CaseOperand,
  createRandom,
  denseMatrix,
  entry,
  type Matrix,
  matrix,
  product,
  sparseMatrix,
  total,
  type WeightCase,
  weightCase,
} from "../loop/weight-cases.ts";
import { createTestMemory } from "../runtime/formats-memory.ts";
import { type Half, halves, inputs, out, r, term } from "./dense-terms.ts";
import { checkDeviceCase } from "./device-case.ts";

interface CodedMatrix {
  readonly quantized: QuantizedMatrix;
  /** Levels as the element type holds them, times scales. */
  readonly rounded: Matrix;
}

/** Scales are powers of two: levels of few bits times them are exact. */
function codedMatrix(
  element: Half,
  grid: ScaledGrid,
  [rows, runs, block]: readonly [number, number, number],
): CodedMatrix {
  const random = createRandom(rows * 31 + runs * block);
  const levels = gridLevels[grid];
  const narrowed = widenHalves(element, narrowToHalves(element, levels));
  const codes = matrix(rows, runs * block, (_, column) =>
    column % block === 0 ? levels.length - 1 : random(levels.length),
  );
  const scale = (row: number, column: number): number => 2 ** (((row + Math.floor(column / block)) % 3) - 3);
  const valued = (from: Float32Array): Matrix =>
    matrix(rows, runs * block, (row, column) => (from[entry(codes, row, column)] ?? 0) * scale(row, column));
  const values = Float32Array.from(valued(levels).values);
  return {
    quantized: quantizeMatrix({ name: "W", rows, columns: runs * block, values }, grid, block),
    rounded: valued(narrowed),
  };
}

const formatOf = (element: Half, grid: ScaledGrid, block: NumberExpression): OperandFormat => ({
  name: "code-tiles",
  element,
  bits: grid === "int8" ? 8 : 4,
  block,
});

/** y = W x, or y = W x + B (A x) + S x; a block that is named is known when a layer is loaded. */
function codedCase(
  element: Half,
  grid: ScaledGrid,
  shape: readonly [rows: number, runs: number, block: number],
  more: {
    readonly rank?: number;
    readonly percent?: number;
    readonly named?: boolean;
    readonly first?: boolean;
  } = {},
): WeightCase {
  const { rank = 0, percent = 0, named = false, first = true } = more;
  const [rows, runs, block] = shape;
  const { quantized, rounded } = codedMatrix(element, grid, shape);
  const random = createRandom(rows + runs);
  const columns = runs * block;
  const dense: OperandFormat = { name: "half-tiles", element };
  const signs = matrix(rank, columns, () => random(3) - 1);
  const B = denseMatrix(rows, rank, random);
  const S = sparseMatrix(rows, columns, percent, random);
  const W: CaseOperand = {
    name: "W",
    format: formatOf(element, grid, named ? symbol("b") : number(block)),
    matrix: rounded,
    quantized,
    rows: out,
    columns: inputs,
  };
  const y = { name: "y", output: "y", outputPermutation: null, accumulate: rank === 0 && rows % 2 === 1 };
  const added = [...(rank > 0 ? [term("B", "t1")] : []), ...(percent > 0 ? [term("S")] : [])];
  return weightCase({
    layout: "lane-output",
    operands: [
      W,
      ...(rank > 0
        ? [
            { name: "B", format: dense, matrix: B, rows: out, columns: r },
            { name: "A", format: dense, matrix: signs, rows: r, columns: inputs },
          ]
        : []),
      ...(percent > 0
        ? [
            {
              name: "S",
              format: { name: "bitmap-tiles", element } as const,
              matrix: S,
              rows: out,
              columns: inputs,
            },
          ]
        : []),
    ],
    activations: rank > 0 ? [{ name: "t1", width: r }] : [],
    steps: [
      ...(rank > 0
        ? [{ name: "t1", output: "t1", outputPermutation: null, accumulate: false, terms: [term("A")] }]
        : []),
      { ...y, terms: first ? [term("W"), ...added] : [...added, term("W")] },
    ],
    weight: total(rounded, ...(rank > 0 ? [product(B, signs)] : []), ...(percent > 0 ? [S] : [])),
    symbols: { r: rank, ...(named ? { b: block } : {}) },
  });
}

const suffixes = (launched: readonly string[]): readonly string[] =>
  launched.map((kernel) => kernel.replace(/.*_/, ""));
const run = (elements: Half, batch: number) => ({ batch, seed: batch, elements, kernel: "tensor" }) as const;

describe.each(halves)("codes in %s", (elements) => {
  it.each([
    ["int4", 1, 1, 32, 1],
    ["nf4", 15, 3, 32, 7],
    ["int8", 17, 2, 64, 16],
    ["int4", 33, 5, 32, 17],
    ["nf3", 16, 4, 4, 8],
    ["nf4", 18, 3, 12, 3],
    ["int8", 31, 1, 37, 5],
    ["int4", 40, 2, 40, 64],
    ["nf4", 16, 11, 32, 0],
    ["int8", 0, 2, 32, 9],
    ["int8", 16, 1, 1, 2],
  ] as const)("%s [%i, %i x %i], %i tokens from memory", (grid, rows, runs, block, batch) => {
    const launched = checkDeviceCase(codedCase(elements, grid, [rows, runs, block]), run(elements, batch));
    if (batch > 0 && rows > 0) expect(suffixes(launched)).toEqual([batch <= 16 ? "stream16" : "stream64"]);
  });

  it.each([
    ["int4", 129, 2, 32, 65],
    ["nf4", 17, 3, 64, 129],
    ["int8", 127, 2, 32, 127],
    ["int8", 20, 3, 9, 66],
  ] as const)(
    "%s [%i, %i x %i], %i tokens in tiles",
    { timeout: 60_000 },
    (grid, rows, runs, block, batch) => {
      const launched = checkDeviceCase(codedCase(elements, grid, [rows, runs, block]), run(elements, batch));
      expect(suffixes(launched)).toEqual(["tiles"]);
    },
  );

  it.each([
    ["nf4", 33, 2, 40, 5, { named: true, rank: 3 }],
    ["int4", 18, 3, 64, 18, { named: true, rank: 16, percent: 9 }],
    ["int8", 40, 1, 24, 70, { rank: 8, first: false }],
    ["nf4", 20, 2, 33, 9, { percent: 20, first: false }],
    ["int4", 130, 2, 32, 66, { named: true, rank: 33 }],
  ] as const)(
    "%s [%i, %i x %i], %i tokens, in one chain with other terms: %o",
    { timeout: 60_000 },
    (grid, rows, runs, block, batch, more) => {
      const launched = checkDeviceCase(
        codedCase(elements, grid, [rows, runs, block], more),
        run(elements, batch),
      );
      expect(launched).toHaveLength("rank" in more ? 2 : 1);
    },
  );

  it.each(["int4", "nf4", "nf2", "int8"] as const)("%s come back as they were packed", (grid) => {
    for (const shape of [
      [0, 1, 8],
      [5, 0, 32],
      [19, 3, 32],
      [33, 2, 5],
      [16, 1, 70],
    ] as const) {
      const { quantized, rounded } = codedMatrix(elements, grid, shape);
      const format = formatOf(elements, grid, number(shape[2]));
      if (format.name !== "code-tiles") throw new Error("no code-tiles");
      const packed = packCodeTiles(format, quantized, 2, createTestMemory().allocate);
      const found = unpackOperand(format, packed, new Map());
      expect([...found]).toEqual([...rounded.values].map((value) => 2 * value));
    }
  });
});

describe("packing codes", () => {
  const pack = (grid: ScaledGrid, bits: 4 | 8, values: Float32Array, columns: number, block: number) =>
    packCodeTiles(
      { bits, element: "bf16" },
      quantizeMatrix({ name: "W", rows: values.length / columns, columns, values }, grid, block),
      1,
      createTestMemory().allocate,
    );

  it("puts a code where the lane reads it, and its scale where the row has it", () => {
    // Row 9 and input 52 of a second run of 32: input 20 of its tile: g = 1, upper row; t = 2, step 1, lower pair, even.
    const values = Float32Array.from({ length: 16 * 64 }, (_, at) => (at === 9 * 64 + 52 ? 14 : 0));
    const four = pack("int4", 4, values, 64, 32);
    const zeros = 0x77777777;
    const lane = 4 * 1 + 2;
    const others = [...integersOf(four, "codes").entries()].filter(([, word]) => word !== zeros);
    // 14 is the largest of its run: level 7, code 14, scale 2.
    expect(others).toEqual([[(32 + lane) * 2 + 1, (zeros & ~(15 << 8)) | (14 << 8)]]);
    expect([...floatsOf(four, "scales").entries()].filter(([, scale]) => scale !== 0)).toEqual([
      [16 + 2 * 1 + 1, 2],
    ]);
    const eight = pack("int8", 8, values, 64, 32);
    const bytes = [...new Uint8Array(integersOf(eight, "codes").slice().buffer).entries()];
    expect(bytes.filter(([, byte]) => byte !== 127)).toEqual([[(32 + lane) * 16 + 8 + 2, 254]]);
  });

  it("refuses grids that the bits do not hold", () => {
    const values = Float32Array.of(1, 2);
    expect(() => pack("int8", 4, values, 2, 2)).toThrow(SpxError);
    expect(() => pack("nf4", 8, values, 2, 2)).toThrow("its codes are nf4");
  });
});
