/** `spxc lock`: the choices for a file into `spx.lock` beside it, without building kernels. */
import { ratesNamed } from "../../calibrate/rate-cache.ts";
import { planFile } from "../../driver/compile.ts";
import { nodeHost } from "../../driver/node-host.ts";
import { lockPath, writeLock } from "../lock-file.ts";
import { hasErrors, reportDiagnostics, reportProblem } from "../report-diagnostics.ts";
import { exitCodes, say } from "../terminal.ts";

export async function lock(files: readonly string[], options: { readonly rates: string }): Promise<number> {
  const rates = ratesNamed(options.rates);
  if ("code" in rates) {
    reportProblem(rates);
    return exitCodes.problems;
  }
  let failed = false;
  for (const file of files) {
    const compilation = planFile(file, nodeHost(), undefined, undefined, rates);
    reportDiagnostics(compilation.diagnostics, compilation.sources);
    const broken = compilation.module === null || hasErrors(compilation.diagnostics);
    const problem = broken ? null : writeLock(file, compilation);
    if (problem !== null) reportProblem(problem);
    if (!broken && problem === null) say(`${file}: locked in ${lockPath(file)}`);
    failed ||= broken || problem !== null;
  }
  return failed ? exitCodes.problems : exitCodes.done;
}
