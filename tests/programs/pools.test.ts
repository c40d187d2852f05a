/** Selections among the layers of a model, against sorting all their entries at once. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { namedTensor, writeSafetensors } from "../../runtime/checkpoint/write-safetensors.ts";
import type { Layer, ModelLoadOptions } from "../../runtime/index.ts";
import { tensor } from "../../runtime/tensor/tensor.ts";
import { type BuiltProgram, buildProgram, testMatrix } from "./built-program.ts";

const source = `
import { magnitude, nonzero, random, topk } from "std/select"
import { erk } from "std/sparse"

transform Global(W: frozen [out, in], keep: ratio = 0.3) {
  mask M: unstructured = magnitude(W, keep, pool: model)
  weight = M .* W
}
transform Grouped(W: frozen [out, in], k: int = 7) {
  support E = topk(-abs(W), k, pool: group)
  mask M: unstructured = not E
  param S: sparse [out, in] on E = W
  weight = M .* W + S
}
transform Drawn(W: frozen [out, in], keep: ratio = 0.25) {
  mask M: unstructured = random(keep, pool: model)
  mask N: unstructured = magnitude(M .* W, 0.1, pool: model)
  weight = M .* W + N .* W
}
transform Delta(W: frozen [out, in], tuned: [out, in], k: int = 9) {
  param S: sparse [out, in] on topk(abs(tuned - W), k, pool: model) = tuned - W
  weight = W + S
}
transform Lines(W: frozen [out, in], k: int = 1) {
  mask M: unstructured = topk(abs(W), k, pool: column)
  mask N: unstructured = magnitude(W, 0.5, pool: column)
  mask R: unstructured = random(0.5, pool: column)
  weight = M .* W + N .* W + R .* W
}
transform Tiles(W: frozen [out, in]) {
  mask M: unstructured = magnitude(W, 0.25, pool: block(2, 4))
  weight = M .* W
}
transform Allotted(W: frozen [out, in], keep: ratio = 0.3) {
  mask M: unstructured = magnitude(W, erk(keep, out, in))
  mask N: unstructured = topk(abs(W), floor(out * in * erk(keep, out, in, pool: group)))
  weight = M .* W + N .* W
}
model Er { for "**" use Allotted(keep: 0.2) }
model ErGroups {
  for "a.*" use Allotted(keep: 0.5)
  for "b.*" use Allotted(keep: 0.5)
}
model ErDiffering {
  for "a.*" use Allotted(keep: 0.5)
  for "b.*" use Allotted(keep: 0.25)
}
model All { for "**" use Global }
model None { for "**" use Global(keep: 0) }
model Whole { for "**" use Global(keep: 1) }
model TwoGroups {
  for "a.*" use Grouped(k: 5)
  for "b.*" use Grouped(k: 20)
}
model Random { for "**" use Drawn }
model Tuned { for "**" use Delta }
model Differing {
  for "a.*" use Global(keep: 0.1)
  for "b.*" use Global(keep: 0.2)
}
`;

const folder = mkdtempSync(join(tmpdir(), "spx-pools-"));
afterAll(() => rmSync(folder, { recursive: true }));

const shapes: Readonly<Record<string, readonly [number, number]>> = {
  "a.0": [5, 7],
  "a.1": [1, 1],
  "b.0": [16, 3],
  "b.1": [11, 13],
};
const names = Object.keys(shapes);
const size = (name: string): number => (shapes[name]?.[0] ?? 0) * (shapes[name]?.[1] ?? 0);

let program: BuiltProgram;
/** Few distinct values, so that ties reach from layer to layer. */
const coarse = new Map(
  names.map((name, index) => [
    name,
    testMatrix(index + 3, size(name)).map((value) => Math.round(3 * value) / 2),
  ]),
);
const fine = new Map(names.map((name, index) => [name, testMatrix(index + 30, size(name))]));

async function checkpoint(file: string, values: ReadonlyMap<string, Float32Array>): Promise<string> {
  const path = join(folder, file);
  const tensors = [...values].map(([name, data]) =>
    namedTensor(name, tensor("f32", shapes[name] ?? [0, 0], data)),
  );
  await writeSafetensors(path, tensors);
  return path;
}

let coarsePath = "";
let finePath = "";
beforeAll(async () => {
  program = await buildProgram({ text: source });
  coarsePath = await checkpoint("coarse.safetensors", coarse);
  finePath = await checkpoint("fine.safetensors", fine);
}, 240_000);

async function load(model: string, path: string, options: ModelLoadOptions = {}) {
  const layers = new Map<string, Layer>();
  for await (const { tensor: name, layer } of program.artefact.model(model).load(path, options))
    layers.set(name, layer as Layer);
  return layers;
}

/** The `count` best of all entries of `among`, ties to the first layer and the lowest index, by layer. */
function best(
  values: ReadonlyMap<string, Float32Array>,
  among: readonly string[],
  count: number,
  score: (value: number) => number,
): Map<string, number[]> {
  const entries = among.flatMap((name) =>
    [...(values.get(name) ?? [])].map((value, at) => ({ name, at, score: score(value) })),
  );
  const order = entries
    .map((entry, rank) => ({ ...entry, rank }))
    .sort((a, b) => b.score - a.score || a.rank - b.rank);
  const chosen = new Map(among.map((name) => [name, [] as number[]]));
  for (const { name, at } of order.slice(0, count)) chosen.get(name)?.push(at);
  for (const positions of chosen.values()) positions.sort((a, b) => a - b);
  return chosen;
}

