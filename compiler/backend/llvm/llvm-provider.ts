/** Who optimises: the one interface over libLLVM in this process and LLVM's programs in others. */

export interface LlvmProvider {
  readonly name: "libLLVM" | "opt and llc";
  /** Files used, for reports. */
  readonly paths: readonly string[];
  /** Parses and verifies an IR text; LLVM's message, or null when it is well formed. */
  check(irFile: string): Promise<string | null>;
  /** Verified bitcode to an optimised object file; LLVM's message, or null. Several may run at once. */
  compile(bitcodeFile: string, objectFile: string): Promise<string | null>;
}

/**
 * New pass manager pipeline of both providers. The loop level has chosen tiles, vectors and unrolling already, so
 * that `default<O3>` took three times as long for the same machine code in the hot loops: what is left to do is to
 * turn registers into values, to share and hoist index arithmetic, and to copy bodies where a loop asks for it.
 */
export const optimisationPipeline =
  "function(sroa,early-cse<memssa>,simplifycfg,instcombine,loop-mssa(licm,loop-rotate,licm),loop(indvars),loop-unroll,early-cse<memssa>,instcombine,simplifycfg,adce)";

export const targetTriple = "x86_64-pc-linux-gnu";

/** Baseline of functions that name no processor themselves. */
export const baselineProcessor = "x86-64";
