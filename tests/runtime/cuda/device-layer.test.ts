/**
 * Layers on the fake device: what is launched in which order, numbers against a float64 oracle, what is made anew after
 * parameters changed. Kernels are JavaScript over the fake's memory.
 */
import { expect, test } from "vitest";
import { openCudaDevice } from "../../../runtime/device/cuda/cuda-device.ts";
import type { CudaStream } from "../../../runtime/device/cuda/cuda-stream.ts";
import type { DeviceTensor } from "../../../runtime/device/cuda/device-tensor.ts";
import type { DeviceLayer, OnDevice } from "../../../runtime/model/device-layer.ts";
import { fromFloat32, toFloat32 } from "../../../runtime/tensor/convert.ts";
import { tensor } from "../../../runtime/tensor/tensor.ts";
import { laterCodeOf } from "../thrown-error.ts";
import {
  checkedEachTest,
  close,
  dense,
  fake,
  give,
  inputs,
  launches,
  load,
  manifest,
  noise,
  out,
  product,
  type SampleArguments,
  type SampleParameters,
  transformOf,
  W,
} from "./sample-layer.ts";

checkedEachTest();

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
  expect(await laterCodeOf(() => there.forward(single))).toBe("SPX8404");
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
  expect(await laterCodeOf(() => there.forward(wide))).toBe("SPX8405");
  expect(await laterCodeOf(() => there.forward(x, { y: wide }))).toBe("SPX8405");
  expect(await laterCodeOf(() => there.forward(x, { y: short }))).toBe("SPX8405");
  expect(await laterCodeOf(() => there.forward(new Float32Array(inputs + 1)))).toBe("SPX8405");
  expect(device.bytesInUse).toBe(before);
  x.dispose();
  expect(await laterCodeOf(() => there.forward(x))).toBe("SPX8708");
  there.dispose();
  expect(await laterCodeOf(() => there.forward(noise("x", inputs)))).toBe("SPX8306");
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

test("what dx alone reads comes to the device when dx is asked for", async () => {
  const layer = await load();
  const there = await layer.to("cuda");
  const [x, dy] = [noise("x", 2 * inputs), noise("dy", 2 * out)];
  const uploads = (call: () => void): number => {
    fake.clearLog();
    call();
    return fake.log().filter((line) => line.startsWith("cuMemcpyHtoDAsync")).length;
  };
  const without = (): number => uploads(() => void there.backward(x, dy, { dx: false }));
  const whole = (): number => uploads(() => void there.backward(x, dy));
  without();
  // x and dy alone, and once the operand of the step that only dx has.
  expect([without(), whole(), whole(), without()]).toEqual([2, 3, 2, 2]);
  there.dispose();
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
    expect(
      await laterCodeOf(() => transform.load({ W, nnz: 9, ...place } as SampleArguments & OnDevice)),
    ).toBe(code);
  const without = transformOf({ ...manifest, cuda: null });
  expect(await laterCodeOf(() => without.load({ W, nnz: 9, device: "cuda" }))).toBe("SPX8711");
});
