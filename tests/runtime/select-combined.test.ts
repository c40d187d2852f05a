/** Sets of positions combined, and the largest of each row, by brute force. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { forLargest, largestEntries } from "../../runtime/select/largest-entries.ts";
import { largestOfPools, poolsIn } from "../../runtime/select/line-pools.ts";
import { lineNorms, lineSums, scaleLines } from "../../runtime/select/line-sums.ts";
import { type Pattern, patternOfPositions, positionsOf } from "../../runtime/select/pattern.ts";
import {
  bitsSet,
  complementOf,
  diagonalPattern,
  fullPattern,
  intersectionOf,
  patternOfColumns,
  patternOfRows,
  selectorOf,
  unionOf,
} from "../../runtime/select/pattern-algebra.ts";

const kept = (pattern: Pattern): number[] => [...positionsOf(pattern)];

/** Two subsets of the positions of one matrix. */
const pair = fc
  .record({ rows: fc.integer({ min: 0, max: 9 }), columns: fc.integer({ min: 0, max: 9 }) })
  .chain(({ rows, columns }) => {
    const subset = fc.subarray(Array.from({ length: rows * columns }, (_, at) => at));
    return fc.record({ rows: fc.constant(rows), columns: fc.constant(columns), left: subset, right: subset });
  });

describe("sets of positions", () => {
  it("are complemented, cut and joined as sets are, with their counts", () => {
    fc.assert(
      fc.property(pair, ({ rows, columns, left, right }) => {
        const [a, b] = [left, right].map((positions) => patternOfPositions(rows, columns, positions));
        if (a === undefined || b === undefined) throw new Error("two patterns");
        const all = Array.from({ length: rows * columns }, (_, at) => at);
        const same = (found: Pattern, expected: readonly number[]): void => {
          expect(kept(found)).toEqual(expected);
          expect(found.count).toBe(expected.length);
          expect(bitsSet(found.bits)).toBe(expected.length);
        };
        same(
          complementOf(a),
          all.filter((at) => !left.includes(at)),
        );
        same(
          intersectionOf(a, b),
          all.filter((at) => left.includes(at) && right.includes(at)),
        );
        same(
          unionOf(a, b),
          all.filter((at) => left.includes(at) || right.includes(at)),
        );
        same(fullPattern(rows, columns), all);
        same(
          diagonalPattern(rows, columns),
          all.filter((at) => Math.floor(at / columns) === at % columns),
        );
        same(complementOf(complementOf(a)), left);
      }),
      { numRuns: 300 },
    );
  });

  it("of two shapes are refused", () => {
    expect(() => unionOf(fullPattern(2, 3), fullPattern(3, 2))).toThrow(
      /SPX8405.*patterns of \[2, 3\] and \[3, 2\]/,
    );
  });

  it("of whole rows and columns give selectors with one entry a row", () => {
    const columns = patternOfColumns(3, 40, [39, 0, 33]);
    expect(columns.count).toBe(9);
    expect(kept(columns)).toEqual([0, 33, 39, 40, 73, 79, 80, 113, 119]);
    expect(kept(selectorOf(columns, "column"))).toEqual([0, 40 + 33, 80 + 39]);
    const rows = patternOfRows(5, 7, [4, 2]);
    expect(kept(rows)).toEqual([14, 15, 16, 17, 18, 19, 20, 28, 29, 30, 31, 32, 33, 34]);
    const selector = selectorOf(rows, "row");
    expect([selector.rows, selector.columns]).toEqual([2, 5]);
    expect(kept(selector)).toEqual([2, 5 + 4]);
    expect(kept(selectorOf(patternOfRows(5, 7, []), "row"))).toEqual([]);
  });
});

