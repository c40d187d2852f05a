/** Frozen, shared and quantized tensors, compiled and run natively: against the oracle, restored, and in models. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { oracleForward, oracleWeight, relativeError } from "../../bench/quickstart/layer-oracle.ts";
import { explainTransform } from "../../compiler/explain/explain-transform.ts";
import { widestMachine } from "../../compiler/plan/cost-model.ts";
import { defaultRates } from "../../compiler/targets/cpu-rates.ts";
import { namedTensor, writeSafetensors } from "../../runtime/checkpoint/write-safetensors.ts";
import type { DenseParameter, Layer } from "../../runtime/index.ts";
import { dequantizeMatrix, quantizeMatrix } from "../../runtime/tensor/quantized-matrix.ts";
import { tensor } from "../../runtime/tensor/tensor.ts";
import { checkBackward, loadCase } from "./backward-check.ts";
import { type BuiltProgram, buildProgram, randomizeParameters, testMatrix } from "./built-program.ts";

const source = `
import { truncated_svd } from "std/lowrank"
import { magnitude, topk } from "std/select"

transform Residual(W: [out, in], r: int = 2) {
  param  B: [out, r]
  param  A: [r, in]
  frozen R: [out, in] = W - B @ A
  init B, A = truncated_svd(W, r)
  weight = R + B @ A
}
transform Drawn(W: frozen [out, in], r: int = 3) {
  frozen A: [r, in]  = normal(std: 0.5)
  param  B: [out, r] = 0
  weight = W + B @ A
}
transform Structures(W: [n, n]) {
  frozen D: diag [n]            = 2
  frozen L: blockdiag [n, n] blocks 4 = normal(std: 1)
  frozen S: sparse [n, n] on topk(abs(W), 9) = W
  frozen V: [n, n]              = L + S
  mask   M: unstructured        = magnitude(V, 0.5)
  param  P: [n, n]              = 0
  weight = D @ (L + S) + M .* P
}
transform Vera(W: frozen [out, in], r: int = 5) {
  shared frozen A: [r, in]  = normal(std: 1 / sqrt(in))
  shared frozen B: [out, r] = normal(std: 1 / sqrt(r))
  param d: [r]   = 0.1
  param b: [out] = 0
  weight = W + diag(b) @ B @ diag(d) @ A
}
transform Tied(W: frozen [out, in], r: int = 2, scale: real = 1) {
  shared param A: [r, in] = normal(std: scale)
  param B: [out, r] = 0.5
  weight = W + B @ A
}
transform Int8(W: [out, in]) {
  frozen Q: int8 [out, in] = W
  param  D: [out, in] = 0
  weight = Q + D
}
transform Nf4(W: [out, in], r: int = 2) {
  frozen Q: nf4 [out, in] block 4 = W
  param B: [out, r] = 0
  param A: [r, in] = 0
  weight = 2 * Q + B @ A
}
transform Halved(W: [out, in], r: int = 2) {
  frozen H: bf16 [out, in] = W
  param B: [out, r] = 0
  param A: [r, in] = 0
  weight = H + B @ A
}
transform HalvedTwice(W: [out, in]) {
  frozen H: bf16 [out, in] = W
  weight = 3 * H
}
transform Nf3Masked(W: [out, in]) {
  frozen Q: nf3 [out, in] = W
  mask M: unstructured = magnitude(W, 0.4)
  weight = M .* Q
}

model Three {
  for "same.*" use Tied
  for "scaled.*" use Tied(scale: 2)
  for "wide.*" use Vera
}
`;

let program: BuiltProgram;
const folder = mkdtempSync(join(tmpdir(), "spx-frozen-"));
beforeAll(async () => {
  program = await buildProgram({ text: source });
}, 240_000);
afterAll(() => rmSync(folder, { recursive: true }));

const cases = [
  ["Residual", 17, 13, {}],
  ["Residual", 32, 48, { r: 5 }],
  ["Drawn", 17, 13, {}],
  ["Structures", 16, 16, {}],
  ["Structures", 20, 20, {}],
  ["Vera", 17, 13, {}],
  ["Tied", 16, 33, {}],
  ["Int8", 17, 13, {}],
  ["Nf4", 17, 12, {}],
  ["Nf4", 32, 48, {}],
  ["Nf3Masked", 19, 23, {}],
  ["Halved", 17, 13, {}],
  ["Halved", 32, 300, {}],
  ["HalvedTwice", 17, 13, {}],
] as const;

describe("against the oracle", () => {
  test.each(cases)("%s [%i, %i]: forward, merge and gradients", async (name, out, inputs, numbers) => {
    const loaded = await loadCase(program, name, out, inputs, numbers);
    const { layer, weight } = loaded;
    expect(relativeError(layer.merge().data, weight.values)).toBeLessThan(1e-5);
    for (const batch of [1, 5, 17, 40]) {
      const x = testMatrix(batch, batch * inputs);
      expect(relativeError(layer.forward(x).data, oracleForward(weight, x, batch))).toBeLessThan(1e-5);
    }
    await checkBackward(loaded);
    layer.dispose();
  });
});

const matrix = (seed: number, out: number, inputs: number) => ({
  data: testMatrix(seed, out * inputs),
  shape: [out, inputs],
});
const load = async (name: string, args: Record<string, unknown>): Promise<Layer> =>
  (await program.artefact.transform(name).load(args)) as Layer;
const valuesOf = (layer: Layer, name: string): Float32Array => {
  const found = { ...layer.frozen(), ...layer.parameters() }[name] as DenseParameter | undefined;
  if (found === undefined) throw new Error(`no ${name}`);
  return found.values;
};

describe("frozen values", () => {
  test("R + B A is W at load, to the rounding of R", async () => {
    const W = matrix(3, 21, 18);
    const layer = await load("Residual", { W, r: 4 });
    const [R, B, A] = ["R", "B", "A"].map((name) => valuesOf(layer, name));
    for (let row = 0; row < 21; row++) {
      for (let column = 0; column < 18; column++) {
        let sum = 0;
        for (let k = 0; k < 4; k++) sum += (B?.[row * 4 + k] ?? 0) * (A?.[k * 18 + column] ?? 0);
        const at = row * 18 + column;
        expect(R?.[at]).toBeCloseTo(Math.fround((W.data[at] ?? 0) - Math.fround(sum)), 6);
      }
    }
    expect(relativeError(layer.merge().data, Float64Array.from(W.data))).toBeLessThan(1e-6);
    expect(layer.trainable).toBe(4 * (21 + 18));
    layer.dispose();
  });

  test("do not follow the params: neither at once nor after a restore, which is bit for bit", async () => {
    const W = matrix(4, 24, 32);
    const layer = await load("Residual", { W, r: 3 });
    const before = valuesOf(layer, "R");
    randomizeParameters(layer, 8);
    expect(valuesOf(layer, "R")).toEqual(before);
    const path = join(folder, "residual.safetensors");
    await layer.save(path);
    const again = await load("Residual", { W, parameters: path });
    expect(valuesOf(again, "R")).toEqual(before);
    expect(again.merge().data).toEqual(layer.merge().data);
    const x = testMatrix(1, 7 * 32);
    expect(again.forward(x).data).toEqual(layer.forward(x).data);
  });

  test("a mask that reads a frozen tensor is the same after a restore", async () => {
    const W = matrix(5, 16, 16);
    const layer = await load("Structures", { W });
    randomizeParameters(layer, 8);
    const path = join(folder, "structures.safetensors");
    await layer.save(path);
    const again = await load("Structures", { W, parameters: path });
    expect(again.patterns().M).toEqual(layer.patterns().M);
    expect(again.merge().data).toEqual(layer.merge().data);
  });

  test("that are drawn follow the seed and the name of the layer", async () => {
    const W = matrix(5, 8, 8);
    const drawn = async (args: object): Promise<Float32Array> =>
      valuesOf(await load("Drawn", { W, ...args }), "A");
    const first = await drawn({ seed: 1, name: "a" });
    expect(await drawn({ seed: 1, name: "a" })).toEqual(first);
    expect(await drawn({ seed: 2, name: "a" })).not.toEqual(first);
    expect(await drawn({ seed: 1, name: "b" })).not.toEqual(first);
  });
});

describe("quantized tensors", () => {
  test("are rounded to their grid and not counted as trained", async () => {
    const W = matrix(6, 9, 20);
    const layer = await load("Nf4", { W, r: 2 });
    const expected = quantizeMatrix({ name: "W", rows: 9, columns: 20, values: W.data }, "nf4", 4);
    expect(valuesOf(layer, "Q")).toEqual(dequantizeMatrix(expected));
    expect(layer.trainable).toBe(2 * (9 + 20));
  });

  test("are read as codes by single tokens, factor and all", async () => {
    const bytesOf = async (name: string): Promise<number> =>
      (await load(name, { W: matrix(6, 32, 64) })).bytes(1);
    const factors = 4 * 2 * (32 + 64);
    expect(await bytesOf("Nf4")).toBeLessThanOrEqual((32 * 64) / 2 + 4 * 32 * 16 + 64 + 8 * factors);
    const { stages } = program;
    const operands = (name: string): string[] =>
      stages.get(name)?.plan.operands.map(({ format }) => format.name) ?? [];
    expect(operands("Nf4")).toContain("table4-panel16");
    expect(operands("Int8")).toContain("int8-panel16");
  });

  test("are held for batches of every size and for gradients in the bits of their type alone", async () => {
    const packed = (name: string): string[] => {
      const { plan } = program.stages.get(name) ?? expect.fail("no stages");
      return plan.operands.filter(({ source }) => source.kind === "leaf").map(({ format }) => format.name);
    };
    expect(new Set(packed("Halved"))).toEqual(new Set(["bf16-panel16", "panel16"]));
    expect(packed("HalvedTwice")).toEqual([]);
    const { plan } = program.stages.get("Halved") ?? expect.fail("no stages");
    const reading = plan.operands.filter(({ description }) => /H/.test(description));
    expect(reading.map(({ format }) => format.name)).toEqual(["bf16-panel16"]);
    expect(plan.notes).toContain("H is held as bf16 in 2 * out * in bytes, which is what kernels read");
    const stages = program.stages.get("Halved") ?? expect.fail("no stages");
    const sizes = new Map(Object.entries({ out: 32, in: 64, r: 2 }));
    const { backward } = explainTransform(stages, sizes, widestMachine(defaultRates));
    const dx = backward.kernels.find(({ output }) => output === "dx");
    expect(dx?.terms.map(({ expression, input }) => `${expression} ${input}`)).toContain("H.T dy");
    const layer = await load("Halved", { W: matrix(6, 32, 64) });
    expect(layer.bytes(64)).toBeLessThanOrEqual(2 * 32 * 64 + 8 * 4 * 2 * (32 + 64));
  });

  test("refuse a row that their runs do not fill, where the block was written", async () => {
    await expect(load("Nf4", { W: matrix(6, 9, 22) })).rejects.toThrow(
      "`Nf4` requires `in % 4 == 0`, which does not hold for in = 22",
    );
  });
});

describe("shared tensors", () => {
  const tensors = {
    "same.0": matrix(10, 12, 16),
    "same.1": matrix(11, 12, 16),
    "same.narrow": matrix(12, 12, 8),
    "scaled.0": matrix(13, 12, 16),
    "wide.0": matrix(14, 12, 16),
    "wide.1": matrix(15, 12, 16),
  };
  const loadModel = async (seed = 0): Promise<Map<string, Layer>> => {
    const path = join(folder, "model.safetensors");
    await writeSafetensors(
      path,
      Object.entries(tensors).map(([name, { data, shape }]) => namedTensor(name, tensor("f32", shape, data))),
    );
    const layers = new Map<string, Layer>();
    for await (const { tensor: name, layer } of program.artefact.model("Three").load(path, { seed }))
      layers.set(name, layer);
    return layers;
  };
  const get = (layers: Map<string, Layer>, name: string): Layer => {
    const layer = layers.get(name);
    if (layer === undefined) throw new Error(`no ${name}`);
    return layer;
  };

  test("are one array where shape and numbers agree, and another where they do not", async () => {
    const layers = await loadModel();
    const first = valuesOf(get(layers, "same.0"), "A");
    expect(valuesOf(get(layers, "same.1"), "A")).toBe(first);
    expect(valuesOf(get(layers, "same.narrow"), "A")).not.toBe(first);
    expect(valuesOf(get(layers, "scaled.0"), "A")).not.toBe(first);
    expect(valuesOf(get(layers, "wide.1"), "A")).toEqual(valuesOf(get(layers, "wide.0"), "A"));
    expect(valuesOf(get(layers, "wide.1"), "B")).toEqual(valuesOf(get(layers, "wide.0"), "B"));
    expect(valuesOf(get(layers, "same.0"), "B")).not.toBe(valuesOf(get(layers, "same.1"), "B"));
  });

  test("a change through one layer reaches the others", async () => {
    const layers = await loadModel();
    const [one, other] = [get(layers, "same.0"), get(layers, "same.1")];
    const x = testMatrix(2, 3 * 16);
    other.forward(x);
    randomizeParameters(one, 4);
    const expected = oracleWeight(program.stages.get("Tied") ?? expect.fail("no stages"), other, {
      W: tensors["same.1"],
    });
    expect(relativeError(other.forward(x).data, oracleForward(expected, x, 3))).toBeLessThan(1e-5);
    expect(relativeError(other.merge().data, expected.values)).toBeLessThan(1e-5);
  });

  test("gradients of two layers add up in one array", async () => {
    const layers = await loadModel();
    const [one, other] = [get(layers, "same.0"), get(layers, "same.1")];
    const [x, dy] = [testMatrix(2, 3 * 16), testMatrix(3, 3 * 12)];
    const gradient = (layer: Layer): Record<string, DenseParameter> =>
      layer.backward(x, dy).grads as Record<string, DenseParameter>;
    const alone = [gradient(one).A?.values.slice(), gradient(other).A?.values.slice()];
    const sum = gradient(one);
    other.backward(x, dy, { into: { B: gradient(other).B, A: sum.A } as never });
    sum.A?.values.forEach((value, at) => {
      expect(value).toBeCloseTo((alone[0]?.[at] ?? 0) + (alone[1]?.[at] ?? 0), 5);
    });
    const ofOther = (into: object) => () => other.backward(x, dy, { into: into as never });
    expect(ofOther(gradient(one))).toThrow("`into` has no gradient of `B`");
    const alike = get(layers, "scaled.0");
    expect(ofOther({ ...gradient(other), A: gradient(alike).A })).toThrow("`into` has no gradient of `A`");
    const narrow = get(layers, "same.narrow");
    expect(() => narrow.backward(testMatrix(2, 3 * 8), dy, { into: { ...gradient(one) } as never })).toThrow(
      "`into` has no gradient of `A`",
    );
  });

  test("a layer saved from a model loads alone, and a layer alone draws the same values", async () => {
    const layers = await loadModel(3);
    const layer = get(layers, "same.0");
    const alone = await load("Tied", { W: tensors["same.0"], seed: 3, name: "elsewhere" });
    expect(valuesOf(alone, "A")).toEqual(valuesOf(layer, "A"));
    randomizeParameters(layer, 9);
    const path = join(folder, "tied.safetensors");
    await layer.save(path);
    const restored = await load("Tied", { W: tensors["same.0"], parameters: path });
    expect(restored.merge().data).toEqual(layer.merge().data);
    expect(valuesOf(restored, "A")).not.toBe(valuesOf(layer, "A"));
  });
});
