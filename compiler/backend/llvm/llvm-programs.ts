/** Provider two: the programs opt-14 and llc-14, for machines where libLLVM cannot be opened. */
import { spawnSync } from "node:child_process";
import { baselineProcessor, type LlvmProvider, optimisationPipeline, targetTriple } from "./llvm-provider.ts";

export function llvmPrograms(opt: string, llc: string): LlvmProvider {
  return {
    name: "opt and llc",
    paths: [opt, llc],
    check: (file) => run(opt, ["-passes=verify", "-disable-output", file]),
    compile: (bitcode, object) => {
      const optimised = `${object}.bc`;
      return (
        run(opt, [
          `-passes=${optimisationPipeline}`,
          "-vectorize-loops=false",
          "-vectorize-slp=false",
          `-mtriple=${targetTriple}`,
          `-mcpu=${baselineProcessor}`,
          bitcode,
          "-o",
          optimised,
        ]) ??
        run(llc, [
          "-O3",
          "-filetype=obj",
          "-relocation-model=pic",
          `-mtriple=${targetTriple}`,
          `-mcpu=${baselineProcessor}`,
          optimised,
          "-o",
          object,
        ])
      );
    },
  };
}

/** What the program complained of, or null when it ended well. */
export function run(program: string, parameters: readonly string[]): string | null {
  const result = spawnSync(program, parameters, { encoding: "utf8" });
  if (result.error !== undefined) return `${program}: ${result.error.message}`;
  if (result.status === 0) return null;
  const reason = result.stderr.trim();
  return reason === "" ? `${program} ended with ${result.status ?? result.signal}` : reason;
}
