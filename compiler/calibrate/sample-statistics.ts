/** What is made of samples: quantiles and ratios of pairs. Pure. */

/** Between the two nearest samples; NaN without samples. `at` in [0, 1]. */
export function quantile(values: readonly number[], at: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = at * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (place - Math.floor(place)) * (above - below);
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** The lower tenth of the samples: what other programs on the machine take away is no property of a kernel. */
export const undisturbed = (values: readonly number[]): number => quantile(values, 0.1);

/** `first` over `second`, each pair of one round. */
export const pairedRatios = (first: readonly number[], second: readonly number[]): readonly number[] =>
  first.map((sample, round) => sample / (second[round] ?? Number.NaN));

export const pairedRatio = (first: readonly number[], second: readonly number[]): number =>
  median(pairedRatios(first, second));

/** 1 for no values. */
export const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / Math.max(1, values.length));
