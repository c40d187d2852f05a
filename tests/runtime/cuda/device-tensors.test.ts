/** Device tensors, streams and graphs on the fake driver, which runs work as late as the rules allow. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, afterEach, beforeEach, expect, test, vi } from "vitest";
import { type DeviceState, deviceState } from "../../../runtime/device/cuda/cuda-device.ts";
import { createGraph } from "../../../runtime/device/cuda/cuda-graph.ts";
import type { CudaStream, StreamState } from "../../../runtime/device/cuda/cuda-stream.ts";
import type { DeviceTensor } from "../../../runtime/device/cuda/device-tensor.ts";
import { SpxError } from "../../../runtime/errors.ts";
import { tensor } from "../../../runtime/tensor/tensor.ts";
import { laterCodeOf } from "../thrown-error.ts";
import { buildFakeCuda } from "./fake-cuda.ts";

const fake = buildFakeCuda();
let device: DeviceState;

beforeEach(() => {
  fake.reset();
  device = deviceState({ driver: fake.path });
  fake.clearLog();
});
afterEach(() => {
  device.close();
  expect(fake.faults()).toBe("");
  expect(fake.alive()).toBe("");
});
afterAll(() => fake.remove());

const bytesOf = (values: Float32Array): Buffer => Buffer.from(values.buffer);
const counting = (count: number, first = 0): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => first + i);

test.each([0, 1, 7, 64, 1000])("%i values go there and back, both ways", async (count) => {
  const host = tensor("f32", [count], counting(count));
  const there = await device.upload(host);
  expect((await there.toHost()).data).toEqual(host.data);
  const blocking = device.uploadSync(host);
  expect(blocking.toHostSync()).toEqual(host);
  there.writeSync(tensor("f32", [count], counting(count, 5)));
  expect((await there.toHost()).data).toEqual(counting(count, 5));
  there.dispose();
  blocking.dispose();
  expect(device.bytesInUse).toBe(0);
});

test("half precision travels as its bits", async () => {
  const host = tensor("bf16", [2, 2], Uint16Array.of(1, 2, 0x3f80, 0xffff));
  const there = await device.upload(host);
  expect(there.elementType).toBe("bf16");
  expect(await there.toHost()).toEqual(host);
  there[Symbol.dispose]();
});

test("a copy larger than the pinned memory for one goes in pieces", async () => {
  const count = (20 << 20) / 4 + 3;
  const host = tensor("f32", [count], counting(count));
  const there = await device.upload(host);
  expect(fake.log().filter((line) => line.startsWith("cuMemcpyHtoDAsync"))).toHaveLength(3);
  expect(Buffer.compare(bytesOf((await there.toHost()).data), bytesOf(host.data))).toBe(0);
  expect(fake.log().filter((line) => line.startsWith("cuMemHostAlloc"))).toHaveLength(2);
  there.dispose();
});

test("waiting for the device leaves the event loop free", async () => {
  fake.set({ polls: 50 });
  let turns = 0;
  const turn = (): void => {
    turns++;
    next = setImmediate(turn);
  };
  let next = setImmediate(turn);
  const there = device.empty("f32", [4]);
  await there.write(tensor("f32", [4], counting(4)));
  await there.toHost();
  await device.finished();
  clearImmediate(next);
  expect(turns).toBeGreaterThanOrEqual(50);
  there.dispose();
});

test("what was asked for is what lay there then, whatever is written afterwards", async () => {
  const there = device.uploadSync(tensor("f32", [3], counting(3)));
  const asked = there.toHost();
  there.writeSync(tensor("f32", [3], counting(3, 100)));
  expect((await asked).data).toEqual(counting(3));
  there.dispose();
});

test("a tensor is not used after it is disposed, nor filled from another", async () => {
  const there = device.empty("f32", [2]);
  expect(await laterCodeOf(() => there.writeSync(tensor("f32", [3], counting(3))))).toBe("SPX8708");
  expect(await laterCodeOf(() => there.write(tensor("bf16", [2], new Uint16Array(2)) as never))).toBe(
    "SPX8708",
  );
  there.dispose();
  there.dispose();
  for (const use of [() => there.memory, () => there.toHost(), () => there.toHostSync()])
    expect(await laterCodeOf(use)).toBe("SPX8708");
});

test("a tensor that is forgotten is given back, and said once", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
  (() => {
    for (let i = 0; i < 3; i++) device.empty("f32", [256]);
  })();
  for (let round = 0; device.bytesInUse > 0 && round < 50; round++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(device.bytesInUse).toBe(0);
  expect(warn).toHaveBeenCalledTimes(1);
  expect(String(warn.mock.calls[0]?.[0])).toContain("1024 bytes on Fake GPU 0 was never disposed");
  warn.mockRestore();
});

test("no room left: what is kept for later is given back first, then the error says how much was asked for", async () => {
  fake.set({ memory: 1 << 20 });
  const kept = device.workspaces.take(700_000);
  device.workspaces.give(kept);
  const large = device.empty("u8" as never, [800_000]);
  const error = await laterCodeOf(() => device.empty("f32", [100_000]));
  expect(error).toBe("SPX8705");
  try {
    device.empty("f32", [100_000]);
  } catch (thrown) {
    expect((thrown as SpxError).message).toContain(
      "allocating 400000 bytes on Fake GPU 0: CUDA_ERROR_OUT_OF_MEMORY (2)",
    );
  }
  large.dispose();
  device.empty("f32", [100_000]).dispose();
});

test("a device without memory pools allocates and frees in its own order", async () => {
  device.close();
  fake.reset();
  fake.set({ pools: 0 });
  device = deviceState({ driver: fake.path });
  const there = await device.upload(tensor("f32", [5], counting(5)));
  expect((await there.toHost()).data).toEqual(counting(5));
  there.dispose();
  expect(fake.log().some((line) => line.startsWith("cuMemAllocAsync"))).toBe(false);
  expect(fake.alive()).not.toContain("device memory");
});

/** target[i] += source[i], as work on a stream: a copy and the wait that belongs to it. */
function copyOn(stream: CudaStream, from: DeviceTensor, to: DeviceTensor): void {
  from.memory.use(stream, "read");
  to.memory.use(stream, "write");
  const { driver } = device.context;
  driver.call("cuMemcpyDtoDAsync", to.memory.address, from.memory.address, from.memory.bytes, stream.handle);
}

