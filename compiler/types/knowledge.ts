/**
 * What is known of a polynomial from what is known of its symbols: whether it is whole, where it lies, what it is
 * modulo something.
 */

import {
  addCongruences,
  anyWhole,
  type Congruence,
  congruence,
  meetCongruences,
  multiplyCongruences,
} from "./congruence.ts";
import { toPolynomial } from "./dimension.ts";
import {
  addIntervals,
  everything,
  type Interval,
  invertInterval,
  multiplyIntervals,
  point,
  powerInterval,
} from "./interval.ts";
import { type Atom, type Polynomial, subtractPolynomials } from "./polynomial.ts";
import { rationalToNumber } from "./rational.ts";

export interface SymbolRange extends Interval {
  /** True when the symbol stands for a whole number. */
  readonly whole: boolean;
}

/** A size read from a tensor's shape. */
export const sizeRange: SymbolRange = { low: 1, high: Infinity, whole: true };

/** Assumptions as the rules read them: differences that are at least 0, and quotients that are whole. */
export interface Knowledge {
  readonly ranges: ReadonlyMap<string, SymbolRange>;
  readonly nonNegative: readonly Polynomial[];
  readonly wholeQuotients: readonly Polynomial[];
  readonly residues: readonly { readonly of: Polynomial; readonly is: Congruence }[];
}

/** True when the polynomial is a whole number for all whole symbols. */
export const isWhole = (polynomial: Polynomial, knowledge: Knowledge): boolean =>
  [...polynomial.values()].every(
    ({ coefficient, powers }) =>
      coefficient.denominator === 1n &&
      powers.every(({ atom, exponent }) => exponent > 0 && isWholeAtom(atom, knowledge)),
  );

function isWholeAtom(atom: Atom, knowledge: Knowledge): boolean {
  if (atom.kind === "inverse") return false;
  const { expression } = atom;
  if (expression.kind === "number") return Number.isInteger(expression.value);
  if (expression.kind === "symbol") return knowledge.ranges.get(expression.name)?.whole === true;
  if (["floor", "ceil", "round", "isqrt"].includes(expression.operator)) return true;
  return (
    ["min", "max", "%", "abs"].includes(expression.operator) &&
    expression.operands.every((operand) => isWhole(toPolynomial(operand), knowledge))
  );
}

export function congruenceOf(polynomial: Polynomial, knowledge: Knowledge, useFacts: boolean): Congruence {
  let sum = congruence(0n, 0n);
  for (const { coefficient, powers } of polynomial.values()) {
    if (coefficient.denominator !== 1n) return anyWhole;
    let product = congruence(0n, coefficient.numerator);
    for (const { atom, exponent } of powers) {
      for (let step = 0; step < exponent; step += 1)
        product = multiplyCongruences(product, congruenceOfAtom(atom, knowledge));
    }
    sum = addCongruences(sum, product);
  }
  if (!useFacts) return sum;
  return knowledge.residues.reduce((known, { of, is }) => {
    const rest = subtractPolynomials(polynomial, of);
    return isWhole(rest, knowledge)
      ? meetCongruences(known, addCongruences(is, congruenceOf(rest, knowledge, false)))
      : known;
  }, sum);
}

function congruenceOfAtom(atom: Atom, knowledge: Knowledge): Congruence {
  if (atom.kind !== "expression" || atom.expression.kind !== "symbol") return anyWhole;
  const name = atom.expression.name;
  return knowledge.residues.reduce((known, { of, is }) => {
    const [only] = of.values();
    const matches =
      of.size === 1 &&
      only?.powers.length === 1 &&
      only.powers[0]?.key === name &&
      only.powers[0].exponent === 1;
    return matches && only.coefficient.numerator === 1n && only.coefficient.denominator === 1n
      ? meetCongruences(known, is)
      : known;
  }, anyWhole);
}

export function intervalOf(polynomial: Polynomial, knowledge: Knowledge): Interval {
  let sum = point(0);
  for (const { coefficient, powers } of polynomial.values()) {
    let product = point(rationalToNumber(coefficient));
    for (const { atom, exponent } of powers) {
      const power = powerInterval(intervalOfAtom(atom, knowledge), Math.abs(exponent));
      product = multiplyIntervals(product, exponent > 0 ? power : invertInterval(power));
    }
    sum = addIntervals(sum, product);
  }
  return sum;
}

function intervalOfAtom(atom: Atom, knowledge: Knowledge): Interval {
  if (atom.kind === "inverse") return invertInterval(intervalOf(atom.of, knowledge));
  const { expression } = atom;
  if (expression.kind === "number") return point(expression.value);
  if (expression.kind === "symbol") return knowledge.ranges.get(expression.name) ?? everything;
  const operands = expression.operands.map((operand) => intervalOf(toPolynomial(operand), knowledge));
  const [first = everything, second = everything] = operands;
  switch (expression.operator) {
    case "min":
      return {
        low: Math.min(...operands.map(({ low }) => low)),
        high: Math.min(...operands.map(({ high }) => high)),
      };
    case "max":
      return {
        low: Math.max(...operands.map(({ low }) => low)),
        high: Math.max(...operands.map(({ high }) => high)),
      };
    case "%":
      return second.low > 0 ? { low: 0, high: second.high } : everything;
    case "isqrt":
    case "sqrt": {
      if (first.low < 0) return everything;
      const round = expression.operator === "isqrt" ? Math.floor : (value: number) => value;
      return { low: round(Math.sqrt(first.low)), high: round(Math.sqrt(first.high)) };
    }
    case "floor":
    case "ceil":
    case "round":
      return { low: Math[expression.operator](first.low), high: Math[expression.operator](first.high) };
    case "abs":
      return {
        low: Math.max(0, first.low, -first.high),
        high: Math.max(Math.abs(first.low), Math.abs(first.high)),
      };
    case "exp":
      return { low: Math.exp(first.low), high: Math.exp(first.high) };
    case "log":
      return first.low > 0 ? { low: Math.log(first.low), high: Math.log(first.high) } : everything;
    case "cos":
      return { low: -1, high: 1 };
    case "pow":
      return powerOf(first, second);
    case "==":
    case "!=":
    case "<":
    case "<=":
    case ">":
    case ">=":
    case "and":
    case "or":
    case "not":
      return { low: 0, high: 1 };
    default:
      return everything;
  }
}

/** base to the power of exponent: rises with a base that is never negative, and to one side with the exponent. */
function powerOf(base: Interval, exponent: Interval): Interval {
  if (base.low < 0) return everything;
  const ends = [base.low, base.high].flatMap((side) => [side ** exponent.low, side ** exponent.high]);
  return ends.some(Number.isNaN) ? everything : { low: Math.min(...ends), high: Math.max(...ends) };
}

/** A sum of positive terms, also where an interval only comes as near to 0 as it likes: n / m. */
export const isPositive = (polynomial: Polynomial, knowledge: Knowledge): boolean =>
  intervalOf(polynomial, knowledge).low > 0 ||
  (polynomial.size > 0 &&
    [...polynomial.values()].every(
      ({ coefficient, powers }) =>
        coefficient.numerator > 0n && powers.every(({ atom }) => intervalOfAtom(atom, knowledge).low > 0),
    ));
