/**
 * Decides conditions on dimensions: proven (true for all sizes that the assumptions allow), refuted (false for all
 * of them), or open. Never guesses: intervals, congruences and the facts of earlier conditions, nothing else.
 */
import { apply, number, type NumberExpression, type NumberOperator } from "../../runtime/contract/number-expression.ts";
import {
  addIntervals,
  everything,
  intersectIntervals,
  invertInterval,
  multiplyIntervals,
  point,
  powerInterval,
  type Interval,
} from "./interval.ts";
import { addCongruences, anyWhole, congruence, knownRemainder, meetCongruences, multiplyCongruences, type Congruence } from "./congruence.ts";
import {
  addPolynomials,
  constantPolynomial,
  constantValue,
  dividePolynomials,
  multiplyPolynomials,
  subtractPolynomials,
  toPolynomial,
  type Atom,
  type Monomial,
  type Polynomial,
} from "./dimension.ts";
import { rational, rationalToNumber } from "./rational.ts";

export interface SymbolRange extends Interval {
  /** True when the symbol stands for a whole number. */
  readonly whole: boolean;
}

export interface Assumptions {
  /** Symbols without a range are unknown reals. */
  readonly ranges: ReadonlyMap<string, SymbolRange>;
  /** Conditions known to hold. */
  readonly facts: readonly NumberExpression[];
}

export type Verdict = "proven" | "refuted" | "open";

/** A size read from a tensor's shape. */
export const sizeRange: SymbolRange = { low: 1, high: Infinity, whole: true };

/** Assumptions as the rules read them: differences that are at least 0, and quotients that are whole. */
interface Knowledge {
  readonly ranges: ReadonlyMap<string, SymbolRange>;
  readonly nonNegative: readonly Polynomial[];
  readonly wholeQuotients: readonly Polynomial[];
  readonly residues: readonly { readonly of: Polynomial; readonly is: Congruence }[];
}

export function prove(condition: NumberExpression, assumptions: Assumptions): Verdict {
  const knowledge = gather(assumptions);
  if (mayDivideByZero(condition, knowledge)) return "open";
  if (holds(condition, knowledge)) return "proven";
  return holds(negate(condition), knowledge) ? "refuted" : "open";
}

/** The interval that the assumptions leave to an expression. */
export const rangeOf = (expression: NumberExpression, assumptions: Assumptions): Interval =>
  intervalOf(toPolynomial(expression), gather(assumptions));

/** Cancelling x / x is only right where x is not zero. */
function mayDivideByZero(expression: NumberExpression, knowledge: Knowledge): boolean {
  if (expression.kind !== "apply") return false;
  if (expression.operands.some((operand) => mayDivideByZero(operand, knowledge))) return true;
  if (expression.operator !== "/" && expression.operator !== "%") return false;
  const divisor = toPolynomial(expression.operands[1] ?? number(1));
  return !isPositive(divisor, knowledge) && intervalOf(divisor, knowledge).high >= 0;
}

const opposites: Partial<Record<NumberOperator, NumberOperator>> = {
  "==": "!=",
  "!=": "==",
  "<": ">=",
  "<=": ">",
  ">": "<=",
  ">=": "<",
};

function negate(condition: NumberExpression): NumberExpression {
  if (condition.kind === "number") return number(condition.value === 0 ? 1 : 0);
  if (condition.kind === "symbol") return apply("not", condition);
  const { operator, operands } = condition;
  if (operator === "and") return apply("or", ...operands.map(negate));
  if (operator === "or") return apply("and", ...operands.map(negate));
  if (operator === "not") return operands[0] ?? number(1);
  const opposite = opposites[operator];
  return opposite === undefined ? apply("not", condition) : apply(opposite, ...operands);
}

function holds(condition: NumberExpression, knowledge: Knowledge): boolean {
  if (condition.kind === "number") return condition.value !== 0;
  if (condition.kind === "symbol") return false;
  const [left = number(0), right = number(0)] = condition.operands;
  switch (condition.operator) {
    case "and":
      return condition.operands.every((operand) => holds(operand, knowledge));
    case "or":
      return condition.operands.some((operand) => holds(operand, knowledge));
    case "not": {
      const inner = negate(left);
      return !(inner.kind === "apply" && inner.operator === "not") && holds(inner, knowledge);
    }
    case "<=":
      return atLeastZero(right, left, knowledge);
    case ">=":
      return atLeastZero(left, right, knowledge);
    case "<":
      return aboveZero(right, left, knowledge);
    case ">":
      return aboveZero(left, right, knowledge);
    case "==":
      return equal(left, right, knowledge);
    case "!=":
      return different(left, right, knowledge);
    default:
      return false;
  }
}

