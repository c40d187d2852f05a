/**
 * The whole road on the fake device: a source compiled for CUDA, its files opened by the runtime, and each launch run by
 * the interpreter of device programs on the fake's memory, which checks every access. Against a float64 oracle.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkLayer } from "../../../bench/gpu/check-numbers.ts";
import { interpretDevice } from "../../../compiler/backend/reference/interpret-device.ts";
import type { DeviceProgram } from "../../../compiler/device/device-node.ts";
import { compileFile } from "../../../compiler/driver/compile.ts";
import { lowerDevicePlans } from "../../../compiler/driver/lower-device.ts";
import { nodeHost } from "../../../compiler/driver/node-host.ts";
import { writeArtefact } from "../../../compiler/emit/artefact-writer.ts";
import type { CudaElements } from "../../../runtime/contract/cuda.ts";
import { deviceState } from "../../../runtime/device/cuda/cuda-device.ts";
import {
  type Artefact,
  type DenseParameter,
  type LoadOptions,
  openArtefact,
  type Tensor,
} from "../../../runtime/index.ts";
import { fillNormal } from "../../../runtime/random/distributions.ts";
import { randomStream } from "../../../runtime/random/philox.ts";
import { fromFloat32, toFloat32 } from "../../../runtime/tensor/convert.ts";
import { tensor } from "../../../runtime/tensor/tensor.ts";
import { codeOf } from "../thrown-error.ts";
import { buildFakeCuda, type FakeLaunch } from "./fake-cuda.ts";

const source = `
import { magnitude, random_support } from "std/select"

transform Adapted(W: frozen [out, in], r: int = 4, nnz: int = 12) {
  mask  M: nm(2, 4) along input = magnitude(W)
  param B: [out, r] = uniform(0.5)
  param A: [r, in] = uniform(0.5)
  param S: sparse [out, in] on random_support(nnz) = uniform(0.5)
  require in % 4 == 0
  weight = M .* W + B @ A + S
}
`;

const fake = buildFakeCuda();
const folder = mkdtempSync(join(tmpdir(), "spx-built-"));
const before = { ...process.env };
let artefact: Artefact;
const programs = new Map<string, DeviceProgram>();

beforeAll(async () => {
  Object.assign(process.env, {
    SPX_NVCC: "",
    SPX_CUDA_DRIVER: fake.path,
    SPX_NVRTC: fake.path,
    SPX_CACHE: join(folder, "cache"),
  });
  const entry = join(folder, "adapted.spx");
  writeFileSync(entry, source);
  const elements: readonly CudaElements[] = ["f32", "bf16"];
  const options = { name: "adapted", runtime: "spx/runtime", keepIr: false, cuda: elements };
  const { compilation, artefact: built } = await compileFile(entry, nodeHost(), options);
  if (built?.kind !== "artefact") throw new Error(JSON.stringify(compilation.diagnostics));
  await writeArtefact(folder, built.files, built.replaces);
  for (const program of lowerDevicePlans(compilation.transforms).programs)
    programs.set(program.name, program);
  artefact = openArtefact(join(folder, built.manifestFile));
  fake.set({ abi: artefact.manifest().abi });
  fake.onLaunch(interpret);
}, 120_000);

afterAll(() => {
  process.env = before;
  fake.remove();
  rmSync(folder, { recursive: true });
});

/** A launch by the interpreter: pointers are what is left of their allocation, which is where a kernel may reach. */
function interpret(launched: FakeLaunch): void {
  const program = programs.get(launched.kernel);
  if (program === undefined) throw new RangeError(`no kernel ${launched.kernel}`);
  expect(launched.block).toEqual([program.threads, 1, 1]);
  const numbers = new Map<string, number>();
  const buffers = new Map<string, { data: Uint8Array<ArrayBuffer>; initialised: boolean }>();
  for (const [index, parameter] of program.parameters.entries()) {
    if (parameter.kind === "number") {
      const read = { i32: launched.int32, i64: launched.int64, f32: launched.float32 };
      numbers.set(parameter.name, read[parameter.type as keyof typeof read](index));
    } else buffers.set(parameter.name, { data: launched.rest(index), initialised: true });
  }
  interpretDevice(program, launched.grid[0], buffers, numbers);
}

const noise = (name: string, count: number): Float32Array =>
  fillNormal(randomStream(3, name), new Float32Array(count));

