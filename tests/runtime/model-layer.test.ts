/**
 * A layer from load to dispose, on kernels written in JavaScript over the real frame and packed buffers.
 * Long because all cases share one hand-written manifest and one artefact; split, each half would build both again.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openCheckpoint } from "../../runtime/checkpoint/read-safetensors.ts";
import { namedTensor, writeSafetensors } from "../../runtime/checkpoint/write-safetensors.ts";
import type { Manifest, TransformManifest } from "../../runtime/contract/manifest.ts";
import { symbol } from "../../runtime/contract/number-expression.ts";
import type { DenseParameter, Layer, SparseParameter } from "../../runtime/model/layer.ts";
import { artefactOver } from "../../runtime/model/open-artefact.ts";
import type { LoadOptions } from "../../runtime/model/transform.ts";
import { fillNormal } from "../../runtime/random/distributions.ts";
import { randomStream } from "../../runtime/random/philox.ts";
import { float32ToBfloat16 } from "../../runtime/tensor/half-precision.ts";
import { tensor } from "../../runtime/tensor/tensor.ts";
import { sampleDevice, sampleManifest, sampleTransform } from "./model-sample.ts";

const folder = mkdtempSync(join(tmpdir(), "spx-model-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface SampleArguments extends LoadOptions {
  readonly W: unknown;
  readonly r?: unknown;
  readonly nnz?: number;
  readonly alpha?: number;
  readonly keep?: number;
}
interface SampleParameters {
  readonly B: DenseParameter;
  readonly A: DenseParameter;
  readonly S: SparseParameter;
}

function open(manifest: Manifest = sampleManifest()) {
  const device = sampleDevice();
  const artefact = artefactOver(
    () => manifest,
    () => device,
  );
  return { device, artefact, transform: artefact.transform<SampleArguments, SampleParameters>("Sample") };
}

const noise = (name: string, count: number): Float32Array =>
  fillNormal(randomStream(9, name), new Float32Array(count));
const weightOf = (rows: number, columns: number) => ({
  data: noise("W", rows * columns),
  shape: [rows, columns],
});

/** W ⊙ M + (alpha / r) (B A + S), in double precision with plain loops. */
function oracle(
  layer: Layer<SampleParameters>,
  W: { data: Float32Array },
  keep: number,
  alpha: number,
  r: number,
): Float64Array {
  const { B, A, S } = layer.parameters();
  const [rows, columns] = [layer.out, layer.in];
  const order = [...W.data.keys()].toSorted(
    (a, b) => Math.abs(W.data[b] ?? 0) - Math.abs(W.data[a] ?? 0) || a - b,
  );
  const mask = new Set(order.slice(0, Math.round(keep * rows * columns)));
  const dense = new Float64Array(rows * columns);
  for (let place = 0; place < dense.length; place++) {
    let sum = 0;
    for (let k = 0; k < r; k++)
      sum +=
        (B.values[Math.floor(place / columns) * r + k] ?? 0) *
        (A.values[k * columns + (place % columns)] ?? 0);
    dense[place] = (alpha / r) * sum + (mask.has(place) ? (W.data[place] ?? 0) : 0);
  }
  S.positions.forEach((place, entry) => {
    dense[place] = (dense[place] ?? 0) + (alpha / r) * (S.values[entry] ?? 0);
  });
  return dense;
}

function expectProduct(
  y: Float32Array,
  dense: Float64Array,
  x: Float32Array,
  batch: number,
  layer: { out: number; in: number },
) {
  let error = 0;
  let norm = 0;
  for (let b = 0; b < batch; b++) {
    for (let row = 0; row < layer.out; row++) {
      let sum = 0;
      for (let k = 0; k < layer.in; k++) sum += (dense[row * layer.in + k] ?? 0) * (x[b * layer.in + k] ?? 0);
      error += (sum - (y[b * layer.out + row] ?? Number.NaN)) ** 2;
      norm += sum ** 2;
    }
  }
  expect(Math.sqrt(error)).toBeLessThanOrEqual(1e-5 * Math.sqrt(norm));
}

