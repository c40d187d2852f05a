/** Exact fractions: the coefficients of dimensions, so that `in / 4 * 4` is `in` and nothing is rounded. */

export interface Rational {
  readonly numerator: bigint;
  /** Positive; no common factor with the numerator. */
  readonly denominator: bigint;
}

export const greatestCommonDivisor = (a: bigint, b: bigint): bigint => {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
};

export const leastCommonMultiple = (a: bigint, b: bigint): bigint =>
  a === 0n || b === 0n ? 0n : (a / greatestCommonDivisor(a, b)) * b;

/** @throws RangeError when `denominator` is zero. */
export function rational(numerator: bigint, denominator = 1n): Rational {
  if (denominator === 0n) throw new RangeError("a fraction needs a denominator other than zero");
  const divisor = greatestCommonDivisor(numerator, denominator) * (denominator < 0n ? -1n : 1n);
  return { numerator: numerator / divisor, denominator: denominator / divisor };
}

export const zero: Rational = rational(0n);
export const one: Rational = rational(1n);

export const addRational = (a: Rational, b: Rational): Rational =>
  rational(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator);

export const multiplyRational = (a: Rational, b: Rational): Rational =>
  rational(a.numerator * b.numerator, a.denominator * b.denominator);

export const negateRational = (a: Rational): Rational => ({
  numerator: -a.numerator,
  denominator: a.denominator,
});

export const invertRational = (a: Rational): Rational => rational(a.denominator, a.numerator);

export const rationalToNumber = (a: Rational): number => Number(a.numerator) / Number(a.denominator);
