/** Layers along the clocks of training: schedules, phases and refreshes, compiled, run, saved and restored. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { oracleForward, relativeError } from "../../bench/quickstart/layer-oracle.ts";
import type { DenseParameter, Layer, SparseParameter } from "../../runtime/index.ts";
import { type BuiltProgram, buildProgram, testMatrix } from "./built-program.ts";
import { weightGradient } from "./gradient-oracle.ts";

type Values = Readonly<Record<string, DenseParameter | SparseParameter>>;

const source = `
import { magnitude, regrow, random_support } from "std/select"
import { cubic, over, linear } from "std/schedule"

transform Gradual(W: [out, in], final: ratio = 0.1, begin: int = 10, end: int = 50) {
  require begin < end
  schedule keep: ratio = cubic(1, final, over(step, begin, end))
  mask M: multiplicative unstructured = magnitude(T, keep)
  refresh M every 10 while step <= end
  param T: [out, in] = W
  weight = M .* T
}
transform Decay(W: [out, in]) {
  require in % 4 == 0
  schedule beta: ratio = linear(1, 0, progress)
  phase late = progress >= 0.5
  mask M: straight_through nm(2, 4) along in = magnitude(T)
  refresh M every 1
  param T: [out, in] = W
  weight = beta * T + (1 - beta) * (M .* T) + late * T
}
transform Grow(W: frozen [out, in], k: int = 12) {
  require k <= out * in
  support E = random_support(k)
  param S: sparse [out, in] on E = 0
  schedule rho: ratio = linear(0.5, 0, progress)
  refresh E every 5 while progress < 0.9 = regrow(E, abs(S), abs(gradient), rho)
  weight = W + S
}
transform Shrinking(W: frozen [out, in]) {
  schedule keep: ratio = 1 - 0.5 * progress
  mask M: unstructured = magnitude(W, keep)
  refresh M every 4 = M and magnitude(T, keep)
  param T: [out, in] = 0
  weight = M .* (W + T)
}
transform Counted(W: frozen [out, in]) {
  mask M: multiplicative unstructured = magnitude(W, 0.5)
  refresh M every 4 = magnitude(W, 0.25)
  weight = count(M) * (M .* W)
}
transform Fading(W: frozen [out, in], a: real = 2) {
  schedule s: real = a * (1 - progress)
  phase on = step < 3
  require on + s <= 3
  weight = (s + on) * W
}
`;

const [out, inputs] = [9, 20];
const W = { data: testMatrix(4, out * inputs), shape: [out, inputs] };
const x = testMatrix(6, 3 * inputs);
const dy = testMatrix(7, 3 * out);
let program: BuiltProgram;
const folder = mkdtempSync(join(tmpdir(), "spx-clocks-"));
beforeAll(async () => {
  program = await buildProgram({ text: source });
}, 240_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const load = async (name: string, more: object = {}): Promise<Layer> =>
  (await program.artefact.transform(name).load({ W, seed: 2, name: "one", ...more })) as Layer;
const valuesOf = (layer: Layer, name: string): DenseParameter | SparseParameter => {
  const found = (layer.parameters() as Values)[name];
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};

/** The layer computes with `weight`, whichever way it is asked. */
function demandWeight(layer: Layer, weight: ArrayLike<number>): void {
  const dense = { rows: out, columns: inputs, values: Float64Array.from(weight) };
  expect(relativeError(layer.merge().data, dense.values)).toBeLessThan(1e-6);
  expect(relativeError(layer.forward(x).data, oracleForward(dense, x, 3))).toBeLessThan(1e-5);
}

/** Positions of the `count` largest magnitudes, ties to the lower one. */
const largest = (values: ArrayLike<number>, count: number, among?: readonly number[]): number[] =>
  Array.from(among ?? Array.from(values, (_, at) => at))
    .sort((a, b) => Math.abs(values[b] ?? 0) - Math.abs(values[a] ?? 0) || a - b)
    .slice(0, count)
    .sort((a, b) => a - b);

test("the cubic ramp prunes at its times, and only then", async () => {
  const layer = await load("Gradual");
  const { values } = valuesOf(layer, "T");
  demandWeight(layer, W.data);
  for (const step of [0, 9, 10, 19, 20, 37, 50, 63]) {
    const { numbers, patterns } = layer.at({ step });
    const u = Math.min(Math.max((step - 10) / 40, 0), 1);
    expect(numbers.keep).toBeCloseTo(0.1 + 0.9 * (1 - u) ** 3, 12);
    expect(patterns.map(({ name }) => name)).toEqual([20, 37, 50].includes(step) ? ["M"] : []);
    if (patterns.length > 0) {
      const kept = largest(values, Math.round((numbers.keep ?? 0) * out * inputs));
      expect([...(layer.patterns().M?.positions ?? [])]).toEqual(kept);
      demandWeight(
        layer,
        values.map((value, at) => (kept.includes(at) ? value : 0)),
      );
    }
    values.forEach((value, at) => {
      values[at] = value + Math.sin(step + at) / 8;
    });
    layer.updated();
  }
  expect(layer.trainable).toBe(out * inputs);
  layer.dispose();
});

