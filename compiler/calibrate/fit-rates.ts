/**
 * Rates from times: non-negative least squares on the logarithms of predicted over measured times, drawn weakly towards
 * known rates in proportion, and with rows that a busy machine made slow counting less. Pure.
 */
import { median } from "./sample-statistics.ts";

/** One measured time as a combination of rates. */
export interface FitRow {
  /** Nanoseconds that rate number j would take if it were 1 and all others 0. */
  readonly features: readonly number[];
  readonly measured: number;
}

export interface FittedRates {
  readonly rates: readonly number[];
  /** Which of them the rows tell; the others follow the known ones. */
  readonly told: readonly boolean[];
  /** Median over the rows of |log(predicted / measured)|, as a factor: 1.1 is 10 %. */
  readonly medianFactor: number;
}

/** Weight of the known proportions beside one row. */
const drawing = 0.02;
/** A logarithm of predicted over measured from which on a row counts less; twice this: a fifth. */
const roughness = 0.15;
const rounds = 24;
const sweeps = 400;

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);

/**
 * x >= 0 that minimises the weighted sum of (row · x - target)² plus drawing |x - 1|²: one coordinate at a time, which
 * converges.
 */
function solve(
  rows: readonly (readonly number[])[],
  targets: readonly number[],
  weights: readonly number[],
  start: readonly number[],
): number[] {
  const count = start.length;
  const matrix = Array.from({ length: count }, () => new Float64Array(count));
  const right = new Float64Array(count).fill(drawing);
  for (let j = 0; j < count; j++) {
    const line = matrix[j];
    if (line !== undefined) line[j] = drawing;
  }
  for (const [index, row] of rows.entries()) {
    const weight = weights[index] ?? 0;
    for (const [j, left] of row.entries()) {
      if (left === 0) continue;
      right[j] = (right[j] ?? 0) + weight * left * (targets[index] ?? 0);
      const line = matrix[j];
      if (line === undefined) continue;
      for (const [k, other] of row.entries()) line[k] = (line[k] ?? 0) + weight * left * other;
    }
  }
  const x = Float64Array.from(start);
  for (let sweep = 0; sweep < sweeps; sweep++) {
    for (const [j, line] of matrix.entries()) {
      let rest = right[j] ?? 0;
      for (let k = 0; k < count; k++) if (k !== j) rest -= (line[k] ?? 0) * (x[k] ?? 0);
      x[j] = Math.max(0, rest / (line[j] ?? 1));
    }
  }
  return [...x];
}

/** Errors beyond a factor of about e are as good as that: a step goes no further than its line holds. */
const farthest = 1;

/**
 * @param known rates whose proportions hold where the rows are silent; positive.
 * @throws RangeError without rows.
 */
export function fitRates(rows: readonly FitRow[], known: readonly number[]): FittedRates {
  if (rows.length === 0) throw new RangeError("nothing was measured");
  const speed = median(rows.map(({ features, measured }) => measured / dot(features, known)));
  const scaled = rows.map(({ features, measured }) =>
    features.map((feature, j) => (feature * (known[j] ?? 0) * speed) / measured),
  );
  let factors = known.map(() => 1);
  for (let round = 0; round < rounds; round++) {
    // A wide notion of an outlier first: where the known rates are far off, good rows look like bad ones.
    const width = Math.max(roughness, 2 ** -round);
    const ratios = scaled.map((row) => Math.max(dot(row, factors), 1e-6));
    const errors = ratios.map((ratio) => Math.max(-farthest, Math.min(farthest, Math.log(ratio))));
    const next = solve(
      scaled.map((row, index) => row.map((share) => share / (ratios[index] ?? 1))),
      errors.map((error) => 1 - error),
      errors.map((error) => 1 / (1 + (error / width) ** 2)),
      factors,
    );
    factors = factors.map((factor, j) => (factor + (next[j] ?? 0)) / 2);
  }
  const errors = scaled.map((row) => Math.abs(Math.log(Math.max(dot(row, factors), 1e-9))));
  return {
    rates: known.map((rate, j) => rate * speed * (factors[j] ?? 1)),
    told: known.map((_, j) => scaled.reduce((sum, row) => sum + (row[j] ?? 0) ** 2, 0) > drawing),
    medianFactor: Math.exp(median(errors)),
  };
}
