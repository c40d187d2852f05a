/** The sweep: programs from a seed through every level; the first that differs is shrunk and reported. */
import type { CompilerHost } from "../../compiler/host/compiler-host.ts";
import { type X86Target, x86Targets } from "../../compiler/targets/x86-targets.ts";
import { detectCpu } from "../../runtime/native/cpu-features.ts";
import { chooseSizes } from "./choose-sizes.ts";
import { compareLevels, type LevelChoices } from "./compare-levels.ts";
import { generateProgram } from "./generate-program.ts";
import { InexactCase, loadCase, type SweepCase } from "./loaded-case.ts";
import { compileCases, type NativeCase, runNatively } from "./native-library.ts";
import type { Program } from "./program.ts";
import { programText } from "./program-text.ts";
import { createRandom } from "./random.ts";
import { type Level, LevelFault, levels, type Road } from "./road.ts";
import { shrinkCase } from "./shrink-case.ts";
import { type Stages, stagesOf } from "./stages.ts";

export interface SweepOptions {
  readonly programs: number;
  readonly seed: number;
  /** Every how many-th program runs natively; 0 for none. */
  readonly nativeEvery: number;
  /** Cases that share a library. */
  readonly casesInLibrary: number;
  /** Variants of a case that get machine code. */
  readonly nativeVariants: number;
  readonly sizesEach: number;
  readonly choices: LevelChoices;
  readonly host: CompilerHost;
  readonly road: Road;
  /** Shrinking steps tried before a difference is reported. */
  readonly shrinkTries: number;
  /** Told the case before machine code runs: a crash leaves no other trace. */
  readonly announce?: (label: string) => void;
}

export interface ReportedDifference {
  readonly level: Level;
  readonly message: string;
  readonly seed: number;
  readonly text: string;
  readonly sizes: Readonly<Record<string, number>>;
}

export interface SweepReport {
  /** Programs that ran. */
  readonly programs: number;
  readonly cases: number;
  /** Programs that the planner has no plan for, by code. */
  readonly refused: Readonly<Record<string, number>>;
  readonly variants: number;
  readonly nativeCases: number;
  readonly kernels: number;
  readonly differences: readonly ReportedDifference[];
}

/** Both sides of 16 tokens and of the three vectors of the widest tile. */
const batchChoices = [0, 1, 2, 3, 5, 15, 16, 17, 33, 48, 49, 65] as const;

/** Levels that this CPU runs. */
export function runnableTargets(): readonly X86Target[] {
  const { features } = detectCpu();
  return x86Targets.filter(({ needs }) => needs.every((need) => features.has(need)));
}

/** A program and a case of it; null when no sizes meet its conditions. */
export function caseOf(seed: number, small = false): SweepCase | null {
  const program = generateProgram(seed, `S${seed}`);
  return sizedCase(program, seed, small);
}

function sizedCase(program: Program, seed: number, small: boolean): SweepCase | null {
  const sizes = chooseSizes(program, createRandom(seed ^ 0x2b2b), small);
  return sizes === null ? null : { program, sizes, seed, batches: batchChoices };
}

/** One case through all levels but machine code. Null when it proves nothing. @throws LevelFault. */
export function runCase(one: SweepCase, stages: Stages, options: SweepOptions): NativeCase | null {
  try {
    const loaded = loadCase(one, stages, options.road);
    compareLevels(one, stages, loaded, options.road, options.choices);
    return { one, stages, loaded };
  } catch (thrown) {
    if (thrown instanceof InexactCase) return null;
    throw thrown;
  }
}

/** The level at which a case differs, machine code included when it failed there before. */
async function failureOf(
  one: SweepCase,
  options: SweepOptions,
  native: X86Target | null,
): Promise<LevelFault | null> {
  try {
    const stages = stagesOf(one.program, options.host, options.road);
    const passed = runCase(one, stages, options);
    if (passed === null || native === null || stages.plan === null) return null;
    const library = await compileCases([passed], native, options.road, Number.POSITIVE_INFINITY);
    try {
      await runNatively(passed, library);
    } finally {
      library.close();
    }
    return null;
  } catch (thrown) {
    return faultOf(thrown, native === null ? "load" : "native");
  }
}

const faultOf = (thrown: unknown, level: Level): LevelFault =>
  thrown instanceof LevelFault
    ? thrown
    : new LevelFault(level, thrown instanceof Error ? (thrown.stack ?? "") : String(thrown));

