/** Times the variants of one probe case, each alone, in one interleaved run. */
import type { Manifest } from "../../runtime/contract/manifest.ts";
import type { Layer } from "../../runtime/index.ts";
import { openForced } from "./forced-variant.ts";
import { type Contestant, repeatedly, timeInTurn } from "./interleaved-timing.ts";
import type { ProbeCase } from "./probe-programs.ts";

/** A built file: its artefact's folder and manifest. */
export interface ProbePlace {
  readonly folder: string;
  readonly manifest: Manifest;
}

export interface ProbeTime {
  /** Variant; `backward` for the backward pass. */
  readonly variant: string;
  readonly batch: number;
  /** Dimensions and number arguments that the price reads. */
  readonly symbols: Readonly<Record<string, number>>;
  readonly nanoseconds: number;
}

const rounds = 11;
const sampleSeconds = 0.25e-3;

/** The fastest sample in nanoseconds: what other programs on the machine take away is no property of a kernel. */
const fastest = (samples: readonly number[]): number => 1e9 * Math.min(...samples);

/** Values that are neither zeros nor tiny. */
export const probeValues = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => Math.sin(index * 12.9898) * 0.5 + 0.01);

interface LoadedProbe {
  readonly variant: string;
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
  return {
    variant,
    layer,
    symbols: {
      ...layer.arguments,
      ...(rows?.kind === "symbol" ? { [rows.name]: size[0] } : {}),
      ...(columns?.kind === "symbol" ? { [columns.name]: size[1] } : {}),
    },
  };
}

async function times(contestants: readonly Contestant[]): Promise<readonly number[]> {
  const timings = await timeInTurn(contestants, { rounds, sampleSeconds });
  return timings.map(({ samples }) => fastest(samples));
}

async function timeForward(
  loaded: readonly LoadedProbe[],
  { size, batches }: ProbeCase,
): Promise<ProbeTime[]> {
  const found: ProbeTime[] = [];
  for (const batch of batches) {
    const x = probeValues(batch * size[1]);
    const y = new Float32Array(batch * size[0]);
    const measured = await times(
      loaded.map(({ variant, layer }) => repeatedly(variant, () => void layer.forward(x, { y }))),
    );
    for (const [index, { variant, symbols }] of loaded.entries())
      found.push({ variant, batch, symbols, nanoseconds: measured[index] ?? Number.NaN });
  }
  return found;
}

/** What a call of the merged variant takes with its merge: both sides pack the parameters anew, which cancels. */
async function timeMerge(
  [merged, separate]: readonly LoadedProbe[],
  { size }: ProbeCase,
): Promise<ProbeTime[]> {
  // A plan that never merges has nothing to tell: the rate stays in proportion to the known one.
  if (merged === undefined || separate === undefined) return [];
  const x = probeValues(size[1]);
  const y = new Float32Array(size[0]);
  const after =
    ({ layer }: LoadedProbe) =>
    () => {
      layer.updated();
      layer.forward(x, { y });
    };
  const contestants = [
    repeatedly("merged anew", after(merged)),
    repeatedly("separate anew", after(separate)),
    repeatedly("separate", () => void separate.layer.forward(x, { y })),
  ];
  const [anew = 0, packed = 0, call = 0] = await times(contestants);
  const nanoseconds = Math.max(anew - packed + call, 1);
  return [{ variant: merged.variant, batch: 1, symbols: merged.symbols, nanoseconds }];
}

async function timeGradients(
  [probe]: readonly LoadedProbe[],
  { size, batches }: ProbeCase,
): Promise<ProbeTime[]> {
  if (probe === undefined) return [];
  const found: ProbeTime[] = [];
  for (const batch of batches) {
    const x = probeValues(batch * size[1]);
    const dy = probeValues(batch * size[0]);
    const [nanoseconds = 0] = await times([repeatedly("backward", () => void probe.layer.backward(x, dy))]);
    found.push({ variant: "backward", batch, symbols: probe.symbols, nanoseconds });
  }
  return found;
}

/** @throws SpxError when the level does not run here. */
export async function runProbe(
  place: ProbePlace,
  probe: ProbeCase,
  level: string,
  threads: number,
): Promise<readonly ProbeTime[]> {
  const found = place.manifest.transforms.find(({ name }) => name === probe.transform);
  if (found === undefined) throw new ReferenceError(probe.transform);
  const { variants } = found.plan;
  const separate = variants.filter(({ merged }) => !merged);
  const wanted =
    probe.kind === "calls"
      ? separate
      : probe.kind === "gradients"
        ? separate.slice(0, 1)
        : [...variants.filter(({ merged }) => merged).slice(0, 1), ...separate.slice(0, 1)];
  const loaded: LoadedProbe[] = [];
  try {
    for (const { name } of wanted) loaded.push(await load(place, probe, name, level, threads));
    if (probe.kind === "calls") return await timeForward(loaded, probe);
    return await (probe.kind === "merge" ? timeMerge(loaded, probe) : timeGradients(loaded, probe));
  } finally {
    for (const { layer } of loaded) layer.dispose();
  }
}
