/**
 * Decides conditions on dimensions: proven (true for all sizes that the assumptions allow), refuted (false for all
 * of them), or open. Never guesses: intervals, congruences and the facts of earlier conditions, nothing else.
 */
import {
  apply,
  type NumberExpression,
  type NumberOperator,
  number,
} from "../../runtime/contract/number-expression.ts";
import { type Congruence, congruence, knownRemainder } from "./congruence.ts";
import { constantValue, dividePolynomials, toPolynomial } from "./dimension.ts";
import { intersectIntervals } from "./interval.ts";
import {
  congruenceOf,
  intervalOf,
  isPositive,
  isWhole,
  type Knowledge,
  type SymbolRange,
} from "./knowledge.ts";
import { findExtremum, isNonNegative, replace } from "./lower-bounds.ts";
import { addPolynomials, constantPolynomial, type Polynomial, subtractPolynomials } from "./polynomial.ts";
import { rational, rationalToNumber } from "./rational.ts";

export interface Assumptions {
  /** Symbols without a range are unknown reals. */
  readonly ranges: ReadonlyMap<string, SymbolRange>;
  /** Conditions known to hold. */
  readonly facts: readonly NumberExpression[];
}

export type Verdict = "proven" | "refuted" | "open";

export function prove(condition: NumberExpression, assumptions: Assumptions): Verdict {
  const knowledge = gather(assumptions);
  if (mayDivideByZero(condition, knowledge)) return "open";
  if (holds(condition, knowledge)) return "proven";
  return holds(negate(condition), knowledge) ? "refuted" : "open";
}

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

const difference = (a: NumberExpression, b: NumberExpression): Polynomial =>
  subtractPolynomials(toPolynomial(a), toPolynomial(b));

const atLeastZero = (a: NumberExpression, b: NumberExpression, knowledge: Knowledge): boolean =>
  isNonNegative(difference(a, b), knowledge, 4);

function aboveZero(a: NumberExpression, b: NumberExpression, knowledge: Knowledge): boolean {
  const gap = difference(a, b);
  if (isWhole(gap, knowledge))
    return isNonNegative(addPolynomials(gap, constantPolynomial(rational(-1n))), knowledge, 4);
  return isPositive(gap, knowledge);
}

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
  if (expression.kind === "number")
    return Number.isSafeInteger(expression.value) ? BigInt(expression.value) : null;
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
function gapsOf(
  operator: NumberOperator,
  left: NumberExpression,
  right: NumberExpression,
  knowledge: Knowledge,
): Polynomial[] {
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
  const bound =
    -rationalToNumber(gap.get("")?.coefficient ?? rational(0n)) / rationalToNumber(only.coefficient);
  const limit =
    only.coefficient.numerator > 0n ? { low: bound, high: Infinity } : { low: -Infinity, high: bound };
  bounds.set(power.key, { ...intersectIntervals(range, limit), whole: range.whole });
}

function learnRemainder(
  left: NumberExpression,
  right: NumberExpression,
  knowledge: Knowledge,
  wholeQuotients: Polynomial[],
  residues: { of: Polynomial; is: Congruence }[],
): void {
  if (
    left.kind !== "apply" ||
    left.operator !== "%" ||
    right.kind !== "number" ||
    !Number.isSafeInteger(right.value)
  )
    return;
  const [dividend = number(0), divisor = number(1)] = left.operands;
  const of = toPolynomial(dividend);
  const modulus = constantValue(toPolynomial(divisor));
  if (isWhole(of, knowledge) && modulus !== null && modulus.denominator === 1n && modulus.numerator > 0n) {
    residues.push({ of, is: congruence(modulus.numerator, BigInt(right.value)) });
  }
  const quotient = right.value === 0 ? dividePolynomials(of, toPolynomial(divisor)) : null;
  if (quotient !== null) wholeQuotients.push(quotient);
}
