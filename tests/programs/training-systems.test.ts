/** Published systems whose weight changes by a clock, from the library to native code: their known answers. */
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { relativeError } from "../../bench/quickstart/layer-oracle.ts";
import type { DenseParameter, Layer, SparseParameter } from "../../runtime/index.ts";
import { type BuiltProgram, buildProgram, testMatrix } from "./built-program.ts";
import { weightGradient } from "./gradient-oracle.ts";

type Values = Readonly<Record<string, DenseParameter | SparseParameter>>;

const [out, inputs] = [16, 24];
const entries = out * inputs;
const W = { data: testMatrix(3, entries), shape: [out, inputs] };
const x = testMatrix(6, 3 * inputs);
const dy = testMatrix(7, 3 * out);
const whole = weightGradient(x, dy, 3).values;
const programs = new Map<string, BuiltProgram>();

beforeAll(async () => {
  for (const file of ["spdf", "sft", "nm_decay", "gradual_magnitude", "ast"])
    programs.set(file, await buildProgram({ file: join("stdlib", `${file}.spx`) }));
}, 240_000);

const load = async (file: string, transform: string, numbers: object = {}): Promise<Layer> =>
  (await programs
    .get(file)
    ?.artefact.transform(transform)
    .load({ W, seed: 5, ...numbers })) as Layer;
const sparse = (layer: Layer, name: string): SparseParameter =>
  (layer.parameters() as Values)[name] as SparseParameter;
const gradientOf = (layer: Layer, name: string): DenseParameter | SparseParameter => {
  const found = (layer.backward(x, dy, { dx: false }).grads as Values)[name];
  if (found === undefined) throw new Error(`no gradient of ${name}`);
  return found;
};
const positionsOf = (layer: Layer, name: string): number[] => [...(layer.patterns()[name]?.positions ?? [])];
/** Entries kept in each group of `m` neighbours. */
const perGroup = (positions: readonly number[], m: number): number[] => {
  const counts = new Array<number>(entries / m).fill(0);
  for (const position of positions)
    counts[Math.floor(position / m)] = (counts[Math.floor(position / m)] ?? 0) + 1;
  return counts;
};
const change = (layer: Layer, by: (at: number) => number): void => {
  for (const { values } of Object.values(layer.parameters() as Values))
    values.forEach((value, at) => {
      values[at] = value + by(at);
    });
  layer.updated();
};

describe("SPDF", () => {
  test("the lift changes no output, frees all entries, and starts the new ones at 0", async () => {
    const layer = await load("spdf", "SPDF", { sparsity: 0.75 });
    expect(layer.trainable).toBe(entries / 4);
    layer.at({ step: 1, progress: 0.1 });
    change(layer, (at) => Math.sin(at));
    const before = sparse(layer, "T");
    const [y, weight] = [layer.forward(x).data, layer.merge().data];
    expect(weight.filter((value) => value !== 0).length).toBe(entries / 4);
    layer.at({ step: 9, progress: 0.9 });
    expect(layer.trainable).toBe(entries);
    expect(layer.merge().data).toEqual(weight);
    expect(relativeError(layer.forward(x).data, Float64Array.from(y))).toBeLessThan(1e-6);
    const after = sparse(layer, "T");
    const old = new Map([...before.positions].map((position, at) => [position, before.values[at]]));
    expect([...after.values]).toEqual([...after.positions].map((position) => old.get(position) ?? 0));
    expect(relativeError(gradientOf(layer, "T").values, whole)).toBeLessThan(1e-5);
    layer.dispose();
  });
});

describe("SFT", () => {
  test("the random start is replaced by the largest gradients, then a falling share at a time; k stays", async () => {
    const k = 40;
    const layer = await load("sft", "SFT", { k, interval: 10 });
    expect(layer.trainable).toBe(k);
    const gradient = { data: Float32Array.from(whole), shape: [out, inputs] };
    const order = Array.from(whole.keys()).sort(
      (a, b) => Math.abs(whole[b] ?? 0) - Math.abs(whole[a] ?? 0) || a - b,
    );
    expect(layer.at({ step: 10, progress: 0.1 }, { gradient }).numbers.rho).toBe(1);
    expect(positionsOf(layer, "E")).toEqual(order.slice(0, k).sort((a, b) => a - b));
    const weight = W.data.slice();
    expect(layer.merge().data).toEqual(weight);
    change(layer, (at) => (at + 1) / 8);
    const merged = layer.merge().data;
    const { numbers, patterns } = layer.at(
      { step: 20, progress: 0.5 },
      { gradient: { data: gradient.data.map((value) => -1 / (value + 9)), shape: gradient.shape } },
    );
    expect(numbers.rho).toBeCloseTo(0.1, 12);
    const [moved] = patterns;
    const gone = 0.1 * k;
    expect(moved?.parameters[0]?.from.filter((from) => from < 0).length).toBe(moved?.grown.length);
    expect(moved?.grown.length).toBe(moved?.dropped.length);
    expect(moved?.grown.length).toBeLessThanOrEqual(gone);
    const positions = positionsOf(layer, "E");
    expect(new Set(positions).size).toBe(k);
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
    const now = layer.merge().data;
    now.forEach((value, at) => {
      const jumps = moved?.dropped.includes(at) === true;
      expect(value).toBe(jumps ? W.data[at] : merged[at]);
    });
    layer.dispose();
  });
});

