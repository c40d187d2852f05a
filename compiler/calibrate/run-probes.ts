/** Times the variants of one probe case, each alone, in one interleaved run. */
import type { Manifest } from "../../runtime/contract/manifest.ts";
import type { Layer } from "../../runtime/index.ts";
import { predictCost } from "../../runtime/model/choose-variant.ts";
import { allocate } from "../../runtime/native/native-memory.ts";
import { mergeVariant, openForced } from "./forced-variant.ts";
import { type Contestant, repeatedly } from "./interleaved-timing.ts";
import type { ProbeCase } from "./probe-programs.ts";
import { createPulse, type Pulse, timeSteadily } from "./steady-timing.ts";

/** A built file: its artefact's folder and manifest. */
export interface ProbePlace {
  readonly folder: string;
  readonly manifest: Manifest;
}

export interface ProbeTime {
  /** Variant; `backward` for the backward pass, `merge` for forming the weight. */
  readonly variant: string;
  readonly batch: number;
  /** Dimensions and number arguments that the price reads. */
  readonly symbols: Readonly<Record<string, number>>;
  readonly nanoseconds: number;
}

const rounds = 11;
const sampleSeconds = 0.25e-3;
/** What the prices put above this many times the cheapest is never chosen: its price has not to be right. */
const hopeless = 4;

/** The fastest sample in nanoseconds: what other programs on the machine take away is no property of a kernel. */
const fastest = (samples: readonly number[]): number => 1e9 * Math.min(...samples);

/** Values that are neither zeros nor tiny. */
export const probeValues = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => Math.sin(index * 12.9898) * 0.5 + 0.01);

interface LoadedProbe {
  readonly variant: string;
  /** Predicted nanoseconds over the batch. */
  readonly price: (batch: number) => number;
  readonly layer: Layer<never>;
  readonly symbols: Readonly<Record<string, number>>;
}

async function load(
  { folder, manifest }: ProbePlace,
  { transform, numbers, size }: ProbeCase,
  variant: string,
  level: string,
  threads: number,
): Promise<LoadedProbe> {
  const opened = openForced(folder, manifest, transform, variant, level).transform<object, never>(transform);
  const W = { data: probeValues(size[0] * size[1]), shape: size };
  const layer = (await opened.load({ W, ...numbers, seed: 1, threads })) as Layer<never>;
  const found = manifest.transforms.find(({ name }) => name === transform);
  const [rows, columns] = [found?.rows, found?.columns];
  const symbols = {
    ...layer.arguments,
    ...(rows?.kind === "symbol" ? { [rows.name]: size[0] } : {}),
    ...(columns?.kind === "symbol" ? { [columns.name]: size[1] } : {}),
  };
  const priced = found?.plan.variants.find(({ name }) => name === variant);
  const values = new Map(Object.entries(symbols));
  const price = (batch: number): number =>
    priced === undefined ? 0 : predictCost(priced, values, batch, level);
  return { variant, price, layer, symbols };
}

const pulseSize = 384;
const pulseBatch = 16;

/** A dense product on so many threads, by which the machine is watched; `place` has a transform `Dense`. */
export async function openPulse(
  place: ProbePlace,
  threads: number,
): Promise<{ readonly pulse: Pulse; dispose(): void }> {
  const opened = openForced(place.folder, place.manifest, "Dense", "separate/lane-output");
  const W = { data: probeValues(pulseSize * pulseSize), shape: [pulseSize, pulseSize] as const };
  const layer = (await opened
    .transform<object, never>("Dense")
    .load({ W, seed: 1, threads })) as Layer<never>;
  const x = probeValues(pulseBatch * pulseSize);
  const y = new Float32Array(pulseBatch * pulseSize);
  return { pulse: createPulse(() => void layer.forward(x, { y })), dispose: () => layer.dispose() };
}

