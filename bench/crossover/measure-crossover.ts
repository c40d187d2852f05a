/** Two variants of one layer over a ladder of batches, interleaved, with the spread of their paired ratios. */
import { openForced } from "../../compiler/calibrate/forced-variant.ts";
import { repeatedly, timeInTurn } from "../../compiler/calibrate/interleaved-timing.ts";
import { probeValues } from "../../compiler/calibrate/run-probes.ts";
import { median, pairedRatios, quantile, undisturbed } from "../../compiler/calibrate/sample-statistics.ts";
import type { Manifest, VariantManifest } from "../../runtime/contract/manifest.ts";
import type { Layer } from "../../runtime/index.ts";
import { chooseVariants, predictCost } from "../../runtime/model/choose-variant.ts";
import {
  ladderAround,
  largestBatch,
  measuredCrossover,
  predictedCrossover,
  type Rung,
} from "./locate-crossover.ts";

export interface CrossoverOptions {
  readonly folder: string;
  readonly manifest: Manifest;
  readonly threads: number;
  readonly rounds: number;
  readonly level: string;
}

export interface MeasuredRung extends Rung {
  /** The same from the fastest tenth of each side's samples: what is left when others keep the machine busy. */
  readonly undisturbed: number;
  readonly earlierNanoseconds: number;
  readonly laterNanoseconds: number;
  /** First and third quartile of the paired ratios earlier over later. */
  readonly quartiles: readonly [number, number];
}

export interface MeasuredCrossover {
  readonly size: number;
  /** The variant for smaller batches, and the one for larger ones. */
  readonly earlier: string;
  readonly later: string;
  /** Null: they never cross, or not below `largestBatch`. */
  readonly predicted: number | null;
  /** From the medians of paired ratios. */
  readonly measured: number | null;
  /** From the fastest tenth of each side's samples; as `measured` on a quiet machine. */
  readonly undisturbed: number | null;
  readonly rungs: readonly MeasuredRung[];
}

/** Short, so that most samples pass between two interruptions. */
const sampleSeconds = 0.4e-3;

interface Loaded {
  readonly variant: VariantManifest;
  readonly layer: Layer<never>;
  readonly symbols: ReadonlyMap<string, number>;
}

async function load(
  { folder, manifest, threads, level }: CrossoverOptions,
  transform: string,
  numbers: Readonly<Record<string, number>>,
  size: number,
  variant: VariantManifest,
): Promise<Loaded> {
  const opened = openForced(folder, manifest, transform, variant.name, level).transform<object, never>(
    transform,
  );
  const W = { data: probeValues(size * size), shape: [size, size] as const };
  const layer = (await opened.load({ W, ...numbers, seed: 1, threads })) as Layer<never>;
  const found = manifest.transforms.find(({ name }) => name === transform);
  const symbols = new Map(Object.entries(layer.arguments));
  for (const side of [found?.rows, found?.columns]) if (side?.kind === "symbol") symbols.set(side.name, size);
  return { variant, layer, symbols };
}

/** Pairs that follow one another in the dispatch, each once; with the best two when one variant serves all batches. */
function pairsOf(
  variants: readonly VariantManifest[],
  symbols: ReadonlyMap<string, number>,
  level: string,
): readonly (readonly [VariantManifest, VariantManifest])[] {
  const chosen = chooseVariants(variants, symbols, level).map(({ variant }) => variant);
  const order = [...new Set(chosen)];
  const pairs = order.slice(1).map((later, index) => [order[index] ?? later, later] as const);
  if (pairs.length > 0) return pairs;
  const [only] = order;
  const others = variants
    .filter((variant) => variant !== only)
    .map((variant) => ({ variant, price: predictCost(variant, symbols, 64, level) }))
    .sort((a, b) => a.price - b.price);
  return only === undefined || others[0] === undefined ? [] : [[only, others[0].variant]];
}

/** Batches that show that two variants do not cross. */
const everywhere = [1, 4, 16, 64, 256, 1024];

/**
 * Seconds of one merge: what a call of the merged variant takes longer after parameters changed than without, less what
 * packing them takes, which a separate variant with the same operands tells.
 */
