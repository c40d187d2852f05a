/**
 * Gradients on a device as calls of the backward pass: what it reads is copied there where it lies on the host, the
 * gradients of parameters come back to the host, where the parameters live.
 */
import type { CudaElements } from "../contract/cuda.ts";
import type { TransformManifest } from "../contract/manifest.ts";
import type { BackwardBuffers, BackwardCall } from "../device/cpu/backward-call.ts";
import type { DeviceState } from "../device/cuda/cuda-device.ts";
import type { CudaStream } from "../device/cuda/cuda-stream.ts";
import type { DeviceMemory } from "../device/cuda/device-memory.ts";
import type { DeviceTensor } from "../device/cuda/device-tensor.ts";
import type { Workspace } from "../device/workspace-pool.ts";
import type { MemoryBlock } from "../formats/packed-operand.ts";
import { type CallCopies, createCallCopies } from "./device-batch.ts";
import type { DeviceCalls } from "./device-calls.ts";

/** Calls on batches that lie on the device. */
export type DeviceBackward = BackwardCall<DeviceMemory, DeviceTensor, CudaStream>;
/** Calls on batches of the host. */
export type HostBackward = BackwardCall<Float32Array, MemoryBlock, CudaStream>;

export function createDeviceBackward(
  transform: Pick<TransformManifest, "parameters" | "plan">,
  calls: Pick<DeviceCalls, "backward">,
  device: DeviceState,
): DeviceBackward {
  const run = (
    { x, dy, dx, gradients, adds }: BackwardBuffers<DeviceMemory, DeviceTensor>,
    batch: number,
    stream: CudaStream,
  ): GradientCopies => {
    const copies = startGradients(transform, gradients, adds, device, stream);
    try {
      const result = dx?.memory ?? null;
      calls.backward({ input: x, cotangent: dy, result, gradients: copies.memory }, batch, stream);
      return copies;
    } catch (thrown) {
      copies.end();
      throw thrown;
    }
  };
  return {
    run(buffers, batch, stream) {
      const copies = run(buffers, batch, stream);
      try {
        for (const { memory, view } of copies.pairs) device.copies.download(memory, view, stream);
      } finally {
        copies.end();
      }
    },
    async runAsync(buffers, batch, stream) {
      const copies = run(buffers, batch, stream);
      try {
        await Promise.all(
          copies.pairs.map(({ memory, view }) => device.copies.downloadAsync(memory, view, stream)),
        );
      } finally {
        copies.end();
      }
    },
  };
}

interface GradientCopies {
  /** By parameter or intermediate. */
  readonly memory: ReadonlyMap<string, DeviceMemory>;
  readonly pairs: readonly { readonly memory: DeviceMemory; readonly view: Uint8Array }[];
  end(): void;
}

/** Gradients on the device as they start: zeros, or those of earlier calls. */
function startGradients(
  { parameters, plan }: Pick<TransformManifest, "parameters" | "plan">,
  blocks: readonly MemoryBlock[],
  adds: boolean,
  device: DeviceState,
  stream: CudaStream,
): GradientCopies {
  const { driver } = device.context;
  const taken: Workspace<DeviceMemory>[] = [];
  const end = (): void => {
    for (const workspace of taken.splice(0)) device.workspaces.give(workspace);
  };
  const names = [...parameters, ...plan.backward.intermediates].map(({ name }) => name);
  try {
    const pairs = blocks.map(({ view }, index) => {
      const bytes = new Uint8Array(view);
      const workspace = device.workspaces.take(bytes.length);
      taken.push(workspace);
      const memory = workspace.block;
      if (adds && index < parameters.length) device.copies.upload(bytes, memory, stream);
      else {
        memory.use(stream, "write");
        driver.call("cuMemsetD32Async", memory.address, 0, Math.ceil(bytes.length / 4), stream.handle);
      }
      return { memory, view: bytes };
    });
    const memory = new Map(pairs.map((pair, index) => [names[index] ?? "", pair.memory]));
    return { memory, pairs, end };
  } catch (thrown) {
    end();
    throw thrown;
  }
}

/** Around `inner`: x and dy are copied to the device, dx back. */
export function createHostBackward(
  inner: DeviceBackward,
  elements: CudaElements,
  device: DeviceState,
  columns: number,
): HostBackward {
  const there = (dx: MemoryBlock | null, batch: number): DeviceTensor | null =>
    dx === null ? null : device.tensors.empty(elements === "tf32" ? "f32" : elements, [batch, columns]);
  const floats = (dx: MemoryBlock, batch: number): Float32Array =>
    new Float32Array(dx.view, 0, batch * columns);
  const within = async (stream: CudaStream, work: (copies: CallCopies) => Promise<void>): Promise<void> => {
    const copies = createCallCopies(device, elements, stream);
    try {
      await work(copies);
    } finally {
      copies.end();
    }
  };
  return {
    run(buffers, batch, stream) {
      const copies = createCallCopies(device, elements, stream);
      const dx = there(buffers.dx, batch);
      try {
        const [x, dy] = [copies.upload(buffers.x), copies.upload(buffers.dy)];
        inner.run({ ...buffers, x, dy, dx }, batch, stream);
        if (buffers.dx !== null && dx !== null) copies.download(dx.memory, floats(buffers.dx, batch));
      } finally {
        dx?.dispose();
        copies.end();
      }
    },
    runAsync: (buffers, batch, stream) =>
      within(stream, async (copies) => {
        const dx = there(buffers.dx, batch);
        try {
          const [x, dy] = [await copies.uploadAsync(buffers.x), await copies.uploadAsync(buffers.dy)];
          await inner.runAsync({ ...buffers, x, dy, dx }, batch, stream);
          if (buffers.dx !== null && dx !== null)
            await copies.downloadAsync(dx.memory, floats(buffers.dx, batch));
        } finally {
          dx?.dispose();
        }
      }),
  };
}
