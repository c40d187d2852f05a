// Selections by passes give the very bits of counting over digits, whatever the sample said; the passes here are plain loops.
import { describe, expect, it } from "vitest";
import { selectMagnitude } from "../../runtime/select/magnitude.ts";
import { largestByPasses, type SelectionPasses } from "../../runtime/select/select-by-passes.ts";
import { selectTopk } from "../../runtime/select/topk.ts";

const run = 1000;
const scoreOf = { magnitude: Math.abs, value: (value: number) => value } as const;

/** Counts brackets; marks whole words as the compiled passes do. */
function loops(): SelectionPasses & { brackets: number } {
  const passes = {
    brackets: 0,
    bracket(values: Float32Array, order: keyof typeof scoreOf, low: number, high: number) {
      passes.brackets++;
      const scores: number[] = [];
      const counts = new Uint32Array(4 * Math.ceil(values.length / run));
      const most = new Float32Array(counts.length / 4);
      values.forEach((value, at) => {
        const tile = Math.floor(at / run);
        const score = scoreOf[order](value);
        most[tile] = Math.max(most[tile] ?? 0, Math.abs(value));
        if (score > high) counts[4 * tile] = (counts[4 * tile] ?? 0) + 1;
        if (!(score >= low && score <= high)) return;
        counts[4 * tile + 1] = (counts[4 * tile + 1] ?? 0) + 1;
        scores.push(score);
      });
      new Uint32Array(most.buffer).forEach((bits, tile) => {
        counts[4 * tile + 2] = bits;
      });
      return { scores: Float32Array.from(scores), run, counts };
    },
    mark(values: Float32Array, order: keyof typeof scoreOf, threshold: number, cut: number) {
      expect(cut % 16).toBe(0);
      const bits = new Uint32Array(Math.ceil(values.length / 32));
      values.forEach((value, at) => {
        const score = scoreOf[order](value);
        const kept = at < cut ? score >= threshold : score > threshold;
        if (kept) bits[at >>> 5] = (bits[at >>> 5] ?? 0) | (1 << (at & 31));
      });
      return bits;
    },
    groups: () => null,
  };
  return passes;
}

/** Pseudo-random numbers in [0, 1), without two equal neighbours in a row of bits. */
function noise(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  });
}

const columns = 257;
const length = columns * 301;
const random = noise(length, 7);
const cases: Readonly<Record<string, Float32Array>> = {
  "different numbers": random.map((value) => value - 0.3),
  "one number": new Float32Array(length).fill(-1.5),
  "zeros of both signs": random.map((value) => (value < 0.4 ? -0 : value < 0.9 ? 0 : value)),
  "three numbers": random.map((value) => (value < 0.3 ? 2 : value < 0.7 ? -1 : 0.5)),
  "a few large ones": random.map((value, at) => (at % 9973 === 5 ? value * 1e9 : value * 1e-9)),
  ascending: Float32Array.from({ length }, (_, at) => at - length / 2),
};
const counts = [1, 97, Math.floor(length / 2), length - 1];

describe.each(Object.entries(cases))("%s", (_, values) => {
  const matrix = { name: "W", rows: 301, columns, values };
  it.each(counts)("%i of them", (count) => {
    const passes = loops();
    const magnitude = selectMagnitude(matrix, count, passes);
    expect(magnitude).toEqual(selectMagnitude(matrix, count));
    expect(selectTopk(matrix, count, passes)).toEqual(selectTopk(matrix, count));
    expect(passes.brackets).toBeGreaterThan(1);
  });
});

it("a bracket that misses is followed by what is left", () => {
  // Each part of the sample has one large number at the place that is drawn; the first bracket sees nothing else.
  const parts = 1 << 13;
  const brackets: number[] = [];
  for (const [drawn, rest] of [
    [5, 1],
    [1, 5],
  ] as const) {
    const values = noise(parts * 16, 3).map((value) => value + rest);
    const drawnAt = new Set<number>();
    const watched = new Proxy(values, {
      get(target, key) {
        const at = typeof key === "string" ? Number(key) : Number.NaN;
        if (Number.isInteger(at)) drawnAt.add(at);
        const found: unknown = Reflect.get(target, key, target);
        return typeof found === "function" ? found.bind(target) : found;
      },
    });
    largestByPasses(watched, "magnitude", 100, { ...loops(), bracket: () => null });
    for (const at of drawnAt) values[at] = drawn + (at % 7) / 8;
    const matrix = { name: "W", rows: parts, columns: 16, values };
    for (const count of [50, 60_000, 130_000]) {
      const passes = loops();
      expect(selectMagnitude(matrix, count, passes)).toEqual(selectMagnitude(matrix, count));
      brackets.push(passes.brackets);
    }
  }
  // Below the bracket twice, then above it.
  expect(brackets).toEqual([1, 2, 2, 1, 2, 1]);
});

it("few entries, strange counts and values that are not finite are left to the digits and their errors", () => {
  const matrix = { name: "W", rows: 301, columns, values: random.slice() };
  const passes = loops();
  selectMagnitude({ name: "W", rows: 1, columns: 100, values: random.slice(0, 100) }, 10, passes);
  expect(passes.brackets).toBe(0);
  expect(selectMagnitude(matrix, 0, passes).count).toBe(0);
  expect(() => selectMagnitude(matrix, length + 1, passes)).toThrow("asks for");
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    matrix.values[4321] = bad;
    expect(() => selectMagnitude(matrix, 10, passes)).toThrow(`holds ${bad} at [16, 209]`);
    expect(() => selectTopk(matrix, 10, passes)).toThrow(`holds ${bad} at [16, 209]`);
  }
});
