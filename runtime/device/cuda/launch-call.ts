/**
 * Calls of a plan on a device: a sequence of launches and clears, bound to the operands and numbers of a layer. What
 * depends on the batch is evaluated once for each batch; what differs from call to call are only some addresses.
 */
import type {
  AdapterBuffer,
  CudaArgument,
  CudaPointer,
  CudaSequence,
  CudaStep,
} from "../../contract/cuda.ts";
import { wantsDx } from "../../contract/manifest.ts";
import {
  evaluateNumber,
  type NumberExpression,
  type SymbolValues,
} from "../../contract/number-expression.ts";
import { SpxError } from "../../errors.ts";
import { addressOf } from "../../native/foreign-library.ts";
import { clusterConfiguration } from "./cluster-configuration.ts";
import type { CudaDriver } from "./cuda-driver.ts";
import type { CudaKernels } from "./cuda-kernels.ts";
import type { Access, CudaStream } from "./cuda-stream.ts";
import type { DeviceMemory } from "./device-memory.ts";

/** A buffer of an operand that lies on the device. */
export interface DeviceBuffer {
  readonly memory: DeviceMemory;
  /** Bytes from the start of the memory. */
  readonly offset: number;
}

/** The memory of one call by the role of its pointers; `workspace` is null when the call needs none. */
export interface CallMemory {
  readonly input: DeviceMemory;
  readonly output?: DeviceMemory;
  readonly cotangent?: DeviceMemory;
  /** dx; null when it was not asked for. */
  readonly result?: DeviceMemory | null;
  /** By parameter or intermediate. */
  readonly gradients?: ReadonlyMap<string, DeviceMemory>;
  readonly adapters?: Readonly<Record<AdapterBuffer, DeviceMemory>>;
  readonly workspace: DeviceMemory | null;
}

export interface SequenceCall {
  /** Bytes of workspace that a call needs. */
  workspace(batch: number): number;
  /** Brings to the device what a call with that batch reads, ahead of the first. */
  prepare(batch: number): void;
  /** Puts the call on the stream; the order to other uses of its memory is made here. */
  run(memory: CallMemory, batch: number, stream: CudaStream): void;
}

/** Bound steps of the last batches are kept: a layer is called with few different ones. */
const keptBatches = 32;

/** @throws SpxError SPX8102 when an expression or an operand is not what a launch can take. */
export function prepareSequence(
  driver: CudaDriver,
  kernels: CudaKernels,
  sequence: CudaSequence,
  operand: (name: string, buffer: string) => DeviceBuffer,
  symbols: SymbolValues,
): SequenceCall {
  const bound = new Map<string, BoundCall>();
  const numbersAt = (batch: number, wanted: boolean): SymbolValues =>
    new Map(symbols).set("batch", batch).set(wantsDx, Number(wanted));
  const boundFor = (batch: number, wanted: boolean): BoundCall => {
    const key = `${batch} ${wanted}`;
    const known = bound.get(key);
    if (known !== undefined) return known;
    const numbers = numbersAt(batch, wanted);
    // What is left out brings no operand to the device: the transposes that only dx reads are large.
    const made = sequence.steps.filter(
      ({ condition }) => condition === null || evaluateNumber(condition, numbers) !== 0,
    );
    const call = {
      steps: made.flatMap((step) => bindStep(driver, kernels, step, operand, numbers) ?? []),
      operands: operandMemory(made, operand),
    };
    if (bound.size >= keptBatches) bound.delete(bound.keys().next().value ?? "");
    bound.set(key, call);
    return call;
  };
  return {
    workspace: (batch) => wholeNumber(sequence.workspace, numbersAt(batch, true), "its workspace"),
    prepare: (batch) => void boundFor(batch, true),
    run(memory, batch, stream) {
      const { steps, operands } = boundFor(batch, memory.result !== null);
      for (const [used, access] of usesOf(memory, operands)) used.use(stream, access);
      for (const step of steps) step(memory, stream.handle);
    },
  };
}

/** Puts one step on a stream. */
type BoundStep = (memory: CallMemory, stream: bigint) => void;

/** The steps of a batch, and the memories of the operands that they read. */
interface BoundCall {
  readonly steps: readonly BoundStep[];
  readonly operands: readonly DeviceMemory[];
}

function* usesOf(
  { input, output, cotangent, result, gradients, adapters, workspace }: CallMemory,
  operands: readonly DeviceMemory[],
): Iterable<readonly [DeviceMemory, Access]> {
  for (const memory of operands) yield [memory, "read"];
  yield [input, "read"];
  if (cotangent !== undefined) yield [cotangent, "read"];
  for (const memory of Object.values(adapters ?? {})) yield [memory, "read"];
  for (const memory of [output, result, workspace, ...(gradients?.values() ?? [])])
    if (memory !== undefined && memory !== null) yield [memory, "write"];
}

function operandMemory(
  steps: readonly CudaStep[],
  operand: (name: string, buffer: string) => DeviceBuffer,
): readonly DeviceMemory[] {
  const pointers = steps.flatMap((step): readonly CudaArgument[] =>
    step.kind === "launch" ? step.arguments : [step.target],
  );
  const found = pointers.flatMap((pointer) =>
    pointer.kind === "operand" ? [operand(pointer.operand, pointer.buffer).memory] : [],
  );
  return [...new Set(found)];
}

function bindStep(
  driver: CudaDriver,
  kernels: CudaKernels,
  step: CudaStep,
  operand: (name: string, buffer: string) => DeviceBuffer,
  numbers: SymbolValues,
): BoundStep | null {
  return step.kind === "clear"
    ? bindClear(driver, step, operand, numbers)
    : bindLaunch(driver, kernels, step, operand, numbers);
}

