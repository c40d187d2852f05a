/**
 * Memory of a device program under the reference interpreter: bytes, and beside every element who touched it last and
 * in which epoch, so that what no barrier orders is found whatever the order in which the interpreter runs.
 */
import { narrowToHalves, widenHalves } from "../../../runtime/tensor/half-precision.ts";
import { type DeviceElement, elementBytes } from "../../device/device-node.ts";

export type FaultKind =
  | "race"
  | "out of bounds"
  | "uninitialised"
  | "unfinished copy"
  | "divergent"
  | "misaligned"
  | "read-only"
  | "disordered";

/** What a kernel must never do, met while it was interpreted. */
export class DeviceFault extends Error {
  readonly fault: FaultKind;
  constructor(fault: FaultKind, message: string) {
    super(`${fault}: ${message}`);
    this.name = "DeviceFault";
    this.fault = fault;
  }
}

/** Who touches memory, and when: two accesses are ordered by the barrier between their epochs. */
export interface Access {
  readonly block: number;
  readonly thread: number;
  /** Counts barriers of the block; different for every block. */
  readonly epoch: number;
  /** Counts barriers of the thread's warp. */
  readonly warpEpoch: number;
}

export interface DeviceMemory {
  readonly name: string;
  readonly element: DeviceElement;
  readonly length: number;
  readonly access: "read" | "write" | "update";
  readonly view: DataView;
  /** Null for what is only read. */
  readonly shadow: Shadow | null;
}

const nobody = -1;
const several = -2;

/** By element. A reader is the last one, or `several` when more than one thread read in the epoch. */
interface Shadow {
  readonly initialised: Uint8Array;
  readonly inFlight: Uint8Array;
  readonly writer: Int32Array;
  readonly writerBlock: Int32Array;
  readonly writerEpoch: Int32Array;
  readonly writerWarpEpoch: Int32Array;
  readonly writerAtomic: Uint8Array;
  readonly reader: Int32Array;
  readonly readerBlock: Int32Array;
  readonly readerEpoch: Int32Array;
  readonly readerWarpEpoch: Int32Array;
  readonly readerWarp: Int32Array;
}

function createShadow(length: number, initialised: boolean): Shadow {
  const numbers = (): Int32Array => new Int32Array(length).fill(nobody);
  return {
    initialised: new Uint8Array(length).fill(Number(initialised)),
    inFlight: new Uint8Array(length),
    writer: numbers(),
    writerBlock: numbers(),
    writerEpoch: numbers(),
    writerWarpEpoch: numbers(),
    writerAtomic: new Uint8Array(length),
    reader: numbers(),
    readerBlock: numbers(),
    readerEpoch: numbers(),
    readerWarpEpoch: numbers(),
    readerWarp: numbers(),
  };
}

/** A memory over the bytes of `data`, which a kernel's stores change. `initialised`: its contents may be read. */
export function createMemory(
  name: string,
  element: DeviceElement,
  data: ArrayBufferView<ArrayBuffer>,
  access: DeviceMemory["access"],
  initialised: boolean,
): DeviceMemory {
  const length = data.byteLength / elementBytes[element];
  return {
    name,
    element,
    length,
    access,
    view: new DataView(data.buffer, data.byteOffset, data.byteLength),
    shadow: access === "read" ? null : createShadow(length, initialised),
  };
}

const describe = (memory: DeviceMemory, index: number, { block, thread }: Access): string =>
  `${memory.name}[${index}] by thread ${thread} of block ${block}`;

/** Whether the last write is ordered before the access, or is its thread's own. */
function followsWrite(shadow: Shadow, index: number, by: Access): boolean {
  const writer = shadow.writer[index];
  if (writer === nobody) return true;
  if (shadow.writerBlock[index] !== by.block) return false;
  if (writer === by.thread || shadow.writerEpoch[index] !== by.epoch) return true;
  return (writer ?? 0) >> 5 === by.thread >> 5 && (shadow.writerWarpEpoch[index] ?? 0) < by.warpEpoch;
}

function followsReads(shadow: Shadow, index: number, by: Access): boolean {
  const reader = shadow.reader[index];
  if (reader === nobody) return true;
  if (shadow.readerBlock[index] !== by.block) return false;
  if (reader === by.thread || shadow.readerEpoch[index] !== by.epoch) return true;
  return shadow.readerWarp[index] === by.thread >> 5 && (shadow.readerWarpEpoch[index] ?? 0) < by.warpEpoch;
}

function recordRead(shadow: Shadow, index: number, by: Access): void {
  const warp = by.thread >> 5;
  const sameBlock = shadow.readerBlock[index] === by.block || shadow.reader[index] === nobody;
  const fresh = shadow.reader[index] === nobody || (sameBlock && shadow.readerEpoch[index] !== by.epoch);
  const before = shadow.reader[index] ?? nobody;
  const sameWarp = shadow.readerWarp[index] === warp;
  const orderedInWarp = sameWarp && (shadow.readerWarpEpoch[index] ?? 0) < by.warpEpoch;
  shadow.readerBlock[index] = sameBlock ? by.block : several;
  shadow.reader[index] = fresh || before === by.thread || orderedInWarp ? by.thread : several;
  shadow.readerWarp[index] = fresh || sameWarp ? warp : several;
  shadow.readerEpoch[index] = by.epoch;
  shadow.readerWarpEpoch[index] = by.warpEpoch;
}

