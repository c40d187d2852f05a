/**
 * The road of this folder in order: text, check, link with the pool, bitcode, optimise, object, shared object.
 * Intermediate files live in a temporary folder that is removed whatever happens.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoopProgram } from "../../loop/loop-node.ts";
import { type BackendProblem, backendProblem, thrownText } from "./backend-problem.ts";
import { compileUnits } from "./compile-units.ts";
import { abiSymbol, generateLlvm } from "./generate-llvm.ts";
import { linkLibrary } from "./link-library.ts";
import { type ForeignAccess, openLlvmLibrary } from "./llvm-library.ts";
import { linkModules, loadBindings } from "./llvm-module.ts";
import { llvmPrograms } from "./llvm-programs.ts";
import type { LlvmProvider } from "./llvm-provider.ts";
import { parallelRuntimeIr } from "./parallel-runtime.ts";
import { findToolchain, type LinkerProgram, type Toolchain } from "./toolchain.ts";

export interface CompileOptions {
  /** Opens libLLVM. */
  readonly foreign: ForeignAccess;
  /** Parent of the temporary folder; the system's by default. */
  readonly workFolder?: string;
  /** Also returns the text of the kernels' module. */
  readonly keepIr?: boolean;
  /** Insists on one way of optimising; by default libLLVM, and the programs where there is no such library. */
  readonly provider?: LlvmProvider["name"];
  readonly toolchain?: Toolchain;
}

/** Milliseconds of each step, for reports. */
export interface CompileTimings {
  readonly generate: number;
  readonly bitcode: number;
  readonly optimise: number;
  readonly link: number;
}

export interface CompiledLibrary {
  readonly kind: "library";
  readonly bytes: Uint8Array;
  /** Exported kernels in the order given, then the ABI version's symbol. */
  readonly symbols: readonly string[];
  readonly provider: { readonly name: LlvmProvider["name"]; readonly paths: readonly string[] };
  readonly timings: CompileTimings;
  /** Empty unless `keepIr`. */
  readonly ir: string;
}

export interface CompileFailure {
  readonly kind: "failure";
  readonly problems: readonly BackendProblem[];
}

/** All programs into one shared object. Throws only on ill-typed loop programs. */
export async function compileLibrary(
  programs: readonly LoopProgram[],
  options: CompileOptions,
): Promise<CompiledLibrary | CompileFailure> {
  const toolchain = options.toolchain ?? (await findToolchain());
  if (toolchain.problems.length > 0) return { kind: "failure", problems: toolchain.problems };
  const started = performance.now();
  const texts = compileUnits(programs).map((unit, index) => generateLlvm(unit, index === 0));
  const generate = performance.now() - started;
  const symbols = [...programs.map((program) => program.name), abiSymbol];
  const compiled = await withWorkFolder(options.workFolder ?? tmpdir(), (folder) =>
    compileIr(texts, { folder, symbols, toolchain, options }),
  );
  if (compiled.kind === "failure") return compiled;
  const { bytes, provider, timings } = compiled;
  return {
    kind: "library",
    bytes,
    symbols,
    provider,
    timings: { generate, ...timings },
    ir: options.keepIr ? generateLlvm(programs) : "",
  };
}

interface IrRequest {
  readonly folder: string;
  readonly symbols: readonly string[];
  readonly toolchain: Toolchain;
  readonly options: CompileOptions;
}

interface CompiledIr {
  readonly kind: "compiled";
  readonly bytes: Uint8Array;
  readonly provider: CompiledLibrary["provider"];
  readonly timings: Omit<CompileTimings, "generate">;
}

/** The texts of the units, the first with the ABI's function, to a shared object; the second half of `compileLibrary`. */
export async function compileIr(
  units: readonly string[],
  request: IrRequest,
): Promise<CompiledIr | CompileFailure> {
  const chosen = chooseProvider(request.toolchain, request.options);
  if ("problem" in chosen) return failure(chosen.problem);
  return compileWith(chosen.provider, units, request);
}

async function compileWith(
  provider: LlvmProvider,
  units: readonly string[],
  request: IrRequest,
): Promise<CompiledIr | CompileFailure> {
  const { folder, symbols, toolchain } = request;
  const file = (name: string): string => join(folder, name);
  const clock = createClock();
  const pool = file("parallel.ll");
  writeFileSync(pool, parallelRuntimeIr());
  const names = units.map((_, index) => `kernels${index}`);
  for (const [index, ir] of units.entries()) writeFileSync(file(`${names[index]}.ll`), ir);
  for (const text of [pool, ...names.map((name) => file(`${name}.ll`))]) {
    const malformed = await provider.check(text);
    if (malformed !== null) return failure(backendProblem("malformedModule", malformed));
  }

  const loaded = await loadBindings();
  if ("error" in loaded) return failure(backendProblem("bindingsMissing", loaded.error));
  for (const [index, name] of names.entries()) {
    const texts = [file(`${name}.ll`), ...(index === 0 ? [pool] : [])];
    const unlinked = linkModules(loaded.bindings, { texts, bitcode: file(`${name}.bc`) });
    if (unlinked !== null) return failure(backendProblem("malformedModule", unlinked));
  }
  const bitcode = clock();

  const outcomes = await Promise.all(
    names.map((name) => provider.compile(file(`${name}.bc`), file(`${name}.o`))),
  );
  const uncompiled = outcomes.find((message) => message !== null);
  if (uncompiled !== undefined) return failure(backendProblem("codeGeneration", uncompiled ?? ""));
  const optimise = clock();

  const objects = names.map((name) => file(`${name}.o`));
  const linkProblem = linkObject(toolchain.linker, objects, file, symbols);
  if (linkProblem !== null) return failure(linkProblem);
  const bytes = new Uint8Array(readFileSync(file("kernels.so")));
  const timings = { bitcode, optimise, link: clock() };
  return { kind: "compiled", bytes, provider: { name: provider.name, paths: provider.paths }, timings };
}

function linkObject(
  linker: LinkerProgram | null,
  objects: readonly string[],
  file: (name: string) => string,
  symbols: readonly string[],
): BackendProblem | null {
  if (linker === null) return backendProblem("linkerMissing");
  const request = {
    objects,
    versionScript: file("exports"),
    output: file("kernels.so"),
    symbols,
  };
  const message = linkLibrary(linker, request);
  return message === null ? null : backendProblem("linking", message);
}

function chooseProvider(
  toolchain: Toolchain,
  options: CompileOptions,
): { readonly provider: LlvmProvider } | { readonly problem: BackendProblem } {
  const { libLlvm, programs } = toolchain;
  if (libLlvm !== null && options.provider !== "opt and llc") {
    const opened = openLlvmLibrary(options.foreign, libLlvm);
    if ("provider" in opened || programs === null || options.provider === "libLLVM") return opened;
  }
  if (programs === null || options.provider === "libLLVM") return { problem: backendProblem("llvmMissing") };
  return { provider: llvmPrograms(programs.opt, programs.llc) };
}

async function withWorkFolder<Result>(
  parent: string,
  use: (folder: string) => Promise<Result>,
): Promise<Result | CompileFailure> {
  let folder: string;
  try {
    mkdirSync(parent, { recursive: true });
    folder = mkdtempSync(join(parent, "spx-llvm-"));
  } catch (thrown) {
    return failure(backendProblem("workFolder", thrownText(thrown)));
  }
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Milliseconds since the previous call. */
function createClock(): () => number {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const passed = now - last;
    last = now;
    return passed;
  };
}

function failure(...problems: BackendProblem[]): CompileFailure {
  return { kind: "failure", problems };
}
