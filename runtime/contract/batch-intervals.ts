/**
 * Which alternative serves which batch, from what each costs at a batch. The runtime dispatches by it and `spxc explain`
 * prints it: both read this file, so that what is explained is what happens.
 *
 * Prices are predictions, known to be off by up to `priceError`. Every change of the alternative, and every alternative
 * beyond the first, which packs operands of its own, therefore has to earn more than such an error over the batches
 * that it serves.
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
export const priceError = 1.1;

/** Alternatives that are kept for one layer: each packs operands of its own. */
export const mostChoices = 3;

/** Batches at which prices are compared: all small ones, then where panels of 16 begin and end, thinning out. */
export const sampledBatches: readonly number[] = [
  ...Array.from({ length: 20 }, (_, index) => index + 1),
  ...[24, 28, 32, 33, 40, 48, 49, 56, 64, 65, 80, 81, 96, 112, 113, 128, 129, 160, 192, 224, 256],
  ...[320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 4096, 8192, 16384],
];

/** Sampled batches at which a change has to save `priceError`, or more batches at which it saves less. */
const chargedSamples = 2;
const charge = chargedSamples * Math.log(priceError);
/** What lies beyond the error is avoided before all else. */
const beyondError = 1e6;

/** What each alternative loses at each sample: the logarithm of its price over the least. */
type Losses = readonly (readonly number[])[];

function lossesOf(costs: readonly BatchCost[]): Losses {
  const prices = costs.map((cost) => sampledBatches.map(cost));
  const least = sampledBatches.map((_, sample) =>
    Math.min(...prices.map((row) => row[sample] ?? Number.POSITIVE_INFINITY)),
  );
  return prices.map((row) =>
    row.map((price, sample) => {
      const loss = Math.log(price / (least[sample] ?? price));
      return loss + beyondError * Math.max(0, loss - Math.log(priceError));
    }),
  );
}

/** Alternatives that are somewhere the first of the cheapest: nobody misses the others. */
const winnersOf = (losses: Losses): readonly number[] => [
  ...new Set(sampledBatches.map((_, sample) => losses.findIndex((row) => row[sample] === 0))),
];

/** Every set of one up to `mostChoices` members; fewer members first. */
function smallSets(members: readonly number[]): readonly (readonly number[])[] {
  let last: readonly (readonly number[])[] = [[]];
  const found: (readonly number[])[] = [];
  for (let size = 1; size <= mostChoices; size++) {
    last = last.flatMap((set) =>
      members.filter((member) => member > (set.at(-1) ?? -1)).map((member) => [...set, member]),
    );
    found.push(...last);
  }
  return found;
}

/** The alternatives of consecutive samples. */
interface Path {
  readonly choice: number;
  /** Losses and charges together. */
  readonly cost: number;
  readonly before: Path | null;
}

const cheaper = (best: Path, other: Path): Path => (other.cost < best.cost ? other : best);

/** The cheapest path over all samples that has only these alternatives. */
function cheapestPath(losses: Losses, choices: readonly number[]): Path | null {
  const start = charge * (choices.length - 1);
  let paths: readonly Path[] = [];
  for (const sample of sampledBatches.keys()) {
    const before = paths;
    paths = choices.map((choice) => {
      const loss = losses[choice]?.[sample] ?? Number.POSITIVE_INFINITY;
      const ways = before.map(
        (path): Path => ({
          choice,
          cost: path.cost + loss + (path.choice === choice ? 0 : charge),
          before: path,
        }),
      );
      const [first, ...others] = ways;
      return first === undefined
        ? { choice, cost: start + loss, before: null }
        : others.reduce(cheaper, first);
    });
  }
  const [first, ...others] = paths;
  return first === undefined ? null : others.reduce(cheaper, first);
}

/** The alternative that serves each sample. */
function servingChoices(losses: Losses): readonly number[] {
  const paths = smallSets(winnersOf(losses)).flatMap((choices) => cheapestPath(losses, choices) ?? []);
  const [first, ...others] = paths;
  const choices: number[] = [];
  for (let path = first && others.reduce(cheaper, first); path !== undefined; path = path.before ?? undefined)
    choices.push(path.choice);
  return choices.reverse();
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
 * Intervals from batch 1 on, with few changes and as little loss as they allow: see above. Neighbours change where their
 * prices cross.
 * @throws RangeError when there is no alternative.
 */
export function batchIntervals(costs: readonly BatchCost[]): readonly BatchInterval[] {
  if (costs.length === 0) throw new RangeError("a plan has at least one variant");
  const serving = servingChoices(lossesOf(costs));
  const starts = serving.flatMap((choice, sample) => {
    const before = serving[sample - 1];
    if (before === choice) return [];
    const latest = sampledBatches[sample] ?? 1;
    const first = (sampledBatches[sample - 1] ?? 0) + 1;
    return [{ choice, from: before === undefined ? 1 : crossing(costs, [before, choice], first, latest) }];
  });
  return starts.map(({ choice, from }, index) => {
    const next = starts[index + 1];
    return { choice, from, to: next === undefined ? null : next.from - 1 };
  });
}