describe("the largest", () => {
  const keys = fc.array(fc.constantFrom(0, 1, 2, 5, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff));
  const best = (values: readonly number[], count: number): number[] =>
    values
      .map((key, at) => ({ key, at }))
      .toSorted((a, b) => b.key - a.key || a.at - b.at)
      .slice(0, count)
      .map(({ at }) => at)
      .toSorted((a, b) => a - b);

  it("keys are those of a stable sort", () => {
    fc.assert(
      fc.property(keys, fc.double({ min: 0, max: 1, noNaN: true }), (values, share) => {
        const count = Math.round(share * values.length);
        const found = largestEntries(Uint32Array.from(values), 1, values.length, count);
        expect(kept(found)).toEqual(best(values, count));
        expect(found.count).toBe(count);
        const visited: number[] = [];
        forLargest(Uint32Array.from(values), count, (position) => visited.push(position));
        expect(visited).toEqual(kept(found));
      }),
    );
  });

  it("of long arrays are found by wide digits, with the same result", () => {
    const values = Uint32Array.from({ length: 2 ** 18 + 5 }, (_, at) => Math.imul(at, 0x9e3779b1) >>> 13);
    const found = largestEntries(values, 1, values.length, 1000);
    expect(kept(found)).toEqual(best([...values], 1000));
  });

  it("of each row, column or tile are chosen among themselves", () => {
    fc.assert(
      fc.property(
        fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
        fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
        fc.constantFrom("row" as const, "column" as const, "tile" as const),
        fc.infiniteStream(fc.integer({ min: 0, max: 9 })),
        ([down, across], [height, width], kind, stream) => {
          const [rows, columns] = [down * height, across * width];
          const keys = Array.from({ length: rows * columns }, () => stream.next().value);
          const pool = kind === "tile" ? { height, width } : kind;
          const poolOf = (at: number): string => {
            const [row, column] = [Math.floor(at / columns), at % columns];
            if (kind === "row") return String(row);
            if (kind === "column") return String(column);
            return `${Math.floor(row / height)} ${Math.floor(column / width)}`;
          };
          const members = new Map<string, number[]>();
          for (const at of keys.keys()) members.set(poolOf(at), [...(members.get(poolOf(at)) ?? []), at]);
          const size = [...members.values()][0]?.length ?? 0;
          const count = Math.ceil(size / 2);
          const found = largestOfPools("topk", Uint32Array.from(keys), { rows, columns }, pool, count);
          const expected = [...members.values()].flatMap((own) =>
            best(
              own.map((at) => keys[at] ?? 0),
              count,
            ).map((index) => own[index] ?? -1),
          );
          expect(kept(found)).toEqual(expected.sort((a, b) => a - b));
          expect(found.count).toBe(expected.length);
          expect(poolsIn("M", pool, rows, columns)).toBe(members.size);
        },
      ),
    );
  });

  it("of tiles that do not fill the matrix, or of more than a pool has, are refused", () => {
    const keys = new Uint32Array(6);
    const size = { rows: 2, columns: 3 };
    expect(() => largestOfPools("x", keys, size, { height: 2, width: 2 }, 1)).toThrow(/SPX8405/);
    expect(() => largestOfPools("x", keys, size, "column", 3)).toThrow(/SPX8407/);
  });
});

describe("lines of a matrix", () => {
  const matrix = { name: "W", rows: 2, columns: 3, values: Float32Array.of(3, -4, 0, 1, 2, -2) };
  it("have sums, norms and factors", () => {
    expect([...lineSums(matrix, "row").values]).toEqual([-1, 1]);
    expect([...lineSums(matrix, "column").values]).toEqual([4, -2, -2]);
    expect([...lineNorms(matrix, "row").values]).toEqual([5, 3]);
    expect(lineNorms(matrix, "column").shape).toEqual([3]);
    expect([...scaleLines(matrix, "row", Float32Array.of(2, -1)).values]).toEqual([6, -8, 0, -1, -2, 2]);
    expect([...scaleLines(matrix, "column", Float32Array.of(1, 0, 3)).values]).toEqual([3, -0, 0, 1, 0, -6]);
  });
});
