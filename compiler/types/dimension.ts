/**
 * Dimensions in canonical form: sums of monomials with fractional coefficients over atoms that may stand in a
 * numerator or a denominator. Two dimensions are equal for all sizes when their canonical forms are the same text.
 * Atoms are symbols and what polynomials cannot open: min, max, isqrt, `%`, and the inverse of a sum.
 */
import {
  apply,
  evaluateNumber,
  type NumberExpression,
  number,
  printNumber,
} from "../../runtime/contract/number-expression.ts";
import {
  type Atom,
  addPolynomials,
  atomPolynomial,
  constantKey,
  constantPolynomial,
  exactQuotient,
  expressionAtom,
  keyOfPowers,
  type Monomial,
  multiplyMonomials,
  multiplyPolynomials,
  nothing,
  type Polynomial,
  scalePolynomial,
  subtractPolynomials,
} from "./polynomial.ts";
import {
  invertRational,
  leastCommonMultiple,
  negateRational,
  one,
  type Rational,
  rational,
} from "./rational.ts";

/** 1 / a. @throws RangeError when a is zero. */
function invertPolynomial(a: Polynomial): Polynomial {
  const [first, ...rest] = [...a.values()].sort((left, right) =>
    keyOfPowers(left.powers) < keyOfPowers(right.powers) ? -1 : 1,
  );
  if (first === undefined) throw new RangeError("nothing divides by zero");
  if (rest.length === 0) {
    const powers = first.powers.map((power) => ({ ...power, exponent: -power.exponent }));
    return new Map([[keyOfPowers(powers), { coefficient: invertRational(first.coefficient), powers }]]);
  }
  const lead = invertRational(first.coefficient);
  const monic = scalePolynomial(a, lead);
  const inverse = atomPolynomial(`1/(${printNumber(fromPolynomial(monic))})`, { kind: "inverse", of: monic });
  return scalePolynomial(inverse, lead);
}

/** a / b, or null when b is zero. */
export function dividePolynomials(a: Polynomial, b: Polynomial): Polynomial | null {
  if (b.size === 0) return null;
  return exactQuotient(a, b) ?? multiplyPolynomials(a, invertPolynomial(b));
}

/** The value of a polynomial without atoms, or null. */
export function constantValue(a: Polynomial): Rational | null {
  if (a.size === 0) return rational(0n);
  const only = a.size === 1 ? a.get(constantKey) : undefined;
  return only?.coefficient ?? null;
}

/** min and max: operands canonical, flat, each once, sorted; all numbers folded into one. */
function extremum(operator: "min" | "max", operands: readonly NumberExpression[]): Polynomial {
  const flat = operands.flatMap((operand) => {
    const canonical = canonicalDimension(operand);
    return canonical.kind === "apply" && canonical.operator === operator ? canonical.operands : [canonical];
  });
  const numbers = flat.flatMap((operand) => (operand.kind === "number" ? [operand.value] : []));
  const others = new Map<string, NumberExpression>(
    flat.filter((operand) => operand.kind !== "number").map((operand) => [printNumber(operand), operand]),
  );
  const kept: NumberExpression[] = [...others.entries()]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([, operand]) => operand);
  if (numbers.length > 0) kept.push(number(operator === "min" ? Math.min(...numbers) : Math.max(...numbers)));
  const [first] = kept;
  return first !== undefined && kept.length === 1
    ? leafPolynomial(first)
    : expressionAtom(apply(operator, ...kept));
}

function leafPolynomial(expression: NumberExpression): Polynomial {
  if (expression.kind === "number" && Number.isSafeInteger(expression.value)) {
    return constantPolynomial(rational(BigInt(expression.value)));
  }
  if (expression.kind === "apply") return toPolynomial(expression);
  return expression.kind === "symbol"
    ? atomPolynomial(expression.name, { kind: "expression", expression })
    : expressionAtom(expression);
}

/** The canonical polynomial of an expression. Numbers that are not whole stay atoms: they are never reassociated. */
export function toPolynomial(expression: NumberExpression): Polynomial {
  if (expression.kind !== "apply") return leafPolynomial(expression);
  const { operator, operands } = expression;
  const parts = (): Polynomial[] => operands.map(toPolynomial);
  switch (operator) {
    case "+":
      return parts().reduce(addPolynomials, nothing);
    case "*":
      return parts().reduce(multiplyPolynomials, constantPolynomial(one));
    case "-": {
      const [left = nothing, right = nothing] = parts();
      return subtractPolynomials(left, right);
    }
    case "neg":
      return scalePolynomial(parts()[0] ?? nothing, negateRational(one));
    case "/": {
      const [left = nothing, right = nothing] = parts();
      return dividePolynomials(left, right) ?? expressionAtom(expression);
    }
    case "min":
    case "max":
      return extremum(operator, operands);
    default:
      return opaque(expression);
  }
}