test("a decayed mask is chosen at every step, and its gradients are those of its mode", async () => {
  const layer = await load("Decay");
  const { values } = valuesOf(layer, "T");
  for (const [step, progress] of [
    [1, 0.25],
    [2, 0.5],
    [3, 1],
  ] as const) {
    values.forEach((value, at) => {
      values[at] = -value + Math.cos(step * at) / 4;
    });
    layer.updated();
    const { numbers } = layer.at({ step, progress });
    expect(numbers).toEqual({ beta: 1 - progress, late: progress >= 0.5 ? 1 : 0 });
    const groups = Array.from({ length: values.length / 4 }, (_, group) =>
      [0, 1, 2, 3].map((index) => 4 * group + index),
    );
    const kept = groups.flatMap((group) => largest(values, 2, group));
    expect([...(layer.patterns().M?.positions ?? [])]).toEqual(kept);
    const late = progress >= 0.5 ? 1 : 0;
    demandWeight(
      layer,
      values.map((value, at) => value * (1 - progress + (kept.includes(at) ? progress : 0) + late)),
    );
    const { grads } = layer.backward(x, dy);
    const expected = weightGradient(x, dy, 3).values.map((value) => value * (1 + late));
    expect(relativeError((grads as Values).T?.values ?? new Float32Array(), expected)).toBeLessThan(1e-5);
  }
  layer.dispose();
});

test("positions are dropped and grown; values and counts stay", async () => {
  const layer = await load("Grow");
  const before = valuesOf(layer, "S") as SparseParameter;
  before.values.forEach((_, at) => {
    before.values[at] = at + 1;
  });
  layer.updated();
  const old = layer.backward(x, dy).grads;
  const gradient = { data: testMatrix(9, out * inputs), shape: [out, inputs] };
  expect(() => layer.at({ step: 5, progress: 0.2 })).toThrow(/SPX8401.*gradient/);
  expect(valuesOf(layer, "S")).toEqual(before);
  const { numbers, patterns } = layer.at({ step: 5, progress: 0.2 }, { gradient });
  expect(numbers.rho).toBeCloseTo(0.4, 12);
  const gone = Math.round(0.4 * 12);
  const stay = [...before.positions].slice(gone);
  const free = Array.from({ length: out * inputs }, (_, at) => at).filter((at) => !stay.includes(at));
  const now = [...stay, ...largest(gradient.data, gone, free)].sort((a, b) => a - b);
  const after = valuesOf(layer, "S") as SparseParameter;
  expect([...after.positions]).toEqual(now);
  expect([...after.values]).toEqual(
    now.map((position) => (stay.includes(position) ? before.positions.indexOf(position) + 1 : 0)),
  );
  const [change] = patterns;
  expect([...(change?.grown ?? [])]).toEqual(now.filter((at) => !before.positions.includes(at)));
  expect([...(change?.dropped ?? [])]).toEqual([...before.positions].filter((at) => !now.includes(at)));
  expect([...(change?.parameters[0]?.from ?? [])]).toEqual(now.map((at) => before.positions.indexOf(at)));
  const dense = W.data.slice();
  now.forEach((position, index) => {
    dense[position] = (dense[position] ?? 0) + (after.values[index] ?? 0);
  });
  demandWeight(layer, dense);
  const whole = weightGradient(x, dy, 3).values;
  const { grads } = layer.backward(x, dy);
  const found = (grads as Values).S as SparseParameter;
  expect([...found.positions]).toEqual(now);
  expect(
    relativeError(
      found.values,
      Float64Array.from(now, (at) => whole[at] ?? 0),
    ),
  ).toBeLessThan(1e-5);
  expect(() => layer.backward(x, dy, { into: old })).toThrow(/SPX8407/);
  expect(layer.at({ step: 9, progress: 0.2 }).patterns).toEqual([]);
  expect(layer.at({ step: 10, progress: 0.95 }).patterns).toEqual([]);
  expect(() => layer.at({ step: 9, progress: 0.95 })).toThrow(/SPX8407.*`step`/);
  layer.dispose();
});