describe("layer", () => {
  for (const [rows, columns] of [
    [4, 4],
    [17, 5],
    [33, 16],
  ] as const) {
    it(`runs, merges and follows updates (${rows} x ${columns})`, async () => {
      const { transform } = open();
      const W = weightOf(rows, columns);
      const layer = await transform.load({ W, seed: 3 });
      for (let step = 0; step < 3; step++) {
        const dense = oracle(layer, W, 0.5, 8, 4);
        for (const batch of [1, 5, 40]) {
          const x = noise(`x${step}`, batch * columns);
          const y = new Float32Array(batch * rows).fill(Number.NaN);
          const result = layer.forward(x, { y });
          expect(result.data).toBe(y);
          expect(result.shape).toEqual([batch, rows]);
          expectProduct(y, dense, x, batch, layer);
        }
        expect([...layer.merge().data]).toEqual([...dense].map((value) => expect.closeTo(value, 4)));
        layer.parameters().B.values.set(noise(`B${step}`, rows * 4));
        layer.parameters().S.values.set(noise(`S${step}`, 8));
        layer.updated();
      }
    });
  }

  it("chooses by cost and batch, by level and by guard", async () => {
    const { transform, device } = open();
    const layer = await transform.load({ W: weightOf(8, 8) });
    expect(layer.plan().map(({ variant, from, to, kernel }) => [variant, from, to, kernel])).toEqual([
      ["split", 1, 34, "sample_split_r4"],
      ["merged", 35, null, "sample_merged_r4"],
    ]);
    expect(layer.plan(40)).toMatchObject([{ variant: "merged", nanoseconds: 470, level: "x86-64-v3" }]);
    layer.forward(new Float32Array(34 * 8));
    layer.forward(new Float32Array(35 * 8));
    expect(device.called).toEqual(["sample_split_r4:34", "sample_merge_r4:1", "sample_merged_r4:35"]);
    const other = await transform.load({ W: weightOf(8, 8), r: 3 });
    other.forward(new Float32Array(8));
    expect(device.called.at(-1)).toBe("sample_split_any:1");
    const csr = (entries: number): number => 4 + 8 + 4 * 9 + 6 * entries;
    expect(layer.bytes(1)).toBe(csr(32) + 4 * 16 * 4 + 4 * 16 * 8 + csr(8));
  });

  it("takes an empty batch, tensors, and refuses other shapes", async () => {
    const { transform, device } = open();
    const layer = await transform.load({ W: weightOf(6, 5) });
    expect(layer.forward(new Float32Array(0)).shape).toEqual([0, 6]);
    expect(device.called).toEqual([]);
    const x = noise("x", 10);
    expect(layer.forward(tensor("f32", [2, 5], x)).data).toEqual(layer.forward(x).data);
    expect(() => layer.forward(new Float32Array(7))).toThrow(/SPX8405.*7 values, expected \[batch, 5\]/);
    expect(() => layer.forward({ data: x, shape: [5, 2] })).toThrow(/SPX8405/);
    expect(() => layer.forward(x, { y: new Float32Array(11) })).toThrow(/11 values, expected 2 x 6/);
    expect(() => layer.forward(x.subarray(0, 5), { y: x.subarray(4, 10) })).toThrow(/overlaps/);
    expect(() => layer.forward(x, { threads: 0 })).toThrow(/SPX8407/);
  });

  it("keeps asynchronous calls apart, also while parameters change", async () => {
    const { transform, device } = open();
    const W = weightOf(7, 9);
    const layer = await transform.load({ W });
    layer.parameters().B.values.fill(0.25);
    layer.updated();
    const before = oracle(layer, W, 0.5, 8, 4);
    let release = (): void => undefined;
    device.gate = new Promise((resolve) => {
      release = resolve;
    });
    const inputs = [1, 2, 3, 40].map((batch) => ({ batch, x: noise(`async${batch}`, batch * 9) }));
    const running = inputs.map(({ x }) => layer.forwardAsync(x));
    layer.parameters().B.values.fill(1);
    layer.updated();
    const after = oracle(layer, W, 0.5, 8, 4);
    const late = layer.forwardAsync(inputs[0]?.x ?? new Float32Array(9));
    release();
    const results = await Promise.all(running);
    results.forEach(({ data }, index) => {
      const { batch, x } = inputs[index] ?? { batch: 0, x: new Float32Array(0) };
      expectProduct(data, before, x, batch, layer);
    });
    expectProduct((await late).data, after, inputs[0]?.x ?? new Float32Array(9), 1, layer);
  });

  it("merges into the memory of the last merge, unless a running call may read it", async () => {
    const { transform, device } = open();
    const W = weightOf(17, 9);
    const layer = await transform.load({ W });
    const batch = 40;
    expect(layer.plan(batch)[0]?.merged).toBe(true);
    const x = noise("again", batch * 9);
    const merges = (): number => device.called.filter((name) => name.startsWith("sample_merge_")).length;
    const weights = (): number =>
      device.memory.blocks.filter(({ view }) => view.byteLength === 2 * 9 * 16 * 4).length;
    const change = (value: number): Float64Array => {
      layer.parameters().B.values.fill(value);
      layer.updated();
      return oracle(layer, W, 0.5, 8, 4);
    };
    let now = change(0.25);
    const others = weights();
    expectProduct(layer.forward(x).data, now, x, batch, layer);
    expect(weights() - others).toBe(1);
    for (const value of [0.5, -1]) {
      now = change(value);
      expectProduct(layer.forward(x).data, now, x, batch, layer);
    }
    expect([merges(), weights() - others]).toEqual([3, 1]);

    let release = (): void => undefined;
    device.gate = new Promise((resolve) => {
      release = resolve;
    });
    const running = layer.forwardAsync(x);
    const later = change(2);
    expectProduct(layer.forward(x).data, later, x, batch, layer);
    release();
    expectProduct((await running).data, now, x, batch, layer);
    expect([merges(), weights() - others]).toEqual([4, 2]);
    now = change(3);
    expectProduct((await layer.forwardAsync(x)).data, now, x, batch, layer);
    expect([merges(), weights() - others]).toEqual([5, 2]);
    layer.dispose();
    expect(() => layer.forward(x)).toThrow(/SPX8306/);
  });

  it("merges through the identity where the plan says so", async () => {
    const plan = { ...sampleTransform.plan, merge: { method: "identity", variant: "split" } as const };
    const { transform } = open(sampleManifest([{ ...sampleTransform, plan }]));
    const W = weightOf(5, 300);
    const layer = await transform.load({ W });
    expect([...layer.merge().data]).toEqual(
      [...oracle(layer, W, 0.5, 8, 4)].map((value) => expect.closeTo(value, 4)),
    );
  });

  for (const method of ["kernel", "identity"] as const) {
    it(`forms the operand of a merged variant by the merge alone (${method})`, async () => {
      const { plan } = sampleTransform;
      // A source that names nothing: evaluating it would throw.
      const operands = plan.operands.map((operand) =>
        operand.production === "merge"
          ? { ...operand, source: { kind: "leaf", name: "nothing", slice: null } as const }
          : operand,
      );
      const merge = method === "kernel" ? plan.merge : ({ method, variant: "split" } as const);
      const { transform, device } = open(
        sampleManifest([{ ...sampleTransform, plan: { ...plan, operands, merge } }]),
      );
      const W = weightOf(18, 300);
      const layer = await transform.load({ W });
      for (let step = 0; step < 3; step++) {
        layer.parameters().B.values.set(noise(`B${step}`, 18 * 4));
        layer.updated();
        const dense = oracle(layer, W, 0.5, 8, 4);
        const x = noise(`x${step}`, 40 * 300);
        expect(layer.plan(40)).toMatchObject([{ merged: true }]);
        expectProduct(layer.forward(x).data, dense, x, 40, layer);
        const called = device.called.length;
        expect([...layer.merge().data]).toEqual([...dense].map((value) => expect.closeTo(value, 4)));
        layer.forward(x);
        expect(device.called.slice(called)).toEqual(["sample_merged_r4:40"]);
      }
    });
  }

  it("gives memory back", async () => {
    const { transform } = open();
    const layer = await transform.load({ W: weightOf(5, 5) });
    layer.forward(new Float32Array(5));
    layer.dispose();
    expect(() => layer.forward(new Float32Array(5))).toThrow(/SPX8306/);
  });

  it("counts trainable values and lends them live", async () => {
    const { transform } = open();
    const layer = await transform.load({ W: weightOf(10, 6), nnz: 11 });
    const { B, A, S } = layer.parameters();
    expect(layer.trainable).toBe(4 * 16 + 11);
    expect(layer.trainable).toBe(B.values.length + A.values.length + S.values.length);
    expect([B.shape, A.shape, S.shape]).toEqual([
      [10, 4],
      [4, 6],
      [10, 6],
    ]);
    expect(S.positions.length).toBe(11);
    expect(layer.parameters().B.values).toBe(B.values);
    const { M, Omega } = layer.patterns();
    expect(M).toMatchObject({ rows: 10, columns: 6 });
    expect(M?.positions.length).toBe(30);
    expect(Omega?.positions).toEqual(S.positions);
  });
});

