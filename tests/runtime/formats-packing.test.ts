import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packedBytes, quadSlots } from "../../compiler/plan/packed-size.ts";
import { quadDensity } from "../../compiler/targets/cpu-rates.ts";
import { evaluateNumber, number } from "../../runtime/contract/number-expression.ts";
import { formatBuffers, type OperandFormat } from "../../runtime/contract/operand-format.ts";
import {
  type MatrixValue,
  type SparseMatrix,
  toDense,
  toSparse,
} from "../../runtime/formats/matrix-value.ts";
import { packOperand, unpackOperand } from "../../runtime/formats/pack-operand.ts";
import { floatsOf, integersOf } from "../../runtime/formats/packed-operand.ts";
import { createTestMemory } from "./formats-memory.ts";

const none = new Map<string, number>();
const { allocate } = createTestMemory();

/** Whole numbers from a small generator, so that every comparison is exact. */
function stream(seed: number): () => number {
  let state = seed * 2654435761 + 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
}

function randomDense(
  rows: number,
  columns: number,
  density: number,
  seed: number,
): MatrixValue & { kind: "dense" } {
  const next = stream(seed);
  const values = Float32Array.from({ length: rows * columns }, () =>
    next() < density ? 1 + Math.floor(next() * 99) : 0,
  );
  return { kind: "dense", rows, columns, values };
}

/** At most n entries in every m columns of a row. */
function randomNm(
  rows: number,
  columns: number,
  n: number,
  m: number,
  seed: number,
): MatrixValue & { kind: "dense" } {
  const next = stream(seed);
  const values = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let group = 0; group < columns; group += m) {
      for (let draw = 0; draw < n; draw++) values[row * columns + group + Math.floor(next() * m)] = 1 + draw;
    }
  }
  return { kind: "dense", rows, columns, values };
}

function roundTrip(format: OperandFormat, matrix: MatrixValue): { dense: number[]; bytes: number } {
  const packed = packOperand(format, matrix, none, allocate);
  for (const { address } of packed.buffers) expect(address % 64n).toBe(0n);
  expect(packed.buffers.map(({ name }) => name)).toEqual(formatBuffers[format.name].map(({ name }) => name));
  return { dense: [...unpackOperand(format, packed, none)], bytes: packed.bytes };
}

const denseOf = (matrix: MatrixValue): number[] => [...toDense(matrix).values];
const sizes = [0, 1, 15, 16, 17, 31, 37];

