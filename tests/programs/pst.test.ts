/** PST, whose scores are trained through the gradient of the mask that they choose: its counts, its start, its gradients. */
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { relativeError } from "../../bench/quickstart/layer-oracle.ts";
import type { DenseParameter, Layer } from "../../runtime/index.ts";
import { type BuiltProgram, buildProgram, randomizeParameters, testMatrix } from "./built-program.ts";
import { weightGradient } from "./gradient-oracle.ts";

const [out, inputs, r] = [17, 13, 3];
const entries = out * inputs;
const W = { data: testMatrix(1, entries), shape: [out, inputs] };
let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram({ file: join("stdlib", "pst.spx") });
}, 240_000);

const load = async (): Promise<Layer> =>
  (await program.artefact.transform("PST").load({ W, r1: r, r2: r, seed: 5 })) as Layer;
type Values = Readonly<Record<string, ArrayLike<number>>>;
const valuesOf = (layer: Layer): Values =>
  Object.fromEntries(
    Object.entries(layer.parameters() as Record<string, DenseParameter>).map(([name, { values }]) => [
      name,
      Float64Array.from(values),
    ]),
  );
const product = (left: ArrayLike<number> = [], right: ArrayLike<number> = [], row: number, column: number) =>
  Array.from({ length: r }, (_, k) => (left[row * r + k] ?? 0) * (right[k * inputs + column] ?? 0)).reduce(
    (sum, value) => sum + value,
    0,
  );
/** W + U V and the scores. */
const formed = (p: Values): { T: Float64Array; S: Float64Array } => {
  const T = Float64Array.from(
    W.data,
    (value, at) => value + product(p.U, p.V, Math.floor(at / inputs), at % inputs),
  );
  const S = T.map((value, at) => {
    const [row, column] = [Math.floor(at / inputs), at % inputs];
    return Math.abs(value) + product(p.A, p.B, row, column) + (p.R?.[row] ?? 0) + (p.C?.[column] ?? 0);
  });
  return { T, S };
};
const largest = (scores: Float64Array, count: number): number[] =>
  Array.from(scores.keys())
    .sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b)
    .slice(0, count)
    .sort((a, b) => a - b);
const kept = (layer: Layer): number[] => [...(layer.patterns().M?.positions ?? [])];

test("the pruned share is 0, 0.7875 and 0.9 at 0.1, 0.4 and 0.7 of the run, and counts are exact", async () => {
  const layer = await load();
  for (const [index, [progress, share]] of (
    [
      [0, 0],
      [0.1, 0],
      [0.4, 0.7875],
      [0.7, 0.9],
      [1, 0.9],
    ] as const
  ).entries()) {
    const { numbers } = layer.at({ step: index + 1, progress });
    expect(numbers.pruned).toBeCloseTo(share, 12);
    expect(kept(layer)).toHaveLength(entries - Math.floor(share * entries));
    expect(layer.merge().data.filter((value) => value !== 0)).toHaveLength(kept(layer).length);
  }
  layer.dispose();
});

test("an untrained layer is pruned by magnitude, a trained one by its scores", async () => {
  const layer = await load();
  layer.at({ step: 1, progress: 0.4 });
  const count = entries - Math.floor(0.7875 * entries);
  expect(kept(layer)).toEqual(largest(Float64Array.from(W.data, Math.abs), count));
  randomizeParameters(layer, 3);
  layer.at({ step: 2, progress: 0.4 });
  const { T, S } = formed(valuesOf(layer));
  expect(kept(layer)).toEqual(largest(S, count));
  const stays = new Set(kept(layer));
  const expected = T.map((value, at) => (stays.has(at) ? value : 0));
  expect(relativeError(layer.merge().data, expected)).toBeLessThan(1e-5);
  for (const batch of [1, 5, 33]) {
    const x = testMatrix(batch, batch * inputs);
    const y = Float64Array.from({ length: batch * out }, (_, at) =>
      Array.from(
        { length: inputs },
        (_, column) =>
          (x[Math.floor(at / out) * inputs + column] ?? 0) * (expected[(at % out) * inputs + column] ?? 0),
      ).reduce((sum, value) => sum + value, 0),
    );
    expect(relativeError(layer.forward(x).data, y)).toBeLessThan(1e-5);
  }
  layer.dispose();
});

test("a large bonus of a row keeps it whole", async () => {
  const layer = await load();
  const { R } = layer.parameters() as Record<string, DenseParameter>;
  R?.values.set([1e3], 4);
  layer.updated();
  layer.at({ step: 1, progress: 0.7 });
  const row = Array.from({ length: inputs }, (_, column) => 4 * inputs + column);
  expect(kept(layer)).toEqual(expect.arrayContaining(row));
  layer.dispose();
});

test("gradients are the central differences of <G, M ⊙ T + S ⊙ T₀>, with T₀ = T now and M fixed", async () => {
  const layer = await load();
  randomizeParameters(layer, 3);
  layer.at({ step: 1, progress: 0.4 });
  const [x, dy] = [testMatrix(6, 3 * inputs), testMatrix(7, 3 * out)];
  const { dx, grads } = layer.backward(x, dy);
  const G = weightGradient(x, dy, 3).values;
  const now = valuesOf(layer);
  const stays = new Set(kept(layer));
  const held = formed(now).T;
  const loss = (parameters: Values): number => {
    const { T, S } = formed(parameters);
    return G.reduce(
      (sum, value, at) => sum + value * ((stays.has(at) ? (T[at] ?? 0) : 0) + (S[at] ?? 0) * (held[at] ?? 0)),
      0,
    );
  };
  for (const [name, values] of Object.entries(now)) {
    const moved = (at: number, by: number): Values => ({
      ...now,
      [name]: Float64Array.from(values, (value, other) => value + (other === at ? by : 0)),
    });
    const expected = Float64Array.from(
      values,
      (_, at) => (loss(moved(at, 1e-5)) - loss(moved(at, -1e-5))) / 2e-5,
    );
    const found = (grads as Record<string, DenseParameter>)[name]?.values ?? new Float32Array();
    expect(relativeError(found, expected), name).toBeLessThan(1e-5);
  }
  const back = Float64Array.from({ length: 3 * inputs }, (_, at) =>
    Array.from(
      { length: out },
      (_, row) =>
        (dy[Math.floor(at / inputs) * out + row] ?? 0) *
        (layer.merge().data[row * inputs + (at % inputs)] ?? 0),
    ).reduce((sum, value) => sum + value, 0),
  );
  expect(relativeError(dx.data, back)).toBeLessThan(1e-5);
  layer.dispose();
});
