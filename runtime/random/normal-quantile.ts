/**
 * The standard normal distribution function, inverted: Wichura, algorithm AS 241 (PPND16), Applied Statistics
 * 37 (1988), relative accuracy about 1e-16. It uses nothing but additions, multiplications, divisions and
 * square roots, which IEEE 754 rounds in one way only, and a logarithm written here from the same operations:
 * `Math.log`, `Math.cos` and their like may differ between engines and their versions, and initial values must
 * not.
 */

// Coefficients of AS 241, constant term first: numerator and denominator for each of the three ranges.
const centralNumerator = [
  3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987,
  67265.7709270087, 33430.57558358813, 2509.0809287301227,
];
const centralDenominator = [
  1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
  28729.085735721943, 5226.495278852854,
];
const middleNumerator = [
  1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
  0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
];
const middleDenominator = [
  1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
  0.0005475938084995345, 1.0507500716444169e-9,
];
const tailNumerator = [
  6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124,
  0.0012426609473880784, 2.7115555687434876e-5, 2.0103343992922881e-7,
];
const tailDenominator = [
  1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133,
  1.8463183175100548e-5, 1.421511758316446e-7, 2.0442631033899397e-15,
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
  for (let index = coefficients.length - 1; index >= 0; index -= 1)
    value = value * x + (coefficients[index] ?? 0);
  return value;
}

const ln2High = 0.6931471803691238;
const ln2Low = 1.9082149292705877e-10;
/** Coefficients of the series in s² of log((1 + s) / (1 - s)) - 2s, fitted as in FreeBSD's e_log.c. */
const logSeries = [
  0.6666666666666735, 0.3999999999940942, 0.2857142874366239, 0.22222198432149784, 0.1818357216161805,
  0.15313837699209373, 0.14798198605116586,
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
