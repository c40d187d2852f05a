// Entries of any pattern behind bitmaps, multiplied by matrix units: every density at odd sizes, exactly.
import { describe, expect, it } from "vitest";
import type { OperandFormat } from "../../runtime/contract/operand-format.ts";
import { packOperand, unpackOperand } from "../../runtime/formats/pack-operand.ts";
import { integersOf } from "../../runtime/formats/packed-operand.ts";
import {
  createRandom,
  denseMatrix,
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

const bitmaps = (element: Half): OperandFormat => ({ name: "bitmap-tiles", element });

/** y = W x + B (A x), or y += W x for rank 0. */
function entriesCase(element: Half, weight: Matrix, rank: number): WeightCase {
  const { rows, columns } = weight;
  const W = { name: "W", format: bitmaps(element), matrix: weight, rows: out, columns: inputs };
  const y = { name: "y", output: "y", outputPermutation: null };
  if (rank === 0)
    return weightCase({
      layout: "lane-output",
      operands: [W],
      steps: [{ ...y, accumulate: true, terms: [term("W")] }],
      weight,
    });
  const random = createRandom(rows * 31 + columns);
  const [B, A] = [denseMatrix(rows, rank, random), matrix(rank, columns, () => random(3) - 1)];
  const format: OperandFormat = { name: "half-tiles", element };
  return weightCase({
    layout: "lane-output",
    operands: [
      W,
      { name: "B", format, matrix: B, rows: out, columns: r },
      { name: "A", format, matrix: A, rows: r, columns: inputs },
    ],
    activations: [{ name: "t1", width: r }],
    steps: [
      { name: "t1", output: "t1", outputPermutation: null, accumulate: false, terms: [term("A")] },
      { ...y, accumulate: false, terms: [term("W"), term("B", "t1")] },
    ],
    weight: total(weight, product(B, A)),
    symbols: { r: rank },
  });
}

const packed = (element: Half, { rows, columns, values }: Matrix) =>
  packOperand(
    bitmaps(element),
    { kind: "dense", rows, columns, values: Float32Array.from(values) },
    new Map(),
    createTestMemory().allocate,
  );

describe.each(halves)("bitmaps of %s", (elements) => {
  it.each([
    [1, 1, 100, 1, 0],
    [15, 31, 50, 7, 0],
    [16, 32, 0, 8, 0],
    [33, 100, 30, 16, 3],
    [17, 33, 70, 0, 0],
    [40, 24, 100, 17, 0],
    [16, 129, 50, 64, 16],
    [35, 37, 2, 65, 5],
    [18, 65, 60, 130, 0],
  ])("[%i, %i] with %i percent, %i tokens, rank %i", (rows, columns, percent, batch, rank) => {
    const weight = sparseMatrix(rows, columns, percent, createRandom(rows + columns));
    const launched = checkDeviceCase(entriesCase(elements, weight, rank), {
      batch,
      seed: rows,
      elements,
      kernel: "tensor",
    });
    // The product with A, which has no bitmaps, has a kernel of its own for many tokens.
    if (batch > 0) expect(launched.at(-1)?.replace(/.*_/, "")).toBe(batch <= 16 ? "stream16" : "stream64");
    expect(launched).toHaveLength(batch === 0 ? 0 : rank === 0 ? 1 : 2);
  });

  it("come back as they were packed", () => {
    for (const [rows, columns, percent] of [
      [0, 8, 50],
      [5, 0, 50],
      [19, 44, 50],
      [33, 33, 1],
      [16, 32, 100],
      [31, 70, 0],
    ] as const) {
      const weight = sparseMatrix(rows, columns, percent, createRandom(rows + columns));
      const operand = packed(elements, weight);
      expect([...unpackOperand(bitmaps(elements), operand, new Map())]).toEqual([...weight.values]);
      const entries = weight.values.filter((value) => value !== 0).length;
      expect(integersOf(operand, "starts").at(-1)).toBe(entries);
      expect(integersOf(operand, "values")).toHaveLength(entries);
    }
  });
});

it("a bit is the place in which the dense tile has the entry", () => {
  // Row 9 and input 20: g = 1, upper row; t = 2, step 1, lower pair, even: place 4 * 0 + 2 * 1 + 0 of lane 4 + 2.
  const operand = packed(
    "bf16",
    matrix(16, 32, (row, column) => (row === 9 && column === 20 ? 3 : 0)),
  );
  const masks = [...integersOf(operand, "masks").entries()].filter(([, mask]) => mask !== 0);
  expect(masks).toEqual([[8 + 2, 1 << (4 * 1 + 2)]]);
  expect([...integersOf(operand, "values")]).toEqual([0x4040]);
});
