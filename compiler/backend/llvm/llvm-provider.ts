/** Who optimises: the one interface over libLLVM in this process and LLVM's programs in others. */

export interface LlvmProvider {
  readonly name: "libLLVM" | "opt and llc";
  /** Files used, for reports. */
  readonly paths: readonly string[];
  /** Parses and verifies an IR text; LLVM's message, or null when it is well formed. */
  check(irFile: string): string | null;
  /** Verified bitcode to an optimised object file; LLVM's message, or null. */
  compile(bitcodeFile: string, objectFile: string): string | null;
}

/** New pass manager pipeline of both providers. Vectorisers stay off: the loop level has chosen the vectors. */
export const optimisationPipeline = "default<O3>";

export const targetTriple = "x86_64-pc-linux-gnu";

/** Baseline of functions that name no processor themselves. */
export const baselineProcessor = "x86-64";