function opaque(expression: NumberExpression & { readonly kind: "apply" }): Polynomial {
  const operands = expression.operands.map(canonicalDimension);
  const canonical = apply(expression.operator, ...operands);
  if (!operands.every((operand) => operand.kind === "number")) return expressionAtom(canonical);
  const value = evaluateNumber(canonical, new Map());
  return Number.isSafeInteger(value) ? leafPolynomial(number(value)) : expressionAtom(canonical);
}

const atomExpression = (atom: Atom): NumberExpression =>
  atom.kind === "expression" ? atom.expression : apply("/", number(1), fromPolynomial(atom.of));

const repeat = (atom: Atom, times: number): NumberExpression[] =>
  Array.from({ length: times }, () => atomExpression(atom));

const product = (factors: readonly NumberExpression[]): NumberExpression => {
  const [first, ...rest] = factors;
  if (first === undefined) return number(1);
  return rest.length === 0 ? first : apply("*", first, ...rest);
};

/** Inverses become divisors: multiplying by 1 / x would round twice. */
function monomialExpression({ coefficient, powers }: Monomial): NumberExpression {
  const factors: NumberExpression[] = [];
  const divisors: NumberExpression[] = [];
  for (const { atom, exponent } of powers) {
    if (atom.kind === "expression") factors.push(...repeat(atom, exponent));
    else divisors.push(...Array.from({ length: exponent }, () => fromPolynomial(atom.of)));
  }
  const size = coefficient.numerator < 0n ? -coefficient.numerator : coefficient.numerator;
  const numerator = product(size === 1n && factors.length > 0 ? factors : [number(Number(size)), ...factors]);
  return divisors.length === 0 ? numerator : apply("/", numerator, product(divisors));
}

const degree = ({ powers }: Monomial): number => powers.reduce((sum, { exponent }) => sum + exponent, 0);

function sumExpression(monomials: readonly Monomial[]): NumberExpression {
  const sorted = [...monomials].sort(
    (left, right) =>
      Number(left.coefficient.numerator < 0n) - Number(right.coefficient.numerator < 0n) ||
      degree(right) - degree(left) ||
      (keyOfPowers(left.powers) < keyOfPowers(right.powers) ? -1 : 1),
  );
  return (
    sorted.reduce<NumberExpression | null>((sum, monomial) => {
      const term = monomialExpression(monomial);
      if (monomial.coefficient.numerator < 0n)
        return sum === null ? apply("neg", term) : apply("-", sum, term);
      return sum === null ? term : apply("+", sum, term);
    }, null) ?? number(0)
  );
}

/**
 * The expression of a polynomial. Fractions stand over one divisor, so that evaluating rounds at most once and an
 * exact quotient comes out whole.
 */
export function fromPolynomial(polynomial: Polynomial): NumberExpression {
  const isWhole = ({ coefficient, powers }: Monomial): boolean =>
    coefficient.denominator === 1n && powers.every(({ exponent }) => exponent > 0);
  const whole = [...polynomial.values()].filter(isWhole);
  const broken = [...polynomial.values()].filter((monomial) => !isWhole(monomial));
  if (broken.length === 0) return sumExpression(whole);
  const powers = new Map<string, Monomial["powers"][number]>();
  let denominator = 1n;
  for (const monomial of broken) {
    denominator = leastCommonMultiple(denominator, monomial.coefficient.denominator);
    for (const power of monomial.powers) {
      if (power.exponent < -(powers.get(power.key)?.exponent ?? 0))
        powers.set(power.key, { ...power, exponent: -power.exponent });
    }
  }
  const divisor: Monomial = {
    coefficient: rational(denominator),
    powers: [...powers.values()].sort((left, right) => (left.key < right.key ? -1 : 1)),
  };
  const numerator = sumExpression(broken.map((monomial) => multiplyMonomials(monomial, divisor)));
  const fraction = apply("/", numerator, monomialExpression(divisor));
  return whole.length === 0 ? fraction : apply("+", sumExpression(whole), fraction);
}

/** The canonical form of a dimension: equal dimensions become the same expression. */
export const canonicalDimension = (expression: NumberExpression): NumberExpression =>
  fromPolynomial(toPolynomial(expression));

/** True when both are equal whatever the sizes are. */
export const sameDimension = (a: NumberExpression, b: NumberExpression): boolean =>
  subtractPolynomials(toPolynomial(a), toPolynomial(b)).size === 0;

/** `[out, r]` */
export const printShape = (dimensions: readonly NumberExpression[]): string =>
  `[${dimensions.map((dimension) => printNumber(dimension)).join(", ")}]`;
