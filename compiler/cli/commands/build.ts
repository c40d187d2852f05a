/** `spxc build`: the artefact on disk, all of it or nothing. */
import { basename, join } from "node:path";
import { ratesNamed } from "../../calibrate/rate-cache.ts";
import type { JsonDiagnostic } from "../../diagnostics/render-json.ts";
import { compileFile, planFile } from "../../driver/compile.ts";
import { nodeHost } from "../../driver/node-host.ts";
import { checkWritable, writeArtefact } from "../../emit/artefact-writer.ts";
import { cudaElementsOf, factorsOf } from "../cuda-target.ts";
import { checkLocked, writeLock } from "../lock-file.ts";
import {
  hasErrors,
  jsonDiagnostics,
  type PlainProblem,
  reportDiagnostics,
  reportProblem,
} from "../report-diagnostics.ts";
import { complain, exitCodes, say } from "../terminal.ts";

export interface BuildOptions {
  readonly output: string;
  readonly runtime: string;
  readonly rates: string;
  readonly keepIr?: boolean;
  readonly target: string;
  readonly elements?: string;
  readonly timings?: boolean;
  /** Fails unless the choices are those of `spx.lock`. */
  readonly locked?: boolean;
  /** Writes the choices into `spx.lock` when the build is done. */
  readonly lock?: boolean;
  readonly json?: boolean;
}

export async function build(file: string, options: BuildOptions): Promise<number> {
  const name = basename(file, ".spx");
  // Asked first: nobody wants to wait for kernels that have nowhere to go.
  const unwritable = whyNot(options.output, () => checkWritable(options.output));
  if (unwritable !== null) return refuse([unwritable], options);
  const cuda = cudaElementsOf(options);
  if (typeof cuda === "string") {
    complain(`error: ${cuda}`);
    return exitCodes.usage;
  }
  const factors = factorsOf(options);
  const rates = ratesNamed(options.rates);
  if ("code" in rates) return refuse([rates], options);
  if (options.locked === true) {
    const planned = planFile(file, nodeHost(), undefined, undefined, rates, [], factors);
    const differs = hasErrors(planned.diagnostics) ? null : checkLocked(file, planned);
    if (differs !== null) return refuse([differs], options);
  }
  const { compilation, artefact } = await compileFile(file, nodeHost(), {
    name,
    runtime: options.runtime,
    rates,
    keepIr: options.keepIr ?? false,
    cuda,
    factors,
  });
  const { diagnostics, sources, clock } = compilation;
  if (options.json !== true) reportDiagnostics(diagnostics, sources);
  if (artefact === null || artefact.kind === "problem") {
    return refuse(artefact?.problems ?? [], options, jsonDiagnostics(diagnostics, sources));
  }
  const unwritten = whyNot(options.output, () =>
    writeArtefact(options.output, artefact.files, artefact.replaces),
  );
  if (unwritten !== null) return refuse([unwritten], options, jsonDiagnostics(diagnostics, sources));
  const unlocked = options.lock === true ? writeLock(file, compilation) : null;
  if (unlocked !== null) return refuse([unlocked], options, jsonDiagnostics(diagnostics, sources));
  const files = artefact.files.map(({ name: written, bytes }) => ({
    file: join(options.output, written),
    bytes: Buffer.byteLength(bytes),
  }));
  const timings = clock
    .entries()
    .map(([stage, milliseconds]) => ({ stage, milliseconds: Math.round(milliseconds) }));
  if (options.json === true) {
    const { provider, cudaProvider } = artefact;
    const report = { ok: true, files, provider, ...(cudaProvider === null ? {} : { cudaProvider }), timings };
    say(JSON.stringify({ ...report, diagnostics: jsonDiagnostics(diagnostics, sources) }, null, 2));
    return exitCodes.done;
  }
  for (const { file: path, bytes } of files) say(`${path}  ${bytes} bytes`);
  if (artefact.cudaProvider !== null) say(`CUDA: ${artefact.cudaProvider}`);
  if (options.timings === true) {
    for (const { stage, milliseconds } of timings)
      say(`${stage.padEnd(12)} ${String(milliseconds).padStart(6)} ms`);
    say(`machine code by ${artefact.provider}`);
  }
  return hasErrors(diagnostics) ? exitCodes.problems : exitCodes.done;
}

function refuse(
  problems: readonly PlainProblem[],
  { json }: BuildOptions,
  diagnostics: readonly JsonDiagnostic[] = [],
): number {
  if (json === true) say(JSON.stringify({ ok: false, diagnostics, problems }, null, 2));
  else problems.forEach(reportProblem);
  return exitCodes.problems;
}

function whyNot(folder: string, act: () => void): PlainProblem | null {
  try {
    act();
    return null;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return {
      code: "SPX0201",
      message: `the artefact cannot be written into \`${folder}\`: ${reason}`,
      help: "choose a folder you may write to with `-o`, or free some space; nothing was changed",
    };
  }
}