test("work on several streams is ordered by the tensors it uses", async () => {
  const [a, b, c] = [0, 1, 2].map(() => device.empty("f32", [4])) as [
    DeviceTensor,
    DeviceTensor,
    DeviceTensor,
  ];
  const streams = [device.stream(), device.stream()] as const;
  a.writeSync(tensor("f32", [4], counting(4)));
  copyOn(streams[0], a, b);
  copyOn(streams[1], b, c);
  // Overwrites what both streams read.
  a.writeSync(tensor("f32", [4], counting(4, 10)));
  b.dispose();
  expect(c.toHostSync().data).toEqual(counting(4));
  for (const stream of streams) stream.dispose();
  copyOn(device.main, a, c);
  expect(c.toHostSync().data).toEqual(counting(4, 10));
  a.dispose();
  c.dispose();
});

test("streams that only read the same tensor do not wait for each other", () => {
  const shared = device.uploadSync(tensor("f32", [4], counting(4)));
  const [left, right] = [device.stream(), device.stream()];
  const targets = [device.empty("f32", [4]), device.empty("f32", [4])] as const;
  copyOn(left, shared, targets[0]);
  copyOn(right, shared, targets[1]);
  fake.clearLog();
  copyOn(left, shared, targets[0]);
  copyOn(right, shared, targets[1]);
  expect(fake.log().filter((line) => line.startsWith("cuStreamWaitEvent"))).toEqual([]);
  for (const each of [shared, ...targets]) each.dispose();
});

