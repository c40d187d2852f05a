/** Whether a polynomial is never negative: by intervals, by facts, and by the cases of what is not polynomial in it. */
import { type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import { toPolynomial } from "./dimension.ts";
import { intervalOf, type Knowledge } from "./knowledge.ts";
import {
  addPolynomials,
  constantPolynomial,
  keyOfPowers,
  type Monomial,
  multiplyPolynomials,
  type Polynomial,
  subtractPolynomials,
} from "./polynomial.ts";
import { rational } from "./rational.ts";

/** polynomial >= 0 by its interval, by one fact, or by the cases of a min or max in it (at most `depth` deep). */
export function isNonNegative(polynomial: Polynomial, knowledge: Knowledge, depth: number): boolean {
  if (intervalOf(polynomial, knowledge).low >= 0) return true;
  if (
    knowledge.nonNegative.some(
      (fact) => intervalOf(subtractPolynomials(polynomial, fact), knowledge).low >= 0,
    )
  )
    return true;
  if (depth === 0) return false;
  const smooth = withoutRounding(polynomial);
  if (smooth !== null) return isNonNegative(smooth, knowledge, depth - 1);
  const ends = atEnds(polynomial, knowledge);
  if (ends !== null) return ends.every((end) => isNonNegative(end, knowledge, depth - 1));
  const found = findExtremum(polynomial);
  if (found === null) return false;
  const cases = found.operands.map((operand) =>
    isNonNegative(replace(polynomial, found.monomial, operand), knowledge, depth - 1),
  );
  // min(a, b) <= a, so a polynomial that falls with min is bounded below by any case; otherwise all cases must hold.
  const anyCase = found.operator === "max" ? found.positive : !found.positive;
  return anyCase ? cases.some(Boolean) : cases.every(Boolean);
}

/** The function call that a monomial is, but for its coefficient: `3 floor(n / 2)`, not `n floor(n / 2)`; else null. */
function onlyCall({ powers }: Monomial): Extract<NumberExpression, { kind: "apply" }> | null {
  const [only] = powers;
  if (powers.length !== 1 || only === undefined || only.exponent !== 1) return null;
  if (only.atom.kind !== "expression" || only.atom.expression.kind !== "apply") return null;
  return only.atom.expression;
}

/** A lower bound without floor and ceil, by x - 1 < floor(x) <= x <= ceil(x) < x + 1; null when there is none. */
function withoutRounding(polynomial: Polynomial): Polynomial | null {
  for (const monomial of polynomial.values()) {
    const call = onlyCall(monomial);
    if (call === null || (call.operator !== "floor" && call.operator !== "ceil")) continue;
    const isPositive = monomial.coefficient.numerator > 0n;
    const slack = call.operator === "floor" ? (isPositive ? -1n : 0n) : isPositive ? 0n : 1n;
    const bound = addPolynomials(
      toPolynomial(call.operands[0] ?? number(0)),
      constantPolynomial(rational(slack)),
    );
    return replace(polynomial, monomial, bound);
  }
  return null;
}

/** A polynomial linear in a bounded symbol is smallest at one of its ends: both ends, or null without such a symbol. */
function atEnds(polynomial: Polynomial, { ranges }: Knowledge): Polynomial[] | null {
  const monomials = [...polynomial.values()];
  for (const [name, { low, high }] of ranges) {
    if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high)) continue;
    const holders = monomials.filter(({ powers }) => powers.some(({ key }) => key === name));
    const isLinear = holders.every(({ powers }) =>
      powers.every(({ key, exponent }) => key !== name || exponent === 1),
    );
    const isHidden = monomials.some(({ powers }) =>
      powers.some(({ key }) => key !== name && new RegExp(`\\b${name}\\b`).test(key)),
    );
    if (holders.length === 0 || !isLinear || isHidden) continue;
    return [low, high].map((end) => {
      const value = constantPolynomial(rational(BigInt(end)));
      return holders.reduce((replaced, monomial) => {
        const others = { ...monomial, powers: monomial.powers.filter(({ key }) => key !== name) };
        return replace(replaced, monomial, multiplyPolynomials(value, toMonomialPolynomial(others)));
      }, polynomial);
    });
  }
  return null;
}

/** `monomial` with coefficient 1, because `replace` brings its own. */
const toMonomialPolynomial = ({ powers }: Monomial): Polynomial =>
  new Map([[keyOfPowers(powers), { coefficient: rational(1n), powers }]]);

export interface Extremum {
  readonly operator: "min" | "max";
  readonly operands: readonly Polynomial[];
  readonly monomial: Monomial;
  readonly positive: boolean;
}

/** A min or max that stands alone in a monomial and nowhere else. */
export function findExtremum(polynomial: Polynomial): Extremum | null {
  for (const monomial of polynomial.values()) {
    const call = onlyCall(monomial);
    if (call === null || (call.operator !== "min" && call.operator !== "max")) continue;
    return {
      operator: call.operator,
      operands: call.operands.map(toPolynomial),
      monomial,
      positive: monomial.coefficient.numerator > 0n,
    };
  }
  return null;
}

export function replace(polynomial: Polynomial, monomial: Monomial, operand: Polynomial): Polynomial {
  const without = new Map([...polynomial].filter(([, other]) => other !== monomial));
  return addPolynomials(without, multiplyPolynomials(constantPolynomial(monomial.coefficient), operand));
}