async function timeMerge(merged: Loaded, separate: Loaded, size: number, rounds: number): Promise<number> {
  const x = probeValues(size);
  const y = new Float32Array(size);
  const call =
    ({ layer }: Loaded) =>
    () =>
      void layer.forward(x, { y });
  const anew = (loaded: Loaded) => () => {
    loaded.layer.updated();
    call(loaded)();
  };
  const contestants = [
    repeatedly("merged anew", anew(merged)),
    repeatedly("separate anew", anew(separate)),
    repeatedly("merged", call(merged)),
    repeatedly("separate", call(separate)),
  ];
  const timings = await timeInTurn(contestants, { rounds: 2 * rounds, sampleSeconds });
  const [a = [], b = [], c = [], d = []] = timings.map(({ samples }) => samples);
  // Packing takes longer than merging: its spread must not stay in the difference, so that rounds are compared with themselves.
  const further = (one: readonly number[], other: readonly number[]): number =>
    median(one.map((sample, round) => sample - (other[round] ?? Number.NaN)));
  return Math.max(0, further(a, b) - further(c, d));
}

/** @param merges seconds that each side adds to a call for merging. */
async function timeRung(
  [earlier, later]: readonly [Loaded, Loaded],
  merges: readonly [number, number],
  size: number,
  batch: number,
  rounds: number,
): Promise<MeasuredRung> {
  const x = probeValues(batch * size);
  const y = new Float32Array(batch * size);
  const contestants = [earlier, later].map(({ variant, layer }) =>
    repeatedly(variant.name, () => void layer.forward(x, { y })),
  );
  const timings = await timeInTurn(contestants, { rounds, sampleSeconds });
  const [first = [], second = []] = timings.map(({ samples }, side) =>
    samples.map((sample) => sample + (merges[side] ?? 0)),
  );
  const ratios = pairedRatios(first, second);
  return {
    batch,
    advantage: Math.log(median(ratios)),
    undisturbed: Math.log(undisturbed(first) / undisturbed(second)),
    earlierNanoseconds: 1e9 * median(first),
    laterNanoseconds: 1e9 * median(second),
    quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
  };
}

export async function measureCrossovers(
  options: CrossoverOptions,
  transform: string,
  numbers: Readonly<Record<string, number>>,
  size: number,
): Promise<readonly MeasuredCrossover[]> {
  const { manifest, level, rounds } = options;
  const found = manifest.transforms.find(({ name }) => name === transform);
  const [first] = found?.plan.variants ?? [];
  if (found === undefined || first === undefined) throw new ReferenceError(transform);
  const sample = await load(options, transform, numbers, size, first);
  sample.layer.dispose();
  const results: MeasuredCrossover[] = [];
  for (const pair of pairsOf(found.plan.variants, sample.symbols, level)) {
    const [earlier, later] = [
      await load(options, transform, numbers, size, pair[0]),
      await load(options, transform, numbers, size, pair[1]),
    ];
    const price =
      ({ variant, symbols }: Loaded) =>
      (batch: number) =>
        predictCost(variant, symbols, batch, level);
    const predicted = predictedCrossover(price(earlier), price(later));
    const batches = predicted === null ? everywhere : ladderAround(Math.min(predicted, largestBatch));
    const source = found.plan.variants.find(({ merged, layout }) => !merged && layout === "lane-output");
    const separate = source === undefined ? earlier : await load(options, transform, numbers, size, source);
    const mergeOf = async (side: Loaded): Promise<number> =>
      side.variant.merged ? await timeMerge(side, separate, size, rounds) : 0;
    const merges = [await mergeOf(earlier), await mergeOf(later)] as const;
    const rungs: MeasuredRung[] = [];
    for (const batch of batches) rungs.push(await timeRung([earlier, later], merges, size, batch, rounds));
    if (separate !== earlier) separate.layer.dispose();
    results.push({
      size,
      earlier: pair[0].name,
      later: pair[1].name,
      predicted,
      measured: measuredCrossover(rungs),
      undisturbed: measuredCrossover(
        rungs.map(({ batch, undisturbed }) => ({ batch, advantage: undisturbed })),
      ),
      rungs,
    });
    earlier.layer.dispose();
    later.layer.dispose();
  }
  return results;
}