function checkBounds(memory: DeviceMemory, index: number, by: Access): void {
  if (!(Number.isInteger(index) && index >= 0 && index < memory.length))
    throw new DeviceFault(
      "out of bounds",
      `${describe(memory, index, by)}, which has ${memory.length} elements`,
    );
}

/** @throws DeviceFault when the element cannot be read here and now. */
export function checkRead(memory: DeviceMemory, index: number, by: Access): void {
  checkBounds(memory, index, by);
  const { shadow } = memory;
  if (shadow === null) return;
  if (shadow.inFlight[index] !== 0)
    throw new DeviceFault("unfinished copy", `a read of ${describe(memory, index, by)}`);
  if (shadow.initialised[index] === 0)
    throw new DeviceFault("uninitialised", `a read of ${describe(memory, index, by)}`);
  if (!followsWrite(shadow, index, by))
    throw new DeviceFault(
      "race",
      `a read of ${describe(memory, index, by)} and a write by thread ${shadow.writer[index]} of block ${shadow.writerBlock[index]}`,
    );
  recordRead(shadow, index, by);
}

/** @throws DeviceFault when the element cannot be written here and now. */
export function checkWrite(memory: DeviceMemory, index: number, by: Access, atomic = false): void {
  checkBounds(memory, index, by);
  const { shadow } = memory;
  if (shadow === null) throw new DeviceFault("read-only", `a write of ${describe(memory, index, by)}`);
  if (shadow.inFlight[index] !== 0)
    throw new DeviceFault("unfinished copy", `a write of ${describe(memory, index, by)}`);
  const bothAtomic = atomic && shadow.writerAtomic[index] === 1;
  if (!bothAtomic && !followsWrite(shadow, index, by))
    throw new DeviceFault(
      "race",
      `writes of ${describe(memory, index, by)} and thread ${shadow.writer[index]} of block ${shadow.writerBlock[index]}`,
    );
  if (!followsReads(shadow, index, by))
    throw new DeviceFault("race", `a write of ${describe(memory, index, by)} and a read by another thread`);
  recordWrite(shadow, index, by, atomic);
}

function recordWrite(shadow: Shadow, index: number, by: Access, atomic: boolean): void {
  shadow.initialised[index] = 1;
  shadow.writer[index] = by.thread;
  shadow.writerBlock[index] = by.block;
  shadow.writerEpoch[index] = by.epoch;
  shadow.writerWarpEpoch[index] = by.warpEpoch;
  shadow.writerAtomic[index] = Number(atomic);
}

/** An asynchronous copy into the element has begun: until `land`, nobody may touch it. */
export function takeOff(memory: DeviceMemory, index: number, by: Access): void {
  checkWrite(memory, index, by);
  if (memory.shadow !== null) memory.shadow.inFlight[index] = 1;
}

/** The copy is done as far as the thread that began it is concerned; the write counts from now on. */
export function land(memory: DeviceMemory, index: number, by: Access): void {
  if (memory.shadow === null) return;
  memory.shadow.inFlight[index] = 0;
  recordWrite(memory.shadow, index, by, false);
}

const oneFloat = new Float32Array(1);
const oneHalf = new Uint16Array(1);

export const widen = (element: "bf16" | "f16", bits: number): number => {
  oneHalf[0] = bits;
  widenHalves(element, oneHalf, oneFloat);
  return oneFloat[0] ?? Number.NaN;
};

export const narrow = (element: "bf16" | "f16", value: number): number => {
  oneFloat[0] = value;
  narrowToHalves(element, oneFloat, oneHalf);
  return oneHalf[0] ?? 0;
};

/** The value of an element. */
export function readElement({ view, element }: DeviceMemory, index: number): number {
  const at = index * elementBytes[element];
  switch (element) {
    case "f32":
      return view.getFloat32(at, true);
    case "i32":
      return view.getInt32(at, true);
    case "u32":
      return view.getUint32(at, true);
    case "u16":
      return view.getUint16(at, true);
    case "u8":
      return view.getUint8(at);
    case "i8":
      return view.getInt8(at);
    case "bf16":
    case "f16":
      return widen(element, view.getUint16(at, true));
  }
}

export function writeElement({ view, element }: DeviceMemory, index: number, value: number): void {
  const at = index * elementBytes[element];
  switch (element) {
    case "f32":
      view.setFloat32(at, value, true);
      break;
    case "i32":
      view.setInt32(at, value, true);
      break;
    case "u32":
      view.setUint32(at, value, true);
      break;
    case "u16":
      view.setUint16(at, value, true);
      break;
    case "u8":
      view.setUint8(at, value);
      break;
    case "i8":
      view.setInt8(at, value);
      break;
    case "bf16":
    case "f16":
      view.setUint16(at, narrow(element, value), true);
  }
}
