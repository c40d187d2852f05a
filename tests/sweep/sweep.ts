/** The sweep: programs from a seed through every level; the first that differs is shrunk and reported. */
import type { CompilerHost } from "../../compiler/host/compiler-host.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import { type X86Target, x86Targets } from "../../compiler/targets/x86-targets.ts";
import { detectCpu } from "../../runtime/native/cpu-features.ts";
import { chooseSizes } from "./choose-sizes.ts";
import { compareLevels } from "./compare-levels.ts";
import type { LoopChoices } from "./compare-loops.ts";
import { compareModel } from "./compare-model.ts";
import { generateProgram } from "./generate-program.ts";
import { InexactCase, loadCase, type SweepCase } from "./loaded-case.ts";
import {
  compileCases,
  type NativeCase,
  nativeLevel,
  runNatively,
  type WaitingCase,
} from "./native-library.ts";
import type { Program } from "./program.ts";
import { programText } from "./program-text.ts";
import { createRandom } from "./random.ts";
import { type Level, LevelFault, levels, type Road } from "./road.ts";
import { shrinkCase } from "./shrink-case.ts";
import { type Stages, stagesOf } from "./stages.ts";
import {
  type Coverage,
  emptyCoverage,
  markRun,
  newStructures,
  structuresOf,
  wholePlanStructures,
} from "./structure-coverage.ts";

export interface SweepOptions {
  readonly programs: number;
  readonly seed: number;
  /**
   * Every how many-th program runs natively, beside those with a structure that has not; 0 for none. 1 runs all.
   */
  readonly nativeEvery: number;
  /** No more programs than these run natively; all when left out. */
  readonly mostNative?: number;
  /** This run takes programs `part`, `part + parts`, … of the seed. */
  readonly part?: number;
  readonly parts?: number;
  /** Cases that share a library. */
  readonly casesInLibrary: number;
  /** Variants of a case that get machine code. */
  readonly nativeVariants: number;
  /** Every how many-th of the native cases runs its gradients natively, beside those with a structure that has not. */
  readonly backwardEvery: number;
  readonly sizesEach: number;
  readonly choices: Omit<LoopChoices, "coverage">;
  readonly host: CompilerHost;
  readonly road: Road;
  /** Shrinking steps tried before a difference is reported. */
  readonly shrinkTries: number;
  /** Told how many programs have run, before each; false ends the sweep with what it has found so far. */
  readonly goOn?: (programs: number) => Promise<boolean>;
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
  /** Programs of which several layers were loaded together. */
  readonly models: number;
  /** Programs that the planner has no plan for, by code. */
  readonly refused: Readonly<Record<string, number>>;
  readonly variants: number;
  readonly nativeCases: number;
  /** Backward passes in machine code whose gradients were compared. */
  readonly nativeBackward: number;
  readonly kernels: number;
  readonly differences: readonly ReportedDifference[];
}

