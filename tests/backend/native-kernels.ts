/** Compiles programs of the tests, loads the shared object and calls its kernels on typed arrays. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CompiledLibrary, compileLibrary } from "../../compiler/backend/llvm/compile-library.ts";
import type { LoopProgram } from "../../compiler/loop/loop-node.ts";
import { type X86Target, x86Targets } from "../../compiler/targets/x86-targets.ts";
import { detectCpu } from "../../runtime/native/cpu-features.ts";
import {
  addressOf,
  type Kernel,
  openLibrary,
  readString,
  viewMemory,
} from "../../runtime/native/foreign-library.ts";

export const foreign = { openLibrary, readString };

type NativeArray =
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint32Array
  | Uint16Array
  | Uint8Array
  | Int8Array;

export interface KernelCall {
  readonly constants?: readonly NativeArray[];
  readonly symbols?: readonly number[];
  /** From `alignedBytes`. */
  readonly workspace?: Uint8Array;
  readonly x?: Float32Array | Float64Array;
  readonly y: Float32Array | Float64Array;
  readonly batch?: number;
  readonly threads?: number;
}

export interface NativeKernels {
  readonly library: CompiledLibrary;
  readonly file: string;
  run(symbol: string, call: KernelCall): number;
  runAsync(symbol: string, call: KernelCall): Promise<number>;
  remove(): void;
}

/** Suffixes of the levels this machine can run, widest first; the missing ones are named on standard output. */
export function runnableSuffixes(targets: readonly X86Target[] = x86Targets): string[] {
  const { features } = detectCpu();
  return targets
    .filter((target) => {
      const missing = target.needs.filter((feature) => !features.has(feature));
      if (missing.length > 0)
        console.log(`${target.name} is not run here: this CPU lacks ${missing.join(", ")}`);
      return missing.length === 0;
    })
    .map((target) => target.suffix);
}

export async function compileOrThrow(
  programs: readonly LoopProgram[],
  options: { readonly keepIr?: boolean; readonly provider?: "libLLVM" | "opt and llc" } = {},
): Promise<CompiledLibrary> {
  const compiled = await compileLibrary(programs, { foreign, ...options });
  if (compiled.kind === "library") return compiled;
  throw new Error(compiled.problems.map((problem) => `${problem.code}: ${problem.message}`).join("\n"));
}

export async function loadKernels(
  programs: readonly LoopProgram[],
  options: { readonly provider?: "libLLVM" | "opt and llc" } = {},
): Promise<NativeKernels> {
  const library = await compileOrThrow(programs, options);
  const folder = mkdtempSync(join(tmpdir(), "spx-test-"));
  const file = join(folder, "kernels.so");
  writeFileSync(file, library.bytes);
  const opened = openLibrary(file);
  const kernels = new Map<string, Kernel>(
    programs.map((program) => [program.name, opened.declareKernel(program.name)]),
  );
  const kernelOf = (name: string): Kernel => {
    const kernel = kernels.get(name);
    if (kernel === undefined) throw new Error(`no kernel ${name}`);
    return kernel;
  };
  return {
    library,
    file,
    run: (name, call) => kernelOf(name).run(...parameters(call)),
    runAsync: async (name, call) => {
      inFlight.add(call);
      try {
        return await kernelOf(name).runAsync(...parameters(call));
      } finally {
        inFlight.delete(call);
      }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Arrays whose addresses stand in a frame must outlive an asynchronous call. */
const inFlight = new Set<KernelCall>();

function parameters(call: KernelCall): Parameters<Kernel["run"]> {
  const addresses = (call.constants ?? []).map((array) => addressOf(array));
  const frame = new BigInt64Array([...addresses, ...(call.symbols ?? []).map(BigInt), 0n]);
  return [frame, call.workspace ?? null, call.x ?? null, call.y, call.batch ?? 0, call.threads ?? 1];
}

/** Poisoned memory aligned to 64 bytes, as a workspace has to be; JavaScript's allocator does not promise that. */
export function alignedBytes(bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes + 64).fill(0xff);
  const offset = Number((64n - (addressOf(whole) % 64n)) % 64n);
  return whole.subarray(offset, offset + bytes);
}

/** Small-integer test data, exact in binary32 in every order of summation; the same for a given seed. */
export function smallIntegers(length: number, seed: number): Float32Array {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state >>> 24) % 17) - 8;
  });
}

/** An array of `length` floats that ends at the start of a page which nobody may read or write. */
export function arrayBeforeForbiddenPage(length: number): Float32Array {
  const page = 4096;
  const system = openLibrary(null);
  const reserve = system.declare({
    name: "mmap",
    result: "pointer",
    parameters: ["pointer", "size", "int32", "int32", "int32", "int64"],
  });
  const protect = system.declare({
    name: "mprotect",
    result: "int32",
    parameters: ["pointer", "size", "int32"],
  });
  const [readAndWrite, privateAnonymous] = [3, 0x22];
  const address = reserve(0n, 2 * page, readAndWrite, privateAnonymous, -1, 0);
  if (typeof address !== "bigint" || protect(address + BigInt(page), page, 0) !== 0)
    throw new Error("no pages");
  return new Float32Array(viewMemory(address, page), page - length * 4, length);
}