const difference = (a: NumberExpression, b: NumberExpression): Polynomial => subtractPolynomials(toPolynomial(a), toPolynomial(b));

const atLeastZero = (a: NumberExpression, b: NumberExpression, knowledge: Knowledge): boolean =>
  isNonNegative(difference(a, b), knowledge, 4);

function aboveZero(a: NumberExpression, b: NumberExpression, knowledge: Knowledge): boolean {
  const gap = difference(a, b);
  if (isWhole(gap, knowledge)) return isNonNegative(addPolynomials(gap, constantPolynomial(rational(-1n))), knowledge, 4);
  return isPositive(gap, knowledge);
}

/** A sum of positive terms, also where an interval only comes as near to 0 as it likes: n / m. */
const isPositive = (polynomial: Polynomial, knowledge: Knowledge): boolean =>
  intervalOf(polynomial, knowledge).low > 0 ||
  (polynomial.size > 0 &&
    [...polynomial.values()].every(
      ({ coefficient, powers }) => coefficient.numerator > 0n && powers.every(({ atom }) => intervalOfAtom(atom, knowledge).low > 0),
    ));

function equal(a: NumberExpression, b: NumberExpression, knowledge: Knowledge): boolean {
  if (difference(a, b).size === 0) return true;
  if (isRemainderZero(a, b, knowledge)) return true;
  const [left, right] = [known(a, knowledge), known(b, knowledge)];
  if (left !== null && left === right) return true;
  return atLeastZero(a, b, knowledge) && atLeastZero(b, a, knowledge);
}

function different(a: NumberExpression, b: NumberExpression, knowledge: Knowledge): boolean {
  const [left, right] = [known(a, knowledge), known(b, knowledge)];
  if (left !== null && right !== null && left !== right) return true;
  return aboveZero(a, b, knowledge) || aboveZero(b, a, knowledge);
}

/** The value of `x % m` or of a number, when it is known. */
function known(expression: NumberExpression, knowledge: Knowledge): bigint | null {
  if (expression.kind === "number") return Number.isSafeInteger(expression.value) ? BigInt(expression.value) : null;
  if (expression.kind !== "apply" || expression.operator !== "%") return null;
  const [dividend = number(0), divisor = number(1)] = expression.operands;
  const modulus = constantValue(toPolynomial(divisor));
  const polynomial = toPolynomial(dividend);
  if (modulus === null || modulus.denominator !== 1n || !isWhole(polynomial, knowledge)) return null;
  return knownRemainder(congruenceOf(polynomial, knowledge, true), modulus.numerator);
}

/** `x % m == 0` for any m: x / m is whole, or differs from a quotient known to be whole by a whole number. */
function isRemainderZero(a: NumberExpression, b: NumberExpression, knowledge: Knowledge): boolean {
  if (b.kind !== "number" || b.value !== 0 || a.kind !== "apply" || a.operator !== "%") return false;
  const [dividend = number(0), divisor = number(1)] = a.operands;
  const modulus = toPolynomial(divisor);
  if (!isPositive(modulus, knowledge)) return false;
  const quotient = dividePolynomials(toPolynomial(dividend), modulus);
  if (quotient === null) return false;
  return (
    isWhole(quotient, knowledge) ||
    knowledge.wholeQuotients.some((whole) => {
      if (isWhole(subtractPolynomials(quotient, whole), knowledge)) return true;
      const ratio = dividePolynomials(quotient, whole);
      return ratio !== null && isWhole(ratio, knowledge);
    })
  );
}