/** The report of several parts of one sweep. */
export function joinReports(parts: readonly SweepReport[]): SweepReport {
  const sum = (read: (part: SweepReport) => number): number =>
    parts.reduce((total, part) => total + read(part), 0);
  const codes = new Set(parts.flatMap(({ refused }) => Object.keys(refused)));
  return {
    programs: sum(({ programs }) => programs),
    cases: sum(({ cases }) => cases),
    models: sum(({ models }) => models),
    refused: Object.fromEntries([...codes].map((code) => [code, sum(({ refused }) => refused[code] ?? 0)])),
    variants: sum(({ variants }) => variants),
    nativeCases: sum(({ nativeCases }) => nativeCases),
    nativeBackward: sum(({ nativeBackward }) => nativeBackward),
    kernels: sum(({ kernels }) => kernels),
    differences: parts.flatMap(({ differences }) => differences),
  };
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
export function runCase(one: SweepCase, stages: Stages, road: Road, choices: LoopChoices): NativeCase | null {
  try {
    const loaded = loadCase(one, stages, road);
    return { one, stages, loaded, packed: compareLevels(one, stages, loaded, road, choices) };
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
    // A case is judged by itself: what others have covered does not count.
    const passed = runCase(one, stages, options.road, { ...options.choices, coverage: emptyCoverage() });
    await compareModel(one, stages, options.road);
    if (passed === null || native === null || stages.plan === null) return null;
    const all = Number.POSITIVE_INFINITY;
    const whole = { ...passed, backward: true };
    const library = await compileCases([whole], native, options.road, all, emptyCoverage());
    try {
      await runNatively(whole, library);
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
  const choices =
    early || native !== null
      ? { loopVariants: 0, loopBatches: 0, everyTarget: false }
      : { loopVariants: Number.POSITIVE_INFINITY, loopBatches: 2, everyTarget: true };
  const options = { ...given, choices };
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

/** The seed of the program at `index` of a sweep. */
export const seedOf = (seed: number, index: number): number => seed * 1_000_003 + index;

/** Stops after the library in which a difference was found. */
export async function sweep(options: SweepOptions): Promise<SweepReport> {
  // One level a process where there are enough of them: half as many structures are new to each.
  const all = runnableTargets();
  const targets =
    (options.parts ?? 1) < all.length ? all : all.filter((_, at) => at === (options.part ?? 0) % all.length);
  const differences: ReportedDifference[] = [];
  const refused: Record<string, number> = {};
  const counts = {
    programs: 0,
    cases: 0,
    models: 0,
    variants: 0,
    nativeCases: 0,
    nativeBackward: 0,
    kernels: 0,
  };
  const coverage = emptyCoverage();
  const { part = 0, parts = 1 } = options;
  let waiting: WaitingCase[] = [];
  let libraries = 0;

  const nextTarget = (): X86Target | undefined => targets[libraries % targets.length];

  /** For a program that brings something new to machine code, and for a share of the others; null for the rest. */
  const nativePart = (plan: Plan): Pick<WaitingCase, "backward"> | null => {
    const target = nextTarget();
    const count = counts.nativeCases + waiting.length;
    if (options.nativeEvery === 0 || target === undefined) return null;
    if (count >= (options.mostNative ?? Number.POSITIVE_INFINITY)) return null;
    const level = nativeLevel(target);
    const whole = wholePlanStructures(plan, level);
    const backward = newStructures(coverage, whole) > 0;
    const variants = plan.variants.flatMap((variant) => structuresOf(plan, variant, level));
    const isNew = backward || newStructures(coverage, variants) > 0;
    if (!isNew && counts.programs % options.nativeEvery !== 0) return null;
    const part = { backward: backward || count % options.backwardEvery === 0 };
    if (part.backward) markRun(coverage, whole);
    return part;
  };

  const runWaiting = async (): Promise<void> => {
    const cases = waiting;
    waiting = [];
    const target = nextTarget();
    libraries += 1;
    if (cases.length === 0 || target === undefined) return;
    const found = await runLibrary(cases, target, options, coverage);
    counts.nativeCases += found.ran;
    counts.nativeBackward += found.backward;
    counts.kernels += found.kernels;
    if (found.failed !== null)
      differences.push(await report(found.failed.one, found.failed.fault, options, target));
  };

  for (let index = 0; counts.programs < options.programs && differences.length === 0; index++) {
    if ((await options.goOn?.(counts.programs)) === false) break;
    const seed = seedOf(options.seed, index * parts + part);
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
        // Loops are slow to interpret: other sizes of the same program meet them as machine code.
        const choices =
          native.length === 0 ? options.choices : { loopVariants: 0, loopBatches: 0, everyTarget: false };
        const passed = runCase(one, stages, options.road, { ...choices, coverage });
        if (passed === null) continue;
        if (native.length === 0 && (await compareModel(one, stages, options.road))) counts.models += 1;
        counts.cases += 1;
        native.push(passed);
      }
      if (native.length === 0) continue;
      counts.programs += 1;
      counts.variants += stages.plan?.variants.length ?? 0;
      if (stages.refusal !== null) refused[stages.refusal] = (refused[stages.refusal] ?? 0) + 1;
      const [one] = native;
      const part = one === undefined || stages.plan === null ? null : nativePart(stages.plan);
      if (one !== undefined && part !== null) waiting.push({ ...one, ...part });
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
  readonly backward: number;
  readonly kernels: number;
  readonly failed: { readonly one: SweepCase; readonly fault: LevelFault } | null;
}

async function runLibrary(
  cases: readonly WaitingCase[],
  target: X86Target,
  options: SweepOptions,
  coverage: Coverage,
): Promise<LibraryRun> {
  const [first] = cases;
  if (first === undefined) return { ran: 0, backward: 0, kernels: 0, failed: null };
  let at = first;
  let ran = 0;
  let backward = 0;
  let kernels = 0;
  try {
    const library = await compileCases(cases, target, options.road, options.nativeVariants, coverage);
    kernels = library.kernels;
    try {
      for (const one of cases) {
        at = one;
        options.announce?.(
          `${target.name}\n${programText(one.one.program)}${JSON.stringify([...one.one.sizes])}\n`,
        );
        backward += (await runNatively(one, library)).backward;
        ran += 1;
      }
    } finally {
      library.close();
    }
    return { ran, backward, kernels, failed: null };
  } catch (thrown) {
    return { ran, backward, kernels, failed: { one: at.one, fault: faultOf(thrown, "native") } };
  }
}
