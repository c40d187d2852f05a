/** Provider two: the programs opt-14 and llc-14, for machines where libLLVM cannot be opened. */
import { execFile, spawnSync } from "node:child_process";
import { baselineProcessor, type LlvmProvider, optimisationPipeline, targetTriple } from "./llvm-provider.ts";

export function llvmPrograms(opt: string, llc: string): LlvmProvider {
  return {
    name: "opt and llc",
    paths: [opt, llc],
    check: (file) => runBeside(opt, ["-passes=verify", "-disable-output", file]),
    compile: async (bitcode, object) => {
      const optimised = `${object}.bc`;
      return (
        (await runBeside(opt, [
          `-passes=${optimisationPipeline}`,
          "-vectorize-loops=false",
          "-vectorize-slp=false",
          `-mtriple=${targetTriple}`,
          `-mcpu=${baselineProcessor}`,
          bitcode,
          "-o",
          optimised,
        ])) ??
        runBeside(llc, [
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

/** As `run`, beside other work. */
function runBeside(program: string, parameters: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(program, parameters, { encoding: "utf8" }, (error, _output, complaint) => {
      const reason = complaint.trim();
      resolve(error === null ? null : reason === "" ? `${program}: ${error.message}` : reason);
    });
  });
}

/** What the program complained of, or null when it ended well. */
export function run(program: string, parameters: readonly string[]): string | null {
  const result = spawnSync(program, parameters, { encoding: "utf8" });
  if (result.error !== undefined) return `${program}: ${result.error.message}`;
  if (result.status === 0) return null;
  const reason = result.stderr.trim();
  return reason === "" ? `${program} ended with ${result.status ?? result.signal}` : reason;
}
