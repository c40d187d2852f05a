/** One cell: everybody has the same weight, runs in turn between two probes, and is compared with float64. */

import type { CacheSizes } from "../../compiler/calibrate/cache-sizes.ts";
import { timeInTurn } from "../../compiler/calibrate/interleaved-timing.ts";
import { pairedRatio, quantile } from "../../compiler/calibrate/sample-statistics.ts";
import { roundingTargets } from "../../compiler/targets/x86-targets.ts";
import type { Layer } from "../../runtime/index.ts";
import { randomMatrix } from "../random-numbers.ts";
import { type Cell, nameOfCell } from "./cells.ts";
import type { Contestant } from "./contestant.ts";
import type { LoadedOperation } from "./load-operation.ts";
import { type NativePeers, nativeContestants } from "./native-peers.ts";
import type { PythonPeers } from "./peers/python-peers.ts";
import { driftOf, fastestOf, type MachineRates, type Probes } from "./probes.ts";
import { errorOf, type Problem } from "./problem.ts";
import { levelOf, type Roofline, rooflineOf, workOf } from "./roofline.ts";
import {
  type BuiltOperations,
  loadingContestant,
  type Parameters,
  spxContestant,
  updatingContestant,
} from "./spx-contestant.ts";

export interface Timed {
  readonly name: string;
  readonly kind: Contestant["kind"];
  /** Seconds a call: median and quartiles over the rounds. */
  readonly median: number;
  readonly quartiles: readonly [number, number];
  /** Its time over spx's, the median of pairs of one round: above 1, spx is faster; null where spx takes no part. */
  readonly ratio: number | null;
  /** Against float64; null where results are not compared. */
  readonly error: number | null;
}

export interface CellResult {
  readonly cell: Cell;
  readonly name: string;
  /** Null where spx does not offer the operation. */
  readonly own: Timed | null;
  readonly peers: readonly Timed[];
  /** What forward runs; `predicted` in seconds. Null for other passes. */
  readonly plan: { readonly variant: string; readonly form: string; readonly predicted: number } | null;
  /** Null for passes that go backward: the plan does not say their bytes. */
  readonly roofline: Roofline | null;
  /** Who could not take part, and why. */
  readonly refused: readonly string[];
  /**
   * 0 when enough rounds were undisturbed; else the largest relative change of a probe from before to after, or what
   * multiply-adds fell short of the best of the run. And how often the cell was run for it.
   */
  readonly drift: number;
  readonly runs: number;
}

export interface Bench {
  readonly built: BuiltOperations;
  readonly probes: Probes;
  readonly native: NativePeers;
  readonly python: PythonPeers | null;
  readonly rounds: number;
  /** Seconds that a sample lasts. */
  readonly sampleSeconds: number;
  /** Seconds that all samples of a cell last; see `timeInTurn`. */
  readonly budgetSeconds: number;
  /** Also what torch compiles: seconds for every cell. */
  readonly compiled: boolean;
  /** Whether peers are held to fewer instructions than the machine has. */
  readonly heldDown: boolean;
}

const tolerableDrift = 0.1;
/** Undisturbed rounds that a cell needs. */
const fewestRounds = 3;
const mostRuns = 3;
const mostWaits = 20;
const waitMilliseconds = 150;
/** Bytes of copies that no cache of this machine holds, as a multiple of the last level: gone before their turn comes again. */
const coldShare = 2;
/** More copies than these cost minutes to load. */
const mostCopies = 64;

/** @throws Error when spx itself cannot run the cell; a peer that cannot is listed. */
export async function measureCell(bench: Bench, cell: Cell, loaded: LoadedOperation): Promise<CellResult> {
  const refused: string[] = [];
  const { contestants, problem, layer } = await gather(bench, cell, loaded, refused);
  try {
    const timed = await timeUntilSteady(bench, cell, contestants);
    return await resultOf(bench, cell, { ...timed, contestants, problem, layer, refused });
  } finally {
    for (const contestant of contestants) await contestant.close();
  }
}

