/**
 * Low-rank adapters of a layer on a device: factors are copied once, in the element type of the calls; a call brings a
 * table of which tokens go together, and puts its launches behind those of the layer.
 */
import { type CudaElements, cudaElementBytes } from "../contract/cuda.ts";
import type { DeviceState } from "../device/cuda/cuda-device.ts";
import type { CudaStream, StreamState } from "../device/cuda/cuda-stream.ts";
import type { DeviceMemory } from "../device/cuda/device-memory.ts";
import { usedAfterDispose } from "../device/cuda/driver-errors.ts";
import { SpxError } from "../errors.ts";
import { fromFloat32 } from "../tensor/convert.ts";
import { type AdapterFactors, adapterSegments, adapterTable } from "./adapter-factors.ts";
import { elementTypeOf } from "./device-batch.ts";
import type { BoundMemory, DeviceCalls } from "./device-calls.ts";
import type { DeviceAdapters, DeviceLayer } from "./device-layer.ts";

export interface DevicePlace {
  readonly device: DeviceState;
  readonly elements: CudaElements;
}

type Forward = Pick<DeviceLayer, "forward" | "forwardAsync">;

/** `roads` gives the forward calls of the layer with other work put on the stream. */
export function createDeviceAdapters(
  factors: AdapterFactors,
  calls: Pick<DeviceCalls, "forward" | "adapters">,
  { device, elements }: DevicePlace,
  roads: (put: DeviceCalls["forward"]) => Forward,
): DeviceAdapters {
  const { ranks, largest } = factors;
  const adding = calls.adapters(ranks.length, largest);
  const [down, up] = copyFactors(factors, device, elements);
  let disposed = false;
  const add = (
    segments: ReturnType<typeof adapterSegments>,
    memory: BoundMemory,
    batch: number,
    stream: CudaStream,
  ): void => {
    const table = adapterTable(factors, segments, batch);
    const workspace = device.workspaces.take(table.byteLength);
    try {
      device.copies.upload(table, workspace.block, stream);
      adding({ ...memory, adapters: { down, up, table: workspace.block } }, batch, stream);
    } finally {
      // Whoever takes it next is ordered behind this call.
      device.workspaces.give(workspace);
    }
  };
  const roadFor = (index: Int32Array): Forward =>
    roads((memory, batch, stream) => {
      if (disposed) throw usedAfterDispose("a set of adapters");
      const segments = adapterSegments(factors, index, batch);
      if (isRecording(stream)) throw recorded();
      calls.forward(memory, batch, stream);
      if (segments.length > 0) add(segments, memory, batch, stream);
    });
  const dispose = (): void => {
    if (disposed) return;
    disposed = true;
    down.free();
    up.free();
  };
  return {
    count: ranks.length,
    // Each overload is one of the roads of the layer; which one is the caller's choice of x.
    forward: ((x: never, index: Int32Array, options: never) =>
      roadFor(index).forward(x, options)) as DeviceAdapters["forward"],
    forwardAsync: (async (x: never, index: Int32Array, options: never) =>
      roadFor(index).forwardAsync(x, options)) as DeviceAdapters["forwardAsync"],
    dispose,
    [Symbol.dispose]: dispose,
  };
}

function copyFactors(
  factors: AdapterFactors,
  device: DeviceState,
  elements: CudaElements,
): readonly [down: DeviceMemory, up: DeviceMemory] {
  const type = elementTypeOf(elements);
  const copied: DeviceMemory[] = [];
  const copy = (values: Float32Array): DeviceMemory => {
    const memory = device.heap.allocate(values.length * cudaElementBytes[elements]);
    copied.push(memory);
    device.copies.upload(fromFloat32(type, [values.length], values).data, memory, device.main);
    return memory;
  };
  try {
    return [copy(factors.down), copy(factors.up)];
  } catch (thrown) {
    for (const memory of copied) memory.free();
    throw thrown;
  }
}

/** Streams are made by the runtime only; the public type leaves out whether a graph is recorded. */
const isRecording = (stream: CudaStream): boolean => (stream as StreamState).touched !== null;

const recorded = (): SpxError =>
  new SpxError("SPX8407", "a call with adapters was put into a chain, which would repeat its index", {
    help: "put the layer into the chain without adapters, or call it outside",
  });
