/** Published systems that mix weights by trained gates and shares: what the mathematics says of them, run natively. */
import { beforeAll, describe, expect, test } from "vitest";
import { oracleValues, relativeError } from "../../bench/quickstart/layer-oracle.ts";
import { densify } from "../../compiler/algebra/evaluate-algebra.ts";
import type { Layer } from "../../runtime/index.ts";
import { checkBackward, loadCase } from "./backward-check.ts";
import { type BuiltProgram, buildProgram, randomizeParameters, testNumbers } from "./built-program.ts";
import {
  buildSystems,
  dot,
  gradientOf,
  identity,
  less,
  loadSystem,
  merged,
  pass,
  product,
  random,
  rowsOf,
  set,
  values,
  whole,
} from "./published-system.ts";

let programs: ReadonlyMap<string, BuiltProgram>;
beforeAll(async () => {
  programs = await buildSystems(["soups", "grafting", "pat", "qst"]);
}, 300_000);

const load = (file: string, transform: string, given: object): Promise<Layer> =>
  loadSystem(programs.get(file), transform, given);

describe("soups", () => {
  const [out, inputs, n] = [5, 7, 3];
  const T = random(1, n, out, inputs);
  const members = rowsOf(T.data, out * inputs);
  test("of equal shares are the mean, at the start of a trained one too", async () => {
    const mean = Float64Array.from(
      { length: out * inputs },
      (_, at) => members.reduce((sum, member) => sum + (member[at] ?? 0), 0) / n,
    );
    for (const name of ["UniformSoup", "LearnedSoup"]) {
      const layer = await load("soups", name, { T });
      expect(relativeError(merged(layer), mean), name).toBeLessThan(1e-6);
      layer.dispose();
    }
  });

  test("of identical models are that model, whatever the shares", async () => {
    const one = random(2, out, inputs);
    const same = {
      data: Float32Array.from({ length: n * out * inputs }, (_, at) => one.data[at % (out * inputs)] ?? 0),
      shape: T.shape,
    };
    const layer = await load("soups", "LearnedSoup", { T: same });
    set(layer, "raw", (at) => 2 * at - 1);
    expect(relativeError(merged(layer), Float64Array.from(one.data))).toBeLessThan(1e-6);
    expect(Math.max(...gradientOf(pass(layer), "raw").map(Math.abs))).toBeLessThan(1e-5);
    layer.dispose();
  });

  test("have the gradient <G, Tᵢ> of a share, taken through the softmax", async () => {
    const layer = await load("soups", "LearnedSoup", { T });
    set(layer, "raw", (at) => at * at - 1);
    const powers = Array.from(values(layer, "raw"), Math.exp);
    const shares = powers.map((power) => power / powers.reduce((sum, one) => sum + one, 0));
    const found = pass(layer);
    const along = members.map((member) => dot(found.gradient, member));
    const mean = dot(shares, along);
    const expected = shares.map((share, at) => share * ((along[at] ?? 0) - mean));
    expect(relativeError(gradientOf(found, "raw"), Float64Array.from(expected))).toBeLessThan(1e-5);
    expect(Math.abs(expected.reduce((sum, value) => sum + value, 0))).toBeLessThan(1e-9);
    layer.dispose();
  });

  test("between two weights end at each of them", async () => {
    const [W, V] = [whole(1, out, inputs), whole(2, out, inputs)];
    for (const [mix, expected] of [
      [0, W.data],
      [1, V.data],
      [0.5, W.data.map((value, at) => (value + (V.data[at] ?? 0)) / 2)],
    ] as const) {
      const layer = await load("soups", "WiSE", { W, V, mix });
      expect(less(merged(layer), expected)).toEqual(new Float64Array(out * inputs));
      layer.dispose();
    }
  });
});

