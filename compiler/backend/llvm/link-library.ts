/**
 * Object file to shared object. Only the given symbols are exported. Nothing but libc is needed at run time, and not
 * even that is named: the process that loads the object has it, whichever it is. The same object gives the same bytes.
 */
import { writeFileSync } from "node:fs";
import { run } from "./llvm-programs.ts";
import type { LinkerProgram } from "./toolchain.ts";

/**
 * `nodelete`: pool threads live in this code, so that closing the library must not unmap it.
 * `-s` and no build id: neither names of temporary files nor hashes of them get into the result.
 */
const linkerFlags = [
  "-Bsymbolic",
  "--build-id=none",
  "--hash-style=gnu",
  "--gc-sections",
  "-s",
  "-z",
  "nodelete",
  "-z",
  "noexecstack",
  "-z",
  "relro",
  "-z",
  "now",
] as const;

export interface LinkRequest {
  readonly objects: readonly string[];
  /** Where the linker reads which symbols to export; written here. */
  readonly versionScript: string;
  readonly output: string;
  readonly symbols: readonly string[];
}

/** The linker's complaint, or null. */
export function linkLibrary(linker: LinkerProgram, request: LinkRequest): string | null {
  const exported = request.symbols.map((symbol) => `    ${symbol};`).join("\n");
  writeFileSync(request.versionScript, `{\n  global:\n${exported}\n  local:\n    *;\n};\n`);
  const flags = [...linkerFlags, `--version-script=${request.versionScript}`];
  const files = ["-o", request.output, ...request.objects];
  if (linker.kind === "ld") return run(linker.path, ["-shared", ...flags, ...files]);
  return run(linker.path, ["-shared", "-nostdlib", ...flags.flatMap((flag) => ["-Xlinker", flag]), ...files]);
}