describe("N:M with decay", () => {
  test("dense at first, exactly n of m at the end, the faded entries between them", async () => {
    const layer = await load("nm_decay", "NMDecayLinear", { rate: 0.01 });
    layer.at({ step: 0 });
    expect(layer.merge().data).toEqual(W.data);
    for (const step of [25, 50, 100, 300]) {
      const { numbers } = layer.at({ step });
      const beta = Math.max(0, 1 - step / 100);
      expect(numbers.beta).toBeCloseTo(beta, 12);
      const kept = positionsOf(layer, "M");
      expect(perGroup(kept, 4)).toEqual(new Array(entries / 4).fill(1));
      const share = (at: number): number => (kept.includes(at) ? 1 : beta);
      const expected = Float64Array.from(W.data, (value, at) => value * share(at));
      expect(relativeError(layer.merge().data, expected)).toBeLessThan(1e-6);
      const gradient = whole.map((value, at) => value * share(at));
      expect(relativeError(gradientOf(layer, "T").values, gradient)).toBeLessThan(1e-5);
    }
    layer.dispose();
  });

  test("exponential decay, and gradients straight through it", async () => {
    const layer = await load("nm_decay", "NMDecayStraight", { rate: 0.02 });
    expect(layer.at({ step: 50 }).numbers.beta).toBeCloseTo(Math.exp(-1), 12);
    expect(relativeError(gradientOf(layer, "T").values, whole)).toBeLessThan(1e-5);
    layer.dispose();
    const scaled = await load("nm_decay", "NMDecay", { rate: 0.02 });
    expect(scaled.at({ step: 100 }).numbers.beta).toBeCloseTo(Math.exp(-2), 12);
    scaled.dispose();
  });

  test("frames of 7, 4, 2 and 1 of 8 keep 14 of 32 on average", async () => {
    const layer = await load("nm_decay", "NMFrames");
    const kept = [0.1, 0.3, 0.6, 0.99].map((progress, index) => {
      layer.at({ step: index + 1, progress });
      expect(relativeError(gradientOf(layer, "T").values, whole)).toBeLessThan(1e-5);
      return layer.merge().data.filter((value) => value !== 0).length / entries;
    });
    expect(kept).toEqual([7 / 8, 4 / 8, 2 / 8, 1 / 8]);
    expect(kept.reduce((sum, share) => sum + share, 0) / 4).toBe(14 / 32);
    layer.dispose();
  });

  test("SR-STE: the mask is by magnitude, the gradient dense, lambda rises and stays", async () => {
    const layer = await load("nm_decay", "SRSTE", { lambda_end: 0.5, warm: 100 });
    expect([25, 100, 999].map((step) => layer.at({ step }).numbers.lambda)).toEqual([0.125, 0.5, 0.5]);
    expect(perGroup(positionsOf(layer, "M"), 4)).toEqual(new Array(entries / 4).fill(2));
    expect(relativeError(gradientOf(layer, "T").values, whole)).toBeLessThan(1e-5);
    layer.dispose();
  });
});

describe("gradual pruning by magnitude", () => {
  test("what is pruned stays pruned, and the counts are those of the ramp", async () => {
    const layer = await load("gradual_magnitude", "GradualMagnitude", { sparsity: 0.8, interval: 10 });
    expect(layer.trainable).toBe(entries);
    let before = new Set(positionsOf(layer, "M"));
    for (const percent of [10, 25, 40, 50, 60, 75, 90]) {
      change(layer, (at) => Math.cos(at * percent) / 2);
      layer.at({ step: 10 * percent, progress: percent / 100 });
      const u = Math.min(Math.max((percent / 100 - 0.25) / 0.5, 0), 1);
      const positions = positionsOf(layer, "M");
      expect(positions.length).toBe(Math.round((1 - 0.8 * (1 - (1 - u) ** 3)) * entries));
      expect(positions.every((position) => before.has(position))).toBe(true);
      expect(layer.trainable).toBe(positions.length);
      before = new Set(positions);
    }
    expect(before.size).toBe(Math.round(0.2 * entries));
    layer.dispose();
  });
});

describe("AST", () => {
  test("the tail is the best for its groups, gradients pass, and the mask flips where the order does", async () => {
    const k = 8;
    for (const [transform, more] of [
      ["AST", 0],
      ["ASTTail", (inputs * inputs) / k],
    ] as const) {
      const layer = await load("ast", transform, { k });
      expect(layer.trainable).toBe(entries + entries / k + more);
      const kept = positionsOf(layer, "M");
      expect(perGroup(kept, 4)).toEqual(new Array(entries / 4).fill(2));
      const rest = Float64Array.from(layer.merge().data, (value, at) => (W.data[at] ?? 0) - value);
      const lost = Float64Array.from(W.data, (value, at) => (kept.includes(at) ? 0 : value));
      // Least squares: what is left has no part along any group.
      for (let group = 0; group < entries / k; group++) {
        const sum = rest.slice(group * k, (group + 1) * k).reduce((total, value) => total + value, 0);
        expect(Math.abs(sum)).toBeLessThan(1e-5);
      }
      const norm = (values: Float64Array): number => values.reduce((sum, value) => sum + value * value, 0);
      expect(norm(rest)).toBeLessThanOrEqual(norm(lost) + 1e-9);
      expect(relativeError(gradientOf(layer, "T").values, whole)).toBeLessThan(1e-5);
      layer.at({ step: 10 });
      expect(positionsOf(layer, "M")).toEqual(kept);
      const { T } = layer.parameters() as Values;
      const [first = 0] = Array.from(W.data.keys()).filter((at) => !kept.includes(at));
      T?.values.set([9], first);
      layer.updated();
      const { patterns } = layer.at({ step: 20 });
      expect([...(patterns[0]?.grown ?? [])]).toEqual([first]);
      expect(patterns[0]?.dropped.length).toBe(1);
      layer.dispose();
    }
  });
});
