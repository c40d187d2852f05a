/** The calibration of this machine: the rates that prices are made of, fitted to the times of the probes. */
import { rmSync } from "node:fs";
import { detectCpu } from "../../runtime/native/cpu-features.ts";
import { defaultRates } from "../targets/cpu-rates.ts";
import type { ByThreads, LevelName, LevelRates, RateTable } from "../targets/rate-table.ts";
import { x86Targets } from "../targets/x86-targets.ts";
import { cacheSizes } from "./cache-sizes.ts";
import { type FitRow, fitRates } from "./fit-rates.ts";
import { type CalibrationProgress, type MeasuredTask, measureProbes, probeTasks } from "./measure-probes.ts";
import { priceRows } from "./price-rows.ts";
import { type Calibration, journalFile, ratesVersion } from "./rate-cache.ts";
import { ratesOf, withRates } from "./rate-vector.ts";

/** The runtime's own limit for one layer. */
const mostThreads = 8;
/** The third level is shared with whatever else runs: a part of it is counted on. */
const thirdLevelShare = 4;

/** A walk that the table takes for nothing can still be found: proportions hold from a tenth of a multiply-add on. */
const leastWalk = 0.1;

function knownRates(rates: LevelRates): ReturnType<typeof ratesOf> {
  const named = ratesOf(rates);
  const values = new Map(named.map(({ path, value }) => [path, value]));
  return named.map(({ path, value }) => {
    const multiply = values.get(path.replace("walkNanoseconds", "multiplyNanoseconds")) ?? 0;
    return { path, value: path.endsWith("walkNanoseconds") ? Math.max(value, leastWalk * multiply) : value };
  });
}

/** Rates of one level from its rows; those that `isFree` refuses keep their values. */
function fitLevel(
  rates: LevelRates,
  rows: readonly FitRow[],
  isFree: (path: string) => boolean,
): { readonly rates: LevelRates; readonly medianFactor: number } {
  const named = knownRates(rates);
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

/** What one thread tells nothing of. */
const isThreaded = (path: string): boolean => /\.all$|\.sweepNanoseconds$|\.passNanoseconds\./.test(path);

/** Fits each level to what one thread told, the widest to what all threads told, too: their rates go to every level. */
export function fitTable(
  tasks: readonly MeasuredTask[],
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
      .flatMap(({ plan, times, target }) => priceRows(plan, times, { target, rates: levels[name], threads }));
  const [widest] = tasks;
  for (const { name } of x86Targets) {
    levels[name] = { ...levels[name], memory: { ...levels[name].memory, ...sizes } };
    const threaded = machine.threads > 1 && name === widest?.target.name ? rowsOf(name, machine.threads) : [];
    const rows = [...rowsOf(name, 1), ...threaded];
    if (rows.length === 0) continue;
    const { rates, medianFactor } = fitLevel(
      levels[name],
      rows,
      (path) => threaded.length > 0 || !isThreaded(path),
    );
    levels[name] = rates;
    medianFactors[name] = Number(medianFactor.toFixed(3));
  }
  if (machine.threads > 1 && widest !== undefined) {
    const { memory: found, calls: told } = levels[widest.target.base];
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
          thirdLevelNanoseconds: together(memory.thirdLevelNanoseconds, found.thirdLevelNanoseconds),
          memoryNanoseconds: together(memory.memoryNanoseconds, found.memoryNanoseconds),
          beneathMultipliesNanoseconds: together(
            memory.beneathMultipliesNanoseconds,
            found.beneathMultipliesNanoseconds,
          ),
        },
        calls: {
          ...calls,
          sweepNanoseconds: told.sweepNanoseconds,
          passNanoseconds: told.passNanoseconds,
        },
      };
    }
  }
  const table: RateTable = { name: machine.model, threads: machine.threads, levels };
  return { table, medianFactors };
}

/**
 * Measures and fits; what is measured is kept in a journal until the end.
 * @param progress called before each step.
 * @throws BuildFailure when the probes cannot be built; SpxError when no level runs here.
 */
export async function calibrateMachine(progress: (state: CalibrationProgress) => void): Promise<Calibration> {
  const cpu = detectCpu();
  const threads = Math.min(cpu.cores, mostThreads);
  const targets = x86Targets.filter(({ needs }) => needs.every((feature) => cpu.features.has(feature)));
  const tasks = probeTasks(targets, threads);
  const journal = journalFile(cpu);
  const measured = await measureProbes(tasks, progress, journal, 1);
  progress({ done: tasks.length + 1, total: tasks.length + 2, what: "fitting" });
  const fitted = fitTable(measured, { model: cpu.model, threads });
  rmSync(journal, { force: true });
  const machine = { model: cpu.model, cores: cpu.cores };
  return { kind: "spx-rates", version: ratesVersion, machine, ...fitted };
}
