/**
 * `npm run bench`: times every operation against the fastest peers that are installed here, all in one interleaved run,
 * and against the roofline from probes of the same run. Everything goes through the public road: an `.spx` file,
 * compiled, opened, loaded.
 */
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { cacheSizes } from "../../compiler/calibrate/cache-sizes.ts";
import { packageFolder, packageVersion } from "../../compiler/driver/package-version.ts";
import { type X86Target, x86Targets } from "../../compiler/targets/x86-targets.ts";
import { detectCpu } from "../../runtime/native/cpu-features.ts";
import { measureBehaviour } from "./behaviour.ts";
import { buildFacts } from "./build-facts.ts";
import { type Cell, cellsOf, groupCells, nameOfCell, type SuiteName } from "./cells.ts";
import { type Journal, openJournal } from "./journal.ts";
import { loadOperation } from "./load-operation.ts";
import { type Bench, type CellResult, measureCell } from "./measure-cell.ts";
import { findNativePeers } from "./native-peers.ts";
import { openPythonPeers, type PythonPeers } from "./peers/python-peers.ts";
import { pinThread } from "./pin-thread.ts";
import { openProbes } from "./probes.ts";
import { cellLine, type RunFacts, resultsMarkdown } from "./report.ts";
import { resultsPage } from "./results-page.ts";
import { buildOperations } from "./spx-contestant.ts";

export interface BenchOptions {
  readonly suite: SuiteName;
  /** Cells whose name contains one of these; all when empty. */
  readonly only: readonly string[];
  readonly threads: readonly number[];
  /** Null for what the suite takes. */
  readonly rounds: number | null;
  /** Suffix of a level of kernels (`v3`) to force, or null for the widest that runs. */
  readonly level: string | null;
  /** Whether cells of an earlier run that was cut off are taken over. */
  readonly resume: boolean;
  /** No cell begins later than so many minutes after the start; those that did not are listed. */
  readonly minutes: number;
  /** Files to write, or null. */
  readonly json: string | null;
  readonly html: string | null;
  readonly markdown: string | null;
  /** Interpreter and script of the Python peers; null when they are not set up. */
  readonly python: { readonly interpreter: string; readonly script: string } | null;
  /** Why some peers are not set up. */
  readonly missing: readonly string[];
  readonly say: (line: string) => void;
}

/** Packages that cannot be held to fewer instructions. */
const unheld: readonly string[] = ["onnxruntime", "openvino", "MNN"];

/** How long the samples of a suite are: rounds, seconds of a sample, seconds of all samples of a cell. */
const lengths: Readonly<Record<SuiteName, readonly [number, number, number]>> = {
  smoke: [9, 0.002, 1],
  targets: [15, 0.004, 2.5],
  full: [15, 0.004, 4],
};

/** The cells that failed are told and counted; the others are reported all the same. True when none failed. */
export async function bench(options: BenchOptions): Promise<boolean> {
  const { say, suite, level, threads } = options;
  const cells = cellsOf(suite, threads, options.only);
  if (cells.length === 0) throw new Error(`no cell of suite ${suite} contains ${options.only.join(" or ")}`);
  const { target, heldDown } = targetFor(level);
  say("compiling bench/speed/operations.spx");
  const built = await buildOperations(level);
  const probes = await openProbes(target, cacheSizes());
  const native = findNativePeers(target.suffix);
  const missing = [...options.missing, ...native.missing];
  if (heldDown)
    missing.push(`${unheld.join(", ")}: take the widest instructions of the machine whatever they are told`);
  const python = await startPython(options, missing);
  const [rounds, sampleSeconds, budgetSeconds] = lengths[suite];
  const state: Bench = {
    built,
    probes,
    native,
    python,
    rounds: options.rounds ?? rounds,
    sampleSeconds,
    budgetSeconds,
    compiled: suite === "full",
    heldDown,
  };
  const identity = [basename(built.manifestFile), target.suffix, state.rounds].join(" ");
  const file = join(packageFolder(), "build", "bench", `${suite}-${target.suffix}.jsonl`);
  try {
    const journal = openJournal(file, identity, options.resume);
    const { results, failed, skipped } = await measureCells(state, cells, journal, options);
    if (skipped > 0) missing.push(`${skipped} cells that had not begun after ${options.minutes} minutes`);
    pinThread(Math.max(...threads));
    say("event loop and workers");
    const behaviour = await measureBehaviour(built, level, Math.max(...threads));
    const builds =
      suite === "smoke" || options.only.length > 0
        ? []
        : await buildFacts((what) => say(`building ${what} alone`));
    const { model, cores } = detectCpu();
    const facts: RunFacts = {
      date: new Date().toISOString().slice(0, 10),
      cpu: model,
      cores,
      node: process.versions.node,
      spx: packageVersion(),
      level: target.name,
      heldDown,
      suite,
      only: options.only,
      rounds: state.rounds,
      rates: threads.map((count) => ({ threads: count, rates: probes.measure(count) })),
      peers: [
        ...native.names,
        ...Object.entries(python?.versions ?? {})
          .filter(([name, version]) => !version.startsWith("missing") && !(heldDown && unheld.includes(name)))
          .map(([name, version]) => `${name} ${version}`),
      ],
      missing,
      failed,
      build: { seconds: built.seconds, bytes: built.kernelBytes, transforms: built.stages.size },
      builds,
      behaviour,
    };
    write(options, results, facts);
    return failed.length === 0;
  } finally {
    python?.close();
    probes.dispose();
  }
}