async function report(
  one: SweepCase,
  fault: LevelFault,
  given: SweepOptions,
  native: X86Target | null,
): Promise<ReportedDifference> {
  // What comes after the level that differs says nothing about it.
  const early = levels.indexOf(fault.level) < levels.indexOf("loop v4");
  const options =
    early || native !== null ? { ...given, choices: { loopVariants: 0, loopBatches: 0 } } : given;
  const shrunk = await shrinkCase(
    one,
    fault,
    (candidate) => failureOf(candidate, options, native),
    options.shrinkTries,
  );
  const used = new Set(programText(shrunk.one.program).match(/\w+/g) ?? []);
  return {
    level: shrunk.fault.level,
    message: shrunk.fault.message,
    seed: one.seed,
    text: programText(shrunk.one.program),
    sizes: Object.fromEntries([...shrunk.one.sizes].filter(([name]) => used.has(name))),
  };
}

/** Stops after the library in which a difference was found. */
export async function sweep(options: SweepOptions): Promise<SweepReport> {
  const targets = runnableTargets();
  const differences: ReportedDifference[] = [];
  const refused: Record<string, number> = {};
  const counts = { programs: 0, cases: 0, variants: 0, nativeCases: 0, kernels: 0 };
  let waiting: NativeCase[] = [];
  let libraries = 0;

  const runWaiting = async (): Promise<void> => {
    const cases = waiting;
    waiting = [];
    const target = targets[libraries++ % targets.length];
    if (cases.length === 0 || target === undefined) return;
    const found = await runLibrary(cases, target, options);
    counts.nativeCases += found.ran;
    counts.kernels += found.kernels;
    if (found.failed !== null)
      differences.push(await report(found.failed.one, found.failed.fault, options, target));
  };

  for (let index = 0; counts.programs < options.programs && differences.length === 0; index++) {
    const seed = options.seed * 1_000_003 + index;
    const program = generateProgram(seed, `S${seed}`);
    const cases = Array.from({ length: options.sizesEach }, (_, at) =>
      sizedCase(program, seed + at * 7919, at % 2 === 1),
    );
    const [first] = cases;
    if (first === undefined || first === null) continue;
    let at = first;
    try {
      const stages = stagesOf(program, options.host, options.road);
      const native: NativeCase[] = [];
      for (const one of cases) {
        if (one === null) continue;
        at = one;
        const passed = runCase(one, stages, options);
        if (passed === null) continue;
        counts.cases += 1;
        native.push(passed);
      }
      if (native.length === 0) continue;
      counts.programs += 1;
      counts.variants += stages.plan?.variants.length ?? 0;
      if (stages.refusal !== null) refused[stages.refusal] = (refused[stages.refusal] ?? 0) + 1;
      const [one] = native;
      if (
        one !== undefined &&
        stages.plan !== null &&
        options.nativeEvery > 0 &&
        counts.programs % options.nativeEvery === 0
      )
        waiting.push(one);
    } catch (thrown) {
      counts.programs += 1;
      differences.push(await report(at, faultOf(thrown, "load"), options, null));
    }
    if (waiting.length >= options.casesInLibrary) await runWaiting();
  }
  if (differences.length === 0) await runWaiting();
  return { ...counts, refused, differences };
}

interface LibraryRun {
  readonly ran: number;
  readonly kernels: number;
  readonly failed: { readonly one: SweepCase; readonly fault: LevelFault } | null;
}

async function runLibrary(
  cases: readonly NativeCase[],
  target: X86Target,
  options: SweepOptions,
): Promise<LibraryRun> {
  const [first] = cases;
  if (first === undefined) return { ran: 0, kernels: 0, failed: null };
  let at = first;
  let ran = 0;
  let kernels = 0;
  try {
    const library = await compileCases(cases, target, options.road, options.nativeVariants);
    kernels = library.kernels;
    try {
      for (const one of cases) {
        at = one;
        options.announce?.(
          `${target.name}\n${programText(one.one.program)}${JSON.stringify([...one.one.sizes])}\n`,
        );
        await runNatively(one, library);
        ran += 1;
      }
    } finally {
      library.close();
    }
    return { ran, kernels, failed: null };
  } catch (thrown) {
    return { ran, kernels, failed: { one: at.one, fault: faultOf(thrown, "native") } };
  }
}
