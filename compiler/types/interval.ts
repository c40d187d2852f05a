/** Intervals of the reals with infinite ends, closed under the arithmetic of dimensions. */

export interface Interval {
  readonly low: number;
  readonly high: number;
}

export const everything: Interval = { low: -Infinity, high: Infinity };

export const point = (value: number): Interval => ({ low: value, high: value });

export const addIntervals = (a: Interval, b: Interval): Interval => ({
  low: a.low + b.low,
  high: a.high + b.high,
});

/** 0 · ∞ counts as 0: an end is approached, never reached. */
const times = (x: number, y: number): number => (x === 0 || y === 0 ? 0 : x * y);

export function multiplyIntervals(a: Interval, b: Interval): Interval {
  const ends = [times(a.low, b.low), times(a.low, b.high), times(a.high, b.low), times(a.high, b.high)];
  return { low: Math.min(...ends), high: Math.max(...ends) };
}

/** 1 / a; everything when a may be zero. */
export const invertInterval = (a: Interval): Interval =>
  a.low > 0 || a.high < 0 ? { low: 1 / a.high, high: 1 / a.low } : everything;

/** a to a positive whole power. Even powers are never negative. */
export function powerInterval(a: Interval, exponent: number): Interval {
  let power = a;
  for (let step = 1; step < exponent; step += 1) power = multiplyIntervals(power, a);
  return exponent % 2 === 0 ? { low: Math.max(0, power.low), high: power.high } : power;
}

export const intersectIntervals = (a: Interval, b: Interval): Interval => ({
  low: Math.max(a.low, b.low),
  high: Math.min(a.high, b.high),
});