describe("arguments", () => {
  const { transform } = open();
  const W = weightOf(6, 8);
  it("are checked, each with its own message", async () => {
    await expect(transform.load({ W: undefined })).rejects.toThrow(
      /SPX8401.*needs the tensor `W` \[out, in\]/,
    );
    await expect(transform.load({ W, kepp: 1 } as SampleArguments)).rejects.toThrow(
      /SPX8402.*no argument `kepp`\n.*did you mean `keep`/,
    );
    await expect(transform.load({ W, keep: 1.5 })).rejects.toThrow(
      /SPX8407.*`keep` of `Sample` is 1.5, expected a number from 0 to 1/,
    );
    await expect(transform.load({ W, r: 2.5 })).rejects.toThrow(/SPX8407.*whole number/);
    await expect(transform.load({ W, r: "4" })).rejects.toThrow(/SPX8403/);
    await expect(transform.load({ W: 3 })).rejects.toThrow(/SPX8403/);
    await expect(transform.load({ W, r: 7 })).rejects.toThrow(
      /SPX4201.*requires `r <= min\(out, in\)`.*r = 7, out = 6, in = 8[\s\S]*sample.spx:4:3/,
    );
    await expect(transform.load({ W, nnz: 49 })).rejects.toThrow(/SPX8407.*49 of 48/);
    await expect(transform.load({ W: { data: W.data, shape: [48] } })).rejects.toThrow(
      /SPX8405.*`W` is \[48\], expected \[out, in\]/,
    );
    await expect(transform.load({ W: { data: W.data, shape: [6, 9] } })).rejects.toThrow(/SPX8409/);
    await expect(transform.load({ W: tensor("i32", [2, 2], new Int32Array(4)) })).rejects.toThrow(
      /SPX8404.*i32/,
    );
    await expect(transform.load({ W, seed: 0.5 })).rejects.toThrow(/SPX8407/);
    const broken = { data: W.data.slice(), shape: [6, 8] };
    broken.data[11] = Number.NaN;
    await expect(transform.load({ W: broken })).rejects.toThrow(/SPX8408.*`W` holds NaN at \[1, 3\]/);
  });

  it("name both tensors whose dimensions disagree, and check computed ones", async () => {
    const extra: TransformManifest = {
      ...sampleTransform,
      arguments: [
        ...sampleTransform.arguments,
        { kind: "tensor", name: "C", dimensions: [symbol("in")], frozen: false },
        {
          kind: "tensor",
          name: "D",
          dimensions: [{ kind: "apply", operator: "*", operands: [symbol("r"), symbol("out")] }],
          frozen: false,
        },
      ],
    };
    const load = (c: number, d: number) =>
      open(sampleManifest([extra])).transform.load({
        W,
        C: { data: new Float32Array(c), shape: [c] },
        D: { data: new Float32Array(d), shape: [d] },
      } as SampleArguments);
    await expect(load(7, 24)).rejects.toThrow(/SPX8405.*`in` is 8 by `W` \[6, 8\] and 7 by `C` \[7\]/);
    await expect(load(8, 25)).rejects.toThrow(
      /SPX8405.*`D` is \[25\], its dimension `r \* out` should be 24[\s\S]*r = 4, out = 6/,
    );
    await expect(load(8, 24)).resolves.toMatchObject({ out: 6, in: 8 });
  });

  it("widen half precision", async () => {
    const bits = float32ToBfloat16(W.data);
    const layer = await transform.load({ W: tensor("bf16", [6, 8], bits), keep: 1 });
    layer.parameters().S.values.fill(0);
    layer.updated();
    const dense = layer.merge().data;
    dense.forEach((value, place) => {
      const exact = W.data[place] ?? 0;
      expect(Math.abs(value - exact)).toBeLessThanOrEqual(Math.abs(exact) / 256);
    });
  });

  it("depend on the seed and the name for what is random", async () => {
    const values = async (options: { seed?: number; name?: string }) => {
      const { A, S } = (await transform.load({ W, ...options })).parameters();
      return JSON.stringify([[...A.values], [...S.positions]]);
    };
    const same = await values({});
    expect(await values({ seed: 0, name: "Sample" })).toBe(same);
    expect(await values({ seed: 1 })).not.toBe(same);
    expect(await values({ name: "other" })).not.toBe(same);
  });
});