/** True when the polynomial is a whole number for all whole symbols. */
const isWhole = (polynomial: Polynomial, knowledge: Knowledge): boolean =>
  [...polynomial.values()].every(
    ({ coefficient, powers }) =>
      coefficient.denominator === 1n && powers.every(({ atom, exponent }) => exponent > 0 && isWholeAtom(atom, knowledge)),
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

function congruenceOf(polynomial: Polynomial, knowledge: Knowledge, useFacts: boolean): Congruence {
  let sum = congruence(0n, 0n);
  for (const { coefficient, powers } of polynomial.values()) {
    if (coefficient.denominator !== 1n) return anyWhole;
    let product = congruence(0n, coefficient.numerator);
    for (const { atom, exponent } of powers) {
      for (let step = 0; step < exponent; step += 1) product = multiplyCongruences(product, congruenceOfAtom(atom, knowledge));
    }
    sum = addCongruences(sum, product);
  }
  if (!useFacts) return sum;
  return knowledge.residues.reduce((known, { of, is }) => {
    const rest = subtractPolynomials(polynomial, of);
    return isWhole(rest, knowledge) ? meetCongruences(known, addCongruences(is, congruenceOf(rest, knowledge, false))) : known;
  }, sum);
}

function congruenceOfAtom(atom: Atom, knowledge: Knowledge): Congruence {
  if (atom.kind !== "expression" || atom.expression.kind !== "symbol") return anyWhole;
  const name = atom.expression.name;
  return knowledge.residues.reduce((known, { of, is }) => {
    const [only] = of.values();
    const matches = of.size === 1 && only?.powers.length === 1 && only.powers[0]?.key === name && only.powers[0].exponent === 1;
    return matches && only.coefficient.numerator === 1n && only.coefficient.denominator === 1n ? meetCongruences(known, is) : known;
  }, anyWhole);
}

function intervalOf(polynomial: Polynomial, knowledge: Knowledge): Interval {
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
      return { low: Math.min(...operands.map(({ low }) => low)), high: Math.min(...operands.map(({ high }) => high)) };
    case "max":
      return { low: Math.max(...operands.map(({ low }) => low)), high: Math.max(...operands.map(({ high }) => high)) };
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
      return { low: Math.max(0, first.low, -first.high), high: Math.max(Math.abs(first.low), Math.abs(first.high)) };
    default:
      return everything;
  }
}

/** polynomial >= 0 by its interval, by one fact, or by the cases of a min or max in it (at most `depth` deep). */
function isNonNegative(polynomial: Polynomial, knowledge: Knowledge, depth: number): boolean {
  if (intervalOf(polynomial, knowledge).low >= 0) return true;
  if (knowledge.nonNegative.some((fact) => intervalOf(subtractPolynomials(polynomial, fact), knowledge).low >= 0)) return true;
  if (depth === 0) return false;
  const smooth = withoutRounding(polynomial);
  if (smooth !== null) return isNonNegative(smooth, knowledge, depth - 1);
  const found = findExtremum(polynomial);
  if (found === null) return false;
  const cases = found.operands.map((operand) => isNonNegative(replace(polynomial, found.monomial, operand), knowledge, depth - 1));
  // min(a, b) <= a, so a polynomial that falls with min is bounded below by any case; otherwise all cases must hold.
  const anyCase = found.operator === "max" ? found.positive : !found.positive;
  return anyCase ? cases.some(Boolean) : cases.every(Boolean);
}

/** A lower bound without floor and ceil, by x - 1 < floor(x) <= x <= ceil(x) < x + 1; null when there is none. */
function withoutRounding(polynomial: Polynomial): Polynomial | null {
  for (const monomial of polynomial.values()) {
    const [only] = monomial.powers;
    if (monomial.powers.length !== 1 || only === undefined || only.exponent !== 1 || only.atom.kind !== "expression") continue;
    const { expression } = only.atom;
    if (expression.kind !== "apply" || (expression.operator !== "floor" && expression.operator !== "ceil")) continue;
    const isPositive = monomial.coefficient.numerator > 0n;
    const slack = expression.operator === "floor" ? (isPositive ? -1n : 0n) : isPositive ? 0n : 1n;
    const bound = addPolynomials(toPolynomial(expression.operands[0] ?? number(0)), constantPolynomial(rational(slack)));
    return replace(polynomial, monomial, bound);
  }
  return null;
}

interface Extremum {
  readonly operator: "min" | "max";
  readonly operands: readonly Polynomial[];
  readonly monomial: Monomial;
  readonly positive: boolean;
}

/** A min or max that stands alone in a monomial and nowhere else. */
function findExtremum(polynomial: Polynomial): Extremum | null {
  for (const monomial of polynomial.values()) {
    const [only] = monomial.powers;
    if (monomial.powers.length !== 1 || only === undefined || only.exponent !== 1 || only.atom.kind !== "expression") continue;
    const { expression } = only.atom;
    if (expression.kind !== "apply" || (expression.operator !== "min" && expression.operator !== "max")) continue;
    return {
      operator: expression.operator,
      operands: expression.operands.map(toPolynomial),
      monomial,
      positive: monomial.coefficient.numerator > 0n,
    };
  }
  return null;
}

