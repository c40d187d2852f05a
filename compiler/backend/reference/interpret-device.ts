/**
 * Runs a device program as plain loops over all threads of a block at once, one block after another: every statement
 * for every active thread, what warps and blocks do together only where all of them are there. Nothing is fast here;
 * whatever a kernel must not do ends in a DeviceFault.
 */
// size: one switch over statements; its cases are what the device level means.
import { scalarOf } from "../../device/device-expression.ts";
import {
  type BlockMemory,
  type DeviceExpression,
  type DeviceProgram,
  type DeviceStatement,
  elementBytes,
  type RegisterSpan,
} from "../../device/device-node.ts";
import {
  checkRead,
  checkWrite,
  createMemory,
  DeviceFault,
  type DeviceMemory,
  land,
  readElement,
  takeOff,
  writeElement,
} from "./device-memory.ts";
import { accessOf, type BlockState, type Copy, type Lanes, memoryOf, narrowed } from "./device-state.ts";
import { evaluate, oneOf } from "./evaluate-device.ts";
import { loadMatrices, multiply, spanOf, wholeWarps } from "./interpret-warps.ts";

/** A buffer argument: its bytes, and whether the kernel may rely on what they hold. */
export interface DeviceArgument {
  readonly data: ArrayBufferView<ArrayBuffer>;
  readonly initialised: boolean;
}

/** Barriers that one block may pass; epochs of different blocks never meet. */
const epochsPerBlock = 1 << 16;

/**
 * Runs `grid` blocks; what stores change are the bytes of `buffers`.
 * @throws DeviceFault for races, accesses out of bounds, reads of what was never written, barriers that not all reach.
 */
export function interpretDevice(
  program: DeviceProgram,
  grid: number,
  buffers: ReadonlyMap<string, DeviceArgument>,
  numbers: ReadonlyMap<string, number>,
): void {
  const given = new Map<string, DeviceMemory>();
  for (const parameter of program.parameters) {
    if (parameter.kind === "number") {
      if (!numbers.has(parameter.name)) throw new TypeError(`${program.name} needs ${parameter.name}`);
      continue;
    }
    const argument = buffers.get(parameter.name);
    if (argument === undefined) throw new TypeError(`${program.name} needs ${parameter.name}`);
    const { name, element, access } = parameter;
    given.set(name, createMemory(name, element, argument.data, access, argument.initialised));
  }
  for (let block = 0; block < grid; block++) {
    const state: BlockState = {
      program,
      block,
      memories: new Map([
        ...given,
        ...program.memories.map((memory) => [memory.name, onChip(memory)] as const),
      ]),
      numbers,
      registers: new Map(),
      fixed: new Map(),
      types: new Map(),
      epoch: block * epochsPerBlock,
      warpEpochs: new Int32Array(program.threads / 32),
      begun: [],
      groups: [],
    };
    const all = new Uint8Array(program.threads).fill(1);
    runAll(program.body, all, state);
  }
}

const onChip = ({ name, element, length }: BlockMemory): DeviceMemory =>
  createMemory(name, element, new Uint8Array(length * elementBytes[element]), "update", false);

function runAll(statements: readonly DeviceStatement[], mask: Uint8Array, state: BlockState): void {
  for (const statement of statements) run(statement, mask, state);
}

function setRegister(target: Lanes, values: Lanes, mask: Uint8Array): void {
  for (let thread = 0; thread < target.length; thread++)
    if (mask[thread] === 1) target[thread] = values[thread] ?? 0;
}

const forEachThread = (mask: Uint8Array, act: (thread: number) => void): void => {
  for (let thread = 0; thread < mask.length; thread++) if (mask[thread] === 1) act(thread);
};

const wholeBlock = (mask: Uint8Array, what: string): void => {
  if (mask.includes(0))
    throw new DeviceFault("divergent", `${what} that not every thread of the block reaches`);
};

function run(statement: DeviceStatement, mask: Uint8Array, state: BlockState): void {
  const of = (expression: DeviceExpression, where = mask): Lanes => evaluate(expression, where, state);
  switch (statement.kind) {
    case "comment":
      return;
    case "let":
      state.registers.set(statement.name, [of(statement.value).slice()]);
      state.types.set(statement.name, scalarOf(statement.value));
      return;
    case "register": {
      const initial = of(statement.initial);
      state.types.set(statement.name, scalarOf(statement.initial));
      state.registers.set(
        statement.name,
        Array.from({ length: statement.count ?? 1 }, () => initial.slice()),
      );
      return;
    }
    case "set":
      setRegister(oneOf(state, statement.name, statement.index, mask), of(statement.value), mask);
      return;
    case "for":
      runLoop(statement, mask, state);
      return;
    case "if": {
      const condition = of(statement.condition);
      const side = (wanted: number, body: readonly DeviceStatement[]): void => {
        const where = narrowed(mask, (thread) => condition[thread] === wanted);
        if (where.includes(1)) runAll(body, where, state);
      };
      side(1, statement.body);
      side(0, statement.otherwise);
      return;
    }
    case "store": {
      const memory = memoryOf(state, statement.memory);
      const [index, value] = [of(statement.index), of(statement.value)];
      forEachThread(mask, (thread) => {
        checkWrite(memory, index[thread] ?? -1, accessOf(state, thread));
        writeElement(memory, index[thread] ?? 0, value[thread] ?? 0);
      });
      return;
    }
    case "atomic-add": {
      const memory = memoryOf(state, statement.memory);
      const [index, value] = [of(statement.index), of(statement.value)];
      forEachThread(mask, (thread) => {
        const place = index[thread] ?? -1;
        checkWrite(memory, place, accessOf(state, thread), true);
        writeElement(memory, place, Math.fround(readElement(memory, place) + (value[thread] ?? 0)));
      });
      return;
    }
    case "load-vector":
      moveVector(statement, statement.target, mask, state, "load");
      return;
    case "store-vector":
      moveVector(statement, statement.source, mask, state, "store");
      return;
    case "barrier":
      wholeBlock(mask, "a barrier");
      state.epoch += 1;
      return;
    case "warp-barrier":
      for (const warp of wholeWarps(mask, "a barrier of a warp"))
        state.warpEpochs[warp] = (state.warpEpochs[warp] ?? 0) + 1;
      return;
    case "shuffle-xor": {
      wholeWarps(mask, "a shuffle");
      const values = of(statement.value).slice();
      const moved = Float64Array.from(values, (_, thread) => values[thread ^ statement.mask] ?? 0);
      setRegister(oneOf(state, statement.target, null, mask), moved, mask);
      return;
    }
    case "copy-async":
      beginCopy(statement, mask, state);
      return;
    case "commit":
      wholeBlock(mask, "a commit");
      state.groups.push(state.begun);
      state.begun = [];
      return;
    case "wait":
      wholeBlock(mask, "a wait");
      while (state.groups.length > statement.pending)
        for (const copy of state.groups.shift() ?? []) finishCopy(copy, state);
      return;
    case "load-matrices":
      loadMatrices(statement, mask, state);
      return;
    case "matrix-product":
      multiply(statement, mask, state);
      return;
  }
}