describe("grafting", () => {
  const [out, inputs] = [5, 7];
  const [W, V] = [whole(1, out, inputs), whole(2, out, inputs)];
  const moved = less(V.data, W.data);
  /** Far below the bias nothing flips, far above it everything does. */
  const settled = async (count: number, S: number): Promise<Layer> => {
    const layer = await load("grafting", "SkillGrafting", { W, V, count });
    set(layer, "S", () => S);
    return layer;
  };

  test("of γ = 0 is W, of γ = 1 is V, from either patch", async () => {
    for (const [count, S, end] of [
      [0, -1e4, W],
      [out * inputs, -1e4, V],
      [0, 1e4, V],
      [out * inputs, 1e4, W],
    ] as const) {
      const layer = await settled(count, S);
      expect(less(merged(layer), end.data), `${count} ${S}`).toEqual(new Float64Array(out * inputs));
      layer.dispose();
    }
  });

  test("of a patch is V on it and W elsewhere, and no patch of its size leaves less", async () => {
    const count = 9;
    const layer = await settled(count, -1e4);
    const patch = new Set(layer.patterns().P?.positions ?? []);
    expect(patch.size).toBe(count);
    expect([...merged(layer)]).toEqual([...W.data].map((value, at) => (patch.has(at) ? V.data[at] : value)));
    const left = less(V.data, merged(layer));
    const sorted = Array.from(moved, (value) => value * value).sort((a, b) => a - b);
    expect(dot(left, left)).toBe(sorted.slice(0, -count).reduce((sum, value) => sum + value, 0));
    layer.dispose();
  });

  test("has the gradient (1 - 2 P) G (V - W) σ'(S - bias)", async () => {
    const layer = await load("grafting", "SkillGrafting", { W, V, count: 9, bias: 0.5 });
    const next = testNumbers(9);
    set(layer, "S", () => 2 * next());
    const patch = new Set(layer.patterns().P?.positions ?? []);
    const found = pass(layer);
    const expected = Float64Array.from(values(layer, "S"), (value, at) => {
      const flips = 1 / (1 + Math.exp(0.5 - value));
      const sign = patch.has(at) ? -1 : 1;
      return sign * (found.gradient[at] ?? 0) * (moved[at] ?? 0) * flips * (1 - flips);
    });
    expect(relativeError(gradientOf(found, "S"), expected)).toBeLessThan(1e-5);
    layer.dispose();
  });
});

describe("PAT", () => {
  const gate = (mu: number, step: number): number => {
    const heat = 1 / (1 - Math.log(Math.min(Math.max(step, 1), 8000)) / Math.log(10_000) + 1e-6);
    const exponent = Math.min(Math.max(heat * mu, -10), 10);
    return 1 / (1 + Math.exp(-exponent)) + Math.max(0, 0.5 - step / 10_000);
  };

  test("starts at W, and its gates close and open as published", async () => {
    const W = random(1, 8, 5);
    const start = await load("pat", "PAT", { W, r: 3 });
    expect(merged(start)).toEqual(W.data);
    start.dispose();
    const layer = await load("pat", "PAT", { W: identity(2), r: 1 });
    set(layer, "mu", (at) => 0.5 - at);
    for (const [step, open, closed, digits] of [
      [2500, 1.215, 0.285, 3],
      [5000, 0.9987, 0.0013, 4],
      [8000, 1, 4.5e-5, 4],
      [9999, 1, 4.5e-5, 4],
    ] as const) {
      layer.at({ step });
      const [first = 0, , , last = 0] = merged(layer);
      expect(first).toBeCloseTo(open, digits);
      expect(last).toBeCloseTo(closed, digits);
      expect(last / gate(-0.5, step)).toBeCloseTo(1, 4);
    }
    layer.dispose();
  });

  test.each([0, 1, 700, 2500, 6000, 8000])(
    "its kernels and gradients at step %i are those of the formula",
    async (step) => {
      const stages = programs.get("pat")?.stages.get("PAT") ?? expect.fail("no PAT");
      const W = random(1, 17, 13);
      const layer = await load("pat", "PAT", { W, r: 2 });
      randomizeParameters(layer, 3);
      const { numbers } = layer.at({ step });
      const read = oracleValues(stages, layer, { W });
      const now = { ...read, numbers: new Map([...read.numbers, ...Object.entries(numbers)]) };
      const weight = densify(stages.built.root, now);
      const [mu, scale] = [values(layer, "mu"), values(layer, "v")];
      const added = product(values(layer, "L1"), product(values(layer, "L0"), W.data, 17), 2);
      const expected = added.map((value, at) => {
        const row = Math.floor(at / 13);
        return (scale[row] ?? 0) * gate(mu[row] ?? 0, step) * (value + (W.data[at] ?? 0));
      });
      expect(relativeError(merged(layer), expected)).toBeLessThan(1e-5);
      await checkBackward({ layer, stages, values: now, weight });
      const settled = gradientOf(pass(layer), "mu").every((value) => value === 0);
      expect(settled).toBe(step >= 8000);
      layer.dispose();
    },
  );
});