function targetFor(level: string | null): { readonly target: X86Target; readonly heldDown: boolean } {
  const { features } = detectCpu();
  const running = x86Targets.filter(({ needs }) => needs.every((feature) => features.has(feature)));
  const [widest] = running;
  const target = level === null ? widest : running.find(({ suffix }) => suffix === level);
  if (target === undefined || widest === undefined)
    throw new Error(`no level ${level ?? "of kernels"} runs on this CPU`);
  return { target, heldDown: target !== widest };
}

async function measureCells(
  bench: Bench,
  cells: readonly Cell[],
  journal: Journal,
  { say, minutes }: Pick<BenchOptions, "say" | "minutes">,
): Promise<{ readonly results: CellResult[]; readonly failed: string[]; readonly skipped: number }> {
  const results: CellResult[] = [];
  const failed: string[] = [];
  const start = performance.now();
  const isLate = (): boolean => performance.now() - start > 6e4 * minutes;
  let done = 0;
  let skipped = 0;
  const tell = (line: string): void => {
    done += 1;
    say(`${done}/${cells.length} ${Math.round((performance.now() - start) / 1e3)} s ${line}`);
  };
  const fail = (cell: Cell, failure: unknown): void => {
    const message = failure instanceof Error ? failure.message : String(failure);
    failed.push(`${nameOfCell(cell)}: ${message.split("\n")[0]}`);
    tell(`FAILED ${failed.at(-1)}`);
  };
  for (const group of groupCells(cells)) {
    const open = group.filter((cell) => !journal.kept.has(nameOfCell(cell)));
    const kept = group.flatMap((cell) => journal.kept.get(nameOfCell(cell)) ?? []);
    results.push(...kept);
    done += kept.length;
    const [first] = open;
    if (first === undefined) continue;
    if (isLate()) {
      skipped += open.length;
      continue;
    }
    pinThread(first.threads);
    try {
      const { operation, out, inputs, threads } = first;
      const loaded = await loadOperation(bench.built, operation, [out, inputs], threads);
      try {
        for (const cell of open) {
          if (isLate()) {
            skipped += 1;
            continue;
          }
          try {
            const result = await measureCell(bench, cell, loaded);
            results.push(result);
            journal.add(result);
            tell(cellLine(result).join(" | "));
            for (const line of result.refused) say(`  refused: ${line.split("\n")[0]?.slice(0, 160)}`);
          } catch (failure) {
            fail(cell, failure);
          }
        }
      } finally {
        loaded.dispose();
      }
    } catch (failure) {
      for (const cell of open) fail(cell, failure);
    }
  }
  return { results, failed, skipped };
}

function write(options: BenchOptions, results: readonly CellResult[], facts: RunFacts): void {
  const { json, html, markdown, say } = options;
  if (json !== null) writeFileSync(json, `${JSON.stringify({ facts, results }, null, 1)}\n`);
  if (html !== null) writeFileSync(html, resultsPage(results, facts));
  const text = resultsMarkdown(results, facts);
  if (markdown !== null) writeFileSync(markdown, text);
  else say(`\n${text}`);
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