const positionsOf = (layers: ReadonlyMap<string, Layer>, pattern: string) =>
  new Map([...layers].map(([name, layer]) => [name, [...(layer.patterns()[pattern]?.positions ?? [])]]));

const entries = names.reduce((sum, name) => sum + size(name), 0);

describe("a pool of layers", () => {
  test.each([
    ["many ties", () => [coarsePath, coarse] as const],
    ["none", () => [finePath, fine] as const],
  ])("keeps the largest of all: %s", async (_title, data) => {
    const [path, values] = data();
    const layers = await load("All", path);
    expect(positionsOf(layers, "M")).toEqual(best(values, names, Math.round(0.3 * entries), Math.abs));
    const total = [...positionsOf(layers, "M").values()].reduce((sum, kept) => sum + kept.length, 0);
    expect(total).toBe(Math.round(0.3 * entries));
  });

  test("keeps nothing, or everything", async () => {
    for (const kept of positionsOf(await load("None", coarsePath), "M").values()) expect(kept).toEqual([]);
    for (const [name, kept] of positionsOf(await load("Whole", coarsePath), "M"))
      expect(kept).toHaveLength(size(name));
  });

  test("is made of the layers that load", async () => {
    const only = (match: { tensor: string }) => match.tensor.startsWith("b");
    const among = ["b.0", "b.1"];
    const count = Math.round(0.3 * (size("b.0") + size("b.1")));
    expect(positionsOf(await load("All", coarsePath, { only }), "M")).toEqual(
      best(coarse, among, count, Math.abs),
    );
  });

  test("of one rule, with a budget of its own; a param on it has as many values as its layer got", async () => {
    const layers = await load("TwoGroups", coarsePath);
    const small = (value: number): number => -Math.abs(value);
    const expected = new Map([
      ...best(coarse, ["a.0", "a.1"], 5, small),
      ...best(coarse, ["b.0", "b.1"], 20, small),
    ]);
    expect(positionsOf(layers, "E")).toEqual(expected);
    for (const [name, layer] of layers) {
      expect(layer.trainable).toBe(expected.get(name)?.length);
      expect([...layer.merge().data]).toEqual([...(coarse.get(name) ?? [])].map((value) => value + 0));
    }
  });

  test("at random, and of another pool's choice", async () => {
    const layers = await load("Random", finePath, { seed: 5 });
    const drawn = positionsOf(layers, "M");
    expect([...drawn.values()].flat()).toHaveLength(Math.round(0.25 * entries));
    const masked = new Map(
      [...fine].map(([name, values]) => [
        name,
        values.map((value, at) => (drawn.get(name)?.includes(at) ? value : 0)),
      ]),
    );
    expect(positionsOf(layers, "N")).toEqual(best(masked, names, Math.round(0.1 * entries), Math.abs));
    expect(positionsOf(await load("Random", finePath, { seed: 5 }), "M")).toEqual(drawn);
    expect(positionsOf(await load("Random", finePath, { seed: 6 }), "M")).not.toEqual(drawn);
  });

  test("of differences to another checkpoint", async () => {
    const layers = await load("Tuned", coarsePath, { sources: { tuned: finePath } });
    const differences = new Map(
      [...coarse].map(([name, values]) => [
        name,
        values.map((value, at) => (fine.get(name)?.[at] ?? 0) - value),
      ]),
    );
    expect(positionsOf(layers, "S.support")).toEqual(best(differences, names, 9, Math.abs));
    await expect(load("Tuned", coarsePath)).rejects.toThrow(
      "error[SPX8401]: a.0: `Delta` reads `tuned` from another checkpoint",
    );
  });

  test("shares one budget", async () => {
    await expect(load("Differing", coarsePath)).rejects.toThrow(
      "error[SPX8503]: the model shares one budget for `M`, and `a.0` asks for 0.1, `b.0` for 0.2",
    );
  });

  test("is one layer where that is loaded alone", async () => {
    const W = { data: coarse.get("b.1") ?? new Float32Array(), shape: [11, 13] };
    const layer = (await program.artefact.transform("Global").load({ W })) as Layer;
    const alone = best(coarse, ["b.1"], Math.round(0.3 * size("b.1")), Math.abs);
    expect(positionsOf(new Map([["b.1", layer]]), "M")).toEqual(alone);
  });

  test("is restored from a file, which a layer alone could not choose again", async () => {
    const layers = await load("All", coarsePath);
    for (const [name, layer] of layers) {
      const path = join(folder, `${name}.layer.safetensors`);
      await layer.save(path);
      const W = { data: coarse.get(name) ?? new Float32Array(), shape: shapes[name] ?? [] };
      const again = (await program.artefact.transform("Global").load({ W, parameters: path })) as Layer;
      expect(again.merge().data).toEqual(layer.merge().data);
      const { M } = layer.patterns();
      if (M === undefined) throw new Error("no M");
      const record = (await program.artefact.transform("Global").load({ W, parameters: { M } })) as Layer;
      expect(record.merge().data).toEqual(layer.merge().data);
      const none = program.artefact.transform("Global").load({ W, parameters: {} });
      await expect(none).rejects.toThrow("error[SPX8014]");
    }
  });
});

