import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { randomStream } from "../../runtime/random/philox.ts";
import {
  type NamedMatrix,
  selectMagnitude,
  selectMagnitudeBlocks,
  selectMagnitudeGroups,
} from "../../runtime/select/magnitude.ts";
import {
  hasBit,
  indicatorOf,
  type Pattern,
  patternOfPositions,
  positionsOf,
  rowsOfPattern,
} from "../../runtime/select/pattern.ts";
import { selectRandom } from "../../runtime/select/random-support.ts";
import { selectTopk } from "../../runtime/select/topk.ts";

const matrix = (rows: number, columns: number, values: ArrayLike<number>): NamedMatrix => ({
  name: "W",
  rows,
  columns,
  values: Float32Array.from(values),
});

/** Few distinct values, both zeros and tiny numbers, so that ties are the rule. */
const entry = fc.constantFrom(0, -0, 1, -1, 0.5, -2, 3.25, 1e-42, -1e-42, 1e38);
const arbitrary = fc
  .record({ rows: fc.integer({ min: 0, max: 9 }), columns: fc.integer({ min: 0, max: 9 }) })
  .chain(({ rows, columns }) =>
    fc.record({
      source: fc
        .array(entry, { minLength: rows * columns, maxLength: rows * columns })
        .map((values) => matrix(rows, columns, values)),
      count: fc.integer({ min: 0, max: rows * columns }),
    }),
  );

/** The rule, literally: sort by score, ties by index, take the first `count`. */
function bruteForce(scores: readonly number[], count: number): number[] {
  return scores
    .map((score, index) => ({ score, index }))
    .toSorted((a, b) => b.score - a.score || a.index - b.index)
    .slice(0, count)
    .map(({ index }) => index)
    .toSorted((a, b) => a - b);
}

const kept = (pattern: Pattern): number[] => [...positionsOf(pattern)];

