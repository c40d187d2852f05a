/**
 * Loop programs to one LLVM module as text. Pure. Each phase becomes an internal function of (context, tile), where the
 * context holds the addresses and symbols that it reads: phases that differ in names alone are one function. Each program
 * becomes one exported function which fills a context for every phase and hands both to `spx_parallel` (parallel-runtime.ts). Requires well-typed programs; a violation is a bug of the compiler and throws.
 */
import { abiVersion } from "../../../runtime/contract/manifest.ts";
import type { BufferDeclaration, LoopPhase, LoopProgram } from "../../loop/loop-node.ts";
import { allTargets, type X86Target } from "../../targets/x86-targets.ts";
import { bindBuffers, emitAddresses, emitPhaseAddresses } from "./generate-buffers.ts";
import { emitExpression } from "./generate-expression.ts";
import { emitStatements } from "./generate-statement.ts";
import {
  bind,
  createIrFunction,
  emitText,
  emitVoid,
  type IrFunction,
  lookUp,
  readBinding,
} from "./ir-function.ts";
import { addMetadata, attributeGroup, createIrModule, type IrModule, printIrModule } from "./ir-module.ts";

/** Name of the exported function which returns the ABI version of the kernels as int32. */
export const abiSymbol = "spx_abi_version";

const preamble = `declare hidden void @spx_parallel(void (i8*, i64)*, i8*, i64, i32)
`;

/** One module; `withAbi` adds the function that returns the ABI version, which a library has once. */
export function generateLlvm(programs: readonly LoopProgram[], withAbi = true): string {
  const module = createIrModule();
  const phases = new Map<string, string>();
  for (const program of programs) generateProgram(module, program, phases);
  if (withAbi) module.functions.push(`define i32 @${abiSymbol}() {\n  ret i32 ${abiVersion}\n}\n`);
  return printIrModule(module, preamble);
}

/** `phases`: names of those in the module by their texts, so that equal ones are compiled once. */
function generateProgram(module: IrModule, program: LoopProgram, phases: Map<string, string>): void {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(program.name)) throw new Error(`${program.name} is not a C name`);
  const target = allTargets.find((candidate) => candidate.name === program.level);
  if (target === undefined) throw new Error(`${program.name} is for the unknown level ${program.level}`);
  const attributes = attributeGroup(module, functionAttributes(target));
  const calls = program.phases.map((phase, number): PhaseCall => {
    const reads = readsOf(phase, program);
    const body = generatePhase(module, phase, reads, target);
    const key = `${attributes} ${withoutReferences(body)}`;
    const known = phases.get(key);
    if (known !== undefined) return { phase, reads, name: known };
    const name = `@${program.name}.phase${number}`;
    phases.set(key, name);
    module.functions.push(`define internal void ${name}(i8* %context, i64 %tile) ${attributes} ${body}`);
    return { phase, reads, name };
  });
  module.functions.push(generateEntry(module, program, calls, target, attributes));
}

/** What a phase is called with; it sees nothing else of its program. */
interface PhaseReads {
  readonly buffers: readonly BufferDeclaration[];
  /** Symbols, then `batch` if it reads that. */
  readonly symbols: readonly string[];
}

interface PhaseCall {
  readonly phase: LoopPhase;
  readonly reads: PhaseReads;
  readonly name: string;
}

/** In the order in which they first appear, which is the same in phases that differ in names alone. */
function readsOf(phase: LoopPhase, program: LoopProgram): PhaseReads {
  const names = new Set<string>();
  const visit = (node: unknown): void => {
    if (typeof node === "string") names.add(node);
    else if (typeof node === "object" && node !== null) Object.values(node).forEach(visit);
  };
  visit(phase.body);
  const buffers = new Map(program.buffers.map((buffer) => [buffer.name, buffer]));
  return {
    buffers: [...names].flatMap((name) => buffers.get(name) ?? []),
    symbols: [...names].filter((name) => name === "batch" || program.symbols.includes(name)),
  };
}

/** Nodes of metadata are made anew for each phase; numbered by their first appearance they compare. */
function withoutReferences(text: string): string {
  const numbers = new Map<string, number>();
  return text.replace(/!\d+/g, (reference) => {
    const number = numbers.get(reference) ?? numbers.size;
    numbers.set(reference, number);
    return `!${number}`;
  });
}

/** LLVM's cost tables prefer 256 bits on every x86-64 level: the width is said explicitly. */
function functionAttributes(target: X86Target): string {
  return [
    "nounwind",
    `"target-cpu"="${target.base}"`,
    `"target-features"="${target.features}"`,
    `"prefer-vector-width"="${target.vectorBits}"`,
    `"min-legal-vector-width"="${target.vectorBits}"`,
    `"no-builtins"`,
  ].join(" ");
}

