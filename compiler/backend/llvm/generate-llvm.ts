/**
 * Loop programs to one LLVM module as text. Pure. Each phase becomes an internal function of (context, tile);
 * each program one exported function which fills the context on its stack and hands every phase to
 * `spx_parallel` (parallel-runtime.ts). Requires well-typed programs; a violation is a bug of the compiler and throws.
 */
import { abiVersion } from "../../../runtime/contract/manifest.ts";
import type { LoopPhase, LoopProgram } from "../../loop/loop-node.ts";
import { type X86Target, x86Targets } from "../../targets/x86-targets.ts";
import { bindBuffers } from "./generate-buffers.ts";
import { emitExpression } from "./generate-expression.ts";
import { emitStatements } from "./generate-statement.ts";
import { bind, createIrFunction, emitText, emitVoid, type IrFunction } from "./ir-function.ts";
import { addMetadata, attributeGroup, createIrModule, type IrModule, printIrModule } from "./ir-module.ts";

/** Name of the exported function which returns the ABI version of the kernels as int32. */
export const abiSymbol = "spx_abi_version";

/** What a phase gets to see: frame, workspace, x, y, batch. */
const preamble = `%spx.context = type { i64*, i8*, float*, float*, i64 }

declare hidden void @spx_parallel(void (i8*, i64)*, i8*, i64, i32)
`;

/** One module; `withAbi` adds the function that returns the ABI version, which a library has once. */
export function generateLlvm(programs: readonly LoopProgram[], withAbi = true): string {
  const module = createIrModule();
  for (const program of programs) generateProgram(module, program);
  if (withAbi) module.functions.push(`define i32 @${abiSymbol}() {\n  ret i32 ${abiVersion}\n}\n`);
  return printIrModule(module, preamble);
}

function generateProgram(module: IrModule, program: LoopProgram): void {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(program.name)) throw new Error(`${program.name} is not a C name`);
  const target = x86Targets.find((candidate) => candidate.name === program.level);
  if (target === undefined) throw new Error(`${program.name} is for the unknown level ${program.level}`);
  const attributes = attributeGroup(module, functionAttributes(target));
  program.phases.forEach((phase, number) => {
    module.functions.push(
      generatePhase(module, program, phase, phaseName(program, number), target, attributes),
    );
  });
  module.functions.push(generateEntry(module, program, target, attributes));
}

/** LLVM's cost tables prefer 256 bits on every x86-64 level: the width is said explicitly. */
function functionAttributes(target: X86Target): string {
  return [
    "nounwind",
    `"target-cpu"="${target.name}"`,
    `"target-features"="${target.features}"`,
    `"prefer-vector-width"="${target.vectorBits}"`,
    `"min-legal-vector-width"="${target.vectorBits}"`,
    `"no-builtins"`,
  ].join(" ");
}

function phaseName(program: LoopProgram, number: number): string {
  return `@${program.name}.phase${number}`;
}

function generatePhase(
  module: IrModule,
  program: LoopProgram,
  phase: LoopPhase,
  name: string,
  target: X86Target,
  attributes: string,
): string {
  const buffers = bindBuffers(module, program);
  const phaseFunction = createIrFunction(module, target.vectorBits, buffers.bindings);
  emitVoid(phaseFunction, "%context = bitcast i8* %contextBytes to %spx.context*");
  contextFields.forEach((field, number) => {
    const address = `getelementptr inbounds %spx.context, %spx.context* %context, i64 0, i32 ${number}`;
    const pointer = emitText(phaseFunction, address);
    emitVoid(
      phaseFunction,
      `%${field.name} = load ${field.type}, ${field.type}* ${pointer}, !invariant.load ${emptyNode(module)}`,
    );
  });
  bindSymbols(phaseFunction, program);
  buffers.emitAddresses(phaseFunction);
  bind(phaseFunction, phase.tile, {
    kind: "value",
    value: { type: { scalar: "i64", lanes: 1 }, text: "%tile" },
  });
  emitStatements(phaseFunction, phase.body);
  emitVoid(phaseFunction, "ret void");
  const head = `define internal void ${name}(i8* %contextBytes, i64 %tile) ${attributes}`;
  return functionText(head, phaseFunction);
}

const contextFields = [
  { name: "frame", type: "i64*" },
  { name: "workspace", type: "i8*" },
  { name: "x", type: "float*" },
  { name: "y", type: "float*" },
  { name: "batch", type: "i64" },
] as const;

function generateEntry(
  module: IrModule,
  program: LoopProgram,
  target: X86Target,
  attributes: string,
): string {
  const entry = createIrFunction(module, target.vectorBits, new Map());
  emitVoid(entry, "%frame = bitcast i8* %frameBytes to i64*");
  entry.entry.push("  %context = alloca %spx.context");
  contextFields.forEach((field, number) => {
    const pointer = emitText(
      entry,
      `getelementptr inbounds %spx.context, %spx.context* %context, i64 0, i32 ${number}`,
    );
    emitVoid(entry, `store ${field.type} %${field.name}, ${field.type}* ${pointer}`);
  });
  bindSymbols(entry, program);
  const context = emitText(entry, "bitcast %spx.context* %context to i8*");
  program.phases.forEach((phase, number) => {
    const tiles = emitExpression(entry, phase.tiles);
    const run = phaseName(program, number);
    emitVoid(
      entry,
      `call void @spx_parallel(void (i8*, i64)* ${run}, i8* ${context}, i64 ${tiles.text}, i32 %threads)`,
    );
  });
  emitVoid(entry, "ret i32 0");
  const parameters = "i8* %frameBytes, i8* %workspace, float* %x, float* %y, i64 %batch, i32 %threads";
  return functionText(`define i32 @${program.name}(${parameters}) ${attributes}`, entry);
}

/** Reads every symbol from its slot of the frame; those that nothing uses vanish. */
function bindSymbols(target: IrFunction, program: LoopProgram): void {
  const type = { scalar: "i64", lanes: 1 } as const;
  const firstSlot = program.buffers.filter((buffer) => buffer.space === "constant").length;
  const range = addMetadata(target.module, "i64 0, i64 9007199254740992");
  program.symbols.forEach((symbol, number) => {
    const address = emitText(target, `getelementptr inbounds i64, i64* %frame, i64 ${firstSlot + number}`);
    const load = `load i64, i64* ${address}, !invariant.load ${emptyNode(target.module)}, !range ${range}`;
    bind(target, symbol, { kind: "value", value: { type, text: emitText(target, load) } });
  });
  bind(target, "batch", { kind: "value", value: { type, text: "%batch" } });
}

function emptyNode(module: IrModule): string {
  return addMetadata(module, "");
}

function functionText(head: string, target: IrFunction): string {
  return [`${head} {`, "entry:", ...target.entry, ...target.body, "}", ""].join("\n");
}
