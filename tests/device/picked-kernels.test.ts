// Sparse products of matrix units: 2 of every 4 inputs at any size, exactly, alone and in a chain with dense terms, and
// the bytes and fragments that they read, by the definition of the instruction.
import { describe, expect, it } from "vitest";
import { multiplyFragments } from "../../compiler/backend/reference/matrix-fragments.ts";
import type { OperandFormat } from "../../runtime/contract/operand-format.ts";
import { SpxError } from "../../runtime/errors.ts";
import { packOperand, unpackOperand } from "../../runtime/formats/pack-operand.ts";
import { integersOf } from "../../runtime/formats/packed-operand.ts";
import {
  createRandom,
  denseMatrix,
  type Matrix,
  matrix,
  nmMatrix,
  product,
  total,
  type WeightCase,
  weightCase,
} from "../loop/weight-cases.ts";
import { createTestMemory } from "../runtime/formats-memory.ts";
import { type Half, halves, inputs, out, r, term } from "./dense-terms.ts";
import { checkDeviceCase } from "./device-case.ts";

const picked = (element: Half): OperandFormat => ({ name: "nm-tiles", element });
const yStep = (terms: readonly ReturnType<typeof term>[], accumulate = false) => ({
  name: "y",
  output: "y",
  outputPermutation: null,
  accumulate,
  terms,
});

function pickedCase(element: Half, weight: Matrix, accumulate = false): WeightCase {
  const W = { name: "W", format: picked(element), matrix: weight, rows: out, columns: inputs };
  return weightCase({
    layout: "lane-output",
    operands: [W],
    steps: [yStep([term("W")], accumulate)],
    weight,
  });
}

/** y = W x + B (A x), W picked; `first` says which of the two stands first in the chain. */
function adaptedCase(
  element: Half,
  [rows, columns, rank]: readonly [number, number, number],
  first: "picked" | "dense",
): WeightCase {
  const random = createRandom(rows * 31 + columns);
  const W = nmMatrix(rows, columns, { n: 2, m: 4 }, random);
  const B = denseMatrix(rows, rank, random);
  const A = matrix(rank, columns, () => random(3) - 1);
  const dense: OperandFormat = { name: "half-tiles", element };
  const terms = [term("W"), term("B", "t1")];
  const t1 = { name: "t1", output: "t1", outputPermutation: null, accumulate: false, terms: [term("A")] };
  return weightCase({
    layout: "lane-output",
    operands: [
      { name: "W", format: picked(element), matrix: W, rows: out, columns: inputs },
      { name: "B", format: dense, matrix: B, rows: out, columns: r },
      { name: "A", format: dense, matrix: A, rows: r, columns: inputs },
    ],
    activations: [{ name: "t1", width: r }],
    steps: [t1, yStep(first === "picked" ? terms : terms.toReversed())],
    weight: total(W, product(B, A)),
    symbols: { r: rank },
  });
}

const kernelsOf = (launched: readonly string[]): readonly string[] =>
  launched.map((kernel) => kernel.replace(/.*_/, ""));

describe.each(halves)("2 of every 4 inputs in %s", (elements) => {
  it.each([
    [1, 4, 1],
    [15, 32, 7],
    [16, 36, 8],
    [33, 100, 16],
    [17, 64, 0],
    [40, 28, 17],
    [16, 132, 64],
  ])("[%i, %i], %i tokens from memory", (rows, columns, batch) => {
    const weight = nmMatrix(rows, columns, { n: 2, m: 4 }, createRandom(rows + columns));
    const launched = checkDeviceCase(pickedCase(elements, weight, columns === 36), {
      batch,
      seed: rows,
      elements,
      kernel: "tensor",
    });
    if (batch > 0) expect(kernelsOf(launched)).toEqual([batch <= 16 ? "stream16" : "stream64"]);
  });

  it.each([
    [1, 4, 65],
    [127, 40, 127],
    [130, 36, 129],
    [17, 200, 66],
  ])("[%i, %i], %i tokens in tiles", { timeout: 60_000 }, (rows, columns, batch) => {
    const weight = nmMatrix(rows, columns, { n: 2, m: 4 }, createRandom(rows * columns));
    const launched = checkDeviceCase(pickedCase(elements, weight, rows === 17), {
      batch,
      seed: rows,
      elements,
      kernel: "tensor",
    });
    expect(kernelsOf(launched)).toEqual(["tiles"]);
  });

  it.each([
    [33, 20, 3, 5, "picked"],
    [18, 24, 16, 40, "dense"],
    [40, 20, 8, 70, "picked"],
    [129, 44, 33, 66, "dense"],
  ] as const)(
    "[%i, %i] with rank %i, %i tokens, the %s term first",
    {
      timeout: 60_000,
    },
    (rows, columns, rank, batch, first) => {
      const launched = checkDeviceCase(adaptedCase(elements, [rows, columns, rank], first), {
        batch,
        seed: rank,
        elements,
        kernel: "tensor",
      });
      expect(launched).toHaveLength(2);
    },
  );

  it.each([
    { n: 1, m: 2 },
    { n: 1, m: 4 },
    { n: 2, m: 4 },
  ])("come back as they were packed from $n:$m, rounded", (shape) => {
    for (const [rows, columns] of [
      [0, 8],
      [5, 0],
      [19, 4 * 11],
      [33, 32],
      [16, 28 + shape.m],
    ] as const) {
      const { values } = nmMatrix(rows, columns, shape, createRandom(rows + columns));
      const given = { kind: "dense", rows, columns, values: Float32Array.from(values) } as const;
      const packed = packOperand(picked(elements), given, new Map(), createTestMemory().allocate);
      expect([...unpackOperand(picked(elements), packed, new Map())]).toEqual([...given.values]);
      // The places of every four ascend, in rows and inputs that are not there too: the product asks for it.
      for (const word of integersOf(packed, "kept"))
        for (let bit = 0; bit < 32; bit += 4)
          expect((word >>> bit) & 3).toBeLessThan((word >>> (bit + 2)) & 3);
    }
  });
});