test.each([
  ["f32", 17, 12, [1, 3, 9]],
  ["f32", 33, 20, [2, 17]],
  ["bf16", 17, 16, [1, 3, 33]],
] as const)("%s %ix%i against float64", async (elements, out, inputs, batches) => {
  const W = tensor("f32", [out, inputs], noise("W", out * inputs));
  const there = await artefact
    .transform<LoadOptions & { readonly W: Tensor<"f32"> }, Readonly<Record<string, DenseParameter>>>(
      "Adapted",
    )
    .load({ W, device: "cuda", elements });
  const device = deviceState({});
  const checks = checkLayer(there.host, there, device, { seed: 3, batches });
  let gradients = 0;
  for await (const { what, error, allowed } of checks) {
    expect(error, what).toBeLessThan(allowed / 2);
    gradients += what.endsWith(" dx") ? 1 : 0;
  }
  expect(gradients).toBe(1);
  expect(there.plan(1)[0]?.origin).toBe("compiled for sm_90a");
  there.dispose();
  device.close();
  expect(fake.faults()).toBe("");
  expect(fake.alive()).toBe("");
});

test.each([
  ["f32", 17, 12, 1e-5],
  ["bf16", 33, 20, 3e-2],
] as const)("%s %ix%i with an adapter of its own for each token", async (elements, out, inputs, allowed) => {
  const W = tensor("f32", [out, inputs], noise("W", out * inputs));
  const transform = artefact.transform<
    LoadOptions & { readonly W: Tensor<"f32"> },
    Readonly<Record<string, DenseParameter>>
  >("Adapted");
  const there = await transform.load({ W, device: "cuda", elements });
  const given = [3, 1, 6].map((r, number) => ({
    A: tensor("f32", [r, inputs], noise(`A${number}`, r * inputs)),
    B: { values: noise(`B${number}`, out * r), shape: [out, r] },
    scale: number - 0.5,
  }));
  const adapters = there.adapters(given);
  const index = Int32Array.from({ length: 21 }, (_, token) => ((token * 5) % 4) - 1);
  const x = noise("x", index.length * inputs);
  const onHost = there.host.adapters(given).forward(x, index);
  const largest = onHost.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const distance = ({ data }: Tensor<"f32">): number =>
    data.reduce((most, value, at) => Math.max(most, Math.abs(value - (onHost.data[at] ?? Number.NaN))), 0);
  expect(distance(adapters.forward(x, index)) / largest).toBeLessThan(allowed);
  expect(distance(await adapters.forwardAsync(x, index)) / largest).toBeLessThan(allowed);
  const none = adapters.forward(
    x,
    index.map(() => -1),
  );
  expect(none).toEqual(there.forward(x));

  const device = deviceState({});
  const lying = device.uploadSync(fromFloat32(elements, [index.length, inputs], x));
  const y = adapters.forward(lying, index);
  expect(distance(tensor("f32", y.shape, toFloat32(y.toHostSync()))) / largest).toBeLessThan(allowed);
  const chain = device.chain((input, stream) => adapters.forward(input, index, { stream }));
  expect(() => chain.run(lying)).toThrow(/SPX8407.*chain/);
  expect(() => adapters.forward(lying, index.subarray(1))).toThrow(/SPX8405/);
  adapters.dispose();
  expect(() => adapters.forward(lying, index)).toThrow(/SPX8708/);
  for (const each of [chain, lying, y, there]) each.dispose();
  device.close();
  expect(fake.faults()).toBe("");
  expect(fake.alive()).toBe("");
});

test("whatever call of adapters fails, the error is told and the layer goes on", async () => {
  const [out, inputs] = [9, 8];
  const W = tensor("f32", [out, inputs], noise("W", out * inputs));
  const there = await artefact
    .transform<LoadOptions & { readonly W: Tensor<"f32"> }, Readonly<Record<string, DenseParameter>>>(
      "Adapted",
    )
    .load({ W, device: "cuda", elements: "f32" });
  const factors = {
    A: tensor("f32", [2, inputs], noise("A", 2 * inputs)),
    B: tensor("f32", [out, 2], noise("B", out * 2)),
  };
  const x = noise("x", 3 * inputs);
  const work = (): Tensor<"f32"> => {
    using adapters = there.adapters([factors]);
    return adapters.forward(x, Int32Array.of(0, -1, 0));
  };
  const expected = work();
  const before = fake.callCount();
  expect(work()).toEqual(expected);
  const called = fake.log().slice(before, fake.callCount());
  expect(called.filter((line) => line.startsWith("cuLaunchKernel")).length).toBeGreaterThan(2);
  let failures = 0;
  for (const [place, line] of called.entries()) {
    if (/Free|Destroy/.test(line)) continue;
    fake.failAt(place + 1, 1);
    const code = codeOf(work);
    fake.heal();
    failures += code === "SPX8706" ? 1 : 0;
    expect(["SPX8706", "nothing was thrown"], line).toContain(code);
    expect(work(), line).toEqual(expected);
  }
  expect(failures).toBeGreaterThan(5);
  there.dispose();
  deviceState({}).close();
  expect(fake.faults()).toBe("");
  expect(fake.alive()).toBe("");
});
