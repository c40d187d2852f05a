/**
 * Batches of a call on a device: tensors of the device as they are, arrays of the host by way of memory that the call
 * takes and gives back. The number type of the call is that of x and y; host arrays are always float32.
 */
import { type CudaElements, cudaElementBytes } from "../contract/cuda.ts";
import type { DeviceState } from "../device/cuda/cuda-device.ts";
import type { CudaStream } from "../device/cuda/cuda-stream.ts";
import type { DeviceMemory } from "../device/cuda/device-memory.ts";
import type { DeviceElementType, DeviceTensor } from "../device/cuda/device-tensor.ts";
import type { Workspace } from "../device/workspace-pool.ts";
import { SpxError } from "../errors.ts";
import { fromFloat32, toFloat32 } from "../tensor/convert.ts";
import { tensor, zeros } from "../tensor/tensor.ts";

/** Element type of x and y in calls of a number type. */
export const elementTypeOf = (elements: CudaElements): DeviceElementType =>
  elements === "tf32" ? "f32" : elements;

/** @throws SpxError SPX8404 for another element type, SPX8405 unless the last dimension is `columns`, SPX8708 for another device. */
export function deviceBatch(
  x: DeviceTensor,
  columns: number,
  { transform, elements, device }: { transform: string; elements: CudaElements; device: DeviceState },
  name: "x" | "y" | "dy",
): { readonly values: DeviceMemory; readonly batch: number } {
  const { shape, elementType } = x;
  const expected = elementTypeOf(elements);
  if (elementType !== expected) {
    throw new SpxError("SPX8404", `\`${name}\` of \`${transform}\` is ${elementType}, expected ${expected}`, {
      facts: { transform, found: elementType, expected },
      help: `give an ${expected} tensor, or make the layer with \`elements: "${elementType}"\``,
    });
  }
  if (x.device !== device.name) {
    throw new SpxError("SPX8708", `\`${name}\` lies on ${x.device}, the layer on ${device.name}`, {
      facts: { transform, found: x.device, expected: device.name },
      help: "upload it to the device of the layer",
    });
  }
  const batch = shape.slice(0, -1).reduce((count, size) => count * size, 1);
  if (shape.length >= 2 && shape.at(-1) === columns) return { values: x.memory, batch };
  throw new SpxError(
    "SPX8405",
    `\`${name}\` of \`${transform}\` is [${shape.join(", ")}], expected [batch, ${columns}]`,
    {
      facts: { transform, found: shape, columns },
      help: `give rows of ${columns} values`,
    },
  );
}

/** Copies of host arrays for one call, in memory of the device's pool. */
export interface CallCopies {
  /** Room for so many values. */
  room(values: number): DeviceMemory;
  upload(values: Float32Array): DeviceMemory;
  uploadAsync(values: Float32Array): Promise<DeviceMemory>;
  /** Fills `values`; blocks. */
  download(from: DeviceMemory, values: Float32Array): void;
  downloadAsync(from: DeviceMemory, values: Float32Array): Promise<void>;
  /** The memory goes back to the pool: what follows on it is ordered behind what has been put on the stream. */
  end(): void;
}

export function createCallCopies(
  device: DeviceState,
  elements: CudaElements,
  stream: CudaStream,
): CallCopies {
  const type = elementTypeOf(elements);
  const taken: Workspace<DeviceMemory>[] = [];
  const bitsOf = (values: Float32Array) => fromFloat32(type, [values.length], values).data;
  const room = (values: number): DeviceMemory => {
    const workspace = device.workspaces.take(values * cudaElementBytes[elements]);
    taken.push(workspace);
    return workspace.block;
  };
  const widen = (bits: ArrayBufferView, values: Float32Array): void => {
    if (bits !== values) values.set(toFloat32(tensor(type, [values.length], bits as Float32Array)));
  };
  const landing = (values: Float32Array): ArrayBufferView =>
    type === "f32" ? values : zeros(type, [values.length]).data;
  return {
    room,
    upload(values) {
      const memory = room(values.length);
      device.copies.upload(bitsOf(values), memory, stream);
      return memory;
    },
    async uploadAsync(values) {
      const memory = room(values.length);
      await device.copies.uploadAsync(bitsOf(values), memory, stream);
      return memory;
    },
    download(from, values) {
      const bits = landing(values);
      device.copies.download(from, bits, stream);
      widen(bits, values);
    },
    async downloadAsync(from, values) {
      const bits = landing(values);
      await device.copies.downloadAsync(from, bits, stream);
      widen(bits, values);
    },
    end() {
      for (const workspace of taken.splice(0)) device.workspaces.give(workspace);
    },
  };
}
