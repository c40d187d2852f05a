/**
 * `npm run bench`: times every operation against the fastest peers that are installed here, all in one interleaved run,
 * and against the roofline from probes of the same run. Everything goes through the public road: an `.spx` file,
 * compiled, opened, loaded.
 */
import { writeFileSync } from "node:fs";
import { cacheSizes } from "../../compiler/calibrate/cache-sizes.ts";
import { x86Targets } from "../../compiler/targets/x86-targets.ts";
import { detectCpu } from "../../runtime/native/cpu-features.ts";
import { cellsOf, nameOfCell, type SuiteName } from "./cells.ts";
import { type Bench, type CellResult, measureCell } from "./measure-cell.ts";
import { findBlas } from "./peers/blas-libraries.ts";
import { openPythonPeers, type PythonPeers } from "./peers/python-peers.ts";
import { openProbes } from "./probes.ts";
import { cellLine, type RunFacts, resultsMarkdown } from "./report.ts";
import { buildOperations } from "./spx-contestant.ts";

export interface BenchOptions {
  readonly suite: SuiteName;
  readonly only: string | null;
  readonly threads: readonly number[];
  readonly rounds: number;
  readonly sampleSeconds: number;
  readonly json: string | null;
  readonly markdown: string | null;
  /** Interpreter and script of the Python peers; null when they are not set up. */
  readonly python: { readonly interpreter: string; readonly script: string } | null;
  /** Why some peers are not set up. */
  readonly missing: readonly string[];
  readonly say: (line: string) => void;
}

/** The cells that failed are told and counted; the others are reported all the same. True when none failed. */
export async function bench(options: BenchOptions): Promise<boolean> {
  const { say, suite } = options;
  const cells = cellsOf(suite, options.threads, options.only);
  if (cells.length === 0) throw new Error(`no cell of suite ${suite} contains ${String(options.only)}`);
  say("compiling bench/speed/operations.spx");
  const built = await buildOperations();
  const { features, model } = detectCpu();
  const target = x86Targets.find(({ needs }) => needs.every((feature) => features.has(feature)));
  if (target === undefined) throw new Error("no level of kernels runs on this CPU");
  const probes = await openProbes(target, cacheSizes());
  const { found, missing } = findBlas();
  const python = await startPython(options, missing);
  const bench: Bench = {
    built,
    probes,
    blas: found,
    python,
    rounds: options.rounds,
    sampleSeconds: options.sampleSeconds,
    compiled: suite === "full",
  };
  const results: CellResult[] = [];
  const failed: string[] = [];
  try {
    for (const [index, cell] of cells.entries()) {
      try {
        const result = await measureCell(bench, cell);
        results.push(result);
        say(`${index + 1}/${cells.length} ${cellLine(result).join(" | ")}`);
        for (const line of result.refused) say(`  refused: ${line.split("\n")[0]}`);
      } catch (failure) {
        failed.push(`${nameOfCell(cell)}: ${failure instanceof Error ? failure.message : String(failure)}`);
        say(`${index + 1}/${cells.length} FAILED ${failed.at(-1)}`);
      }
    }
    const facts: RunFacts = {
      date: new Date().toISOString().slice(0, 10),
      cpu: model,
      level: target.name,
      suite,
      rounds: options.rounds,
      rates: options.threads.map((threads) => ({ threads, rates: probes.measure(threads) })),
      peers: [
        ...found.map(({ name, version }) => `${name} (${version})`),
        ...Object.entries(python?.versions ?? {}).map(([name, version]) => `${name} ${version}`),
      ],
      missing: [...options.missing, ...missing, ...failed],
      build: { seconds: built.seconds, bytes: built.kernelBytes, transforms: built.stages.size },
    };
    if (options.json !== null) writeFileSync(options.json, JSON.stringify({ facts, results }, null, 1));
    const text = resultsMarkdown(results, facts);
    if (options.markdown !== null) writeFileSync(options.markdown, text);
    else say(`\n${text}`);
  } finally {
    python?.close();
    probes.dispose();
  }
  return failed.length === 0;
}

async function startPython({ python }: BenchOptions, missing: string[]): Promise<PythonPeers | null> {
  if (python === null) return null;
  try {
    return await openPythonPeers(python.interpreter, python.script);
  } catch (failure) {
    missing.push(`Python peers: ${failure instanceof Error ? failure.message : String(failure)}`);
    return null;
  }
}