function runLoop(
  statement: Extract<DeviceStatement, { kind: "for" }>,
  mask: Uint8Array,
  state: BlockState,
): void {
  const variable = evaluate(statement.from, mask, state).slice();
  state.registers.set(statement.variable, [variable]);
  state.types.set(statement.variable, scalarOf(statement.from));
  for (;;) {
    const to = evaluate(statement.to, mask, state);
    const going = narrowed(mask, (thread) => (variable[thread] ?? 0) < (to[thread] ?? 0));
    if (!going.includes(1)) return;
    runAll(statement.body, going, state);
    const step = evaluate(statement.step, going, state);
    forEachThread(going, (thread) => {
      variable[thread] = (variable[thread] ?? 0) + (step[thread] ?? 0);
    });
  }
}

type VectorMove = Extract<DeviceStatement, { kind: "load-vector" | "store-vector" }>;

function moveVector(
  { memory: name, index, registers }: VectorMove,
  span: RegisterSpan,
  mask: Uint8Array,
  state: BlockState,
  direction: "load" | "store",
): void {
  const memory = memoryOf(state, name);
  const places = evaluate(index, mask, state);
  const size = elementBytes[memory.element];
  const count = (registers * 4) / size;
  const { targets, isFloat } = spanOf(span, registers, mask, state);
  forEachThread(mask, (thread) => {
    const first = places[thread] ?? -1;
    if ((first * size) % (registers * 4) !== 0)
      throw new DeviceFault("misaligned", `${registers * 4} bytes at ${name}[${first}]`);
    const access = accessOf(state, thread);
    for (let offset = 0; offset < count; offset++)
      (direction === "load" ? checkRead : checkWrite)(memory, first + offset, access);
    targets.forEach((target, word) => {
      const at = first * size + 4 * word;
      if (direction === "load")
        target[thread] = isFloat ? memory.view.getFloat32(at, true) : memory.view.getUint32(at, true);
      else if (isFloat) memory.view.setFloat32(at, target[thread] ?? 0, true);
      else memory.view.setUint32(at, target[thread] ?? 0, true);
    });
  });
}

function beginCopy(
  statement: Extract<DeviceStatement, { kind: "copy-async" }>,
  mask: Uint8Array,
  state: BlockState,
): void {
  const [to, from] = [memoryOf(state, statement.to), memoryOf(state, statement.from)];
  const [toIndex, fromIndex] = [
    evaluate(statement.toIndex, mask, state),
    evaluate(statement.fromIndex, mask, state),
  ];
  const valid = statement.valid === null ? null : evaluate(statement.valid, mask, state);
  const [toSize, fromSize] = [elementBytes[to.element], elementBytes[from.element]];
  forEachThread(mask, (thread) => {
    const access = accessOf(state, thread);
    const [target, source] = [(toIndex[thread] ?? -1) * toSize, (fromIndex[thread] ?? -1) * fromSize];
    const wanted = valid === null ? statement.bytes : (valid[thread] ?? -1);
    if (!(Number.isInteger(wanted) && wanted >= 0 && wanted <= statement.bytes))
      throw new DeviceFault("out of bounds", `a copy of ${wanted} of ${statement.bytes} bytes`);
    if (target % statement.bytes !== 0 || (wanted > 0 && source % statement.bytes !== 0))
      throw new DeviceFault(
        "misaligned",
        `a copy of ${statement.bytes} bytes from ${from.name} to ${to.name}[${toIndex[thread]}]`,
      );
    for (let offset = 0; offset < wanted; offset += fromSize)
      checkRead(from, (source + offset) / fromSize, access);
    for (let offset = 0; offset < statement.bytes; offset += toSize)
      takeOff(to, (target + offset) / toSize, access);
    const bytes = new Uint8Array(statement.bytes);
    for (let offset = 0; offset < wanted; offset++) bytes[offset] = from.view.getUint8(source + offset);
    state.begun.push({ thread, memory: to, at: target, bytes });
  });
}

function finishCopy({ thread, memory, at, bytes }: Copy, state: BlockState): void {
  const size = elementBytes[memory.element];
  for (const [offset, byte] of bytes.entries()) memory.view.setUint8(at + offset, byte);
  for (let offset = 0; offset < bytes.length; offset += size)
    land(memory, (at + offset) / size, accessOf(state, thread));
}