describe("unstructured formats", () => {
  for (const format of [
    { name: "panel16" },
    { name: "window-ell" },
    { name: "mixed-ell" },
    { name: "csr" },
  ] as const) {
    it(`${format.name} gives every matrix back, dense or sparse`, () => {
      for (const rows of sizes) {
        for (const columns of sizes) {
          for (const density of [0, 0.01, 0.05, 0.5, 1]) {
            const matrix = randomDense(rows, columns, density, rows * 41 + columns);
            expect(roundTrip(format, matrix).dense).toEqual([...matrix.values]);
            expect(roundTrip(format, toSparse(matrix)).dense).toEqual([...matrix.values]);
          }
        }
      }
    });
  }

  it("counts bytes exactly", () => {
    const matrix = randomDense(17, 37, 0.2, 3);
    const entries = toSparse(matrix).values.length;
    expect(roundTrip({ name: "panel16" }, matrix).bytes).toBe(4 * 32 * 37);
    expect(roundTrip({ name: "csr" }, matrix).bytes).toBe(4 + 5 * 17 + 4 + 6 * entries);
    // One entry a row in a window of 16: rows 0 and 1 share a line, the far entry and the second of row 1 need their own.
    const far = new Float32Array(17 * 40);
    for (const [row, column] of [
      [0, 3],
      [1, 18],
      [1, 19],
      [2, 39],
      [16, 0],
    ] as const)
      far[row * 40 + column] = 1;
    const few: MatrixValue = { kind: "dense", rows: 17, columns: 40, values: far };
    const packed = packOperand({ name: "window-ell" }, few, none, allocate);
    expect([...integersOf(packed, "panelLines")]).toEqual([0, 4, 6]);
    expect([...integersOf(packed, "starts")]).toEqual([3, 19, 24, 24, 0, 0]);
    expect(packed.bytes).toBe(4 * 3 + 76 * 6);
  });

  it("lets lanes of window-ell run ahead, so that few slots stay empty", () => {
    for (const [density, most] of [
      [0.5, 1.15],
      [0.1, 1.85],
    ] as const) {
      const matrix = randomDense(16, 2048, density, 7);
      const entries = toSparse(matrix).values.length;
      const packed = packOperand({ name: "window-ell" }, matrix, none, allocate);
      expect(floatsOf(packed, "values").length / entries).toBeLessThan(most);
    }
  });

  it("holds panels in windows or quads, whichever their own entries fill", () => {
    // Three panels: one dense row; rows of 3, 1 and 2 entries far apart; nothing.
    const [rows, columns] = [48, 200];
    const values = new Float32Array(rows * columns);
    for (let row = 0; row < 16; row++)
      for (let column = 0; column < 8; column++) values[row * columns + column] = 1;
    for (const [row, column] of [
      [17, 5],
      [17, 90],
      [17, 199],
      [20, 60],
      [31, 30],
      [31, 150],
    ] as const)
      values[row * columns + column] = row + column;
    const matrix: MatrixValue = { kind: "dense", rows, columns, values };
    const packed = packOperand({ name: "mixed-ell" }, matrix, none, allocate);
    expect([...integersOf(packed, "panelLines")]).toEqual([0, 8, 8, 8]);
    expect([...integersOf(packed, "quadLines")]).toEqual([0, 0, 0, 0, 0, 3, 3, 3, 3, 3, 3, 3, 3]);
    const order = [...integersOf(packed, "order")].slice(16, 32);
    expect(order.slice(0, 4).map((byte) => byte >> 4)).toEqual([1, 15, 4, 0]);
    expect([1, 15, 4, 0].map((lane) => (order[lane] ?? 0) & 15)).toEqual([0, 1, 2, 3]);
    expect([...integersOf(packed, "columns")]).toEqual([5, 30, 60, 0, 90, 150, 0, 0, 199, 0, 0, 0]);
    expect([...floatsOf(packed, "weights")]).toEqual([22, 61, 80, 0, 107, 181, 0, 0, 216, 0, 0, 0]);
    expect(packed.bytes).toBe(36 * 3 + 8 + 76 * 8 + 24 * 3);
    expect(roundTrip({ name: "mixed-ell" }, matrix).dense).toEqual([...values]);
  });

  it("holds few random entries in quads of few empty slots, as prices expect", () => {
    for (const [size, density] of [
      [1024, 0.004],
      [2048, 0.005],
      [1024, 0.011],
      [1024, 0.03],
    ] as const) {
      const matrix = toSparse(randomDense(size, size, density, 5));
      const count = matrix.values.length;
      const packed = packOperand({ name: "mixed-ell" }, matrix, none, allocate);
      const isFew = floatsOf(packed, "values").length === 0;
      expect(isFew).toBe(density < quadDensity);
      if (!isFew) continue;
      const expected = evaluateNumber(quadSlots(number(size), number(count)), none);
      expect(floatsOf(packed, "weights").length / expected).toBeCloseTo(1, 1);
      const bytes = packedBytes(
        { rows: number(size), columns: number(size) },
        { name: "mixed-ell" },
        number(count),
      );
      expect(packed.bytes / evaluateNumber(bytes, none)).toBeCloseTo(1, 1);
    }
  });

  it("keeps stored zeros of a sparse matrix as entries", () => {
    const matrix: SparseMatrix = {
      kind: "sparse",
      rows: 2,
      columns: 3,
      rowStarts: Uint32Array.of(0, 2, 3),
      columnIndices: Uint32Array.of(0, 2, 1),
      values: Float32Array.of(0, 5, 0),
    };
    const packed = packOperand({ name: "csr" }, matrix, none, allocate);
    expect([...integersOf(packed, "order")]).toEqual([1, 0]);
    expect([...integersOf(packed, "columns")]).toEqual([1, 0, 2]);
    expect([...floatsOf(packed, "values")]).toEqual([0, 0, 5]);
  });

  it("lays panel16 out with the output innermost", () => {
    const matrix = randomDense(17, 3, 1, 9);
    const values = floatsOf(packOperand({ name: "panel16" }, matrix, none, allocate), "values");
    for (let row = 0; row < 32; row++) {
      for (let column = 0; column < 3; column++) {
        const expected = row < 17 ? matrix.values[row * 3 + column] : 0;
        expect(values[((row >> 4) * 3 + column) * 16 + (row % 16)]).toBe(expected);
      }
    }
  });

  it("takes rows wider than 16 bits can name", () => {
    const wide: SparseMatrix = {
      kind: "sparse",
      rows: 2,
      columns: 140000,
      rowStarts: Uint32Array.of(0, 3, 4),
      columnIndices: Uint32Array.of(3, 65537, 139999, 70000),
      values: Float32Array.of(1, 2, 3, 4),
    };
    for (const name of ["window-ell", "mixed-ell", "csr"] as const)
      expect(roundTrip({ name }, wide).dense).toEqual([...toDense(wide).values]);
  });

  it("cuts csr into tiles, its rows ordered by their entries", () => {
    // 130 rows of 300 inputs, half of them kept in even rows, none in odd ones but the first input of row 129.
    const [rows, columns] = [130, 300];
    const values = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row += 2)
      for (let column = row % 3; column < columns; column += 2) values[row * columns + column] = 1 + column;
    values[129 * columns] = 7;
    const matrix: MatrixValue = { kind: "dense", rows, columns, values };
    const packed = packOperand({ name: "csr" }, matrix, none, allocate);
    const [width = 0] = integersOf(packed, "width");
    expect(width).toBe(100);
    const order = [...integersOf(packed, "order")];
    const starts = integersOf(packed, "starts");
    expect(order.length).toBe(rows * 3);
    for (let tile = 0; tile < 3; tile++) {
      const rowsOfTile = order.slice(tile * 128, tile * 128 + 128);
      expect([...rowsOfTile].sort((a, b) => a - b)).toEqual(Array.from({ length: 128 }, (_, row) => row));
      for (let part = tile * 128 + 1; part < tile * 128 + 128; part++) {
        const length = (at: number): number => (starts[at + 1] ?? 0) - (starts[at] ?? 0);
        expect(length(part)).toBeGreaterThanOrEqual(length(part - 1));
      }
    }
    expect(order.slice(384)).toEqual([1, 0, 1, 0, 1, 0]);
    expect(Math.max(...integersOf(packed, "columns"))).toBeLessThan(width);
    expect(roundTrip({ name: "csr" }, matrix).dense).toEqual([...values]);
  });
});

