/**
 * The standard normal distribution function, inverted: Wichura, algorithm AS 241 (PPND16), Applied Statistics
 * 37 (1988), relative accuracy about 1e-16. It uses nothing but additions, multiplications, divisions and
 * square roots, which IEEE 754 rounds in one way only, and a logarithm written here from the same operations:
 * `Math.log`, `Math.cos` and their like may differ between engines and their versions, and initial values must
 * not.
 */

// Coefficients of AS 241, constant term first: numerator and denominator for each of the three ranges.
const centralNumerator = [
  3.387132872796366608, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
  4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3,
];
const centralDenominator = [
  1, 4.2313330701600911252e1, 6.871870074920579083e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
  3.930789580009271061e4, 2.8729085735721942674e4, 5.226495278852854561e3,
];
const middleNumerator = [
  1.42343711074968357734, 4.6303378461565452959, 5.7694972214606914055, 3.64784832476320460504,
  1.27045825245236838258, 2.4178072517745061177e-1, 2.27238449892691845833e-2, 7.7454501427834140764e-4,
];
const middleDenominator = [
  1, 2.05319162663775882187, 1.6763848301838038494, 6.8976733498510000455e-1, 1.4810397642748007459e-1,
  1.51986665636164571966e-2, 5.475938084995344946e-4, 1.05075007164441684324e-9,
];
const tailNumerator = [
  6.6579046435011037772, 5.4637849111641143699, 1.7848265399172913358, 2.9656057182850489123e-1,
  2.6532189526576123093e-2, 1.2426609473880784386e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
];
const tailDenominator = [
  1, 5.9983220655588793769e-1, 1.3692988092273580531e-1, 1.48753612908506148525e-2, 7.868691311456132591e-4,
  1.8463183175100546818e-5, 1.4215117583164458887e-7, 2.04426310338993978564e-15,
];

/** The z with P(Z < z) = p for a standard normal Z; 0 < p < 1. */
export function normalQuantile(p: number): number {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (q * polynomial(centralNumerator, r)) / polynomial(centralDenominator, r);
  }
  const r = Math.sqrt(-naturalLogarithm(q < 0 ? p : 1 - p));
  const magnitude =
    r <= 5
      ? polynomial(middleNumerator, r - 1.6) / polynomial(middleDenominator, r - 1.6)
      : polynomial(tailNumerator, r - 5) / polynomial(tailDenominator, r - 5);
  return q < 0 ? -magnitude : magnitude;
}

function polynomial(coefficients: readonly number[], x: number): number {
  let value = 0;
  for (let index = coefficients.length - 1; index >= 0; index -= 1) value = value * x + (coefficients[index] ?? 0);
  return value;
}

const ln2High = 6.9314718036912381649e-1;
const ln2Low = 1.90821492927058770002e-10;
/** Coefficients of the series in s² of log((1 + s) / (1 - s)) - 2s, fitted as in FreeBSD's e_log.c. */
const logSeries = [
  6.666666666666735130e-1, 3.999999999940941908e-1, 2.857142874366239149e-1, 2.222219843214978396e-1,
  1.818357216161805012e-1, 1.531383769920937332e-1, 1.479819860511658591e-1,
];

/** log(x) for a normal positive x, error below one unit in the last place. */
function naturalLogarithm(x: number): number {
  let exponent = 0;
  let fraction = x;
  // Scaling by 2 is exact; the loop is short because the arguments here are at least 2^-33.
  for (; fraction < Math.SQRT1_2; exponent -= 1) fraction *= 2;
  for (; fraction > Math.SQRT2; exponent += 1) fraction /= 2;
  const f = fraction - 1;
  const s = f / (2 + f);
  const z = s * s;
  const remainder = z * polynomial(logSeries, z);
  const halfSquare = 0.5 * f * f;
  return exponent * ln2High - (halfSquare - (s * (halfSquare + remainder) + exponent * ln2Low) - f);
}