describe("pools inside a matrix", () => {
  test("columns and tiles have budgets of their own", async () => {
    const W = { data: testMatrix(8, 6 * 8), shape: [6, 8] };
    const lines = (await program.artefact.transform("Lines").load({ W, k: 2, seed: 4 })) as Layer;
    const perColumn = (pattern: string): number[] => {
      const counts = new Array<number>(8).fill(0);
      for (const at of lines.patterns()[pattern]?.positions ?? []) counts[at % 8] = (counts[at % 8] ?? 0) + 1;
      return counts;
    };
    expect(["M", "N", "R"].map(perColumn)).toEqual([2, 3, 3].map((count) => new Array(8).fill(count)));
    const columns = Array.from({ length: 8 }, (_, column) =>
      [0, 1, 2, 3, 4, 5]
        .map((row) => row * 8 + column)
        .sort((a, b) => Math.abs(W.data[b] ?? 0) - Math.abs(W.data[a] ?? 0))
        .slice(0, 2),
    );
    expect([...(lines.patterns().M?.positions ?? [])]).toEqual(columns.flat().sort((a, b) => a - b));
    const tiles = (await program.artefact.transform("Tiles").load({ W })) as Layer;
    const counts = new Map<string, number>();
    for (const at of tiles.patterns().M?.positions ?? []) {
      const tile = `${Math.floor(at / 16)} ${Math.floor((at % 8) / 4)}`;
      counts.set(tile, (counts.get(tile) ?? 0) + 1);
    }
    expect([...counts.values()]).toEqual(new Array(6).fill(2));
    await expect(
      program.artefact.transform("Tiles").load({ W: { data: new Float32Array(15), shape: [3, 5] } }),
    ).rejects.toThrow("SPX4105");
  });
});

describe("allotted densities", () => {
  /** By bisection over ε. */
  function densities(among: readonly string[], density: number): number[] {
    const sizes = among.map((name) => shapes[name] ?? [0, 0]);
    const at = (scale: number): number[] =>
      sizes.map(([rows, columns]) => Math.min(1, (scale * (rows + columns)) / (rows * columns)));
    const kept = (scale: number): number =>
      at(scale).reduce((sum, share, index) => sum + share * size(among[index] ?? ""), 0);
    const budget = density * among.reduce((sum, name) => sum + size(name), 0);
    let [low, high] = [0, 1e4];
    for (let step = 0; step < 200; step++) {
      const middle = (low + high) / 2;
      if (kept(middle) < budget) low = middle;
      else high = middle;
    }
    return at(low);
  }

  test("are Erdős-Rényi's over the model, and over each rule", async () => {
    const layers = await load("Er", finePath);
    const expected = densities(names, 0.2);
    expect(Math.max(...expected)).toBe(1);
    for (const [index, name] of names.entries()) {
      const share = expected[index] ?? 0;
      const layer = layers.get(name);
      expect(layer?.arguments["erk(keep, out, in)"]).toBeCloseTo(share, 10);
      expect(layer?.patterns().M?.positions.length).toBe(Math.round(share * size(name)));
      expect(layer?.patterns().N?.positions.length).toBe(
        Math.floor(size(name) * (layer?.arguments["erk(keep, out, in, group)"] ?? 0)),
      );
    }
    const grouped = await load("ErGroups", finePath);
    for (const group of [
      ["a.0", "a.1"],
      ["b.0", "b.1"],
    ])
      for (const [index, name] of group.entries())
        expect(grouped.get(name)?.arguments["erk(keep, out, in, group)"]).toBeCloseTo(
          densities(group, 0.5)[index] ?? 0,
          10,
        );
  });

  test("of a layer alone are the whole; a saved layer keeps what it was given", async () => {
    const W = { data: fine.get("b.1") ?? new Float32Array(), shape: [11, 13] };
    const alone = (await program.artefact.transform("Allotted").load({ W })) as Layer;
    expect(alone.patterns().M?.positions.length).toBe(Math.round(0.3 * 143));
    const [path, given] = [join(folder, "allotted.safetensors"), (await load("Er", finePath)).get("b.1")];
    await given?.save(path);
    const again = (await program.artefact
      .transform("Allotted")
      .load({ W, parameters: path, name: "b.1" })) as Layer;
    expect(again.arguments).toEqual(given?.arguments);
    expect(again.patterns()).toEqual(given?.patterns());
  });

  test("need one density among the layers that share", async () => {
    await expect(load("ErDiffering", finePath)).rejects.toThrow(
      "error[SPX8503]: the model shares out `erk(keep, out, in)`, and `a.0` asks for 0.5, `b.0` for 0.25",
    );
  });
});
