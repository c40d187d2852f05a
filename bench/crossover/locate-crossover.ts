/** Where one time becomes longer than another over the batch: predicted from prices, measured from noisy ratios. Pure. */

/** Nanoseconds at a batch. */
export type TimeAt = (batch: number) => number;

/** Batches above this are not looked at. */
export const largestBatch = 4096;

/** Tokens of a panel, which a lane-token kernel computes whole. */
const panel = 16;

/**
 * Where two variants are compared: every batch of the first panel, then full panels. With a lane a token the time over
 * the batch is a staircase, whose steps cross a sloping line several times; over full panels both are lines.
 */
const isCompared = (batch: number): boolean => batch <= panel || batch % panel === 0;

/** Between two batches the logarithm of the ratio is taken as a line over the logarithm of the batch. */
const between = (below: Rung, above: Rung): number => {
  const [low, high] = [Math.min(below.advantage, -1e-9), Math.max(above.advantage, 1e-9)];
  const share = -low / (high - low);
  return Math.exp(Math.log(below.batch) + share * (Math.log(above.batch) - Math.log(below.batch)));
};

/**
 * The first of the compared batches, as a real number, from which on `later` takes less time than `earlier`; null when it
 * never does up to `largestBatch`, or already does at 1.
 */
export function predictedCrossover(earlier: TimeAt, later: TimeAt): number | null {
  const rungAt = (batch: number): Rung => ({ batch, advantage: Math.log(earlier(batch) / later(batch)) });
  let before = rungAt(1);
  if (before.advantage > 0) return null;
  for (let batch = 2; batch <= largestBatch; batch++) {
    if (!isCompared(batch)) continue;
    const now = rungAt(batch);
    if (now.advantage > 0) return between(before, now);
    before = now;
  }
  return null;
}

/** Factors of the predicted crossover at which both are timed. */
const factors = [0.4, 0.55, 0.7, 0.85, 1, 1.2, 1.45, 1.8, 2.4] as const;

/** Compared batches around a crossover. */
export function ladderAround(crossover: number): readonly number[] {
  const batches = factors.map((factor) => {
    const batch = Math.max(1, Math.round(crossover * factor));
    return batch <= panel ? batch : Math.min(2 * largestBatch, panel * Math.round(batch / panel));
  });
  return [...new Set(batches)].sort((a, b) => a - b);
}

/** One rung: the logarithm of the earlier time over the later one. */
export interface Rung {
  readonly batch: number;
  readonly advantage: number;
}

/**
 * The batch at which the advantage changes sign, between the two rungs that disagree least with all others: a wrong sign
 * counts by its size. Null when one side is faster on every rung.
 */
export function measuredCrossover(rungs: readonly Rung[]): number | null {
  const cost = (cut: number): number =>
    rungs.reduce((sum, { advantage }, index) => {
      const isWrong = index < cut ? advantage > 0 : advantage <= 0;
      return sum + (isWrong ? Math.abs(advantage) : 0);
    }, 0);
  const cuts = Array.from({ length: rungs.length + 1 }, (_, cut) => cut);
  const best = cuts.reduce((least, cut) => (cost(cut) < cost(least) ? cut : least), 0);
  const [below, above] = [rungs[best - 1], rungs[best]];
  if (below === undefined || above === undefined) return null;
  return between(below, above);
}
