/** Every variant of one transform at one size, interleaved, against its predicted time. */

import { openForced } from "../../compiler/calibrate/forced-variant.ts";
import { timeInterleaved } from "../../compiler/calibrate/interleaved-timing.ts";
import type { Manifest } from "../../runtime/contract/manifest.ts";
import type { Layer } from "../../runtime/index.ts";
import { predictCost } from "../../runtime/model/choose-variant.ts";

export interface MeasuredVariant {
  readonly transform: string;
  readonly numbers: Readonly<Record<string, number>>;
  readonly out: number;
  readonly inputs: number;
  readonly batch: number;
  readonly variant: string;
  /** Of one interleaved run, in nanoseconds: see `undisturbed`. */
  readonly measured: number;
  readonly predicted: number;
}

export interface MeasuringOptions {
  readonly folder: string;
  readonly manifest: Manifest;
  readonly batches: readonly number[];
  readonly rounds: number;
  readonly threads: number;
}

/** The lower tenth of the samples: what other programs on the machine take away is no property of a kernel. */
function undisturbed(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 10)] ?? Number.NaN;
}

interface LoadedVariant {
  readonly name: string;
  readonly layer: Layer;
  predicted(batch: number): number;
}

const noise = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => Math.sin(index * 12.9898) * 0.5);

/** Merged variants are dense products: measured once, by the transform that is nothing else. */
async function loadVariants(
  { folder, manifest, threads }: MeasuringOptions,
  transform: string,
  numbers: Readonly<Record<string, number>>,
  size: readonly [number, number],
): Promise<LoadedVariant[]> {
  const found = manifest.transforms.find(({ name }) => name === transform);
  if (found === undefined) throw new ReferenceError(transform);
  const W = { data: noise(size[0] * size[1]), shape: size };
  const loaded: LoadedVariant[] = [];
  for (const variant of found.plan.variants.filter(({ merged }) => !merged)) {
    const opened = openForced(folder, manifest, transform, variant.name).transform<object, never>(transform);
    const layer = (await opened.load({ W, ...numbers, seed: 1, threads })) as Layer;
    const [rows, columns] = [found.rows, found.columns];
    const symbols = new Map(Object.entries(layer.arguments));
    if (rows.kind === "symbol") symbols.set(rows.name, size[0]);
    if (columns.kind === "symbol") symbols.set(columns.name, size[1]);
    const level = layer.plan()[0]?.level ?? "";
    loaded.push({
      name: variant.name,
      layer,
      predicted: (batch) => predictCost(variant, symbols, batch, level),
    });
  }
  return loaded;
}

export async function measureVariants(
  options: MeasuringOptions,
  transform: string,
  numbers: Readonly<Record<string, number>>,
  size: readonly [number, number],
): Promise<MeasuredVariant[]> {
  const loaded = await loadVariants(options, transform, numbers, size);
  const [out, inputs] = size;
  const rows = options.batches.flatMap((batch) => {
    const x = noise(batch * inputs);
    const y = new Float32Array(batch * out);
    const contestants = loaded.map(({ name, layer }) => ({ name, run: () => void layer.forward(x, { y }) }));
    const timings = timeInterleaved(contestants, options.rounds, 0.3e-3);
    return loaded.map(({ name, predicted }, index): MeasuredVariant => {
      const measured = 1e9 * undisturbed(timings[index]?.samples ?? []);
      return { transform, numbers, out, inputs, batch, variant: name, measured, predicted: predicted(batch) };
    });
  });
  for (const { layer } of loaded) layer.dispose();
  return rows;
}