describe("packing", () => {
  it("refuses three of four inputs", () => {
    const values = Float32Array.of(1, 1, 0, 1);
    const pack = () =>
      packOperand(
        picked("bf16"),
        { kind: "dense", rows: 1, columns: 4, values },
        new Map(),
        createTestMemory().allocate,
      );
    expect(pack).toThrow(SpxError);
    expect(pack).toThrow("columns 0 to 3 hold 3 entries, at most 2 of 4 may");
  });

  it("puts one entry where the instruction reads it", () => {
    const weight = matrix(16, 32, (row, column) => (row === 9 && column === 22 ? 3 : 0));
    const packed = packOperand(
      picked("bf16"),
      { kind: "dense", rows: 16, columns: 32, values: Float32Array.from(weight.values) },
      new Map(),
      createTestMemory().allocate,
    );
    // Input 22 is place 2 of group 5, which lanes with t = 1 hold in the upper inputs; 0 fills up before it.
    const values = integersOf(packed, "values");
    expect([...values.entries()].filter(([, value]) => value !== 0)).toEqual([
      [(4 * 1 + 1) * 8 + 4 * 1 + 2 * 1 + 1, 0x4040],
    ]);
    const kept = integersOf(packed, "kept");
    expect(((kept[2 * 1 + 1] ?? 0) >>> (16 + 4 * 1)) & 15).toBe(2 << 2);
  });
});

describe("the sparse product of a warp", () => {
  const zeros = (registers: number) => Array.from({ length: registers }, () => new Array<number>(32).fill(0));
  const ascending = () => new Array<number>(32).fill(0x44444444);

  it("has the layout of m16n8k32", () => {
    const one = 0x3f80;
    const [a, b, metadata] = [zeros(4), zeros(4), ascending()];
    // Row 9 and input 22: g = 1, upper row, upper inputs (register 3), t = 1, the second kept entry.
    (a[3] as number[])[4 * 1 + 1] = one << 16;
    // Groups 4 to 7 of rows 1 and 9 are told by lane 5: of group 5, row 9, the places 0 and 2.
    metadata[4 * 1 + 1] = (0x44444444 & ~(15 << 20)) | (8 << 20);
    // Input 22, column 6: register 2, t = 3, the lower number.
    (b[2] as number[])[4 * 6 + 3] = one;
    const sums = multiplyFragments("m16n8k32-sparse", "bf16", a, b, zeros(4), metadata);
    expect(sums[2]?.[4 * 1 + 3]).toBe(1);
    expect(sums.flat().reduce((x, y) => x + y, 0)).toBe(1);
  });

  it("is not given places that do not ascend", () => {
    const metadata = ascending();
    metadata[8] = 0;
    expect(() =>
      multiplyFragments("m16n8k32-sparse", "bf16", zeros(4), zeros(4), zeros(4), metadata),
    ).toThrow("disordered");
    // Lanes 2 and 3 of every four say nothing.
    const others = ascending().map((word, lane) => (lane % 4 < 2 ? word : 0));
    expect(() =>
      multiplyFragments("m16n8k32-sparse", "bf16", zeros(4), zeros(4), zeros(4), others),
    ).not.toThrow();
  });
});
