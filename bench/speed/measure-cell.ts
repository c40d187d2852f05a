/** One cell: everybody loads the same weight, runs in turn between two probes, and is compared with float64. */
import { timeInTurn } from "../../compiler/calibrate/interleaved-timing.ts";
import { pairedRatio, quantile } from "../../compiler/calibrate/sample-statistics.ts";
import type { Layer } from "../../runtime/index.ts";
import { randomMatrix } from "../random-numbers.ts";
import type { Cell } from "./cells.ts";
import { nameOfCell } from "./cells.ts";
import type { Contestant } from "./contestant.ts";
import { packedProduct, plainProduct } from "./peers/blas.ts";
import type { Blas } from "./peers/blas-libraries.ts";
import { sparseProduct } from "./peers/mkl-sparse.ts";
import { type NativeProduct, nativeContestant } from "./peers/native-contestant.ts";
import type { PythonPeers } from "./peers/python-peers.ts";
import { driftOf, type Probes } from "./probes.ts";
import { compressRows, errorOf, type Problem } from "./problem.ts";
import { levelOf, type Roofline, rooflineOf, workOf } from "./roofline.ts";
import {
  type BuiltOperations,
  gradientInput,
  loadLayer,
  type Parameters,
  spxContestant,
} from "./spx-contestant.ts";

export interface Timed {
  readonly name: string;
  readonly kind: Contestant["kind"];
  /** Seconds a call: median and quartiles over the rounds. */
  readonly median: number;
  readonly quartiles: readonly [number, number];
  /** Its time over spx's, the median of pairs of one round: above 1, spx is faster. */
  readonly ratio: number;
  /** Against float64; null where results are not compared. */
  readonly error: number | null;
}

export interface CellResult {
  readonly cell: Cell;
  readonly name: string;
  readonly own: Timed;
  readonly peers: readonly Timed[];
  readonly plan: { readonly variant: string; readonly form: string; readonly predicted: number };
  /** Null for passes that go backward: the plan does not say their bytes. */
  readonly roofline: Roofline | null;
  readonly refused: readonly string[];
  /** Largest relative change of a probe from before to after, and how often the cell was run for it. */
  readonly drift: number;
  readonly runs: number;
}

export interface Bench {
  readonly built: BuiltOperations;
  readonly probes: Probes;
  readonly blas: readonly Blas[];
  readonly python: PythonPeers | null;
  readonly rounds: number;
  /** Seconds that a sample lasts. */
  readonly sampleSeconds: number;
  readonly compiled: boolean;
}

const tolerableDrift = 0.1;
const mostRuns = 3;
/** Bytes of copies that no cache of this machine holds: three times the last level. */
const coldShare = 3;

/** @throws Error when spx itself cannot run the cell; a peer that cannot is listed. */
export async function measureCell(bench: Bench, cell: Cell): Promise<CellResult> {
  const { problem, parts, layers, dense } = await loadProblem(bench, cell);
  const refused: string[] = [];
  const contestants = [
    spxContestant("spx", "spx", layers, cell, problem.x, parts.dy.values),
    ...(cell.operation.pass === "forward" && cell.operation.name !== "dense"
      ? [spxContestant("spx dense", "dense", dense, cell, problem.x, parts.dy.values)]
      : []),
    ...nativeContestants(bench, cell, problem, refused),
  ];
  if (bench.python !== null) {
    const { operation, threads } = cell;
    const cores = Array.from({ length: threads }, (_, core) => core);
    const { dy, ...weights } = parts;
    const given = operation.pass === "forward" ? weights : { ...weights, dy };
    const offered = await bench.python.prepare({
      problem,
      group: operation.peers,
      compiled: bench.compiled,
      parts: given,
      cores,
    });
    contestants.push(...offered.contestants);
    refused.push(...offered.refused);
  }
  try {
    return await runUntilSteady(bench, cell, problem, layers[0], contestants, refused);
  } finally {
    for (const contestant of contestants) await contestant.close();
  }
}

async function runUntilSteady(
  bench: Bench,
  cell: Cell,
  problem: Problem,
  layer: Layer<Parameters> | undefined,
  contestants: readonly Contestant[],
  refused: readonly string[],
): Promise<CellResult> {
  if (layer === undefined) throw new Error("no layer");
  for (let runs = 1; ; runs += 1) {
    const before = bench.probes.measure(cell.threads);
    const timed = await timeInTurn(contestants, bench);
    const after = bench.probes.measure(cell.threads);
    const drift = driftOf(before, after);
    if (drift > tolerableDrift && runs < mostRuns) continue;
    const own = timed[0]?.samples ?? [];
    const rows: Timed[] = [];
    for (const [index, contestant] of contestants.entries()) {
      const samples = timed[index]?.samples ?? [];
      const y = await contestant.output();
      rows.push({
        name: contestant.name,
        kind: contestant.kind,
        median: quantile(samples, 0.5),
        quartiles: [quantile(samples, 0.25), quantile(samples, 0.75)],
        ratio: pairedRatio(samples, own),
        error: y === null ? null : errorOf(problem, y),
      });
    }
    const [first, ...peers] = rows;
    const [interval] = layer.plan(cell.batch);
    if (first === undefined || interval === undefined) throw new Error("nothing was timed");
    return {
      cell,
      name: nameOfCell(cell),
      own: first,
      peers,
      plan: { variant: interval.variant, form: interval.form, predicted: interval.nanoseconds / 1e9 },
      roofline: roofline(bench, cell, layer, interval.variant, {
        read: {
          L2: Math.max(before.read.L2, after.read.L2),
          L3: Math.max(before.read.L3, after.read.L3),
          memory: Math.max(before.read.memory, after.read.memory),
        },
        multiplies: Math.max(before.multiplies, after.multiplies),
        permutes: Math.max(before.permutes, after.permutes),
      }),
      refused,
      drift,
      runs,
    };
  }
}