describe("QST", () => {
  test("mixes the trunk and the side network by gates that start at σ(0.5)", async () => {
    const layer = await load("qst", "QSTMix", { W: random(1, 3, 6) });
    const share = 1 / (1 + Math.exp(-0.5));
    const lines = (left: number, right: number): Float64Array =>
      Float64Array.from({ length: 18 }, (_, at) => {
        const [row, column] = [Math.floor(at / 6), at % 6];
        return column === row ? left : column === row + 3 ? right : 0;
      });
    expect(relativeError(merged(layer), lines(1 - share, share))).toBeLessThan(1e-6);
    for (const [z, left, right] of [
      [1e4, 0, 1],
      [-1e4, 1, 0],
    ] as const) {
      set(layer, "z", () => z);
      expect(Float64Array.from(merged(layer))).toEqual(lines(left, right));
    }
    layer.dispose();
  });

  test("the gradients of its head are those of the formula", async () => {
    const program = programs.get("qst") ?? expect.fail("no QST");
    const loaded = await loadCase(program, "QSTHead", 17, 13, { w: 5 });
    await checkBackward(loaded);
    loaded.layer.dispose();
  });

  test("its head is that of the trunk for z = ∞, and that of the side network for z = -∞", async () => {
    const [out, inputs, w] = [7, 5, 3];
    const W = whole(1, out, inputs);
    const layer = await load("qst", "QSTHead", { W, w });
    expect([layer.out, layer.in]).toEqual([out, w + inputs]);
    const share = 1 / (1 + Math.exp(-1));
    const up = (part: number): Float64Array =>
      product(W.data, values(layer, "U"), inputs).map((value) => part * value);
    const beside = (left: ArrayLike<number>, part: number): Float64Array =>
      Float64Array.from({ length: out * (w + inputs) }, (_, at) => {
        const [row, column] = [Math.floor(at / (w + inputs)), at % (w + inputs)];
        return column < w ? (left[row * w + column] ?? 0) : part * (W.data[row * inputs + column - w] ?? 0);
      });
    expect(relativeError(merged(layer), beside(up(1 - share), share))).toBeLessThan(1e-5);
    for (const [z, part] of [
      [1e4, 1],
      [-1e4, 0],
    ] as const) {
      set(layer, "z", () => z);
      expect(relativeError(merged(layer), beside(up(1 - part), part))).toBeLessThan(1e-6);
    }
    layer.dispose();
  });
});

test("ones are a matrix also in what is computed at load", async () => {
  const program = await buildProgram({
    text: `import { ones } from "std/functions"
transform Sums(W: [out, in]) {
  param T: [out, in] = W @ ones(in, in)
  param s: [1, in]   = ones(1, out) @ W
  weight = T + ones(out, 1) @ s
}`,
  });
  const [out, inputs] = [5, 7];
  const W = whole(1, out, inputs);
  const layer = (await program.artefact.transform("Sums").load({ W })) as Layer;
  const sums = rowsOf(W.data, inputs).map((row) => row.reduce((sum, value) => sum + value, 0));
  expect([...values(layer, "T")]).toEqual(sums.flatMap((sum) => new Array(inputs).fill(sum)));
  const columns = product(new Array(out).fill(1), W.data, out);
  expect([...values(layer, "s")]).toEqual([...columns]);
  layer.dispose();
});
