/**
 * The probes of this machine: built, run on every level that it has, each probe's times kept as soon as they are there,
 * so that a calibration that was interrupted goes on where it was. What is made of the times is the caller's.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BuiltFolder, buildText } from "../driver/build-folder.ts";
import { packageVersion } from "../driver/package-version.ts";
import type { Plan } from "../plan/plan.ts";
import type { X86Target } from "../targets/x86-targets.ts";
import { type ProbeCase, probeCases, probeSource, threadedCases } from "./probe-programs.ts";
import { ratesVersion, writeJson } from "./rate-cache.ts";
import { openPulse, type ProbeTime, runProbe } from "./run-probes.ts";

export interface CalibrationProgress {
  /** Steps done, of `total`. */
  readonly done: number;
  readonly total: number;
  readonly what: string;
}

/** A probe on a level with a number of threads. */
export interface ProbeTask {
  readonly target: X86Target;
  readonly threads: number;
  readonly probe: ProbeCase;
}

/** What each task took, with the plan of its transform. */
export interface MeasuredTask extends ProbeTask {
  readonly plan: Plan;
  readonly times: readonly ProbeTime[];
}

/** On one thread for each level, which a busy machine disturbs least; on all threads for the widest, the first. */
export function probeTasks(targets: readonly X86Target[], threads: number): readonly ProbeTask[] {
  const [widest] = targets;
  return [
    ...targets.flatMap((target) => probeCases.map((probe) => ({ target, threads: 1, probe }))),
    ...(widest === undefined || threads === 1
      ? []
      : threadedCases.map((probe) => ({ target: widest, threads, probe }))),
  ];
}

const taskKey = ({ target, threads, probe }: ProbeTask): string =>
  JSON.stringify([target.name, threads, probe]);

interface Journal {
  /** Of the compiler and the probes: times of others are not taken over. */
  readonly of: string;
  readonly times: Record<string, readonly ProbeTime[]>;
}

function journalIdentity({ stages }: BuiltFolder): string {
  const variants = [...stages].map(([name, { plan }]) => [name, ...plan.variants.map((found) => found.name)]);
  return createHash("sha256")
    .update(JSON.stringify([packageVersion(), ratesVersion, probeSource, variants]))
    .digest("hex")
    .slice(0, 16);
}

function readJournal(path: string | null, built: BuiltFolder): Journal {
  const fresh: Journal = { of: journalIdentity(built), times: {} };
  if (path === null || !existsSync(path)) return fresh;
  try {
    const found = JSON.parse(readFileSync(path, "utf8")) as Journal;
    return found.of === fresh.of ? found : fresh;
  } catch {
    // A journal that is broken is none: its times are taken again.
    return fresh;
  }
}

/**
 * @param journal file that keeps times until the caller removes it; null for none.
 * @param steps how many steps the caller takes itself beside building and the tasks.
 * @throws BuildFailure when the probes cannot be built; SpxError when a level does not run here.
 */
export async function measureProbes(
  tasks: readonly ProbeTask[],
  progress: (state: CalibrationProgress) => void,
  journal: string | null = null,
  steps = 0,
): Promise<readonly MeasuredTask[]> {
  const total = tasks.length + 1 + steps;
  const folder = mkdtempSync(join(tmpdir(), "spx-calibration-"));
  const pulses = new Map<number, Awaited<ReturnType<typeof openPulse>>>();
  try {
    progress({ done: 0, total, what: "building the probes" });
    const built = await buildText(folder, "probes", probeSource, { variants: "covering" });
    const kept = readJournal(journal, built);
    const measured: MeasuredTask[] = [];
    for (const [index, task] of tasks.entries()) {
      const { target, threads, probe } = task;
      const what = `${probe.transform} ${probe.size.join(" x ")}, ${target.suffix}`;
      progress({ done: 1 + index, total, what });
      const plan = built.stages.get(probe.transform)?.plan;
      if (plan === undefined) throw new ReferenceError(probe.transform);
      const key = taskKey(task);
      let times = kept.times[key];
      if (times === undefined) {
        const watched = pulses.get(threads) ?? (await openPulse(built, threads));
        pulses.set(threads, watched);
        times = await runProbe(built, probe, target.name, threads, watched.pulse);
        kept.times[key] = times;
        if (journal !== null) writeJson(journal, kept);
      }
      measured.push({ ...task, plan, times });
    }
    return measured;
  } finally {
    for (const { dispose } of pulses.values()) dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}
