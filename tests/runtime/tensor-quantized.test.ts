// Quantized matrices: the published tables, the formula behind them, the bound of the error, and the packed bytes.

import { describe, expect, it } from "vitest";
import { evaluateNumber, number } from "../../runtime/contract/number-expression.ts";
import { codeBits, quantizedBytes, type ScaledGrid } from "../../runtime/contract/quantized-type.ts";
import { fillNormal } from "../../runtime/random/distributions.ts";
import { normalQuantile } from "../../runtime/random/normal-quantile.ts";
import { randomStream } from "../../runtime/random/philox.ts";
import { gridLevels, nearestCode, zeroCode } from "../../runtime/tensor/quantized-grid.ts";
import { codeAt, dequantizeMatrix, quantizeMatrix } from "../../runtime/tensor/quantized-matrix.ts";

const grids = Object.keys(gridLevels) as ScaledGrid[];
const sample = (rows: number, columns: number) => ({
  name: "W",
  rows,
  columns,
  values: fillNormal(randomStream(5, `${rows}x${columns}`), new Float32Array(rows * columns)),
});

describe("grids", () => {
  it("are the published tables to four digits", () => {
    const published: Partial<Record<ScaledGrid, number[]>> = {
      nf2: [-1, 0, 0.3379, 1],
      nf3: [-1, -0.4786, -0.2171, 0, 0.1609, 0.3379, 0.5626, 1],
      nf4: [
        ...[-1, -0.6962, -0.5251, -0.3949, -0.2844, -0.1848, -0.091],
        ...[0, 0.0796, 0.1609, 0.2461, 0.3379, 0.4407, 0.5626, 0.723, 1],
      ],
    };
    for (const [grid, levels] of Object.entries(published)) {
      const found = [...gridLevels[grid as ScaledGrid]];
      expect(found).toHaveLength(levels.length);
      found.forEach((level, index) => {
        expect(Math.abs(level - (levels[index] ?? 9)), `${grid} ${index}`).toBeLessThan(6e-5);
      });
    }
  });

  it.each([2, 3, 4])("of nf%i are normal quantiles divided by the outermost", (bits) => {
    const half = 2 ** (bits - 1);
    const p = 0.9677083;
    const outermost = normalQuantile(p);
    const quantiles = (count: number): number[] =>
      Array.from({ length: count }, (_, i) => normalQuantile(p + ((0.5 - p) * i) / count) / outermost);
    const expected = [...quantiles(half - 1).map((q) => -q), 0, ...quantiles(half).reverse()];
    expect([...gridLevels[`nf${bits}` as ScaledGrid]]).toEqual(expected.map(Math.fround));
  });

  it.each(grids)("%s ascends, holds zero and its ends, and fits its bits", (grid) => {
    const levels = [...gridLevels[grid]];
    expect(levels).toEqual(levels.toSorted((a, b) => a - b));
    expect(levels[zeroCode[grid]]).toBe(0);
    expect(levels[0]).toBe(-(levels.at(-1) ?? 0));
    expect(levels.length).toBeLessThanOrEqual(2 ** codeBits[grid]);
  });

  it.each(grids)("%s: the nearest level is the one that brute force finds, halves upwards", (grid) => {
    const levels = gridLevels[grid];
    const [lowest = 0, highest = 0] = [levels[0], levels.at(-1)];
    const between = [...levels].flatMap((level, i) => [level, (level + (levels[i + 1] ?? level)) / 2]);
    const spread = Array.from({ length: 999 }, (_, i) => lowest + ((highest - lowest) * i) / 998);
    for (const value of [...between, ...spread, 2 * lowest, 2 * highest]) {
      let best = 0;
      levels.forEach((level, code) => {
        if (Math.abs(level - value) <= Math.abs((levels[best] ?? 0) - value)) best = code;
      });
      expect(nearestCode(levels, value), String(value)).toBe(best);
    }
  });
});

describe("quantized matrices", () => {
  it.each(grids)("%s: no entry is further away than half the widest gap times its scale", (grid) => {
    const levels = [...gridLevels[grid]];
    const gap = Math.max(...levels.slice(1).map((level, i) => level - (levels[i] ?? 0)));
    for (const [rows, columns, block] of [
      [1, 1, 1],
      [3, 8, 4],
      [17, 35, 7],
      [2, 64, 64],
    ] as const) {
      const matrix = sample(rows, columns);
      const quantized = quantizeMatrix(matrix, grid, block);
      const values = dequantizeMatrix(quantized);
      values.forEach((value, at) => {
        const scale = quantized.scales[Math.floor(at / block)] ?? 0;
        const bound = (gap / 2) * scale * (1 + 1e-6);
        expect(Math.abs(value - (matrix.values[at] ?? 0))).toBeLessThanOrEqual(bound);
      });
      quantized.scales.forEach((scale, run) => {
        const entries = matrix.values.subarray(run * block, (run + 1) * block);
        const largest = Math.max(...entries.map(Math.abs));
        expect(scale).toBe(Math.fround(largest / (levels.at(-1) ?? 1)));
      });
    }
  });

  it.each(["nf2", "nf3", "nf4"] as const)("%s: rounding again changes nothing", (grid) => {
    const once = quantizeMatrix(sample(9, 24), grid, 8);
    const twice = quantizeMatrix({ ...sample(9, 24), values: dequantizeMatrix(once) }, grid, 8);
    expect(twice).toEqual(once);
  });

  it.each(grids)("%s: codes are packed without gaps and read back", (grid) => {
    const [rows, columns] = [5, 7];
    const levels = gridLevels[grid];
    // Whole multiples of a power of two: each level of the grid stands for itself.
    const wanted = Array.from({ length: rows * columns }, (_, at) =>
      at % columns === 0 ? levels.length - 1 : (at * 5) % levels.length,
    );
    const values = Float32Array.from(wanted, (code) => (levels[code] ?? 0) * 0.25);
    const quantized = quantizeMatrix({ name: "W", rows, columns, values }, grid, columns);
    expect(wanted.map((_, at) => codeAt(quantized, at))).toEqual(wanted);
    expect(quantized.codes).toHaveLength(Math.ceil((rows * columns * codeBits[grid]) / 8));
    const bytes = quantizedBytes({ grid, block: number(columns) }, number(rows), number(columns));
    expect(evaluateNumber(bytes, new Map())).toBe(quantized.codes.length + 4 * quantized.scales.length);
  });

  it("a run of zeros is zeros, and one too small for a scale as well", () => {
    const values = Float32Array.of(0, 0, 1e-45, 0);
    const quantized = quantizeMatrix({ name: "W", rows: 2, columns: 2, values }, "int8", 2);
    expect([...dequantizeMatrix(quantized)]).toEqual([0, 0, 0, 0]);
  });

  it("refuses infinity with its place, and a block that does not divide", () => {
    const values = Float32Array.of(1, 2, 3, Number.POSITIVE_INFINITY);
    const matrix = { name: "W", rows: 2, columns: 2, values };
    expect(() => quantizeMatrix(matrix, "nf4", 2)).toThrow("`W` holds Infinity at [1, 1]");
    expect(() => quantizeMatrix({ ...matrix, values: new Float32Array(4) }, "nf4", 3)).toThrow(
      "runs of 3 entries do not divide the 2 columns of `W`",
    );
  });
});
