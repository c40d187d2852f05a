/**
 * Tensors in the memory of a device, with a lifetime of their own: they are disposed by their owner, at the end of a
 * `using` block or by `dispose()`. One that is forgotten is given back by the garbage collector, and told once.
 */
import type { ElementType } from "../../tensor/element-type.ts";
import { type Tensor, tensorBytes, zeros } from "../../tensor/tensor.ts";
import type { CudaStream } from "./cuda-stream.ts";
import type { DeviceHeap, DeviceMemory } from "./device-memory.ts";
import { deviceMisuse, usedAfterDispose } from "./driver-errors.ts";
import type { HostCopies } from "./host-copies.ts";

/** Element types that kernels of a device read and write. */
export type DeviceElementType = Extract<ElementType, "f32" | "bf16" | "f16">;

export interface DeviceTensor<E extends DeviceElementType = DeviceElementType> {
  readonly kind: "device-tensor";
  readonly elementType: E;
  /** Dimensions, outermost first; row-major. */
  readonly shape: readonly number[];
  /** Name of the device that it lies on. */
  readonly device: string;
  /** Where its values lie, for kernels and graphs. @throws SpxError SPX8708 after `dispose`. */
  readonly memory: DeviceMemory;
  /** A copy on the host, without blocking the event loop. @throws SpxError SPX8708 after `dispose`. */
  toHost(stream?: CudaStream): Promise<Tensor<E>>;
  /** As `toHost`, blocking. */
  toHostSync(stream?: CudaStream): Tensor<E>;
  /** Overwrites the values from a host tensor of the same type and size. @throws SpxError SPX8708 for another. */
  write(values: Tensor<E>, stream?: CudaStream): Promise<void>;
  writeSync(values: Tensor<E>, stream?: CudaStream): void;
  /** Gives the memory back once the device has finished with it; a second call does nothing. */
  dispose(): void;
  [Symbol.dispose](): void;
}

export const isDeviceTensor = (value: unknown): value is DeviceTensor =>
  typeof value === "object" && value !== null && "kind" in value && value.kind === "device-tensor";

/** Makes tensors on one device. */
export interface TensorMaker {
  /** Values are whatever lay there before. @throws SpxError SPX8407 for a bad shape, SPX8705. */
  empty<E extends DeviceElementType>(elementType: E, shape: readonly number[]): DeviceTensor<E>;
}

const abandoned = new FinalizationRegistry<{ readonly memory: DeviceMemory; readonly text: string }>(
  ({ memory, text }) => {
    memory.free();
    warnOnce(text);
  },
);

let warned = false;

function warnOnce(text: string): void {
  if (warned) return;
  warned = true;
  process.emitWarning(`${text} was never disposed; the garbage collector has given its memory back`, {
    type: "SpxWarning",
    detail:
      "Call `dispose()` when a device tensor is not needed any more: the collector does not see how full a device is.",
  });
}

export function createTensorMaker(
  device: string,
  heap: DeviceHeap,
  copies: HostCopies,
  main: CudaStream,
): TensorMaker {
  return {
    empty<E extends DeviceElementType>(elementType: E, shape: readonly number[]): DeviceTensor<E> {
      const memory = heap.allocate(tensorBytes(elementType, shape));
      let disposed = false;
      const alive = (): DeviceMemory => {
        if (disposed) throw usedAfterDispose("a device tensor");
        return memory;
      };
      const dispose = (): void => {
        if (disposed) return;
        disposed = true;
        abandoned.unregister(made);
        memory.free();
      };
      const made: DeviceTensor<E> = Object.freeze<DeviceTensor<E>>({
        kind: "device-tensor",
        elementType,
        shape: Object.freeze([...shape]),
        device,
        get memory() {
          return alive();
        },
        async toHost(stream = main) {
          const host = zeros(elementType, shape);
          await copies.downloadAsync(alive(), host.data, stream);
          return host;
        },
        toHostSync(stream = main) {
          const host = zeros(elementType, shape);
          copies.download(alive(), host.data, stream);
          return host;
        },
        async write(values, stream = main) {
          checkSame(values, made);
          await copies.uploadAsync(values.data, alive(), stream);
        },
        writeSync(values, stream = main) {
          checkSame(values, made);
          copies.upload(values.data, alive(), stream);
        },
        dispose,
        [Symbol.dispose]: dispose,
      });
      const text = `a device tensor of ${memory.bytes} bytes on ${device}`;
      abandoned.register(made, { memory, text }, made);
      return made;
    },
  };
}

function checkSame(values: Tensor, { elementType, shape }: DeviceTensor): void {
  const bytes = tensorBytes(elementType, shape);
  if (values.elementType === elementType && values.data.byteLength === bytes) return;
  const found = `${values.elementType} [${values.shape.join(", ")}]`;
  throw deviceMisuse(
    `a device tensor ${elementType} [${shape.join(", ")}] cannot be written from ${found}`,
    { expected: `${elementType} [${shape.join(", ")}]`, found },
    "give values of the same type and count",
  );
}