describe("N:M formats", () => {
  const shapes = [
    [1, 1],
    [2, 4],
    [1, 16],
    [4, 8],
    [3, 5],
    [16, 16],
    [2, 7],
  ] as const;
  for (const [n, m] of shapes) {
    for (const name of ["nm-lanes", "nm-rows"] as const) {
      it(`${name} ${n}:${m} gives every matrix back`, () => {
        for (const rows of [0, 1, 15, 16, 17, 33]) {
          for (const groups of [0, 1, 2, 3, 5, 8, 17]) {
            const matrix = randomNm(rows, groups * m, n, m, rows + groups);
            expect(roundTrip({ name, n, m }, matrix).dense).toEqual([...matrix.values]);
          }
        }
      });
    }
  }

  it("nm-rows takes groups of up to 256 and keeps positions ascending", () => {
    const matrix = randomNm(3, 512, 5, 256, 1);
    const packed = packOperand({ name: "nm-rows", n: 5, m: 256 }, matrix, none, allocate);
    const positions = integersOf(packed, "indices");
    for (let slot = 1; slot < positions.length; slot++) {
      if (slot % 5 !== 0) expect(positions[slot]).toBeGreaterThan(positions[slot - 1] ?? 256);
    }
    expect([...unpackOperand({ name: "nm-rows", n: 5, m: 256 }, packed, none)]).toEqual([...matrix.values]);
  });

  it("chooses among 4 inputs by 2 bits where groups divide them", () => {
    const matrix: MatrixValue = {
      kind: "dense",
      rows: 1,
      columns: 8,
      values: Float32Array.of(0, 5, 0, 6, 7, 8, 0, 0),
    };
    const packed = packOperand({ name: "nm-lanes", n: 2, m: 4 }, matrix, none, allocate);
    const values = floatsOf(packed, "values");
    expect([0, 16, 32, 48].map((at) => values[at])).toEqual([5, 6, 7, 8]);
    expect(integersOf(packed, "indices")[0]).toBe(1 | (3 << 2) | (0 << 4) | (1 << 6));
    expect(packed.bytes).toBe(64 * (4 + 1));
  });

  it("puts a 4-bit index at the bits the format names", () => {
    const matrix = randomNm(17, 32, 4, 8, 5);
    const packed = packOperand({ name: "nm-lanes", n: 4, m: 8 }, matrix, none, allocate);
    const values = floatsOf(packed, "values");
    const words = integersOf(packed, "indices");
    const rebuilt = new Float32Array(17 * 32);
    for (let panel = 0; panel < 2; panel++) {
      for (let window = 0; window < 2; window++) {
        for (let line = 0; line < 8; line++) {
          for (let lane = 0; lane < 16 && panel * 16 + lane < 17; lane++) {
            const number = window * 8 + line;
            const word = words[(panel * 2 + Math.floor(number / 8)) * 16 + lane] ?? 0;
            const index = Math.floor(word / 2 ** (4 * (number % 8))) % 16;
            const value = values[((panel * 2 + window) * 8 + line) * 16 + lane] ?? 0;
            const target = (panel * 16 + lane) * 32 + window * 16 + index;
            rebuilt[target] = (rebuilt[target] ?? 0) + value;
          }
        }
      }
    }
    expect([...rebuilt]).toEqual([...matrix.values]);
    expect(packed.bytes).toBe(64 * 2 * (16 + 2));
  });

  it("refuses a group with too many entries, a ragged row and an m that does not fit", () => {
    const full = randomDense(1, 8, 1, 2);
    for (const name of ["nm-lanes", "nm-rows"] as const) {
      expect(() => roundTrip({ name, n: 2, m: 4 }, full)).toThrow(/SPX8411.*hold 4 entries, at most 2 of 4/);
      expect(() => roundTrip({ name, n: 2, m: 3 }, full)).toThrow(/not a multiple of 3/);
    }
    expect(() => roundTrip({ name: "nm-lanes", n: 1, m: 17 }, randomDense(1, 17, 0, 1))).toThrow(/m <= 16/);
  });
});

