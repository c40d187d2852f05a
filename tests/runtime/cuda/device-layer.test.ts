/**
 * Layers on the fake device: what is launched in which order, numbers against a float64 oracle, what is made anew after
 * parameters changed, and every call failing once. Kernels are JavaScript over the fake's memory.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Manifest } from "../../../runtime/contract/manifest.ts";
import { openCudaDevice } from "../../../runtime/device/cuda/cuda-device.ts";
import type { CudaStream } from "../../../runtime/device/cuda/cuda-stream.ts";
import type { DeviceTensor } from "../../../runtime/device/cuda/device-tensor.ts";
import { SpxError } from "../../../runtime/errors.ts";
import type { DeviceLayer, OnDevice } from "../../../runtime/model/device-layer.ts";
import type { DenseParameter, Layer, SparseParameter } from "../../../runtime/model/layer.ts";
import { artefactOver } from "../../../runtime/model/open-artefact.ts";
import type { LoadOptions } from "../../../runtime/model/transform.ts";
import { fillNormal } from "../../../runtime/random/distributions.ts";
import { randomStream } from "../../../runtime/random/philox.ts";
import { fromFloat32, toFloat32 } from "../../../runtime/tensor/convert.ts";
import { tensor } from "../../../runtime/tensor/tensor.ts";
import { sampleDevice } from "../model-sample.ts";
import { runSampleKernel, writeSampleArtefact } from "./device-sample.ts";
import { buildFakeCuda } from "./fake-cuda.ts";

interface SampleArguments extends LoadOptions {
  readonly W: unknown;
  readonly r?: number;
  readonly nnz?: number;
}
interface SampleParameters {
  readonly B: DenseParameter;
  readonly A: DenseParameter;
  readonly S: SparseParameter;
}

const fake = buildFakeCuda();
const folder = mkdtempSync(join(tmpdir(), "spx-device-"));
process.env.SPX_CACHE = join(folder, "cache");
process.env.SPX_CUDA_DRIVER = fake.path;
process.env.SPX_NVRTC = fake.path;
const manifest = writeSampleArtefact(folder, [
  ["cubin", "sm_80"],
  ["cubin", "sm_90a"],
  ["ptx", "sm_80"],
]);

function start(settings: Readonly<Record<string, number>> = {}): void {
  fake.reset();
  fake.set({ abi: manifest.abi, ...settings });
  fake.onLaunch(runSampleKernel);
}
beforeEach(() => start());
afterEach(() => {
  openCudaDevice().close();
  expect(fake.faults()).toBe("");
  expect(fake.alive()).toBe("");
});
afterAll(() => {
  fake.remove();
  rmSync(folder, { recursive: true });
});

const transformOf = (from: Manifest, at = folder) =>
  artefactOver(
    () => from,
    () => sampleDevice(),
    () => at,
  ).transform<SampleArguments, SampleParameters>("Sample");

const noise = (name: string, count: number): Float32Array =>
  fillNormal(randomStream(9, name), new Float32Array(count));
const weightOf = (rows: number, columns: number) => ({
  data: noise("W", rows * columns),
  shape: [rows, columns],
});
const [out, inputs] = [13, 7];
const W = weightOf(out, inputs);
const load = (more: object = {}, from: Manifest = manifest): Promise<Layer<SampleParameters>> =>
  transformOf(from).load({ W, nnz: 9, ...more });

function give(layer: Layer<SampleParameters>): void {
  const { B, S } = layer.parameters();
  B.values.set(noise("B", B.values.length));
  S.values.set(noise("S", S.values.length));
  layer.updated();
}

/** W ⊙ M + (alpha / r) (B A + S) in double precision. */
function dense(layer: Pick<Layer<SampleParameters>, "parameters" | "patterns" | "arguments">): Float64Array {
  const { B, A, S } = layer.parameters();
  const { r = 4, alpha = 8 } = layer.arguments;
  const kept = new Set(layer.patterns().M?.positions);
  const weight = Float64Array.from({ length: out * inputs }, (_, place) => {
    let sum = 0;
    for (let k = 0; k < r; k++)
      sum +=
        (B.values[Math.floor(place / inputs) * r + k] ?? 0) * (A.values[k * inputs + (place % inputs)] ?? 0);
    return (alpha / r) * sum + (kept.has(place) ? (W.data[place] ?? 0) : 0);
  });
  for (const [entry, place] of S.positions.entries())
    weight[place] = (weight[place] ?? 0) + (alpha / r) * (S.values[entry] ?? 0);
  return weight;
}