test("a disposed stream is an error, and what it had to do is done", () => {
  const stream = device.stream();
  const from = device.uploadSync(tensor("f32", [4], counting(4)));
  const to = device.empty("f32", [4]);
  copyOn(stream, from, to);
  stream.dispose();
  stream.dispose();
  expect(to.toHostSync().data).toEqual(counting(4));
  expect(() => copyOn(stream, from, to)).toThrow(SpxError);
  from.dispose();
  to.dispose();
});

test("a graph runs what was recorded, keeps its memory, and takes new addresses in place", () => {
  const { driver } = device.context;
  const recorder = device.stream() as StreamState;
  const [a, b, c] = [0, 1, 2].map(() => device.empty("f32", [4])) as [
    DeviceTensor,
    DeviceTensor,
    DeviceTensor,
  ];
  a.writeSync(tensor("f32", [4], counting(4)));
  b.writeSync(tensor("f32", [4], counting(4, 50)));
  const graph = createGraph(driver, recorder, (stream) => copyOn(stream, a, b));
  expect(b.toHostSync().data).toEqual(counting(4, 50));
  graph.start(device.main);
  expect(b.toHostSync().data).toEqual(counting(4));
  graph.record((stream) => copyOn(stream, b, c));
  expect(fake.log().filter((line) => line.startsWith("cuGraphInstantiate"))).toHaveLength(1);
  const other = device.stream();
  graph.start(other);
  expect(c.toHostSync().data).toEqual(counting(4));
  // Other work than before: built anew.
  graph.record((stream) => {
    copyOn(stream, b, c);
    copyOn(stream, c, a);
  });
  expect(fake.log().filter((line) => line.startsWith("cuGraphInstantiate"))).toHaveLength(2);
  b.writeSync(tensor("f32", [4], counting(4, 7)));
  b.dispose();
  graph.start(device.main);
  expect(a.toHostSync().data).toEqual(counting(4, 7));
  graph.dispose();
  graph.dispose();
  expect(() => graph.start(device.main)).toThrow(SpxError);
  for (const each of [a, c]) each.dispose();
  expect(device.bytesInUse).toBe(0);
});

test("work that throws while it is recorded leaves nothing, and the old recording in place", () => {
  const recorder = device.stream() as StreamState;
  const { driver } = device.context;
  const fails = (): void => {
    throw new RangeError("not today");
  };
  expect(() => createGraph(driver, recorder, fails)).toThrow("not today");
  const from = device.uploadSync(tensor("f32", [2], counting(2)));
  const to = device.empty("f32", [2]);
  const graph = createGraph(driver, recorder, (stream) => copyOn(stream, from, to));
  expect(() => graph.record(fails)).toThrow("not today");
  graph.start(device.main);
  expect(to.toHostSync().data).toEqual(counting(2));
  graph.dispose();
  from.dispose();
  to.dispose();
});