async function gather(bench: Bench, cell: Cell, loaded: LoadedOperation, refused: string[]) {
  const { out, inputs, batch, threads, operation, regime } = cell;
  const cold = coldShare * bench.probes.caches.thirdLevel;
  const countFor = (bytes: number): number =>
    regime === "hot" ? 1 : Math.min(mostCopies, Math.max(1, Math.ceil(cold / bytes)));
  const { weight, quantized, parts } = loaded;
  const copies = countFor(weight.byteLength);
  const x = randomMatrix(batch * inputs, 2);
  const dy = operation.pass === "forward" ? new Float32Array(0) : randomMatrix(batch * out, 3);
  const problem: Problem = {
    out,
    inputs,
    batch,
    threads,
    copies,
    compactCopies: countFor(loaded.compactBytes),
    weight,
    quantized,
    x,
  };
  const contestants: Contestant[] = [];
  const offer = (name: string, kind: Contestant["kind"], layers: readonly Layer<Parameters>[]): void => {
    // Packing happens at the first call of a batch: it belongs to loading, not to the calls that are timed.
    for (const layer of layers) layer.prepare(batch);
    if (layers.length > 0)
      contestants.push(spxContestant({ name, kind }, layers, operation.pass, { x, dy, batch }));
  };
  const { layer } = loaded;
  if (operation.pass === "load" && operation.loaded !== null)
    contestants.push(loadingContestant(bench.built, operation.loaded, loaded.given, threads));
  else if (layer !== null && operation.pass === "update")
    contestants.push(updatingContestant(layer, threads));
  else if (layer !== null) offer("spx", "spx", await loaded.copies("own", countFor(layer.bytes(batch))));
  if (layer !== null && operation.pass === "forward" && operation.name !== "dense")
    offer("spx dense", "dense", await loaded.copies("dense", copies));
  const [base] = await loaded.copies("base", operation.base === null ? 0 : 1);
  if (base !== undefined) offer("spx base", "base", await loaded.copies("base", countFor(base.bytes(batch))));
  contestants.push(...nativeContestants(bench.native, cell, problem, loaded, refused));
  if (bench.python !== null) {
    const offered = await bench.python.prepare({
      problem,
      group: operation.peers,
      numbers: operation.numbers,
      compiled: bench.compiled,
      parts,
      dy: operation.pass === "forward" ? null : { values: dy, shape: [batch, out] },
      cores: Array.from({ length: threads }, (_, core) => core),
      heldDown: bench.heldDown,
      compared: operation.pass === "forward" || operation.pass === "forward and backward",
    });
    contestants.push(...offered.contestants);
    refused.push(...offered.refused);
  }
  return { contestants: await running(contestants, refused), problem, layer };
}

/** Those that can make one call; a peer that cannot is listed, spx has to. */
async function running(contestants: readonly Contestant[], refused: string[]): Promise<Contestant[]> {
  const able: Contestant[] = [];
  for (const contestant of contestants) {
    try {
      await contestant.sample(1);
      able.push(contestant);
    } catch (failure) {
      if (contestant.kind === "spx") throw failure;
      refused.push(`${contestant.name}: ${failure instanceof Error ? failure.message : String(failure)}`);
      await contestant.close();
    }
  }
  return able;
}

/**
 * Virtual processors may come to share one core of the host, which halves what they do for seconds: a cell does not begin
 * then, unless it has waited for long.
 */
async function waitForMachine({ probes }: Bench, threads: number): Promise<MachineRates> {
  for (let waited = 0; ; waited += 1) {
    const rates = probes.measure(threads);
    if (probes.shortfall(threads, rates) <= tolerableDrift || waited === mostWaits) return rates;
    await new Promise((resolve) => setTimeout(resolve, waitMilliseconds));
  }
}

/** Rounds in which the machine did what it can, by the pulses that were taken in turn with everybody. */
export function undisturbedRounds(
  { probes }: { readonly probes: Pick<Probes, "pulseRate" | "shortfall"> },
  threads: number,
  pulses: readonly number[],
): readonly number[] {
  return pulses.flatMap((seconds, round) => {
    const multiplies = probes.pulseRate(threads, seconds);
    return probes.shortfall(threads, { multiplies }) <= tolerableDrift ? [round] : [];
  });
}

