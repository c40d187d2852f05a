/** The three modes of a mask, compiled and run: what is stored, trained, saved, and how the gradients differ. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { oracleForward, relativeError } from "../../bench/quickstart/layer-oracle.ts";
import type { DenseParameter, Layer, SparseParameter } from "../../runtime/index.ts";
import { checkBackward, loadCase } from "./backward-check.ts";
import { type BuiltProgram, buildProgram, testMatrix } from "./built-program.ts";
import { weightGradient } from "./gradient-oracle.ts";

type Values = Readonly<Record<string, DenseParameter | SparseParameter>>;

const modes = ["structural", "multiplicative", "straight_through"] as const;
const shapes = {
  Groups: "nm(2, 4) along in",
  Columns: "nm(1, 2) along output",
  Blocks: "block(2, 4)",
  Entries: "unstructured",
} as const;
const names = Object.keys(shapes) as readonly (keyof typeof shapes)[];
const programs = names.flatMap((name) =>
  modes.map((mode) => {
    const keep = shapes[name].startsWith("nm") ? "" : ", 0.4";
    return `
transform ${name}_${mode}(W: frozen [out, in]) {
  require out % 2 == 0 and in % 4 == 0
  mask M: ${mode} ${shapes[name]} = magnitude(T${keep})
  param T: [out, in] = normal(std: 1)
  weight = 0.5 * (M .* (T + W)) + W
}`;
  }),
);
const straightThroughProduct = `
transform Straight(W: frozen [out, in], r: int = 2) {
  mask M: straight_through unstructured = magnitude(W, 0.5)
  param B: [out, r] = normal(std: 1)
  param A: [r, in] = normal(std: 1)
  weight = M .* (W + B @ A)
}`;
const source = `import { magnitude } from "std/select"\n${programs.join("\n")}${straightThroughProduct}`;

let program: BuiltProgram;
const folder = mkdtempSync(join(tmpdir(), "spx-modes-"));
beforeAll(async () => {
  program = await buildProgram({ text: source });
}, 240_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sizes = [
  [2, 4],
  [34, 36],
] as const;
const kept: Readonly<Record<keyof typeof shapes, (entries: number) => number>> = {
  Groups: (entries) => entries / 2,
  Columns: (entries) => entries / 2,
  Blocks: (entries) => 8 * Math.round((0.4 * entries) / 8),
  Entries: (entries) => Math.round(0.4 * entries),
};

const load = async (name: string, [out, inputs]: readonly [number, number]): Promise<Layer> =>
  (await program.artefact.transform(name).load({
    W: { data: testMatrix(5, out * inputs), shape: [out, inputs] },
    seed: 3,
    name: "one",
  })) as Layer;

test.each(names.flatMap((name) => modes.map((mode) => [name, mode] as const)))(
  "%s %s: forward and gradients agree with the oracle",
  async (name, mode) => {
    for (const [out, inputs] of sizes) {
      const loaded = await loadCase(program, `${name}_${mode}`, out, inputs, {});
      const x = testMatrix(8, 5 * inputs);
      const y = oracleForward(loaded.weight, x, 5);
      expect(relativeError(loaded.layer.forward(x).data, y)).toBeLessThan(1e-5);
      await checkBackward(loaded);
      expect(loaded.layer.trainable).toBe(mode === "structural" ? kept[name](out * inputs) : out * inputs);
      loaded.layer.dispose();
    }
  },
);

test.each(names)("%s: the mode does not change what a layer starts with", async (name) => {
  const layers = await Promise.all(modes.map((mode) => load(`${name}_${mode}`, [34, 36])));
  const [first, ...others] = layers.map((layer) => layer.merge().data);
  for (const other of others) expect(other).toEqual(first);
  for (const layer of layers) layer.dispose();
});

test.each(names)("%s: the gradient passes all, the kept, or only the stored entries", async (name) => {
  const [out, inputs] = [34, 36];
  const layers = await Promise.all(modes.map((mode) => load(`${name}_${mode}`, [out, inputs])));
  const x = testMatrix(6, 3 * inputs);
  const dy = testMatrix(7, 3 * out);
  const dense = weightGradient(x, dy, 3).values.map((value) => 0.5 * value);
  const [structural, multiplicative, straightThrough] = layers.map(
    (layer) => (layer.backward(x, dy, { dx: false }).grads as Values).T,
  );
  const positions = (structural as SparseParameter).positions;
  const masked = dense.map((value, at) => (positions.includes(at) ? value : 0));
  const stored = Float64Array.from(positions, (position) => dense[position] ?? Number.NaN);
  expect(relativeError(structural?.values ?? new Float32Array(), stored)).toBeLessThan(1e-5);
  expect(relativeError(multiplicative?.values ?? new Float32Array(), masked)).toBeLessThan(1e-5);
  expect(relativeError(straightThrough?.values ?? new Float32Array(), dense)).toBeLessThan(1e-5);
  for (const layer of layers) layer.dispose();
});

test("straight through a masked product the factors get the gradients of the product", async () => {
  const loaded = await loadCase(program, "Straight", 9, 7, {});
  await checkBackward(loaded);
  loaded.layer.dispose();
});

test("a structural param is saved and restored at its positions", async () => {
  const layer = await load("Groups_structural", [34, 36]);
  const parameters = layer.parameters() as Values;
  parameters.T?.values.forEach((value, at, values) => {
    values[at] = value * 2 + at;
  });
  layer.updated();
  const path = join(folder, "groups.safetensors");
  await layer.save(path);
  const again = (await program.artefact.transform("Groups_structural").load({
    W: { data: testMatrix(5, 34 * 36), shape: [34, 36] },
    parameters: path,
  })) as Layer;
  expect(again.parameters()).toEqual(parameters);
  expect(again.merge().data).toEqual(layer.merge().data);
  expect(again.patterns()).toEqual(layer.patterns());
  layer.dispose();
  again.dispose();
});
