/** Two variants of one layer over a ladder of batches, interleaved, with the spread of their paired ratios. */
import { mergeVariant, openForced } from "../../compiler/calibrate/forced-variant.ts";
import { repeatedly } from "../../compiler/calibrate/interleaved-timing.ts";
import { mergeCall, probeValues } from "../../compiler/calibrate/run-probes.ts";
import { median, pairedRatios, quantile, undisturbed } from "../../compiler/calibrate/sample-statistics.ts";
import { type Pulse, timeSteadily } from "../../compiler/calibrate/steady-timing.ts";
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
  /** What watches the machine; of as many threads. */
  readonly pulse: Pulse;
}

export interface MeasuredRung extends Rung {
  /** The same from the fastest tenth of each side's samples: what is left when others keep the machine busy. */
  readonly undisturbed: number;
  readonly earlierNanoseconds: number;
  readonly laterNanoseconds: number;
  /** Logarithm of the predicted earlier time over the predicted later one. */
  readonly predicted: number;
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
  /** Measured seconds of forming the merged weight, which its side's calls contain; 0 where neither side is merged. */
  readonly mergeSeconds: number;
}

/** Short, so that most samples pass between two interruptions. */
const sampleSeconds = 0.4e-3;

interface LoadedLayer {
  readonly layer: Layer<never>;
  readonly symbols: ReadonlyMap<string, number>;
}

interface Loaded extends LoadedLayer {
  readonly variant: VariantManifest;
}

async function load(
  { folder, manifest, threads, level }: CrossoverOptions,
  transform: string,
  numbers: Readonly<Record<string, number>>,
  size: number,
  variant: string,
): Promise<LoadedLayer> {
  const opened = openForced(folder, manifest, transform, variant, level).transform<object, never>(transform);
  const W = { data: probeValues(size * size), shape: [size, size] as const };
  const layer = (await opened.load({ W, ...numbers, seed: 1, threads })) as Layer<never>;
  const found = manifest.transforms.find(({ name }) => name === transform);
  const symbols = new Map(Object.entries(layer.arguments));
  for (const side of [found?.rows, found?.columns]) if (side?.kind === "symbol") symbols.set(side.name, size);
  return { layer, symbols };
}

/** Predicted nanoseconds over the batch. */
const priceOf =
  ({ variant, symbols }: Loaded, level: string) =>
  (batch: number) =>
    predictCost(variant, symbols, batch, level);

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

/** Seconds of one merge into memory that is there, by its kernel alone: prices leave packing out. */
async function timeMerge(
  options: CrossoverOptions,
  transform: string,
  numbers: Readonly<Record<string, number>>,
  size: number,
): Promise<number> {
  const { pulse, rounds } = options;
  const { layer } = await load(options, transform, numbers, size, mergeVariant);
  const [timing] = await timeSteadily(pulse, [repeatedly(mergeVariant, mergeCall(layer, [size, size]))], {
    rounds: 2 * rounds,
    sampleSeconds,
  });
  layer.dispose();
  return median(timing?.samples ?? []);
}

/** Quartiles of a rung's ratios that lie further apart than this share were taken while something disturbed the machine. */
const wide = 0.2;
const mostRepeats = 3;

/** The narrowest of some attempts at a rung; the first that is not wide. What was predicted has no say in it. */
async function timeRungQuietly(...of: Parameters<typeof timeRung>): Promise<MeasuredRung> {
  const widthOf = ({ quartiles: [low, high], advantage }: MeasuredRung): number =>
    (high - low) / Math.exp(advantage);
  let best = await timeRung(...of);
  for (let repeat = 0; repeat < mostRepeats && widthOf(best) > wide; repeat++) {
    const again = await timeRung(...of);
    if (widthOf(again) < widthOf(best)) best = again;
  }
  return best;
}

/** @param merges seconds that each side adds to a call for merging. */
async function timeRung(
  { pulse, level, rounds }: CrossoverOptions,
  [earlier, later]: readonly [Loaded, Loaded],
  merges: readonly [number, number],
  size: number,
  batch: number,
): Promise<MeasuredRung> {
  const x = probeValues(batch * size);
  const y = new Float32Array(batch * size);
  const contestants = [earlier, later].map(({ variant, layer }) =>
    repeatedly(variant.name, () => void layer.forward(x, { y })),
  );
  const timings = await timeSteadily(pulse, contestants, { rounds, sampleSeconds });
  const [first = [], second = []] = timings.map(({ samples }, side) =>
    samples.map((sample) => sample + (merges[side] ?? 0)),
  );
  const ratios = pairedRatios(first, second);
  return {
    batch,
    advantage: Math.log(median(ratios)),
    predicted: Math.log(priceOf(earlier, level)(batch) / priceOf(later, level)(batch)),
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
  const { manifest, level } = options;
  const found = manifest.transforms.find(({ name }) => name === transform);
  const [first] = found?.plan.variants ?? [];
  if (found === undefined || first === undefined) throw new ReferenceError(transform);
  const sample = await load(options, transform, numbers, size, first.name);
  sample.layer.dispose();
  const results: MeasuredCrossover[] = [];
  for (const pair of pairsOf(found.plan.variants, sample.symbols, level)) {
    const [earlier, later] = [
      { variant: pair[0], ...(await load(options, transform, numbers, size, pair[0].name)) },
      { variant: pair[1], ...(await load(options, transform, numbers, size, pair[1].name)) },
    ];
    const predicted = predictedCrossover(priceOf(earlier, level), priceOf(later, level));
    const batches = predicted === null ? everywhere : ladderAround(Math.min(predicted, largestBatch));
    const mergeOf = async ({ variant }: Loaded): Promise<number> =>
      variant.merged ? await timeMerge(options, transform, numbers, size) : 0;
    const merges = [await mergeOf(earlier), await mergeOf(later)] as const;
    const rungs: MeasuredRung[] = [];
    for (const batch of batches)
      rungs.push(await timeRungQuietly(options, [earlier, later], merges, size, batch));
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
      mergeSeconds: Math.max(...merges),
    });
    earlier.layer.dispose();
    later.layer.dispose();
  }
  return results;
}