const samplesOf = async (pulse: Pulse, contestants: readonly Contestant[]) =>
  (await timeSteadily(pulse, contestants, { rounds, sampleSeconds })).map(({ samples }) => samples);

async function timeForward(
  pulse: Pulse,
  loaded: readonly LoadedProbe[],
  { size, batches }: ProbeCase,
): Promise<ProbeTime[]> {
  const found: ProbeTime[] = [];
  for (const batch of batches) {
    const x = probeValues(batch * size[1]);
    const y = new Float32Array(batch * size[0]);
    const limit = hopeless * Math.min(...loaded.map(({ price }) => price(batch)));
    const timed = loaded.filter(({ price }) => price(batch) <= limit);
    const samples = await samplesOf(
      pulse,
      timed.map(({ variant, layer }) => repeatedly(variant, () => void layer.forward(x, { y }))),
    );
    for (const [index, { variant, symbols }] of timed.entries())
      found.push({ variant, batch, symbols, nanoseconds: fastest(samples[index] ?? []) });
  }
  return found;
}

/** The weight is written where a batch of as many rows as it has columns would write its results. */
async function timeMerge(
  pulse: Pulse,
  [probe]: readonly LoadedProbe[],
  { size }: ProbeCase,
): Promise<ProbeTime[]> {
  // A plan without a kernel for it has nothing to tell: the rate stays in proportion to the known one.
  if (probe === undefined) return [];
  const { layer, symbols } = probe;
  const [samples = []] = await samplesOf(pulse, [repeatedly(mergeVariant, mergeCall(layer, size))]);
  return [{ variant: mergeVariant, batch: 1, symbols, nanoseconds: fastest(samples) }];
}

/** A call of a layer that has `mergeVariant` alone; rows have to be whole panels. @throws RangeError where they are not. */
export function mergeCall(layer: Layer<never>, [rows, columns]: readonly [number, number]): () => void {
  if (rows % 16 !== 0) throw new RangeError(`${rows} rows`);
  const x = new Float32Array(columns * columns);
  // As packed operands lie: on a line of the caches, in huge pages.
  const y = allocate(4 * rows * columns).float32();
  return () => void layer.forward(x, { y });
}

async function timeGradients(
  pulse: Pulse,
  [probe]: readonly LoadedProbe[],
  { size, batches }: ProbeCase,
): Promise<ProbeTime[]> {
  if (probe === undefined) return [];
  const found: ProbeTime[] = [];
  for (const batch of batches) {
    const x = probeValues(batch * size[1]);
    const dy = probeValues(batch * size[0]);
    const [samples = []] = await samplesOf(pulse, [
      repeatedly("backward", () => void probe.layer.backward(x, dy)),
    ]);
    found.push({ variant: "backward", batch, symbols: probe.symbols, nanoseconds: fastest(samples) });
  }
  return found;
}

/** @param pulse of as many threads. @throws SpxError when the level does not run here. */
export async function runProbe(
  place: ProbePlace,
  probe: ProbeCase,
  level: string,
  threads: number,
  pulse: Pulse,
): Promise<readonly ProbeTime[]> {
  const found = place.manifest.transforms.find(({ name }) => name === probe.transform);
  if (found === undefined) throw new ReferenceError(probe.transform);
  const { variants } = found.plan;
  const separate = variants.filter(({ merged }) => !merged);
  const names = separate.map(({ name }) => name);
  const wanted = {
    calls: names,
    gradients: names.slice(0, 1),
    merge: found.plan.merge.method === "kernel" ? [mergeVariant] : [],
  }[probe.kind];
  const loaded: LoadedProbe[] = [];
  try {
    for (const name of wanted) loaded.push(await load(place, probe, name, level, threads));
    if (probe.kind === "calls") return await timeForward(pulse, loaded, probe);
    return await (probe.kind === "merge" ? timeMerge : timeGradients)(pulse, loaded, probe);
  } finally {
    for (const { layer } of loaded) layer.dispose();
  }
}
