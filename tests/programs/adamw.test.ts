/** AdamW over the parameters of a layer, against the formula in float64: formats, moved positions, shared threads, mistakes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Layer, SparseParameter } from "../../runtime/index.ts";
import { runnableSuffixes } from "../backend/native-kernels.ts";
import { type BuiltProgram, buildProgram, openChanged, testMatrix } from "./built-program.ts";

const text = `
import { magnitude, random_support, regrow } from "std/select"

transform Moving(W: frozen [out, in], r: int = 3) {
  param B: [out, r] = 0
  param A: [r, in]  = uniform(0.5)
  param S: sparse [out, in] on magnitude(W, keep: 0.25) = 0.5
  weight = W + B @ A + S
}

transform Regrown(W: frozen [out, in]) {
  support E                        = random_support(64)
  param   S: sparse [out, in] on E = 0.5
  refresh E every 10 = regrow(E, abs(S), abs(gradient), 0.25)
  weight = W + S
}
`;
let program: BuiltProgram;
const folder = mkdtempSync(join(tmpdir(), "spx-adamw-"));
beforeAll(async () => {
  program = await buildProgram({ text });
}, 240_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [out, inputs] = [37, 29];
const W = { data: testMatrix(1, out * inputs), shape: [out, inputs] };
type Values = Readonly<Record<string, SparseParameter>>;

/** Values and means after a step, in float64. */
function formula() {
  const means = new Map<string, { readonly m: Float64Array; readonly v: Float64Array }>();
  let steps = 0;
  return (values: Map<string, Float64Array>, grads: Values, rate: number, decay: number, scale: number) => {
    steps += 1;
    for (const [name, own] of values) {
      const known = means.get(name) ?? { m: new Float64Array(own.length), v: new Float64Array(own.length) };
      means.set(name, known);
      for (const [at, value] of own.entries()) {
        const g = scale * (grads[name]?.values[at] ?? Number.NaN);
        const m = 0.9 * (known.m[at] ?? 0) + 0.1 * g;
        const v = 0.999 * (known.v[at] ?? 0) + 0.001 * g * g;
        [known.m[at], known.v[at]] = [m, v];
        const [mean, square] = [m / (1 - 0.9 ** steps), v / (1 - 0.999 ** steps)];
        own[at] = value - rate * decay * value - (rate * mean) / (Math.sqrt(square) + 1e-8);
      }
    }
  };
}

test("steps follow the formula at every level, and the layer sees them", async () => {
  const [x, dy] = [testMatrix(2, 4 * inputs), testMatrix(3, 4 * out)];
  for (const suffix of runnableSuffixes()) {
    const place = { folder, name: suffix, level: `x86-64-${suffix}` };
    const layer = (await openChanged(program, place, (manifest) => manifest)
      .transform("Moving")
      .load({ W })) as Layer<Values>;
    const optimizer = layer.adamW({ learningRate: 0.01, weightDecay: 0.1 });
    const expected = new Map(
      Object.entries(layer.parameters()).map(([name, { values }]) => [name, Float64Array.from(values)]),
    );
    const follow = formula();
    for (const rate of [0.01, 0.02, 0.01]) {
      const { grads } = layer.backward(x, dy, { dx: false });
      const before = layer.forward(x).data;
      follow(expected, grads, rate, 0.1, 0.5);
      optimizer.step(grads, { learningRate: rate, scale: 0.5, threads: 2 });
      expect(layer.forward(x).data).not.toEqual(before);
    }
    expect(optimizer.steps).toBe(3);
    for (const [name, { values }] of Object.entries(layer.parameters())) {
      const own = expected.get(name) ?? new Float64Array();
      const off = Math.max(...values.map((value, at) => Math.abs(value - (own[at] ?? Number.NaN))));
      expect(off, `${suffix} ${name}`).toBeLessThan(2e-5);
      expect(optimizer.state()[name]?.m.length).toBe(values.length);
    }
    expect(layer.parameters().S?.values.length).toBe(Math.round(0.25 * out * inputs));
    layer.dispose();
  }
});

test("parameters that are left out stay as they are", async () => {
  const layer = (await program.artefact.transform("Moving").load({ W })) as Layer<Values>;
  const before = layer.parameters().A?.values.slice();
  const optimizer = layer.adamW({ parameters: ["B"] });
  const { grads } = layer.backward(testMatrix(2, 2 * inputs), testMatrix(3, 2 * out));
  optimizer.step(grads);
  expect(layer.parameters().A?.values).toEqual(before);
  expect(layer.parameters().B?.values.some((value) => value !== 0)).toBe(true);
  expect(Object.keys(optimizer.state())).toEqual(["B"]);
});

test("means stay with their positions when a support is chosen again", async () => {
  const layer = (await program.artefact.transform("Regrown").load({ W })) as Layer<Values>;
  const optimizer = layer.adamW();
  const { grads } = layer.backward(testMatrix(2, 2 * inputs), testMatrix(3, 2 * out));
  optimizer.step(grads);
  const before = optimizer.state();
  const gradient = { data: testMatrix(5, out * inputs), shape: [out, inputs] };
  const moved = layer.at({ step: 10 }, { gradient }).patterns.flatMap(({ parameters }) => parameters);
  expect(moved).toHaveLength(1);
  for (const { name, from } of moved) {
    expect(from.filter((origin) => origin < 0)).toHaveLength(16);
    for (const mean of ["m", "v"] as const)
      expect([...(optimizer.state()[name]?.[mean] ?? [])]).toEqual(
        Array.from(from, (origin) => (origin < 0 ? 0 : before[name]?.[mean][origin])),
      );
  }
  optimizer.step(layer.backward(testMatrix(2, 2 * inputs), testMatrix(3, 2 * out)).grads);
});

test("mistakes are named, and nothing has changed then", async () => {
  const layer = (await program.artefact.transform("Moving").load({ W })) as Layer<Values>;
  expect(() => layer.adamW({ parameters: ["C"] })).toThrow("no parameter `C`");
  for (const options of [{ learningRate: -1 }, { beta1: 1 }, { beta2: -0.1 }, { epsilon: Number.NaN }])
    expect(() => layer.adamW(options)).toThrow(expect.objectContaining({ code: "SPX8407" }));
  const optimizer = layer.adamW();
  const { grads } = layer.backward(testMatrix(2, 2 * inputs), testMatrix(3, 2 * out));
  const before = layer.parameters().A?.values.slice();
  expect(() =>
    optimizer.step({ ...grads, S: { ...grads.A, values: new Float32Array(3) } } as Values),
  ).toThrow("has 3 values");
  expect(() => optimizer.step(grads, { scale: Number.POSITIVE_INFINITY })).toThrow("`scale`");
  expect(layer.parameters().A?.values).toEqual(before);
  expect(optimizer.steps).toBe(0);
});