function bindClear(
  driver: CudaDriver,
  { target, bytes }: Extract<CudaStep, { kind: "clear" }>,
  operand: (name: string, buffer: string) => DeviceBuffer,
  numbers: SymbolValues,
): BoundStep | null {
  const words = wholeNumber(bytes, numbers, "the bytes of a clear") / 4;
  if (!Number.isInteger(words)) throw unlaunchable("a clear of bytes that are no multiple of 4");
  const address = addressIn(target, operand, numbers);
  if (words === 0) return null;
  return (memory, stream) => driver.call("cuMemsetD32Async", address(memory), 0, words, stream);
}

type Launch = Extract<CudaStep, { kind: "launch" }>;

function bindLaunch(
  driver: CudaDriver,
  kernels: CudaKernels,
  step: Launch,
  operand: (name: string, buffer: string) => DeviceBuffer,
  numbers: SymbolValues,
): BoundStep | null {
  const { kernel, block, cluster } = step;
  const grid = step.grid.map((size, axis) =>
    wholeNumber(size, numbers, `axis ${axis} of the grid of ${kernel}`),
  );
  const [x = 0, y = 0, z = 0] = grid;
  if (x === 0 || y === 0 || z === 0) return null;
  const sharedBytes = wholeNumber(step.dynamicBytes, numbers, `the shared memory of ${kernel}`);
  kernels.allowShared(kernel, sharedBytes);
  const handle = kernels.kernel(kernel);
  const given = bindArguments(step, operand, numbers);
  const purpose = { doing: `launching \`${kernel}\` with ${grid.join(" x ")} blocks`, facts: { kernel } };
  if (cluster === 1) {
    return (memory, stream) =>
      driver.callFor(
        purpose,
        "cuLaunchKernel",
        handle,
        x,
        y,
        z,
        ...block,
        sharedBytes,
        stream,
        given(memory),
        null,
      );
  }
  const { configuration, setStream } = clusterConfiguration([x, y, z, ...block, sharedBytes], cluster);
  return (memory, stream) => {
    setStream(stream);
    driver.callFor(purpose, "cuLaunchKernelEx", configuration, handle, given(memory), null);
  };
}

/** The array of pointers to arguments, with those addresses filled in that the call brings. */
function bindArguments(
  { kernel, arguments: list }: Launch,
  operand: (name: string, buffer: string) => DeviceBuffer,
  numbers: SymbolValues,
): (memory: CallMemory) => BigUint64Array {
  const values = new BigUint64Array(Math.max(list.length, 1));
  const start = addressOf(values);
  const pointers = BigUint64Array.from(list, (_, index) => start + BigInt(8 * index));
  const changing: { readonly index: number; readonly address: (memory: CallMemory) => bigint }[] = [];
  list.forEach((argument, index) => {
    if (argument.kind === "number") writeNumber(values, index, argument, numbers, kernel);
    else if (argument.kind === "operand") {
      const { memory, offset } = operand(argument.operand, argument.buffer);
      values[index] = memory.address + BigInt(offset);
    } else changing.push({ index, address: addressIn(argument, operand, numbers) });
  });
  return (memory) => {
    for (const { index, address } of changing) values[index] = address(memory);
    return pointers;
  };
}

function writeNumber(
  values: BigUint64Array,
  index: number,
  { type, value }: Extract<CudaArgument, { kind: "number" }>,
  numbers: SymbolValues,
  kernel: string,
): void {
  const view = new DataView(values.buffer, 8 * index, 8);
  const number = evaluateNumber(value, numbers);
  if (type === "f32") {
    view.setFloat32(0, number, true);
    return;
  }
  const limit = type === "i32" ? 2 ** 31 : 2 ** 53;
  if (!Number.isInteger(number) || number < -limit || number >= limit)
    throw unlaunchable(`argument ${index} of ${kernel} is ${number}, no ${type}`);
  if (type === "i32") view.setInt32(0, number, true);
  else view.setBigInt64(0, BigInt(number), true);
}

/** Where a pointer lies in the memory of a call. */
function addressIn(
  pointer: CudaPointer,
  operand: (name: string, buffer: string) => DeviceBuffer,
  numbers: SymbolValues,
): (memory: CallMemory) => bigint {
  const there = (memory: DeviceMemory | null | undefined, what: string): bigint => {
    if (memory === undefined || memory === null) throw unlaunchable(`the call has no ${what}`);
    return memory.address;
  };
  switch (pointer.kind) {
    case "operand": {
      const { memory, offset } = operand(pointer.operand, pointer.buffer);
      const address = memory.address + BigInt(offset);
      return () => address;
    }
    case "input":
      return ({ input }) => input.address;
    case "output":
      return ({ output }) => there(output, "y");
    case "cotangent":
      return ({ cotangent }) => there(cotangent, "dy");
    case "result":
      return ({ result }) => (result === null ? 0n : there(result, "dx"));
    case "gradient":
      return ({ gradients }) => there(gradients?.get(pointer.of), `gradient of ${pointer.of}`);
    case "adapters":
      return ({ adapters }) => there(adapters?.[pointer.of], `adapters' ${pointer.of}`);
    case "workspace": {
      const offset = BigInt(wholeNumber(pointer.offset, numbers, "an offset in the workspace"));
      return ({ workspace }) => there(workspace, "workspace") + offset;
    }
  }
}

function wholeNumber(value: NumberExpression, numbers: SymbolValues, what: string): number {
  const number = evaluateNumber(value, numbers);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw unlaunchable(`${what} is ${number}`);
}

function unlaunchable(reason: string): SpxError {
  return new SpxError("SPX8102", `a call on the device cannot be made: ${reason}`, {
    facts: { reason },
    help: "build the artefact again; if it stays, report it with the .spx file",
  });
}