function product(weight: Float64Array, x: Float32Array): number[] {
  return Array.from({ length: (x.length / inputs) * out }, (_, place) => {
    const [row, column] = [Math.floor(place / out), place % out];
    let sum = 0;
    for (let k = 0; k < inputs; k++) sum += (weight[column * inputs + k] ?? 0) * (x[row * inputs + k] ?? 0);
    return sum;
  });
}

function close(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void {
  expect(found.length).toBe(expected.length);
  for (let i = 0; i < found.length; i++)
    expect(Math.abs((found[i] ?? 0) - (expected[i] ?? 0)), `value ${i}`).toBeLessThan(
      tolerance * (1 + Math.abs(expected[i] ?? 0)),
    );
}

const codeOf = async (action: () => unknown): Promise<string> => {
  try {
    await action();
  } catch (thrown) {
    if (thrown instanceof SpxError) return thrown.code;
    throw thrown;
  }
  return "nothing was thrown";
};

const launches = (): string[] =>
  fake
    .log()
    .filter((line) => line.startsWith("cuLaunch"))
    .map((line) => line.split(" ")[1] ?? "");

test.each([1, 2, 5, 9, 10, 31])("batch %i: from the host, from the device, and later", async (batch) => {
  const layer = await load();
  give(layer);
  const there = await layer.to("cuda");
  const x = noise("x", batch * inputs);
  const expected = product(dense(layer), x);
  close(there.forward(x).data, expected);
  close((await there.forwardAsync(x)).data, expected);
  const device = openCudaDevice();
  const given = await device.upload(tensor("f32", [batch, inputs], x));
  const y = there.forward(given);
  expect(y.shape).toEqual([batch, out]);
  close((await y.toHost()).data, expected);
  const stream = device.stream();
  const again = await there.forwardAsync(given, { y, stream });
  expect(again).toBe(y);
  close(y.toHostSync().data, expected);
  for (const each of [given, y, there, layer]) each.dispose();
  expect(device.bytesInUse).toBeLessThan(100_000);
});

test("variants change where their costs cross, sequences follow the architecture and their guards", async () => {
  const layer = await load();
  const there = await layer.to("cuda");
  expect(there.plan().map(({ variant, from, to }) => [variant, from, to])).toEqual([
    ["split", 1, 9],
    ["merged", 10, null],
  ]);
  expect(there.plan(3)[0]).toMatchObject({
    nanoseconds: 130,
    origin: "cubin sm_90a",
    kernels: ["shrink_f32", "split_f32"],
  });
  fake.clearLog();
  there.forward(noise("x", 2 * inputs));
  there.forward(noise("x", 20 * inputs));
  expect(launches()).toEqual(["shrink_f32", "split_f32", "merged_f32"]);
  expect(fake.log().filter((line) => line.includes("cluster 2x1x1"))).toHaveLength(1);
  expect(fake.log().filter((line) => line.startsWith("cuFuncSetAttribute"))).toEqual([
    "cuFuncSetAttribute 8 = 65536",
  ]);
  // Rank 3 does not meet the guard of the first sequence.
  const other = await (await load({ r: 3 })).to("cuda");
  fake.clearLog();
  other.forward(noise("x", 2 * inputs));
  expect(fake.log().some((line) => line.startsWith("cuLaunchKernelEx"))).toBe(false);
  there.dispose();
  other.dispose();
});

test("half precision: x and y are bf16 on the device, the host gives and gets float32", async () => {
  const layer = await load();
  give(layer);
  const there = await layer.to("cuda", { elements: "bf16" });
  const x = noise("x", 3 * inputs);
  const rounded = toFloat32(fromFloat32("bf16", [3, inputs], x));
  const expected = product(dense(layer), rounded);
  close(there.forward(x).data, expected, 0.01);
  close((await there.forwardAsync(x)).data, expected, 0.01);
  const device = openCudaDevice();
  const given = device.uploadSync(fromFloat32("bf16", [3, inputs], x));
  const y = there.forward(given);
  expect(y.elementType).toBe("bf16");
  close(toFloat32(y.toHostSync()), expected, 0.01);
  const single = device.uploadSync(tensor("f32", [3, inputs], x));
  expect(await codeOf(() => there.forward(single))).toBe("SPX8404");
  for (const each of [given, y, single, there]) each.dispose();
});

test("no batch is no launch", async () => {
  const there = await (await load()).to("cuda");
  const device = openCudaDevice();
  const empty = device.empty("f32", [0, inputs]);
  fake.clearLog();
  const y = there.forward(empty);
  expect(y.shape).toEqual([0, out]);
  expect(there.forward(new Float32Array(0)).shape).toEqual([0, out]);
  expect(launches()).toEqual([]);
  for (const each of [empty, y, there]) each.dispose();
});

test("wrong batches are told, and the results that were made for them given back", async () => {
  const there = await (await load()).to("cuda");
  const device = openCudaDevice();
  const x = device.empty("f32", [2, inputs]);
  const wide = device.empty("f32", [2, inputs + 1]);
  const short = device.empty("f32", [1, out]);
  const before = device.bytesInUse;
  expect(await codeOf(() => there.forward(wide))).toBe("SPX8405");
  expect(await codeOf(() => there.forward(x, { y: wide }))).toBe("SPX8405");
  expect(await codeOf(() => there.forward(x, { y: short }))).toBe("SPX8405");
  expect(await codeOf(() => there.forward(new Float32Array(inputs + 1)))).toBe("SPX8405");
  expect(device.bytesInUse).toBe(before);
  x.dispose();
  expect(await codeOf(() => there.forward(x))).toBe("SPX8708");
  there.dispose();
  expect(await codeOf(() => there.forward(noise("x", inputs)))).toBe("SPX8306");
  for (const each of [wide, short]) each.dispose();
});

test("operands are copied once; after an update those that follow from parameters again", async () => {
  const layer = await load();
  give(layer);
  const there = await layer.to("cuda");
  const x = noise("x", 2 * inputs);
  const uploads = (): number => fake.log().filter((line) => line.startsWith("cuMemcpyHtoDAsync")).length;
  fake.clearLog();
  there.prepare(2);
  expect(uploads()).toBe(4);
  there.forward(x);
  there.forward(x);
  expect(uploads()).toBe(4 + 2);
  layer.parameters().B.values.fill(0.5);
  there.updated();
  fake.clearLog();
  close(there.forward(x).data, product(dense(layer), x));
  // `base` is frozen; up, down, delta and x are copied.
  expect(uploads()).toBe(4);
  // On the host's layer the same.
  layer.parameters().A.values.fill(-0.25);
  layer.updated();
  close(there.forward(x).data, product(dense(layer), x));
  expect(there.parameters().B.values).toBe(layer.parameters().B.values);
  close(there.merge().data, dense(layer));
  expect(there.bytes(1)).toBe(4 * (2 * out * inputs + 4 * (out + inputs)));
  there.dispose();
});

test("gradients: zeros first, added up into earlier ones, dx only when asked for, on either side", async () => {
  const layer = await load();
  give(layer);
  const there = await layer.to("cuda");
  const batch = 3;
  const [x, dy] = [noise("x", batch * inputs), noise("dy", batch * out)];
  const weight = dense(layer);
  const outer = (o: number, k: number): number => {
    let sum = 0;
    for (let i = 0; i < batch; i++) sum += (dy[i * out + o] ?? 0) * (x[i * inputs + k] ?? 0);
    return 2 * sum;
  };
  const { A, S } = layer.parameters();
  const dB = Array.from({ length: out * 4 }, (_, place) => {
    let sum = 0;
    for (let k = 0; k < inputs; k++)
      sum += outer(Math.floor(place / 4), k) * (A.values[(place % 4) * inputs + k] ?? 0);
    return sum;
  });
  const dS = [...S.positions].map((place) => outer(Math.floor(place / inputs), place % inputs));
  const dx = Array.from({ length: batch * inputs }, (_, place) => {
    let sum = 0;
    for (let o = 0; o < out; o++)
      sum += (dy[Math.floor(place / inputs) * out + o] ?? 0) * (weight[o * inputs + (place % inputs)] ?? 0);
    return sum;
  });
  const first = there.backward(x, dy);
  close(first.grads.B.values, dB);
  close(first.grads.S.values, dS);
  expect(first.grads.S.positions).toEqual(S.positions);
  close(first.dx.data, dx);
  const later = await there.backwardAsync(x, dy, { into: first.grads, dx: false });
  expect("dx" in later).toBe(false);
  close(
    first.grads.B.values,
    dB.map((value) => 2 * value),
  );
  const device = openCudaDevice();
  const given = device.uploadSync(tensor("f32", [batch, inputs], x));
  const cotangent = device.uploadSync(tensor("f32", [batch, out], dy));
  fake.clearLog();
  const tensors = there.backward(given, cotangent);
  expect(launches()).toEqual(["outer_f32", "collect_f32", "dx_f32"]);
  close(tensors.dx.toHostSync().data, dx);
  close(tensors.grads.S.values, dS);
  fake.clearLog();
  const alone = await there.backwardAsync(given, cotangent, { dx: false });
  expect(launches()).toEqual(["outer_f32", "collect_f32"]);
  close(alone.grads.B.values, dB);
  for (const each of [given, cotangent, tensors.dx, there]) each.dispose();
});

test("two layers in a chain on one graph, which follows updates by new addresses", async () => {
  const layer = await load();
  give(layer);
  const there = await layer.to("cuda");
  const square = await (
    await transformOf(manifest).load({ W: { data: noise("V", inputs * out), shape: [inputs, out] }, nnz: 5 })
  ).to("cuda");
  const device = openCudaDevice();
  const chain = device.chain((x: DeviceTensor<"f32">, stream: CudaStream) => {
    const between = there.forward(x, { stream });
    const y = square.forward(between, { stream });
    between.dispose();
    return y as DeviceTensor<"f32">;
  });
  const x = noise("x", 2 * inputs);
  const reference = (): Float32Array => square.forward(there.forward(x).data).data;
  const host = tensor("f32", [2, inputs], x);
  close((await chain.runAsync(host)).data, reference());
  fake.clearLog();
  close((await chain.runAsync(host)).data, reference());
  expect(fake.log().filter((line) => line.startsWith("cuGraphLaunch"))).toHaveLength(1);
  layer.parameters().B.values.fill(1);
  layer.updated();
  fake.clearLog();
  close((await chain.runAsync(host)).data, reference());
  expect(fake.log().filter((line) => line.startsWith("cuGraphExecUpdate"))).toHaveLength(1);
  expect(fake.log().some((line) => line.startsWith("cuGraphInstantiate"))).toBe(false);
  const given = device.uploadSync(host);
  close(chain.run(given).toHostSync().data, reference());
  for (const each of [given, chain, there, square]) each.dispose();
});

test("many calls in flight on two streams give what they would one by one", async () => {
  const layer = await load();
  give(layer);
  const there = await layer.to("cuda");
  const device = openCudaDevice();
  const streams = [device.stream(), device.stream()];
  const weight = dense(layer);
  const batches = [1, 4, 12, 3, 11, 2, 1, 7].map((rows, index) => noise(`x${index}`, rows * inputs));
  const answers = await Promise.all(
    batches.map((x, index) => there.forwardAsync(x, { stream: streams[index % 2] as CudaStream })),
  );
  for (const [index, { data }] of answers.entries())
    close(data, product(weight, batches[index] ?? new Float32Array()));
  there.dispose();
});

test("`load` with a device gives the layer there, and nothing of it stays when it cannot", async () => {
  const transform = transformOf(manifest);
  const there: DeviceLayer<SampleParameters> = await transform.load({
    W,
    nnz: 9,
    device: "cuda",
    elements: "f32",
  });
  close(there.forward(noise("x", inputs)).data, product(dense(there), noise("x", inputs)));
  there.dispose();
  const cases: readonly (readonly [Partial<OnDevice>, string])[] = [
    [{ device: "gpu" as "cuda" }, "SPX8712"],
    [{ device: "cuda:7" }, "SPX8702"],
    [{ device: "cuda", elements: "f16" }, "SPX8711"],
    [{ device: {} as "cuda" }, "SPX8712"],
  ];
  for (const [place, code] of cases)
    expect(await codeOf(() => transform.load({ W, nnz: 9, ...place } as SampleArguments & OnDevice))).toBe(
      code,
    );
  const without = transformOf({ ...manifest, cuda: null });
  expect(await codeOf(() => without.load({ W, nnz: 9, device: "cuda" }))).toBe("SPX8711");
});

test.each([
  [{ major: 8, minor: 6 }, "cubin sm_80"],
  [{ major: 9, minor: 0 }, "cubin sm_90a"],
  [{ major: 12, minor: 0 }, "ptx sm_80"],
])("on %j the image is %s", async (settings, origin) => {
  openCudaDevice().close();
  start(settings);
  const layer = await load();
  give(layer);
  const there = await layer.to("cuda");
  expect(there.plan(1)[0]?.origin).toBe(origin);
  close(there.forward(noise("x", inputs)).data, product(dense(layer), noise("x", inputs)));
  there.dispose();
});

test("too old a device, images of another contract, and files that are not the artefact's", async () => {
  openCudaDevice().close();
  start({ major: 7, minor: 5 });
  const layer = await load();
  await expect(layer.to("cuda")).rejects.toThrow(
    "Fake GPU 0 has compute capability 7.5, the kernels need 8.0 or newer",
  );
  expect(await codeOf(() => layer.to("cuda"))).toBe("SPX8703");
  openCudaDevice().close();
  start();
  expect(await codeOf(async () => (await load({}, { ...manifest, abi: manifest.abi + 1 })).to("cuda"))).toBe(
    "SPX8201",
  );
  const damaged = mkdtempSync(join(folder, "damaged-"));
  const other = writeSampleArtefact(damaged, [["cubin", "sm_90a"]]);
  const there = () => transformOf(other, damaged).load({ W, nnz: 9, device: "cuda" });
  writeFileSync(join(damaged, "sample.sm_90a.cubin"), "something else");
  expect(await codeOf(there)).toBe("SPX8103");
  rmSync(join(damaged, "sample.sm_90a.cubin"));
  expect(await codeOf(there)).toBe("SPX8301");
  close(layer.forward(noise("x", inputs)).data, product(dense(layer), noise("x", inputs)));
});

test("a driver that refuses an image says why", async () => {
  fake.fail("cuModuleLoadDataEx", 1, 222);
  const layer = await load();
  expect(await codeOf(() => layer.to("cuda"))).toBe("SPX8704");
  const there = await layer.to("cuda");
  there.dispose();
});

test("source alone is compiled once for each architecture and text, and a damaged copy anew", async () => {
  const place = mkdtempSync(join(folder, "source-"));
  const source = writeSampleArtefact(place, []);
  const layer = await transformOf(source, place).load({ W, nnz: 9 });
  const compiled = (): string[] => fake.log().filter((line) => line.startsWith("nvrtcCompileProgram"));
  const run = async (): Promise<string> => {
    const there = await layer.to("cuda");
    close(there.forward(noise("x", inputs)).data, product(dense(layer), noise("x", inputs)));
    const { origin } = there.plan(1)[0] ?? { origin: "" };
    there.dispose();
    openCudaDevice().close();
    return origin;
  };
  expect(await run()).toBe("compiled for sm_90a");
  expect(compiled()).toEqual(["nvrtcCompileProgram --gpu-architecture=sm_90a --std=c++17"]);
  expect(await run()).toBe("compiled for sm_90a");
  expect(compiled()).toHaveLength(1);
  const cache = join(folder, "cache", "cuda");
  const [entry = ""] = readdirSync(cache);
  truncateSync(join(cache, entry), 100);
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
  expect(await run()).toBe("compiled for sm_90a");
  expect(compiled()).toHaveLength(2);
  expect(String(warn.mock.calls[0]?.[0])).toContain("are damaged; they are compiled anew");
  start({ major: 8, minor: 9 });
  expect(await run()).toBe("compiled for sm_89");
  expect(readdirSync(cache)).toHaveLength(2);
  // A cache that cannot be written is said and costs time only.
  process.env.SPX_CACHE = join(place, "sample.cu");
  start();
  expect(await run()).toBe("compiled for sm_90a");
  expect(String(warn.mock.calls[1]?.[0])).toContain("cannot be kept");
  process.env.SPX_CACHE = join(folder, "cache");
  warn.mockRestore();
  start();
});

test("source that does not compile, and no compiler", async () => {
  const place = mkdtempSync(join(folder, "broken-"));
  const broken = writeSampleArtefact(place, [], "#error not today\n");
  const there = () => transformOf(broken, place).load({ W, nnz: 9, device: "cuda" });
  await expect(there()).rejects.toThrow("kernels.cu(1): error: #error directive");
  expect(await codeOf(there)).toBe("SPX8710");
  process.env.SPX_NVRTC = join(place, "libnvrtc.so");
  try {
    expect(await codeOf(there)).toBe("SPX8709");
  } finally {
    process.env.SPX_NVRTC = fake.path;
  }
  expect(existsSync(join(place, "libnvrtc.so"))).toBe(false);
});

test("whatever call fails: an error with a code, the layer on the host goes on, everything is given back", async () => {
  const layer = await load();
  give(layer);
  const [x, dy] = [noise("x", 2 * inputs), noise("dy", 2 * out)];
  const work = async (): Promise<void> => {
    try {
      const there = await layer.to("cuda");
      try {
        close(there.forward(x).data, product(dense(layer), x));
        await there.forwardAsync(x);
        there.backward(x, dy);
        const device = openCudaDevice();
        const given = device.uploadSync(tensor("f32", [2, inputs], x));
        try {
          there.forward(given).dispose();
        } finally {
          given.dispose();
        }
      } finally {
        there.dispose();
      }
    } finally {
      openCudaDevice().close();
    }
  };
  openCudaDevice().close();
  start();
  await work();
  const calls = fake.callCount();
  expect(calls).toBeGreaterThan(80);
  let failures = 0;
  for (const status of [2, 719]) {
    for (let call = 1; call <= calls; call++) {
      start();
      fake.failAt(call, status);
      const code = await codeOf(work);
      if (code !== "nothing was thrown") failures++;
      expect(["nothing was thrown", "SPX8705", "SPX8707"]).toContain(code);
      expect(fake.faults(), `call ${call} gave ${status}`).toBe("");
      const which = fake.log()[call - 1] ?? "";
      fake.heal();
      if (status < 700 && !/Destroy|Free|Release|Unload|SetCurrent none/.test(which))
        expect(fake.alive(), `call ${call} gave ${status}: ${which}`).toBe("");
      close(layer.forward(x).data, product(dense(layer), x));
    }
  }
  expect(failures).toBeGreaterThan(120);
  start();
}, 60_000);