describe("saved parameters", () => {
  it("come back bit for bit, with their arguments, seed and name", async () => {
    const { transform } = open();
    const W = weightOf(9, 7);
    const layer = await transform.load({ W, r: 3, nnz: 10, seed: 5, name: "encoder.0" });
    layer.parameters().B.values.set(noise("B", 27));
    layer.parameters().B.values[0] = Number.NaN;
    layer.updated();
    const path = join(folder, "layer.safetensors");
    await layer.save(path);
    const file = await openCheckpoint(path);
    expect(file.names.toSorted()).toEqual(["A", "B", "S", "S.positions"]);
    expect(file.describe("S.positions")).toMatchObject({ elementType: "i32", shape: [10] });
    expect(file.metadata).toMatchObject({
      format: "pt",
      "spx.transform": "Sample",
      "spx.seed": "5",
      "spx.name": "encoder.0",
    });
    await file.close();
    const restored = await transform.load({ W, parameters: path });
    expect(restored).toMatchObject({
      seed: 5,
      name: "encoder.0",
      arguments: { r: 3, nnz: 10, alpha: 8, keep: 0.5 },
    });
    expect(restored.parameters()).toEqual(layer.parameters());
    const again = join(folder, "again.safetensors");
    await restored.save(again);
    expect(readFileSync(again).equals(readFileSync(path))).toBe(true);
    const fromRecord = await transform.load({ W, r: 3, nnz: 10, parameters: { ...layer.parameters() } });
    expect(fromRecord.parameters()).toEqual(layer.parameters());
    expect(fromRecord.parameters().B.values).not.toBe(layer.parameters().B.values);
  });

  it("are refused where they do not fit", async () => {
    const { transform } = open();
    const W = weightOf(9, 7);
    const layer = await transform.load({ W });
    const path = join(folder, "fit.safetensors");
    await layer.save(path);
    await expect(transform.load({ W, r: 2, parameters: path })).rejects.toThrow(
      /SPX8602.*`r` is 2 as given and 4 in the saved/,
    );
    await expect(transform.load({ W, seed: 8, parameters: path })).rejects.toThrow(
      /SPX8602.*`seed` is 8 as given and 0 in the saved/,
    );
    await expect(transform.load({ W, name: "other", parameters: path })).rejects.toThrow(
      /SPX8602.*`name` is other as given and Sample in the saved/,
    );
    const same = await transform.load({ W, r: 4, seed: 0, name: "Sample", parameters: path });
    expect(same.parameters()).toEqual(layer.parameters());
    await expect(transform.load({ W: weightOf(9, 8), parameters: path })).rejects.toThrow(
      /SPX8405.*`A` has 28 values, expected 32/,
    );
    const { B, A, S } = layer.parameters();
    await expect(transform.load({ W, parameters: { B, A } })).rejects.toThrow(
      /SPX8014.*`S` of `Sample` is missing/,
    );
    await expect(transform.load({ W, parameters: { B, A, S, C: B } })).rejects.toThrow(/SPX8410.*`C`/);
    const twice = { ...S, positions: S.positions.slice().fill(3) };
    await expect(transform.load({ W, parameters: { B, A, S: twice } })).rejects.toThrow(
      /SPX8407.*position 1 of `S` is 3, after 3/,
    );
    const fewer = { values: S.values.slice(1), positions: S.positions.slice(1) };
    await expect(transform.load({ W, parameters: { B, A, S: fewer } })).rejects.toThrow(
      /SPX8405.*7 positions were saved, it keeps 8/,
    );
    const other = open(sampleManifest([{ ...sampleTransform, name: "Other" }])).artefact.transform<
      SampleArguments,
      SampleParameters
    >("Other");
    await expect(other.load({ W, parameters: path })).rejects.toThrow(
      /SPX8601.*saved from `Sample`, expected `Other`/,
    );
    const damaged = join(folder, "damaged.safetensors");
    for (const [field, value] of [
      ["spx.seed", ""],
      ["spx.seed", "1.5"],
      ["spx.arguments", "[true]"],
    ] as const) {
      const file = await openCheckpoint(path);
      const tensors = await Promise.all(
        file.names.map(async (name) => namedTensor(name, await file.read(name))),
      );
      await writeSafetensors(damaged, tensors, { ...file.metadata, [field]: value });
      await file.close();
      await expect(transform.load({ W, parameters: damaged })).rejects.toThrow(
        new RegExp(`SPX8603.*${field}`),
      );
    }
    await expect(transform.load({ W, parameters: join(folder, "none.safetensors") })).rejects.toThrow(
      /SPX8001/,
    );
    await expect(layer.save(join(folder, "no", "where.safetensors"))).rejects.toThrow(/SPX8020/);
  });
});