/** Everything of the function from its brace on: of (slots of addresses, then of symbols; tile). */
function generatePhase(
  module: IrModule,
  phase: LoopPhase,
  { buffers, symbols }: PhaseReads,
  target: X86Target,
): string {
  const phaseFunction = createIrFunction(module, target.vectorBits, bindBuffers(module, buffers));
  emitVoid(phaseFunction, "%slots = bitcast i8* %context to i64*");
  const firstSymbol = buffers.filter(({ space }) => space !== "local").length;
  // Before the addresses: bounds of inner loops then stay in registers where registers are scarce.
  bindSymbols(phaseFunction, symbols, "%slots", firstSymbol);
  emitPhaseAddresses(phaseFunction, buffers);
  bind(phaseFunction, phase.tile, {
    kind: "value",
    value: { type: { scalar: "i64", lanes: 1 }, text: "%tile" },
  });
  emitStatements(phaseFunction, phase.body);
  emitVoid(phaseFunction, "ret void");
  return functionText("", phaseFunction);
}

function generateEntry(
  module: IrModule,
  program: LoopProgram,
  calls: readonly PhaseCall[],
  target: X86Target,
  attributes: string,
): string {
  const entry = createIrFunction(module, target.vectorBits, new Map());
  emitVoid(entry, "%frame = bitcast i8* %frameBytes to i64*");
  const firstSymbol = program.buffers.filter((buffer) => buffer.space === "constant").length;
  bindSymbols(entry, program.symbols, "%frame", firstSymbol);
  bind(entry, "batch", {
    kind: "value",
    value: { type: { scalar: "i64", lanes: 1 }, text: "%batch" },
  });
  const addresses = emitAddresses(entry, program);
  calls.forEach(({ phase, reads, name }, number) => {
    const tiles = emitExpression(entry, phase.tiles);
    const context = emitContext(entry, reads, addresses, `%context${number}`);
    emitVoid(
      entry,
      `call void @spx_parallel(void (i8*, i64)* ${name}, i8* ${context}, i64 ${tiles.text}, i32 %threads)`,
    );
  });
  emitVoid(entry, "ret i32 0");
  const parameters = "i8* %frameBytes, i8* %workspace, float* %x, float* %y, i64 %batch, i32 %threads";
  return functionText(`define i32 @${program.name}(${parameters}) ${attributes} `, entry);
}

/** The slots of one phase, filled; on the stack, because a call of a kernel outlives its phases. */
function emitContext(
  entry: IrFunction,
  { buffers, symbols }: PhaseReads,
  addresses: ReadonlyMap<string, string>,
  name: string,
): string {
  const given = buffers.flatMap((buffer) => addresses.get(buffer.name) ?? []);
  const type = `[${given.length + symbols.length} x i64]`;
  entry.entry.push(`  ${name} = alloca ${type}`);
  const slotOf = (place: number): string =>
    emitText(entry, `getelementptr inbounds ${type}, ${type}* ${name}, i64 0, i64 ${place}`);
  given.forEach((address, place) => {
    const slot = emitText(entry, `bitcast i64* ${slotOf(place)} to i8**`);
    emitVoid(entry, `store i8* ${address}, i8** ${slot}`);
  });
  symbols.forEach((symbol, place) => {
    const value = readBinding(entry, lookUp(entry, symbol));
    emitVoid(entry, `store i64 ${value.text}, i64* ${slotOf(given.length + place)}`);
  });
  return emitText(entry, `bitcast ${type}* ${name} to i8*`);
}

/** Reads symbols from slots that follow each other; those that nothing uses vanish. */
function bindSymbols(target: IrFunction, symbols: readonly string[], slots: string, firstSlot: number): void {
  const type = { scalar: "i64", lanes: 1 } as const;
  const range = addMetadata(target.module, "i64 0, i64 9007199254740992");
  symbols.forEach((symbol, number) => {
    const address = emitText(target, `getelementptr inbounds i64, i64* ${slots}, i64 ${firstSlot + number}`);
    const load = `load i64, i64* ${address}, !invariant.load ${emptyNode(target.module)}, !range ${range}`;
    bind(target, symbol, { kind: "value", value: { type, text: emitText(target, load) } });
  });
}

function emptyNode(module: IrModule): string {
  return addMetadata(module, "");
}

function functionText(head: string, target: IrFunction): string {
  return [`${head}{`, "entry:", ...target.entry, ...target.body, "}", ""].join("\n");
}
