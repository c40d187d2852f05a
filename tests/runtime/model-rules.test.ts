import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openCheckpoint } from "../../runtime/checkpoint/read-safetensors.ts";
import { namedTensor, writeSafetensors } from "../../runtime/checkpoint/write-safetensors.ts";
import type { ModelRule } from "../../runtime/contract/manifest.ts";
import { apply, number, symbol } from "../../runtime/contract/number-expression.ts";
import { artefactOver } from "../../runtime/model/open-artefact.ts";
import { tensor } from "../../runtime/tensor/tensor.ts";
import { sampleDevice, sampleManifest, sampleTransform } from "./model-sample.ts";

const folder = mkdtempSync(join(tmpdir(), "spx-rules-"));
afterAll(() => rmSync(folder, { recursive: true }));

const location = { file: "model.spx", line: 3, column: 7 };
/** The regular expressions are what a glob compiler writes for these globs, over names with `/`. */
const use = (glob: string, pattern: string, extra: Partial<ModelRule> = {}): ModelRule => ({
  kind: "use",
  glob,
  pattern,
  exceptions: [],
  transform: "Sample",
  arguments: {},
  location,
  ...extra,
});
const freeze: ModelRule = use("**", "^(?:.*)$", { kind: "freeze", transform: null });
const query = use("layer.*.query.weight", "^(?:layer\\/[^/]*?\\/query\\/weight)$", {
  arguments: { r: number(2) },
});
const anyWeight = use("layer.**.weight", "^(?:layer\\/.*\\/weight)$", {
  arguments: { nnz: apply("/", symbol("in"), number(2)) },
  exceptions: [{ glob: "**.norm.weight", pattern: "^(?:.*\\/norm\\/weight)$" }],
});

const names = [
  "embed.weight",
  "layer.0.query.weight",
  "layer.0.norm.weight",
  "layer.0.out.weight",
  "layer.1.query.weight",
];
const modelOf = (...rules: ModelRule[]) =>
  artefactOver(() => sampleManifest([sampleTransform], rules), sampleDevice).model("Encoder");

describe("rules", () => {
  it("apply in order, the first match wins, exceptions fall through", () => {
    const matches = modelOf(query, anyWeight, freeze).match(names);
    expect(matches.map((match) => [match.tensor, match.rule.glob, match.transform, match.arguments])).toEqual(
      [
        ["embed.weight", "**", null, {}],
        ["layer.0.query.weight", query.glob, "Sample", { r: 2 }],
        ["layer.0.norm.weight", "**", null, {}],
        ["layer.0.out.weight", anyWeight.glob, "Sample", { nnz: anyWeight.arguments.nnz }],
        ["layer.1.query.weight", query.glob, "Sample", { r: 2 }],
      ],
    );
    expect(
      modelOf(query)
        .match(names)
        .map(({ tensor: name }) => name),
    ).toEqual(["layer.0.query.weight", "layer.1.query.weight"]);
  });

  it("that match nothing are errors with the nearest names and the place", () => {
    const typo = use("layer.*.qeury.weight", "^(?:layer\\/[^/]*?\\/qeury\\/weight)$");
    expect(() => modelOf(typo).match(names)).toThrow(
      /SPX8501.*"layer\.\*\.qeury\.weight" of `Encoder` matches no tensor\n.*model\.spx:3:7; the nearest names are `layer\.0\.query\.weight`/,
    );
    const far = use("layer.zzzzzzzzzzzzzzzzzzzzzzzzz", "^(?:layer\\/zzz)$");
    expect(() => modelOf(far).match(names)).toThrow(/nearest names are `layer\./);
    const excluded = use("**.norm.weight", "^(?:.*\\/norm\\/weight)$", {
      exceptions: [{ glob: "layer.**", pattern: "^(?:layer\\/.*)$" }],
    });
    expect(() => modelOf(excluded).match(names)).toThrow(/matches no tensor after its exceptions/);
    expect(() => modelOf(freeze).match([])).toThrow(/SPX8501/);
  });

  it("that are wholly shadowed are errors, but a freeze of the rest may have no rest", () => {
    expect(() => modelOf(anyWeight, query).match(names)).toThrow(
      /SPX8502.*"layer\.\*\.query\.weight".*earlier rules take all 2/,
    );
    const all = use("**", "^(?:.*)$");
    expect(
      modelOf(all, freeze)
        .match(names)
        .every(({ transform }) => transform === "Sample"),
    ).toBe(true);
  });
});

describe("loading a model", () => {
  it("streams layers in the checkpoint's order, each with its own name and arguments", async () => {
    const path = join(folder, "model.safetensors");
    const values = (count: number) => Float32Array.from({ length: count }, (_, index) => (index % 13) - 6);
    await writeSafetensors(
      path,
      names.map((name) => namedTensor(name, tensor("f32", [8, 6], values(48)))),
    );
    const model = modelOf(query, anyWeight, freeze);
    const checkpoint = await openCheckpoint(path);
    let reads = 0;
    const counted = {
      ...checkpoint,
      read: (name: string) => {
        reads++;
        return checkpoint.read(name);
      },
    };
    const loaded: unknown[] = [];
    const drawn = new Set<string>();
    for await (const { tensor: name, layer } of model.load(counted, { seed: 4, threads: 1 })) {
      loaded.push([name, layer.name, layer.seed, layer.arguments.r, layer.arguments.nnz]);
      expect(reads).toBe(loaded.length);
      drawn.add(JSON.stringify(layer.parameters()));
      expect(layer.forward(new Float32Array(6)).shape).toEqual([1, 8]);
      layer.dispose();
    }
    await checkpoint.close();
    expect(loaded).toEqual([
      ["layer.0.out.weight", "layer.0.out.weight", 4, 4, 3],
      ["layer.0.query.weight", "layer.0.query.weight", 4, 2, 4],
      ["layer.1.query.weight", "layer.1.query.weight", 4, 2, 4],
    ]);
    expect(drawn.size).toBe(3);
    const only: string[] = [];
    for await (const { tensor: name } of model.load(path, { only: (match) => match.tensor.includes("1") }))
      only.push(name);
    expect(only).toEqual(["layer.1.query.weight"]);
  });

  it("names the tensor of the checkpoint in errors", async () => {
    const path = join(folder, "broken.safetensors");
    const values = Float32Array.of(1, 2, Number.NaN, 4);
    await writeSafetensors(path, [namedTensor("layer.0.query.weight", tensor("f32", [2, 2], values))]);
    const run = async () => {
      for await (const { layer } of modelOf(query).load(path)) layer.dispose();
    };
    await expect(run()).rejects.toThrow(/SPX8408.*layer\.0\.query\.weight: `W` holds NaN at \[1, 0\]/);
  });

  it("asks for the checkpoint that a second tensor comes from", async () => {
    const two = {
      ...sampleTransform,
      arguments: [
        ...sampleTransform.arguments,
        { kind: "tensor", name: "V", dimensions: [symbol("in")], frozen: true } as const,
      ],
    };
    const path = join(folder, "two.safetensors");
    await writeSafetensors(path, [
      namedTensor("layer.0.query.weight", tensor("f32", [2, 2], new Float32Array(4))),
    ]);
    const model = artefactOver(() => sampleManifest([two], [query]), sampleDevice).model("Encoder");
    const run = async () => {
      for await (const { layer } of model.load(path)) layer.dispose();
    };
    await expect(run()).rejects.toThrow(
      /SPX8401.*layer\.0\.query\.weight: `Sample` reads `V` from another checkpoint/,
    );
  });
});