describe("block formats", () => {
  it("block-strips gives every matrix back and counts the blocks that hold an entry", () => {
    for (const [height, width] of [
      [1, 1],
      [4, 1],
      [1, 16],
      [3, 5],
      [16, 16],
    ] as const) {
      for (const strips of [0, 1, 3]) {
        for (const across of [0, 1, 4]) {
          const matrix = randomDense(strips * height, across * width, 0.1, strips * 5 + across);
          const result = roundTrip({ name: "block-strips", height, width }, matrix);
          expect(result.dense).toEqual([...matrix.values]);
          const held = new Set<string>();
          matrix.values.forEach((value, position) => {
            const row = Math.floor(position / matrix.columns);
            const column = position % matrix.columns;
            if (value !== 0) held.add(`${Math.floor(row / height)}/${Math.floor(column / width)}`);
          });
          expect(result.bytes).toBe(4 * (strips + 1) + held.size * (2 + 4 * height * width));
        }
      }
    }
    expect(() => roundTrip({ name: "block-strips", height: 2, width: 2 }, randomDense(3, 4, 1, 1))).toThrow(
      /3 x 4/,
    );
  });

  it("blockdiag16 packs blocks, repeated blocks, and refuses entries outside", () => {
    for (const [blocks, blockRows, blockColumns] of [
      [1, 17, 5],
      [3, 16, 1],
      [4, 5, 7],
      [2, 33, 16],
      [5, 1, 1],
    ] as const) {
      const next = stream(blocks);
      const values = Float32Array.from(
        { length: blocks * blockRows * blockColumns },
        () => 1 + Math.floor(next() * 9),
      );
      const matrix: MatrixValue = { kind: "blockdiag", blocks, blockRows, blockColumns, values };
      const format: OperandFormat = { name: "blockdiag16", blocks: number(blocks), repeated: false };
      const panels = Math.ceil(blockRows / 16);
      const expected = { dense: denseOf(matrix), bytes: 64 * blocks * panels * blockColumns };
      expect(roundTrip(format, matrix)).toEqual(expected);
      expect(roundTrip(format, toDense(matrix))).toEqual(expected);
      const one: MatrixValue = {
        kind: "dense",
        rows: blockRows,
        columns: blockColumns,
        values: values.subarray(0, blockRows * blockColumns),
      };
      const repeated = roundTrip({ ...format, repeated: true }, one);
      const copies = Float32Array.from(
        { length: values.length },
        (_, index) => values[index % one.values.length] ?? 0,
      );
      expect(repeated.dense).toEqual(denseOf({ ...matrix, values: copies }));
      expect(repeated.bytes).toBe(64 * panels * blockColumns);
    }
    const outside = randomDense(4, 4, 1, 1);
    expect(() => roundTrip({ name: "blockdiag16", blocks: number(2), repeated: false }, outside)).toThrow(
      /outside the blocks/,
    );
    expect(() => roundTrip({ name: "blockdiag16", blocks: number(3), repeated: false }, outside)).toThrow(
      /equal blocks/,
    );
  });

  it("vector holds a diagonal and nothing else", () => {
    for (const size of sizes) {
      const matrix: MatrixValue = {
        kind: "diag",
        values: Float32Array.from({ length: size }, (_, index) => index + 1),
      };
      const expected = { dense: denseOf(matrix), bytes: 4 * size };
      expect(roundTrip({ name: "vector" }, matrix)).toEqual(expected);
      expect(roundTrip({ name: "vector" }, toDense(matrix))).toEqual(expected);
    }
    expect(() => roundTrip({ name: "vector" }, randomDense(2, 2, 1, 1))).toThrow(/outside the diagonal/);
    expect(() => roundTrip({ name: "vector" }, randomDense(2, 3, 0, 1))).toThrow(/not square/);
  });
});

describe("conversions", () => {
  it("dense to sparse and back is the identity", () => {
    const arbitrary = fc.record({
      rows: fc.nat(20),
      columns: fc.nat(20),
      seed: fc.nat(),
      density: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(arbitrary, ({ rows, columns, seed, density }) => {
        const matrix = randomDense(rows, columns, density, seed);
        expect(denseOf(toSparse(matrix))).toEqual([...matrix.values]);
      }),
      { numRuns: 50 },
    );
  });
});
