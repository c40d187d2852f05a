/** Sums of monomials with fractional coefficients over atoms, added, multiplied and divided where that is exact. */
import { type NumberExpression, printNumber } from "../../runtime/contract/number-expression.ts";
import {
  addRational,
  invertRational,
  multiplyRational,
  negateRational,
  one,
  type Rational,
} from "./rational.ts";

export type Atom =
  | { readonly kind: "expression"; readonly expression: NumberExpression }
  /** 1 / sum, for a divisor that is no monomial. */
  | { readonly kind: "inverse"; readonly of: Polynomial };

export interface Monomial {
  readonly coefficient: Rational;
  /** Atom text → exponent, never 0, in ascending order of the text. */
  readonly powers: readonly { readonly key: string; readonly atom: Atom; readonly exponent: number }[];
}

/** Monomials by the text of their powers; none has coefficient 0. */
export type Polynomial = ReadonlyMap<string, Monomial>;

export const constantKey = "";
export const nothing: Polynomial = new Map();

export const keyOfPowers = (powers: Monomial["powers"]): string =>
  powers.map(({ key, exponent }) => `${key}^${exponent}`).join("*");

export const constantPolynomial = (value: Rational): Polynomial =>
  value.numerator === 0n ? nothing : new Map([[constantKey, { coefficient: value, powers: [] }]]);

export const atomPolynomial = (key: string, atom: Atom): Polynomial => {
  const powers = [{ key, atom, exponent: 1 }];
  return new Map([[keyOfPowers(powers), { coefficient: one, powers }]]);
};

export const expressionAtom = (expression: NumberExpression): Polynomial =>
  atomPolynomial(`(${printNumber(expression)})`, { kind: "expression", expression });

export function addPolynomials(a: Polynomial, b: Polynomial): Polynomial {
  const sum = new Map(a);
  for (const [key, monomial] of b) {
    const before = sum.get(key);
    const coefficient =
      before === undefined ? monomial.coefficient : addRational(before.coefficient, monomial.coefficient);
    if (coefficient.numerator === 0n) sum.delete(key);
    else sum.set(key, { coefficient, powers: monomial.powers });
  }
  return sum;
}

export const scalePolynomial = (a: Polynomial, factor: Rational): Polynomial =>
  factor.numerator === 0n
    ? nothing
    : new Map(
        [...a].map(([key, { coefficient, powers }]) => [
          key,
          { coefficient: multiplyRational(coefficient, factor), powers },
        ]),
      );

export const subtractPolynomials = (a: Polynomial, b: Polynomial): Polynomial =>
  addPolynomials(a, scalePolynomial(b, negateRational(one)));

export function multiplyMonomials(a: Monomial, b: Monomial): Monomial {
  const powers = new Map(a.powers.map((power) => [power.key, power]));
  for (const power of b.powers) {
    const exponent = (powers.get(power.key)?.exponent ?? 0) + power.exponent;
    if (exponent === 0) powers.delete(power.key);
    else powers.set(power.key, { ...power, exponent });
  }
  return {
    coefficient: multiplyRational(a.coefficient, b.coefficient),
    powers: [...powers.values()].sort((left, right) => (left.key < right.key ? -1 : 1)),
  };
}

export function multiplyPolynomials(a: Polynomial, b: Polynomial): Polynomial {
  let product = nothing;
  for (const left of a.values()) {
    for (const right of b.values()) {
      const monomial = multiplyMonomials(left, right);
      product = addPolynomials(product, new Map([[keyOfPowers(monomial.powers), monomial]]));
    }
  }
  return product;
}

/** Lexicographic in the exponents of the atoms, an order that products keep. */
function comparePowers(one: Monomial["powers"], other: Monomial["powers"]): number {
  const keys = [...new Set([...one, ...other].map(({ key }) => key))].sort();
  for (const key of keys) {
    const [left = 0, right = 0] = [one, other].map(
      (powers) => powers.find((power) => power.key === key)?.exponent ?? 0,
    );
    if (left !== right) return left - right;
  }
  return 0;
}

const leading = (a: Polynomial): Monomial | undefined =>
  [...a.values()].reduce<Monomial | undefined>(
    (best, monomial) =>
      best === undefined || comparePowers(monomial.powers, best.powers) > 0 ? monomial : best,
    undefined,
  );

const invertMonomial = ({ coefficient, powers }: Monomial): Monomial => ({
  coefficient: invertRational(coefficient),
  powers: powers.map((power) => ({ ...power, exponent: -power.exponent })),
});

/** Quotients of dimensions are short; what takes more steps is none. */
const longestQuotient = 8;

/**
 * a / b where that is a polynomial, found term by term from the leading ones; null where it is none. `(m q + m) / 3`
 * by `q + 1` is `m / 3`. Requires b not to be zero.
 */
export function exactQuotient(a: Polynomial, b: Polynomial): Polynomial | null {
  const lead = leading(b);
  if (lead === undefined) return null;
  const inverse = invertMonomial(lead);
  let rest = a;
  let quotient = nothing;
  for (let step = 0; rest.size > 0; step += 1) {
    const first = leading(rest);
    if (first === undefined || step === longestQuotient) return null;
    const monomial = multiplyMonomials(first, inverse);
    const term: Polynomial = new Map([[keyOfPowers(monomial.powers), monomial]]);
    quotient = addPolynomials(quotient, term);
    rest = subtractPolynomials(rest, multiplyPolynomials(term, b));
  }
  return quotient;
}