describe("selection", () => {
  it("magnitude and topk equal a stable sort, ties to the lowest index", () => {
    fc.assert(
      fc.property(arbitrary, ({ source, count }) => {
        expect(kept(selectMagnitude(source, count))).toEqual(
          bruteForce([...source.values].map(Math.abs), count),
        );
        expect(kept(selectTopk(source, count))).toEqual(bruteForce([...source.values], count));
      }),
      { numRuns: 200 },
    );
  });

  it("takes n of each m along either axis", () => {
    fc.assert(
      fc.property(
        fc.record({
          m: fc.integer({ min: 1, max: 7 }),
          share: fc.double({ min: 0, max: 0.99, noNaN: true }),
          groups: fc.integer({ min: 0, max: 3 }),
          other: fc.integer({ min: 0, max: 4 }),
          axis: fc.constantFrom("input" as const, "output" as const),
          seed: fc.array(entry, { minLength: 84, maxLength: 84 }),
        }),
        ({ m, share, groups, other, axis, seed }) => {
          const n = 1 + Math.floor(share * m);
          const length = groups * m;
          const [rows, columns] = axis === "input" ? [other, length] : [length, other];
          const source = matrix(rows, columns, seed.slice(0, rows * columns));
          const expected: number[] = [];
          for (let line = 0; line < other; line++) {
            for (let group = 0; group < groups; group++) {
              const places = Array.from({ length: m }, (_, k) =>
                axis === "input" ? line * columns + group * m + k : (group * m + k) * columns + line,
              );
              const scores = places.map((place) => Math.abs(source.values[place] ?? 0));
              expected.push(...bruteForce(scores, n).map((k) => places[k] ?? -1));
            }
          }
          const pattern = selectMagnitudeGroups(source, { n, m, axis });
          expect(kept(pattern)).toEqual(expected.toSorted((a, b) => a - b));
          expect(pattern.count).toBe(expected.length);
        },
      ),
      { numRuns: 150 },
    );
    expect(() =>
      selectMagnitudeGroups(matrix(2, 6, new Array(12).fill(1)), { n: 2, m: 4, axis: "input" }),
    ).toThrow(/SPX8405.*not a multiple of 4/);
    expect(() =>
      selectMagnitudeGroups(matrix(6, 2, new Array(12).fill(1)), { n: 2, m: 4, axis: "output" }),
    ).toThrow(/6 entries along output/);
  });

  it("keeps the blocks of largest Frobenius norm", () => {
    fc.assert(
      fc.property(
        fc.record({
          height: fc.integer({ min: 1, max: 4 }),
          width: fc.integer({ min: 1, max: 3 }),
          down: fc.integer({ min: 1, max: 3 }),
          across: fc.integer({ min: 1, max: 3 }),
          values: fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 108, maxLength: 108 }),
          share: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
        ({ height, width, down, across, values, share }) => {
          const [rows, columns] = [height * down, width * across];
          const source = matrix(rows, columns, values.slice(0, rows * columns));
          const count = Math.round(share * down * across);
          const norms = Array.from({ length: down * across }, (_, block) => {
            let sum = 0;
            for (let r = 0; r < height; r++) {
              for (let c = 0; c < width; c++) {
                sum +=
                  (source.values[
                    (Math.floor(block / across) * height + r) * columns + (block % across) * width + c
                  ] ?? 0) ** 2;
              }
            }
            return sum;
          });
          const pattern = selectMagnitudeBlocks(source, height, width, count * height * width);
          const blocks = new Set(bruteForce(norms, count));
          for (let position = 0; position < rows * columns; position++) {
            const block =
              Math.floor(Math.floor(position / columns) / height) * across +
              Math.floor((position % columns) / width);
            expect(hasBit(pattern.bits, position)).toBe(blocks.has(block));
          }
        },
      ),
      { numRuns: 100 },
    );
    expect(() => selectMagnitudeBlocks(matrix(3, 4, new Array(12).fill(1)), 2, 2, 4)).toThrow(/SPX8405/);
  });

  it("names the first non-finite entry", () => {
    const bad = matrix(2, 3, [1, 2, 3, 4, Number.NaN, Number.POSITIVE_INFINITY]);
    for (const select of [
      () => selectMagnitude(bad, 1),
      () => selectTopk(bad, 1),
      () => selectMagnitudeGroups(bad, { n: 1, m: 3, axis: "input" }),
      () => selectMagnitudeBlocks(bad, 1, 1, 1),
    ]) {
      expect(select).toThrow(/SPX8408.*`W` holds NaN at \[1, 1\]/);
    }
  });

  it("refuses counts that are no part of the size", () => {
    const source = matrix(2, 2, [1, 2, 3, 4]);
    for (const count of [-1, 5, 1.5, Number.NaN]) expect(() => selectTopk(source, count)).toThrow(/SPX8407/);
  });

  it("draws distinct positions that depend on the seed alone", () => {
    const target = {
      kind: "pattern",
      name: "O",
      shape: { kind: "unstructured" },
      rows: 13,
      columns: 7,
      count: 20,
    } as const;
    const first = selectRandom(target, 20, randomStream(3, "a"));
    expect(new Set(kept(first)).size).toBe(20);
    expect(kept(selectRandom(target, 20, randomStream(3, "a")))).toEqual(kept(first));
    expect(kept(selectRandom(target, 20, randomStream(4, "a")))).not.toEqual(kept(first));
    const blocks = { ...target, rows: 8, columns: 6, shape: { kind: "block", height: 4, width: 3 } } as const;
    const indicator = indicatorOf(selectRandom(blocks, 24, randomStream(3, "a")));
    const sums = [0, 0, 0, 0];
    indicator.forEach((value, position) => {
      const block = Math.floor(position / 24) * 2 + Math.floor((position % 6) / 3);
      sums[block] = (sums[block] ?? 0) + value;
    });
    expect(sums.toSorted()).toEqual([0, 0, 12, 12]);
  });
});

describe("pattern", () => {
  it("gives compressed rows and positions of any set", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(7 * 37 - 1)), (positions) => {
        const ascending = positions.toSorted((a, b) => a - b);
        const pattern = patternOfPositions(7, 37, positions);
        expect(kept(pattern)).toEqual(ascending);
        const { rowStarts } = rowsOfPattern(pattern);
        const expected = Array.from(
          { length: 8 },
          (_, row) => ascending.filter((position) => position < row * 37).length,
        );
        expect([...rowStarts]).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });
});
