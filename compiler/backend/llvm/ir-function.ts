/**
 * The text of one LLVM function while it grows. Mutable registers and loop variables are allocas of the entry
 * block, which LLVM's first pass turns into SSA values: the generator needs no phi nodes.
 */
import type { BufferElement, ValueType } from "../../loop/loop-node.ts";
import type { IrModule } from "./ir-module.ts";
import { typeText } from "./ir-types.ts";

/** An SSA value or literal with its loop-level type. */
export interface IrValue {
  readonly type: ValueType;
  readonly text: string;
}

/** What a name stands for: a value, or a slot whose present value is read where it is used. */
export type Binding =
  | { readonly kind: "value"; readonly value: IrValue }
  | { readonly kind: "slot"; readonly type: ValueType; readonly address: string };

/** A buffer of the program inside a function: its base address and what its accesses tell alias analysis. */
export interface BufferBinding {
  readonly element: BufferElement;
  readonly address: string;
  readonly accessMetadata: string;
}

export interface IrFunction {
  readonly module: IrModule;
  readonly vectorBits: number;
  readonly buffers: ReadonlyMap<string, BufferBinding>;
  readonly entry: string[];
  readonly body: string[];
  /** Innermost scope last. */
  readonly scopes: Map<string, Binding>[];
  readonly counter: { next: number };
}

export function createIrFunction(
  module: IrModule,
  vectorBits: number,
  buffers: ReadonlyMap<string, BufferBinding>,
): IrFunction {
  return { module, vectorBits, buffers, entry: [], body: [], scopes: [new Map()], counter: { next: 0 } };
}

/** Appends `%n = instruction` and returns `%n` with its type. */
export function emit(target: IrFunction, type: ValueType, instruction: string): IrValue {
  return { type, text: emitText(target, instruction) };
}

/** Like `emit` for values that have no loop-level type: addresses, narrow integers, masks. */
export function emitText(target: IrFunction, instruction: string): string {
  const name = `%v${target.counter.next++}`;
  target.body.push(`  ${name} = ${instruction}`);
  return name;
}

export function emitVoid(target: IrFunction, instruction: string): void {
  target.body.push(`  ${instruction}`);
}

export function freshLabel(target: IrFunction, purpose: string): string {
  return `${purpose}${target.counter.next++}`;
}

export function startBlock(target: IrFunction, label: string): void {
  target.body.push(`${label}:`);
}

/** A new slot holding `initial`. */
export function createSlot(target: IrFunction, initial: IrValue): Binding & { kind: "slot" } {
  const type = typeText(initial.type);
  const address = `%s${target.counter.next++}`;
  target.entry.push(`  ${address} = alloca ${type}`);
  writeSlot(target, address, initial);
  return { kind: "slot", type: initial.type, address };
}

export function writeSlot(target: IrFunction, address: string, value: IrValue): void {
  const type = typeText(value.type);
  emitVoid(target, `store ${type} ${value.text}, ${type}* ${address}`);
}

export function bind(target: IrFunction, name: string, binding: Binding): void {
  const scope = target.scopes.at(-1);
  if (scope === undefined) throw new Error(`no scope is open where ${name} is bound`);
  scope.set(name, binding);
}

export function lookUp(target: IrFunction, name: string): Binding {
  for (let depth = target.scopes.length - 1; depth >= 0; depth -= 1) {
    const binding = target.scopes[depth]?.get(name);
    if (binding !== undefined) return binding;
  }
  throw new Error(`the loop program reads ${name}, which is not bound there`);
}

export function readBinding(target: IrFunction, binding: Binding): IrValue {
  if (binding.kind === "value") return binding.value;
  const type = typeText(binding.type);
  return emit(target, binding.type, `load ${type}, ${type}* ${binding.address}`);
}