/** With the rounds left out in which the machine was disturbed, if enough of the others remain. */
async function timeUntilSteady(bench: Bench, { threads }: Cell, contestants: readonly Contestant[]) {
  const { probes } = bench;
  const machine = { name: "machine", sample: (calls: number) => probes.pulse(threads, calls) };
  for (let runs = 1; ; runs += 1) {
    const before = await waitForMachine(bench, threads);
    const [pulses, ...timings] = await timeInTurn([machine, ...contestants], bench);
    const rounds = undisturbedRounds(bench, threads, pulses?.samples ?? []);
    const isSteady = rounds.length >= fewestRounds;
    if (!isSteady && runs < mostRuns) continue;
    const after = isSteady ? await waitForMachine(bench, threads) : probes.measure(threads);
    const kept = timings.map(({ name, samples }) => ({
      name,
      samples: isSteady ? rounds.map((round) => samples[round] ?? Number.NaN) : samples,
    }));
    const drift = isSteady ? 0 : Math.max(driftOf(before, after), probes.shortfall(threads, after));
    return { timings: kept, rates: fastestOf(before, after), drift, runs };
  }
}

interface Measured extends Awaited<ReturnType<typeof timeUntilSteady>> {
  readonly contestants: readonly Contestant[];
  readonly problem: Problem;
  readonly layer: Layer<Parameters> | null;
  readonly refused: readonly string[];
}

async function resultOf(bench: Bench, cell: Cell, measured: Measured): Promise<CellResult> {
  const { contestants, timings, problem, layer, refused, drift, runs, rates } = measured;
  const ownSamples = layer === null ? null : (timings[0]?.samples ?? []);
  const rows: Timed[] = [];
  for (const [index, { name, kind, output }] of contestants.entries()) {
    const samples = timings[index]?.samples ?? [];
    const y = kind === "base" ? null : await output();
    rows.push({
      name,
      kind,
      median: quantile(samples, 0.5),
      quartiles: [quantile(samples, 0.25), quantile(samples, 0.75)],
      ratio: ownSamples === null ? null : pairedRatio(samples, ownSamples),
      error: y === null ? null : errorOf(problem, y),
    });
  }
  const isForward = cell.operation.pass === "forward";
  const [interval] = isForward && layer !== null ? layer.plan(cell.batch) : [];
  return {
    cell,
    name: nameOfCell(cell),
    own: layer === null ? null : (rows[0] ?? null),
    peers: layer === null ? rows : rows.slice(1),
    plan:
      interval === undefined
        ? null
        : { variant: interval.variant, form: interval.form, predicted: interval.nanoseconds / 1e9 },
    roofline:
      interval === undefined || layer === null
        ? boundOnce(cell, layer, rates, bench.probes.caches)
        : boundOf(bench, cell, layer, interval.variant, rates),
    refused,
    drift,
    runs,
  };
}

/** Bytes of a step of AdamW for each value: it, its gradient and two means are read, all but the gradient written. */
const updateBytes = 28;

/** Where the operation tells how often the weight has to be read; of an update, at the rate of copies. */
function boundOnce(
  { operation, out, inputs, threads }: Cell,
  layer: Layer<Parameters> | null,
  rates: MachineRates,
  caches: CacheSizes,
): Roofline | null {
  if (operation.pass === "update" && layer !== null) {
    const bytes = updateBytes * layer.trainable;
    const level = levelOf(bytes, caches, threads, false);
    const read = level === "memory" ? { ...rates.read, memory: rates.copy } : rates.read;
    return rooflineOf({ bytes, multiplies: 0, permutes: 0 }, { ...rates, read }, level);
  }
  if (operation.readings === 0) return null;
  const bytes = 4 * operation.readings * out * inputs;
  return rooflineOf({ bytes, multiplies: 0, permutes: 0 }, rates, "memory");
}

function boundOf(
  bench: Bench,
  cell: Cell,
  layer: Layer<Parameters>,
  variant: string,
  rates: MachineRates,
): Roofline | null {
  const stages = bench.built.stages.get(layer.transform);
  if (stages === undefined) return null;
  const symbols = new Map(Object.entries(layer.arguments));
  for (const [dimension, size] of [
    [stages.plan.rows, cell.out],
    [stages.plan.columns, cell.inputs],
  ] as const)
    if (dimension.kind === "symbol") symbols.set(dimension.name, size);
  const rounds = layer
    .plan(cell.batch)
    .some(({ level }) => roundingTargets.some(({ name }) => name === level));
  const work = workOf(stages.plan, variant, symbols, cell.batch, rounds);
  const level = levelOf(work.bytes, bench.probes.caches, cell.threads, cell.regime === "cold");
  return rooflineOf(work, rates, level);
}