function roofline(
  bench: Bench,
  cell: Cell,
  layer: Layer<Parameters>,
  variant: string,
  rates: ReturnType<Probes["measure"]>,
): Roofline | null {
  if (cell.operation.pass !== "forward") return null;
  const stages = bench.built.stages.get(cell.operation.transform);
  if (stages === undefined) return null;
  const symbols = new Map(Object.entries(layer.arguments));
  for (const [dimension, size] of [
    [stages.plan.rows, cell.out],
    [stages.plan.columns, cell.inputs],
  ] as const)
    if (dimension.kind === "symbol") symbols.set(dimension.name, size);
  const work = workOf(stages.plan, variant, symbols, cell.batch);
  return rooflineOf(
    work,
    rates,
    levelOf(work.bytes, bench.probes.caches, cell.threads, cell.regime === "cold"),
  );
}

async function loadProblem(bench: Bench, cell: Cell) {
  const { out, inputs, batch, threads, operation } = cell;
  const given = { data: randomMatrix(out * inputs, 1, 1 / Math.sqrt(inputs)), shape: [out, inputs] };
  const first = await loadLayer(bench.built, operation, given, threads);
  const weight = first.merge().data;
  const x = randomMatrix(batch * inputs, 2);
  const cold = coldShare * bench.probes.caches.thirdLevel;
  const copies = cell.regime === "hot" ? 1 : Math.max(1, Math.ceil(cold / first.bytes(batch)));
  const layers = [first];
  while (layers.length < copies) layers.push(await loadLayer(bench.built, operation, given, threads));
  const merged = { data: weight, shape: [out, inputs] };
  const denseCopies = cell.regime === "hot" ? 1 : Math.max(1, Math.ceil(cold / weight.byteLength));
  const dense: Layer<Parameters>[] = [];
  if (operation.pass === "forward" && operation.name !== "dense")
    while (dense.length < denseCopies)
      dense.push(await loadLayer(bench.built, { transform: "Dense", numbers: {} }, merged, threads));
  // Packing happens at the first call of a batch: it belongs to loading, not to the calls that are timed.
  for (const layer of [...layers, ...dense]) layer.prepare(batch);
  const stored = weight.reduce((count, value) => count + Number(value !== 0), 0);
  // Compressed rows take a value and a column for each.
  const sparseCopies = cell.regime === "hot" ? 1 : Math.max(1, Math.ceil(cold / (8 * Math.max(1, stored))));
  const problem: Problem = { out, inputs, batch, threads, copies: denseCopies, sparseCopies, weight, x };
  return { problem, layers, dense, parts: partsOf(first, given, batch, cell) };
}

type Part = { readonly values: Float32Array; readonly shape: readonly number[] };

function partsOf(
  layer: Layer<Parameters>,
  given: { readonly data: Float32Array; readonly shape: readonly number[] },
  batch: number,
  { operation, out }: Cell,
): { readonly dy: Part } & Record<string, Part> {
  const parts: Record<string, Part> = { W: { values: given.data, shape: given.shape } };
  for (const [name, parameter] of Object.entries(layer.parameters())) {
    parts[name] = { values: parameter.values, shape: parameter.shape };
    if (!("positions" in parameter)) continue;
    parts[name] = { values: parameter.values, shape: [parameter.values.length] };
    const places = parameter.positions;
    const column = (place: number): number => place % layer.in;
    parts.rows = {
      values: Float32Array.from(places, (place) => Math.floor(Number(place) / layer.in)),
      shape: [places.length],
    };
    parts.columns = {
      values: Float32Array.from(places, (place) => column(Number(place))),
      shape: [places.length],
    };
  }
  const dy = operation.pass === "forward" ? new Float32Array(0) : gradientInput(batch, out);
  return { ...parts, dy: { values: dy, shape: [batch, out] } };
}

function nativeContestants(bench: Bench, cell: Cell, problem: Problem, refused: string[]): Contestant[] {
  if (cell.operation.pass !== "forward") return [];
  const found: Contestant[] = [];
  const attempt = (make: () => NativeProduct): void => {
    try {
      found.push(nativeContestant(problem, make()));
    } catch (failure) {
      refused.push(failure instanceof Error ? failure.message : String(failure));
    }
  };
  for (const blas of bench.blas) {
    attempt(() => plainProduct(blas, problem));
    if (blas.name !== "MKL") continue;
    if (cell.batch > 1) attempt(() => packedProduct(blas, problem));
    const { peers } = cell.operation;
    if (peers !== "sparse" && peers !== "blocks") continue;
    const entries = compressRows(problem.weight, cell.out, cell.inputs);
    attempt(() => sparseProduct(blas, problem, entries));
  }
  return found;
}