test("a chain is recorded once for each shape, and runs on host and device tensors", async () => {
  const double = (x: DeviceTensor<"f32">, stream: CudaStream): DeviceTensor<"f32"> => {
    const between = device.empty("f32", x.shape);
    const y = device.empty("f32", x.shape);
    copyOn(stream, x, between);
    copyOn(stream, between, y);
    between.dispose();
    return y;
  };
  const chain = device.chain(double);
  const x = device.uploadSync(tensor("f32", [2, 3], counting(6)));
  expect(chain.run(x).toHostSync().data).toEqual(counting(6));
  fake.clearLog();
  x.writeSync(tensor("f32", [2, 3], counting(6, 9)));
  expect(chain.run(x).toHostSync().data).toEqual(counting(6, 9));
  expect(fake.log().filter((line) => /Capture|Instantiate/.test(line))).toEqual([]);
  expect(fake.log().filter((line) => line.startsWith("cuGraphLaunch"))).toHaveLength(1);
  const answers = await Promise.all(
    [0, 20, 40].map((first) => chain.runAsync(tensor("f32", [2, 3], counting(6, first)))),
  );
  expect(answers.map(({ data }) => data)).toEqual([counting(6), counting(6, 20), counting(6, 40)]);
  expect((await chain.runAsync(tensor("f32", [1, 3], counting(3)))).data).toEqual(counting(3));
  expect(chain.recorded).toBe(2);
  // Memory that recorded work reads was replaced: recorded anew, in place.
  device.replaced.count++;
  fake.clearLog();
  expect(chain.run(x).toHostSync().data).toEqual(counting(6, 9));
  expect(fake.log().filter((line) => /cuGraphExecUpdate|cuGraphInstantiate/.test(line))).toHaveLength(1);
  x.dispose();
  chain.dispose();
  chain.dispose();
  expect(() => chain.run(x)).toThrow(SpxError);
  expect(device.bytesInUse).toBe(0);
});

test("a lost device: every call says so, disposing stays quiet, and the process goes on", async () => {
  const there = device.empty("f32", [4]);
  fake.fail("cuMemcpyDtoHAsync", 1, 700);
  try {
    there.toHostSync();
    expect.unreachable();
  } catch (thrown) {
    expect((thrown as SpxError).code).toBe("SPX8707");
    expect((thrown as SpxError).message).toContain("CUDA_ERROR_ILLEGAL_ADDRESS (700)");
  }
  expect(await laterCodeOf(() => there.toHost())).toBe("SPX8707");
  expect(await laterCodeOf(() => device.empty("f32", [1]))).toBe("SPX8707");
  there.dispose();
  device.close();
  fake.heal();
  fake.reset();
  device = deviceState({ driver: fake.path });
});

test("whatever call fails, the error is told and everything can be given back", async () => {
  const work = async (): Promise<void> => {
    const own = deviceState({ driver: fake.path });
    const made: { dispose(): void }[] = [];
    try {
      const stream = own.stream();
      const x = await own.upload(tensor("f32", [3], counting(3)), stream);
      made.push(x);
      const chain = own.chain((from: DeviceTensor<"f32">, on) => {
        const to = own.empty("f32", from.shape);
        try {
          from.memory.use(on, "read");
          to.memory.use(on, "write");
          own.context.driver.call("cuMemcpyDtoDAsync", to.memory.address, from.memory.address, 12, on.handle);
          return to;
        } catch (thrown) {
          to.dispose();
          throw thrown;
        }
      });
      made.push(chain);
      expect((await chain.run(x, stream).toHost()).data).toEqual(counting(3));
      own.replaced.count++;
      expect(chain.run(x).toHostSync().data).toEqual(counting(3));
    } finally {
      try {
        for (const each of made.reverse()) each.dispose();
      } finally {
        own.close();
      }
    }
  };
  device.close();
  fake.reset();
  await work();
  const calls = fake.callCount();
  expect(calls).toBeGreaterThan(40);
  for (const status of [1, 2, 719]) {
    for (let call = 1; call <= calls; call++) {
      fake.reset();
      fake.failAt(call, status);
      const code = await laterCodeOf(work);
      expect(["nothing was thrown", "SPX8705", "SPX8706", "SPX8707"]).toContain(code);
      expect(fake.faults(), `call ${call} gave ${status}`).toBe("");
      // A lost device takes everything along; of the others only what could not be given back is left.
      fake.heal();
      const givesBack = /Destroy|Free|Release|Unload|SetCurrent none|EndCapture/.test(
        fake.log()[call - 1] ?? "",
      );
      if (status < 700 && !givesBack)
        expect(fake.alive(), `call ${call} gave ${status}: ${fake.log()[call - 1]}`).toBe("");
    }
  }
  fake.reset();
  device = deviceState({ driver: fake.path });
});
