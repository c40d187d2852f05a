/** What this machine has for compiling kernels: searched once, reported by `spxc doctor`, required by a build. */
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type BackendProblem, backendProblem } from "./backend-problem.ts";
import { loadBindings } from "./llvm-module.ts";

export interface LinkerProgram {
  readonly kind: "ld" | "cc";
  readonly path: string;
}

export interface Toolchain {
  /** Whether llvm-bindings loads, and why not. */
  readonly bindings: { readonly found: boolean; readonly detail: string };
  readonly libLlvm: string | null;
  /** Both or neither. */
  readonly programs: { readonly opt: string; readonly llc: string } | null;
  readonly linker: LinkerProgram | null;
  /** What a build would stop at; empty when kernels can be compiled here. */
  readonly problems: readonly BackendProblem[];
}

/** Where distributions put the C API of LLVM 14. */
const libraryPlaces = [
  "/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1",
  "/usr/lib/llvm-14/lib/libLLVM-14.so.1",
  "/usr/lib/llvm-14/lib/libLLVM-14.so",
  "/usr/lib64/llvm14/lib/libLLVM-14.so",
  "/usr/lib64/libLLVM-14.so",
  "/usr/lib/llvm14/lib/libLLVM-14.so",
  "/usr/lib/libLLVM-14.so",
  "/usr/local/lib/libLLVM-14.so",
] as const;

/**
 * An LLVM of the user's own, as the set-up takes it: `LLVM_DIR` is the folder of its LLVMConfig.cmake,
 * `PREFIX/lib/cmake/llvm`.
 */
function ownLibraryPlaces(llvmFolder: string | undefined): readonly string[] {
  if (llvmFolder === undefined || llvmFolder === "") return [];
  return ["libLLVM-14.so.1", "libLLVM-14.so"].map((name) => join(llvmFolder, "..", "..", name));
}

/** Programs are looked up in `searchPath`, by default PATH; libLLVM first below `llvmFolder`, by default LLVM_DIR. */
export async function findToolchain(
  searchPath: string = process.env.PATH ?? "",
  llvmFolder: string | undefined = process.env.LLVM_DIR,
): Promise<Toolchain> {
  const loaded = await loadBindings();
  const bindings = "error" in loaded ? { found: false, detail: loaded.error } : { found: true, detail: "" };
  const places = [...ownLibraryPlaces(llvmFolder), ...libraryPlaces];
  const libLlvm = places.find((place) => existsSync(place)) ?? null;
  const programs = findPrograms(searchPath);
  const linker = findLinker(searchPath);
  const problems: BackendProblem[] = [];
  if (!bindings.found) problems.push(backendProblem("bindingsMissing", bindings.detail));
  if (libLlvm === null && programs === null) problems.push(backendProblem("llvmMissing"));
  if (linker === null) problems.push(backendProblem("linkerMissing"));
  return { bindings, libLlvm, programs, linker, problems };
}

function findPrograms(searchPath: string): Toolchain["programs"] {
  const places = [...searchPath.split(delimiter), "/usr/lib/llvm-14/bin"];
  const opt = findProgram(places, ["opt-14"]) ?? findProgram(["/usr/lib/llvm-14/bin"], ["opt"]);
  const llc = findProgram(places, ["llc-14"]) ?? findProgram(["/usr/lib/llvm-14/bin"], ["llc"]);
  return opt === null || llc === null ? null : { opt, llc };
}

function findLinker(searchPath: string): LinkerProgram | null {
  const places = searchPath.split(delimiter);
  const ld = findProgram(places, ["ld", "ld.bfd"]);
  if (ld !== null) return { kind: "ld", path: ld };
  const cc = findProgram(places, ["gcc", "cc", "clang"]);
  return cc === null ? null : { kind: "cc", path: cc };
}

function findProgram(places: readonly string[], names: readonly string[]): string | null {
  for (const place of places.filter((folder) => folder !== "")) {
    const found = names.map((name) => join(place, name)).find(isExecutable);
    if (found !== undefined) return found;
  }
  return null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