function replace(polynomial: Polynomial, monomial: Monomial, operand: Polynomial): Polynomial {
  const without = new Map([...polynomial].filter(([, other]) => other !== monomial));
  return addPolynomials(without, multiplyPolynomials(constantPolynomial(monomial.coefficient), operand));
}

function gather({ ranges, facts }: Assumptions): Knowledge {
  const bounds = new Map(ranges);
  const base = { ranges: bounds, nonNegative: [], wholeQuotients: [], residues: [] };
  const nonNegative: Polynomial[] = [];
  const wholeQuotients: Polynomial[] = [];
  const residues: { of: Polynomial; is: Congruence }[] = [];
  for (const fact of facts.flatMap(conjuncts)) {
    if (fact.kind !== "apply") continue;
    const [left = number(0), right = number(0)] = fact.operands;
    const gaps = gapsOf(fact.operator, left, right, base).flatMap((gap) => withCases(gap));
    nonNegative.push(...gaps);
    for (const gap of gaps) tighten(bounds, gap);
    if (fact.operator === "==") learnRemainder(left, right, base, wholeQuotients, residues);
  }
  return { ranges: bounds, nonNegative, wholeQuotients, residues };
}

const conjuncts = (fact: NumberExpression): readonly NumberExpression[] =>
  fact.kind === "apply" && fact.operator === "and" ? fact.operands.flatMap(conjuncts) : [fact];

/** What a comparison says is at least 0. */
function gapsOf(operator: NumberOperator, left: NumberExpression, right: NumberExpression, knowledge: Knowledge): Polynomial[] {
  const strict = (gap: Polynomial): Polynomial =>
    isWhole(gap, knowledge) ? addPolynomials(gap, constantPolynomial(rational(-1n))) : gap;
  const rows: Partial<Record<NumberOperator, () => Polynomial[]>> = {
    "<=": () => [difference(right, left)],
    ">=": () => [difference(left, right)],
    "<": () => [strict(difference(right, left))],
    ">": () => [strict(difference(left, right))],
    "==": () => [difference(left, right), difference(right, left)],
  };
  return rows[operator]?.() ?? [];
}

/** `r <= min(a, b)` also says `r <= a` and `r <= b`. */
function withCases(gap: Polynomial): Polynomial[] {
  const found = findExtremum(gap);
  if (found === null || (found.operator === "min") !== found.positive) return [gap];
  return [gap, ...found.operands.map((operand) => replace(gap, found.monomial, operand))];
}

/** c·s + d >= 0 bounds the symbol s. */
function tighten(bounds: Map<string, SymbolRange>, gap: Polynomial): void {
  const monomials = [...gap.values()].filter(({ powers }) => powers.length > 0);
  const [only] = monomials;
  const [power] = only?.powers ?? [];
  if (monomials.length !== 1 || only?.powers.length !== 1 || power?.exponent !== 1) return;
  const range = bounds.get(power.key);
  if (range === undefined) return;
  const bound = -rationalToNumber(gap.get("")?.coefficient ?? rational(0n)) / rationalToNumber(only.coefficient);
  const limit = only.coefficient.numerator > 0n ? { low: bound, high: Infinity } : { low: -Infinity, high: bound };
  bounds.set(power.key, { ...intersectIntervals(range, limit), whole: range.whole });
}

function learnRemainder(
  left: NumberExpression,
  right: NumberExpression,
  knowledge: Knowledge,
  wholeQuotients: Polynomial[],
  residues: { of: Polynomial; is: Congruence }[],
): void {
  if (left.kind !== "apply" || left.operator !== "%" || right.kind !== "number" || !Number.isSafeInteger(right.value)) return;
  const [dividend = number(0), divisor = number(1)] = left.operands;
  const of = toPolynomial(dividend);
  const modulus = constantValue(toPolynomial(divisor));
  if (isWhole(of, knowledge) && modulus !== null && modulus.denominator === 1n && modulus.numerator > 0n) {
    residues.push({ of, is: congruence(modulus.numerator, BigInt(right.value)) });
  }
  const quotient = right.value === 0 ? dividePolynomials(of, toPolynomial(divisor)) : null;
  if (quotient !== null) wholeQuotients.push(quotient);
}
