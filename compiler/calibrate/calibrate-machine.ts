/**
 * The calibration of this machine: probes built, run on every level that it has, and fitted. Each probe's times are
 * kept as soon as they are there, so that a calibration that was interrupted goes on where it was.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { detectCpu } from "../../runtime/native/cpu-features.ts";
import { renderDiagnostics } from "../diagnostics/render-terminal.ts";
import { compileFile } from "../driver/compile.ts";
import { nodeHost } from "../driver/node-host.ts";
import { packageVersion } from "../driver/package-version.ts";
import { writeArtefact } from "../emit/artefact-writer.ts";
import type { Plan } from "../plan/plan.ts";
import { defaultRates } from "../targets/cpu-rates.ts";
import type { ByThreads, LevelName, LevelRates, RateTable } from "../targets/rate-table.ts";
import { type X86Target, x86Targets } from "../targets/x86-targets.ts";
import { cacheSizes } from "./cache-sizes.ts";
import { type FitRow, fitRates } from "./fit-rates.ts";
import { priceRows } from "./price-rows.ts";
import { type ProbeCase, probeCases, probeSource, threadedCases } from "./probe-programs.ts";
import { type Calibration, journalFile, ratesVersion, writeWhole } from "./rate-cache.ts";
import { ratesOf, withRates } from "./rate-vector.ts";
import { type ProbePlace, type ProbeTime, runProbe } from "./run-probes.ts";

/** The runtime's own limit for one layer. */
const mostThreads = 8;
/** The third level is shared with whatever else runs: a part of it is counted on. */
const thirdLevelShare = 4;

export interface CalibrationProgress {
  /** Steps done, of `total`. */
  readonly done: number;
  readonly total: number;
  readonly what: string;
}

/** A build that failed, in the words of its problems. */
export class CalibrationFailure extends Error {}

interface Built extends ProbePlace {
  readonly plans: ReadonlyMap<string, Plan>;
}

async function buildProbes(folder: string): Promise<Built> {
  const entry = join(folder, "probes.spx");
  writeFileSync(entry, probeSource);
  const options = { name: "probes", runtime: "spx/runtime", keepIr: false, variants: "covering" } as const;
  const { compilation, artefact } = await compileFile(entry, nodeHost(), options);
  if (artefact === null)
    throw new CalibrationFailure(renderDiagnostics(compilation.diagnostics, compilation.sources));
  if (artefact.kind === "problem")
    throw new CalibrationFailure(
      artefact.problems.map(({ message, help }) => `${message}\n${help}`).join("\n"),
    );
  writeArtefact(folder, artefact.files, artefact.replaces);
  const plans = new Map(compilation.transforms.map(({ plan }) => [plan.transform, plan]));
  return { folder, manifest: artefact.manifest, plans };
}

/** A probe on a level with a number of threads. */
interface Task {
  readonly target: X86Target;
  readonly threads: number;
  readonly probe: ProbeCase;
}

function tasksFor(targets: readonly X86Target[], threads: number): readonly Task[] {
  const [widest] = targets;
  return [
    ...targets.flatMap((target) => probeCases.map((probe) => ({ target, threads: 1, probe }))),
    ...(widest === undefined || threads === 1
      ? []
      : threadedCases.map((probe) => ({ target: widest, threads, probe }))),
  ];
}

const taskKey = ({ target, threads, probe }: Task): string => JSON.stringify([target.name, threads, probe]);

interface Journal {
  /** Of the compiler and the probes: times of others are not taken over. */
  readonly of: string;
  readonly times: Record<string, readonly ProbeTime[]>;
}

function journalIdentity({ plans }: Built): string {
  const variants = [...plans].map(([name, plan]) => [name, ...plan.variants.map((variant) => variant.name)]);
  return createHash("sha256")
    .update(JSON.stringify([packageVersion(), ratesVersion, probeSource, variants]))
    .digest("hex")
    .slice(0, 16);
}

function readJournal(path: string, built: Built): Journal {
  const fresh: Journal = { of: journalIdentity(built), times: {} };
  if (!existsSync(path)) return fresh;
  try {
    const found = JSON.parse(readFileSync(path, "utf8")) as Journal;
    return found.of === fresh.of ? found : fresh;
  } catch {
    // A journal that is broken is none: its times are taken again.
    return fresh;
  }
}

/** Rates of one level from its rows; those that `isFree` refuses keep their values. */
function fitLevel(
  rates: LevelRates,
  rows: readonly FitRow[],
  isFree: (path: string) => boolean,
): { readonly rates: LevelRates; readonly medianFactor: number } {
  const named = ratesOf(rates);
  const free = named.flatMap(({ path, value }, index) => (isFree(path) && value > 0 ? [index] : []));
  const fixed = named.map(({ value }, index) => (free.includes(index) ? 0 : value));
  const reduced = rows
    .map(({ features, measured }) => ({
      features: free.map((index) => features[index] ?? 0),
      measured: measured - features.reduce((sum, feature, index) => sum + feature * (fixed[index] ?? 0), 0),
    }))
    .filter(({ measured }) => measured > 0);
  const fitted = fitRates(
    reduced,
    free.map((index) => named[index]?.value ?? 0),
  );
  const values = new Map(free.map((index, place) => [named[index]?.path ?? "", fitted.rates[place] ?? 0]));
  const told = new Set(
    free.flatMap((index, place) => (fitted.told[place] ? [named[index]?.path ?? ""] : [])),
  );
  const numbers = withRates(rates, (path, before) => Number((values.get(path) ?? before).toPrecision(4)));
  return { rates: withProvenance(numbers, told), medianFactor: fitted.medianFactor };
}

