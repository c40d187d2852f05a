/**
 * The packed operands of a layer on a device: packed on the host like those of the CPU, copied once, and their host
 * memory given back. Those that follow from parameters are made anew, in other memory, when these have changed.
 */
import type { CudaPlan } from "../contract/cuda.ts";
import type { DeviceState } from "../device/cuda/cuda-device.ts";
import type { DeviceMemory } from "../device/cuda/device-memory.ts";
import type { DeviceBuffer } from "../device/cuda/launch-call.ts";
import { type Allocate, bufferBytes, type PackedOperand } from "../formats/packed-operand.ts";
import type { LayerState } from "./initial-state.ts";
import type { LayerCalls } from "./layer-calls.ts";
import { createPackedOperands } from "./packed-operands.ts";

export interface DeviceOperands {
  /** A buffer of an operand, packed and copied when it is first asked for. @throws SpxError SPX8102, SPX8705. */
  buffer(operand: string, buffer: string): DeviceBuffer;
  isStep(operand: string): boolean;
  /** Bytes of an operand's buffers. */
  bytes(operand: string): number;
  /** Gives back what follows from parameters; true when there was anything. */
  dropSteps(): boolean;
  dropAll(): void;
}

interface OnDevice {
  readonly bytes: number;
  readonly memory: DeviceMemory;
  /** Bytes from the start of the memory, by buffer. */
  readonly offsets: ReadonlyMap<string, number>;
}

/** Every buffer starts on such a boundary: the contract's. */
const alignment = 256;

export function createDeviceOperands(
  plan: Pick<CudaPlan, "operands">,
  state: LayerState,
  calls: Pick<LayerCalls, "leaves" | "mergeNow">,
  allocate: Allocate,
  device: DeviceState,
): DeviceOperands {
  const host = createPackedOperands(plan, state, calls.leaves, allocate, calls.mergeNow);
  const there = new Map<string, OnDevice>();
  const copy = (name: string): OnDevice => {
    const packed = host.get(name);
    try {
      return copyOperand(packed, device);
    } finally {
      for (const { block } of host.dropAll()) block.free();
    }
  };
  const get = (name: string): OnDevice => {
    const known = there.get(name) ?? copy(name);
    there.set(name, known);
    return known;
  };
  const drop = (which: (name: string) => boolean): boolean => {
    const dropped = [...there].filter(([name]) => which(name));
    for (const [name, { memory }] of dropped) {
      there.delete(name);
      memory.free();
    }
    return dropped.length > 0;
  };
  return {
    buffer(operand, buffer) {
      const { memory, offsets } = get(operand);
      const offset = offsets.get(buffer);
      if (offset === undefined) throw new RangeError(`the operand ${operand} has no buffer ${buffer}`);
      return { memory, offset };
    },
    isStep: host.isStep,
    bytes: (operand) => get(operand).bytes,
    dropSteps: () => drop(host.isStep),
    dropAll: () => void drop(() => true),
  };
}

function copyOperand({ block, buffers, bytes }: PackedOperand, device: DeviceState): OnDevice {
  let end = 0;
  const offsets = new Map<string, number>();
  for (const buffer of buffers) {
    offsets.set(buffer.name, end);
    end = Math.ceil((end + bufferBytes(buffer)) / alignment) * alignment;
  }
  const memory = device.heap.allocate(end);
  try {
    for (const buffer of buffers) {
      const source = new Uint8Array(block.view, buffer.offset, bufferBytes(buffer));
      device.copies.upload(source, memory, device.main, offsets.get(buffer.name));
    }
    return { bytes, memory, offsets };
  } catch (thrown) {
    memory.free();
    throw thrown;
  }
}