test("a pattern that reads itself only shrinks, and its params with it", async () => {
  const layer = await load("Shrinking");
  expect(layer.trainable).toBe(out * inputs);
  let known = [...(layer.patterns().M?.positions ?? [])];
  for (const [step, progress] of [
    [4, 0.2],
    [9, 0.6],
    [13, 1],
  ] as const) {
    const T = valuesOf(layer, "T") as SparseParameter;
    T.values.forEach((_, at) => {
      T.values[at] = Math.sin(at * step);
    });
    layer.updated();
    const dense = new Float64Array(out * inputs);
    T.positions.forEach((position, at) => {
      dense[position] = T.values[at] ?? 0;
    });
    layer.at({ step, progress });
    const count = Math.round((1 - 0.5 * progress) * out * inputs);
    const kept = largest(dense, count).filter((position) => known.includes(position));
    expect([...(valuesOf(layer, "T") as SparseParameter).positions]).toEqual(kept);
    expect(layer.trainable).toBe(kept.length);
    demandWeight(
      layer,
      dense.map((value, at) => (kept.includes(at) ? value + (W.data[at] ?? 0) : 0)),
    );
    known = kept;
  }
  layer.dispose();
});

test("a weight follows the count of a pattern that is chosen again otherwise", async () => {
  const layer = await load("Counted");
  for (const [step, keep] of [
    [0, 0.5],
    [4, 0.25],
  ] as const) {
    layer.at({ step });
    const kept = largest(W.data, Math.round(keep * out * inputs));
    demandWeight(
      layer,
      W.data.map((value, at) => (kept.includes(at) ? kept.length * value : 0)),
    );
  }
});

test("what is saved at a clock goes on as if it had not stopped", async () => {
  for (const [name, clocks] of [
    ["Gradual", (step: number) => ({ step })],
    ["Decay", (step: number) => ({ step, progress: step / 60 })],
    ["Grow", (step: number) => ({ step, progress: step / 60 })],
    ["Shrinking", (step: number) => ({ step, progress: step / 60 })],
  ] as const) {
    const train = (layer: Layer, step: number): void => {
      for (const { values } of Object.values(layer.parameters() as Values)) {
        values.forEach((value, at) => {
          values[at] = value + Math.sin(step * 3 + at) / 4;
        });
      }
      layer.updated();
      layer.at(clocks(step), { gradient: { data: testMatrix(step, out * inputs), shape: [out, inputs] } });
    };
    const through = await load(name);
    for (const step of [7, 15, 22]) train(through, step);
    const path = join(folder, `${name}.safetensors`);
    await through.save(path);
    const again = (await program.artefact.transform(name).load({ W, parameters: path })) as Layer;
    expect(again.merge().data).toEqual(through.merge().data);
    for (const step of [23, 30, 44]) {
      train(through, step);
      train(again, step);
      expect(again.parameters(), `${name} at ${step}`).toEqual(through.parameters());
      expect(again.patterns()).toEqual(through.patterns());
      expect(again.merge().data).toEqual(through.merge().data);
      expect(again.forward(x).data).toEqual(through.forward(x).data);
    }
    through.dispose();
    again.dispose();
  }
});

test("clocks that are missing, unknown or no times are refused, and nothing changes", async () => {
  const layer = await load("Fading");
  demandWeight(
    layer,
    W.data.map((value) => 3 * value),
  );
  expect(() => layer.at({ step: 1 })).toThrow(/SPX8401.*`progress`/);
  expect(() => layer.at({ step: 1, progress: 1.5 })).toThrow(/SPX8407.*`progress` is 1.5/);
  expect(() => layer.at({ step: 0.5, progress: 0 })).toThrow(/SPX8407.*`step`/);
  expect(() => layer.at({ step: 1, progress: 0, stop: 1 } as object)).toThrow(/SPX8402.*`stop`.*`step`/s);
  demandWeight(
    layer,
    W.data.map((value) => 3 * value),
  );
  layer.at({ step: 3, progress: 0.75 });
  demandWeight(
    layer,
    W.data.map((value) => 0.5 * value),
  );
  layer.at({ step: 1, progress: 0.5 });
  demandWeight(
    layer,
    W.data.map((value) => 2 * value),
  );
  await expect(load("Fading", { a: 4 })).rejects.toThrow(/SPX4501.*on \+ s <= 3/);
  layer.dispose();
});

test("numbers are known without a layer", () => {
  const transform = program.artefact.transform("Gradual");
  expect(transform.numbersAt({ step: 30 })).toEqual({ keep: 0.1 + 0.9 * 0.125 });
  expect(transform.numbersAt({ step: 30 }, { final: 0.5, end: 30 })).toEqual({ keep: 0.5 });
  expect(() => transform.numbersAt({})).toThrow(/SPX8401.*`step`/);
});
