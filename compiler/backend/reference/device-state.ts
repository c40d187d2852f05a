/** One block under the device interpreter: its memories, its registers, and what its threads have passed together. */
import type { DeviceExpression, DeviceProgram, DeviceScalar } from "../../device/device-node.ts";
import { type Access, DeviceFault, type DeviceMemory } from "./device-memory.ts";

/** One value a thread. */
export type Lanes = Float64Array;

/** An asynchronous copy on its way. */
export interface Copy {
  readonly thread: number;
  readonly memory: DeviceMemory;
  /** First byte. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

export interface BlockState {
  readonly program: DeviceProgram;
  readonly block: number;
  readonly memories: ReadonlyMap<string, DeviceMemory>;
  readonly numbers: ReadonlyMap<string, number>;
  /** Name → one array for each register. */
  readonly registers: Map<string, Lanes[]>;
  readonly types: Map<string, DeviceScalar>;
  /** Values that stay as they are while the block runs. */
  readonly fixed: Map<DeviceExpression, Lanes>;
  epoch: number;
  readonly warpEpochs: Int32Array;
  /** Copies since the last commit, and the committed groups, oldest first. */
  begun: Copy[];
  groups: Copy[][];
}

export const accessOf = (state: BlockState, thread: number): Access => ({
  block: state.block,
  thread,
  epoch: state.epoch,
  warpEpoch: state.warpEpochs[thread >> 5] ?? 0,
});

export function memoryOf(state: BlockState, name: string): DeviceMemory {
  const memory = state.memories.get(name);
  if (memory === undefined) throw new TypeError(`${state.program.name} has no memory ${name}`);
  return memory;
}

export function registersOf(state: BlockState, name: string): Lanes[] {
  const found = state.registers.get(name);
  if (found === undefined) throw new TypeError(`${state.program.name} reads ${name} before it is declared`);
  return found;
}

/** The value that all active threads have. @throws DeviceFault when they differ. */
export function uniform(values: Lanes, mask: Uint8Array, what: string): number {
  const first = mask.indexOf(1);
  const value = values[first] ?? 0;
  if (values.some((other, thread) => mask[thread] === 1 && other !== value))
    throw new DeviceFault("divergent", `${what} differs between threads`);
  return value;
}

/** The active threads for which the condition holds. */
export function narrowed(mask: Uint8Array, holds: (thread: number) => boolean): Uint8Array {
  const result = new Uint8Array(mask.length);
  for (let thread = 0; thread < mask.length; thread++)
    if (mask[thread] === 1 && holds(thread)) result[thread] = 1;
  return result;
}
