/**
 * Which alternative serves which batch, from what each costs at a batch. The runtime dispatches by it and `spxc explain`
 * prints it: both read this file, so that what is explained is what happens.
 *
 * Prices are predictions: an alternative that is cheaper by less than `tolerance` is not worth a switch, nor the
 * operands that it would have to be packed.
 */

export interface BatchInterval {
  /** Which alternative, counted from 0. */
  readonly choice: number;
  /** Smallest and largest batch, both inside; null: without end. */
  readonly from: number;
  readonly to: number | null;
}

/** Nanoseconds of an alternative at a batch. */
export type BatchCost = (batch: number) => number;

/** What is chosen costs at most this factor of the cheapest of all, wherever three alternatives suffice for that. */
export const tolerance = 1.03;

/** Alternatives that are kept for one layer: each packs operands of its own. */
export const mostChoices = 3;

/** Batches at which prices are compared: all small ones, then where panels of 16 begin and end, thinning out. */
export const sampledBatches: readonly number[] = [
  ...Array.from({ length: 20 }, (_, index) => index + 1),
  ...[24, 28, 32, 33, 40, 48, 49, 56, 64, 65, 80, 81, 96, 112, 113, 128, 129, 160, 192, 224, 256],
  ...[320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 4096, 8192, 16384],
];

/** Rows: alternatives, columns: sampled batches. */
type Prices = readonly (readonly number[])[];

const priceOf = (prices: Prices, choice: number, sample: number): number =>
  prices[choice]?.[sample] ?? Number.POSITIVE_INFINITY;

const cheapest = (prices: Prices, choices: readonly number[], sample: number): number =>
  Math.min(...choices.map((choice) => priceOf(prices, choice, sample)));

/** The alternatives that are kept: the one that is missed least goes first; of equal ones the later. */
function keptChoices(prices: Prices, samples: readonly number[]): readonly number[] {
  const least = samples.map((sample) => cheapest(prices, [...prices.keys()], sample));
  const loss = (choices: readonly number[]): number =>
    Math.max(...samples.map((sample, index) => cheapest(prices, choices, sample) / (least[index] ?? 1)));
  let kept: readonly number[] = [...prices.keys()];
  while (kept.length > 1) {
    const [next] = kept
      .map((choice) => ({ choice, loss: loss(kept.filter((other) => other !== choice)) }))
      .reverse()
      .sort((a, b) => a.loss - b.loss);
    if (next === undefined || (next.loss > tolerance && kept.length <= mostChoices)) break;
    kept = kept.filter((choice) => choice !== next.choice);
  }
  return kept;
}

/** The last sample from `start` on up to which `choice` stays within the tolerance; less than `start`: not even there. */
function reach(prices: Prices, kept: readonly number[], choice: number, start: number): number {
  const count = prices[choice]?.length ?? 0;
  let sample = start;
  while (sample < count && priceOf(prices, choice, sample) <= tolerance * cheapest(prices, kept, sample))
    sample += 1;
  return sample - 1;
}

/** The batch from which on `later` is cheaper: before `latest`, where it has to serve. */
function crossing(
  costs: readonly BatchCost[],
  [earlier, later]: readonly [number, number],
  first: number,
  latest: number,
): number {
  const isCheaper = (batch: number): boolean =>
    (costs[later]?.(batch) ?? Number.NaN) < (costs[earlier]?.(batch) ?? Number.NaN);
  let [low, high] = [first, latest];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (isCheaper(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * The fewest intervals from batch 1 on in which one of the kept alternatives stays within the tolerance of the
 * cheapest; neighbours change where their prices cross.
 * @throws RangeError when there is no alternative.
 */
export function batchIntervals(costs: readonly BatchCost[]): readonly BatchInterval[] {
  if (costs.length === 0) throw new RangeError("a plan has at least one variant");
  const samples = [...sampledBatches.keys()];
  const prices = costs.map((cost) => sampledBatches.map(cost));
  const kept = keptChoices(prices, samples);
  const runs: { choice: number; first: number; last: number }[] = [];
  for (let start = 0; start < samples.length; ) {
    const reaching = kept.map((choice) => ({ choice, last: reach(prices, kept, choice, start) }));
    const longest = reaching.reduce((best, other) => (other.last > best.last ? other : best));
    runs.push({ choice: longest.choice, first: start, last: longest.last });
    start = longest.last + 1;
  }
  const starts = runs.map(({ choice, first }, index) => {
    const before = runs[index - 1];
    if (before === undefined) return { choice, from: 1 };
    // The later one may already have been within the tolerance for a while: the change is where it becomes cheaper.
    let earliest = first;
    while (
      earliest > before.first + 1 &&
      priceOf(prices, choice, earliest - 1) <= tolerance * cheapest(prices, kept, earliest - 1)
    )
      earliest -= 1;
    const low = (sampledBatches[earliest - 1] ?? 0) + 1;
    const from = crossing(costs, [before.choice, choice], low, sampledBatches[first] ?? low);
    return { choice, from };
  });
  return starts.map(({ choice, from }, index) => {
    const next = starts[index + 1];
    return { choice, from, to: next === undefined ? null : next.from - 1 };
  });
}
