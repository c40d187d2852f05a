/** Canonical dimensions: equal forms exactly for equal functions. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalDimension, sameDimension } from "../../compiler/types/dimension.ts";
import { foldNumber, substitute } from "../../compiler/types/fold-number.ts";
import {
  apply,
  evaluateNumber,
  type NumberExpression,
  number,
  printNumber,
  symbol,
} from "../../runtime/contract/number-expression.ts";

const names = ["n", "m", "b"] as const;

/** Sums, products and quotients by monomials: the part in which the canonical form decides equality. */
const { rational } = fc.letrec<{ rational: NumberExpression; monomial: NumberExpression }>((tie) => ({
  monomial: fc.oneof(
    fc.constantFrom(...names).map(symbol),
    fc.integer({ min: 1, max: 4 }).map(number),
    fc
      .tuple(fc.constantFrom(...names).map(symbol), fc.integer({ min: 1, max: 3 }).map(number))
      .map(([a, c]) => apply("*", c, a)),
  ),
  rational: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.constantFrom(...names).map(symbol),
    fc.integer({ min: -4, max: 4 }).map(number),
    fc
      .tuple(fc.constantFrom("+", "-", "*" as const), tie("rational"), tie("rational"))
      .map(([operator, a, b]) => apply(operator as "+", a, b)),
    fc.tuple(tie("rational"), tie("monomial")).map(([a, b]) => apply("/", a, b)),
    tie("rational").map((a) => apply("neg", a)),
  ),
}));

const primes = [101, 103, 107, 109, 113];
const points = primes.flatMap((n) =>
  primes.map(
    (m) =>
      new Map([
        ["n", n],
        ["m", m],
        ["b", ((n * m) % 97) + 2],
      ]),
  ),
);
const close = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-6 * (1 + Math.abs(a) + Math.abs(b));

describe("canonical dimensions", () => {
  test("a quotient by a sum that divides exactly has no divisor left", () => {
    const [m, q] = [symbol("m"), symbol("q")];
    const sum = apply("+", q, number(1));
    const dividend = apply("/", apply("+", apply("*", m, q), m), number(3));
    expect(printNumber(canonicalDimension(apply("/", dividend, sum)))).toBe("m / 3");
    expect(printNumber(canonicalDimension(apply("/", apply("+", m, q), sum)))).toContain("q + 1");
  });

  test("what was multiplied divides again", () => {
    fc.assert(
      fc.property(rational, rational, (a, b) => {
        fc.pre(printNumber(canonicalDimension(b)) !== "0");
        expect(sameDimension(apply("/", apply("*", a, b), b), a)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test("the canonical form has the value of the expression", () => {
    fc.assert(
      fc.property(rational, (expression) => {
        const canonical = canonicalDimension(expression);
        for (const point of points.slice(0, 5))
          expect(close(evaluateNumber(canonical, point), evaluateNumber(expression, point))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test("it is canonical: a form of a form is itself", () => {
    fc.assert(
      fc.property(rational, (expression) => {
        const canonical = canonicalDimension(expression);
        expect(printNumber(canonicalDimension(canonical))).toBe(printNumber(canonical));
      }),
      { numRuns: 300 },
    );
  });

  test("same form exactly when the values agree at all points", () => {
    fc.assert(
      fc.property(rational, rational, (a, b) => {
        const agree = points.every((point) => close(evaluateNumber(a, point), evaluateNumber(b, point)));
        expect(sameDimension(a, b)).toBe(agree);
      }),
      { numRuns: 500 },
    );
  });

  test("rewriting by the laws of arithmetic changes nothing", () => {
    fc.assert(
      fc.property(rational, rational, rational, (a, b, c) => {
        expect(
          sameDimension(apply("*", a, apply("+", b, c)), apply("+", apply("*", b, a), apply("*", c, a))),
        ).toBe(true);
        expect(sameDimension(apply("*", apply("/", a, symbol("n")), symbol("n")), a)).toBe(true);
        expect(sameDimension(apply("min", a, b), apply("min", b, a, a))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    [apply("*", symbol("b"), apply("/", symbol("n"), symbol("b"))), "n"],
    [apply("/", apply("*", symbol("out"), symbol("in")), number(4)), "in * out / 4"],
    [apply("+", apply("/", symbol("n"), symbol("b")), number(1)), "1 + n / b"],
    [apply("-", symbol("n"), apply("*", number(2), symbol("m"))), "n - 2 * m"],
    [apply("min", symbol("n"), number(8), apply("min", number(4), symbol("m"))), "min(m, n, 4)"],
    [apply("isqrt", number(17)), "4"],
    [apply("/", apply("+", symbol("n"), symbol("m")), apply("+", symbol("m"), symbol("n"))), "1"],
    [apply("/", symbol("n"), apply("+", symbol("m"), number(1))), "n / (m + 1)"],
  ])("%# prints %s", (expression, text) => {
    expect(printNumber(canonicalDimension(expression as NumberExpression))).toBe(text);
  });

  test("an exact quotient comes out whole", () => {
    const third = canonicalDimension(apply("/", apply("+", symbol("n"), symbol("m")), number(3)));
    for (let n = 1; n < 60; n += 1) {
      const m = 3 * n + ((3 - (n % 3)) % 3);
      expect(
        evaluateNumber(
          third,
          new Map([
            ["n", n],
            ["m", m],
          ]),
        ),
      ).toBe((n + m) / 3);
    }
  });

  test("folding and substitution keep values", () => {
    fc.assert(
      fc.property(rational, (expression) => {
        const point = points[3] ?? new Map();
        const replaced = substitute(
          expression,
          new Map([...point].map(([name, value]) => [name, number(value)])),
        );
        const value = evaluateNumber(expression, point);
        expect(foldNumber(replaced)).toEqual({ kind: "number", value: expect.closeTo(value, 6) as number });
      }),
      { numRuns: 100 },
    );
  });
});