function withProvenance(rates: LevelRates, told: ReadonlySet<string>): LevelRates {
  const atoms = Object.fromEntries(
    Object.entries(rates.atoms).map(([atom, layouts]) => [
      atom,
      Object.fromEntries(
        Object.entries(layouts).map(([layout, rate]) => {
          const path = `atoms.${atom}.${layout}.multiplyNanoseconds`;
          return [layout, { ...rate, provenance: told.has(path) ? "measured" : "derived" }];
        }),
      ),
    ]),
  );
  return { ...rates, atoms: atoms as LevelRates["atoms"] };
}

const isThreaded = (path: string): boolean => path.endsWith(".all") || path === "calls.sweepNanoseconds";

/** Fits what one thread told, then what all threads told beside it. */
function fitTable(
  built: Built,
  tasks: readonly Task[],
  times: Journal["times"],
  machine: { readonly model: string; readonly threads: number },
): Pick<Calibration, "table" | "medianFactors"> {
  const { secondLevel, thirdLevel } = cacheSizes();
  const sizes = {
    secondLevelBytes: secondLevel * machine.threads,
    thirdLevelBytes: Math.max(thirdLevel / thirdLevelShare, 2 * secondLevel * machine.threads),
  };
  const levels = { ...defaultRates.levels };
  const medianFactors: Record<string, number> = {};
  const rowsOf = (name: LevelName, threads: number): readonly FitRow[] =>
    tasks
      .filter((task) => task.target.name === name && task.threads === threads)
      .flatMap((task) => {
        const plan = built.plans.get(task.probe.transform);
        const rates = levels[name];
        return plan === undefined
          ? []
          : priceRows(plan, times[taskKey(task)] ?? [], { target: task.target, rates, threads });
      });
  for (const { name } of x86Targets) {
    levels[name] = { ...levels[name], memory: { ...levels[name].memory, ...sizes } };
    const rows = rowsOf(name, 1);
    if (rows.length === 0) continue;
    const { rates, medianFactor } = fitLevel(levels[name], rows, (path) => !isThreaded(path));
    levels[name] = rates;
    medianFactors[name] = Number(medianFactor.toFixed(3));
  }
  const [widest] = tasks;
  const threaded = widest === undefined ? [] : rowsOf(widest.target.name, machine.threads);
  if (machine.threads > 1 && widest !== undefined && threaded.length > 0) {
    const { rates } = fitLevel(levels[widest.target.name], threaded, isThreaded);
    const { thirdLevelNanoseconds, memoryNanoseconds } = rates.memory;
    // Threads together are never slower than one: what a busy machine takes from them is not theirs.
    const together = ({ one }: ByThreads, { all }: ByThreads): ByThreads => ({
      one,
      all: Math.min(all, one),
    });
    for (const { name } of x86Targets) {
      const { memory, calls } = levels[name];
      levels[name] = {
        ...levels[name],
        memory: {
          ...memory,
          thirdLevelNanoseconds: together(memory.thirdLevelNanoseconds, thirdLevelNanoseconds),
          memoryNanoseconds: together(memory.memoryNanoseconds, memoryNanoseconds),
        },
        calls: { ...calls, sweepNanoseconds: rates.calls.sweepNanoseconds },
      };
    }
  }
  const table: RateTable = { name: machine.model, threads: machine.threads, levels };
  return { table, medianFactors };
}

/**
 * Measures and fits; what is measured is kept in a journal until the end.
 * @param progress called before each step.
 * @throws CalibrationFailure when the probes cannot be built; SpxError when no level runs here.
 */
export async function calibrateMachine(progress: (state: CalibrationProgress) => void): Promise<Calibration> {
  const cpu = detectCpu();
  const threads = Math.min(cpu.cores, mostThreads);
  const targets = x86Targets.filter(({ needs }) => needs.every((feature) => cpu.features.has(feature)));
  const tasks = tasksFor(targets, threads);
  const path = journalFile(cpu);
  const total = tasks.length + 2;
  const folder = mkdtempSync(join(tmpdir(), "spx-calibration-"));
  try {
    progress({ done: 0, total, what: "building the probes" });
    const built = await buildProbes(folder);
    const journal = readJournal(path, built);
    for (const [index, task] of tasks.entries()) {
      const { target, probe } = task;
      progress({
        done: 1 + index,
        total,
        what: `${probe.transform} ${probe.size.join(" x ")}, ${target.suffix}`,
      });
      const key = taskKey(task);
      if (journal.times[key] !== undefined) continue;
      journal.times[key] = await runProbe(built, probe, target.name, task.threads);
      writeWhole(path, journal);
    }
    progress({ done: total - 1, total, what: "fitting" });
    const fitted = fitTable(built, tasks, journal.times, { model: cpu.model, threads });
    rmSync(path, { force: true });
    const machine = { model: cpu.model, cores: cpu.cores };
    return { kind: "spx-rates", version: ratesVersion, machine, ...fitted };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
