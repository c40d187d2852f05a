// Codes in panels: what is packed stands for the values that dequantizing gives, bit for bit.

import { describe, expect, it } from "vitest";
import { number } from "../../runtime/contract/number-expression.ts";
import { packHalfPanels } from "../../runtime/formats/bf16-panels.ts";
import { packOperand, unpackOperand } from "../../runtime/formats/pack-operand.ts";
import { packQuantizedPanels } from "../../runtime/formats/quantized-panels.ts";
import { fillNormal } from "../../runtime/random/distributions.ts";
import { randomStream } from "../../runtime/random/philox.ts";
import { roundToHalf, widenHalf } from "../../runtime/tensor/half-matrix.ts";
import { dequantizeMatrix, quantizeMatrix } from "../../runtime/tensor/quantized-matrix.ts";
import { createTestMemory } from "./formats-memory.ts";

const { allocate } = createTestMemory();
const none = new Map<string, number>();

describe("quantized panels", () => {
  it.each([
    ["nf2", "table4-panel16"],
    ["nf3", "table4-panel16"],
    ["nf4", "table4-panel16"],
    ["int4", "table4-panel16"],
    ["int8", "int8-panel16"],
  ] as const)("%s in %s comes back as it went in", (grid, name) => {
    for (const [rows, columns, block] of [
      [1, 1, 1],
      [15, 9, 3],
      [16, 16, 16],
      [17, 40, 8],
      [33, 35, 5],
    ] as const) {
      const values = fillNormal(randomStream(2, `${rows}`), new Float32Array(rows * columns));
      const quantized = quantizeMatrix({ name: "W", rows, columns, values }, grid, block);
      const operand = packQuantizedPanels(name, quantized, 1, allocate);
      const format = { name, block: number(block) } as const;
      expect(unpackOperand(format, operand, none)).toEqual(dequantizeMatrix(quantized));
      const panels = Math.ceil(rows / 16);
      const codes = name === "int8-panel16" ? 16 * columns : 64 * Math.ceil(columns / 8) + 64 / panels;
      expect(operand.bytes).toBe(panels * (codes + 64 * (columns / block)));
      const doubled = packQuantizedPanels(name, quantized, -2, allocate);
      expect(unpackOperand(format, doubled, none)).toEqual(
        dequantizeMatrix(quantized).map((value) => -2 * value),
      );
    }
  });

  it("refuses a grid of the other format, and a matrix without codes", () => {
    const matrix = { name: "W", rows: 2, columns: 2, values: new Float32Array(4).fill(1) };
    expect(() => packQuantizedPanels("int8-panel16", quantizeMatrix(matrix, "nf4", 2), 1, allocate)).toThrow(
      "a matrix cannot be packed as int8-panel16: its codes are nf4",
    );
    expect(() =>
      packQuantizedPanels("table4-panel16", quantizeMatrix(matrix, "int8", 2), 1, allocate),
    ).toThrow("its codes are int8");
    const dense = { kind: "dense", rows: 2, columns: 2, values: matrix.values } as const;
    expect(() => packOperand({ name: "int8-panel16", block: number(2) }, dense, none, allocate)).toThrow(
      "it holds codes, and a matrix has none",
    );
  });
});

describe("bf16 panels", () => {
  it.each([
    [1, 1],
    [15, 9],
    [16, 16],
    [33, 35],
  ])("[%i, %i] come back as they were rounded", (rows, columns) => {
    const values = fillNormal(randomStream(3, `${rows}`), new Float32Array(rows * columns));
    const half = roundToHalf({ name: "W", rows, columns, values });
    const operand = packHalfPanels(half, allocate);
    const unpacked = unpackOperand({ name: "bf16-panel16" }, operand, none);
    expect(unpacked).toEqual(widenHalf(half));
    unpacked.forEach((value, at) => {
      const wanted = values[at] ?? Number.NaN;
      expect(Math.abs(value - wanted)).toBeLessThanOrEqual(Math.abs(wanted) * 2 ** -8);
    });
    expect(operand.bytes).toBe(64 * Math.ceil(rows / 16) * Math.ceil(columns / 2));
  });

  it("refuse what is no finite number of theirs", () => {
    const values = Float32Array.of(1, 2, 3.4e38, 4);
    expect(() => roundToHalf({ name: "W", rows: 2, columns: 2, values })).toThrow(
      /`W` holds 3\.39.*e\+38 at \[1, 0\], which is no finite number of bfloat16/,
    );
    const dense = { kind: "dense", rows: 2, columns: 2, values } as const;
    expect(() => packOperand({ name: "bf16-panel16" }, dense, none, allocate)).toThrow("a matrix has none");
  });
});
