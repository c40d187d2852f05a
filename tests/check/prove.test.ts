/** The prover against brute force: what it decides is never wrong, and it decides what programs need. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type SymbolRange, sizeRange } from "../../compiler/types/knowledge.ts";
import { prove } from "../../compiler/types/prove.ts";
import {
  apply,
  evaluateNumber,
  type NumberExpression,
  type NumberOperator,
  number,
  symbol,
} from "../../runtime/contract/number-expression.ts";

const names = ["n", "m", "r"] as const;
const sizes = new Map<string, SymbolRange>(names.map((name) => [name, sizeRange]));

const { term } = fc.letrec<{ term: NumberExpression }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    fc.constantFrom(...names).map(symbol),
    fc.integer({ min: 0, max: 6 }).map(number),
    fc
      .tuple(fc.constantFrom<NumberOperator>("+", "-", "*", "min", "max"), tie("term"), tie("term"))
      .map(([operator, a, b]) => apply(operator, a, b)),
    fc.tuple(tie("term"), fc.integer({ min: 1, max: 6 })).map(([a, m]) => apply("%", a, number(m))),
    fc
      .tuple(fc.constantFrom<NumberOperator>("floor", "ceil"), tie("term"), fc.integer({ min: 1, max: 5 }))
      .map(([operator, a, m]) => apply(operator, apply("/", a, number(m)))),
    tie("term").map((a) => apply("isqrt", apply("abs", a))),
    fc.tuple(tie("term"), fc.constantFrom(...names).map(symbol)).map(([a, b]) => apply("%", a, b)),
  ),
}));

const comparison = fc
  .tuple(fc.constantFrom<NumberOperator>("==", "!=", "<", "<=", ">", ">="), term, term)
  .map(([operator, a, b]) => apply(operator, a, b));
const divisibility = fc
  .tuple(fc.constantFrom(...names), fc.integer({ min: 2, max: 6 }))
  .map(([name, m]) => apply("==", apply("%", symbol(name), number(m)), number(0)));
const condition = fc.oneof(
  comparison,
  divisibility,
  fc
    .tuple(fc.constantFrom<NumberOperator>("and", "or"), comparison, comparison)
    .map(([operator, a, b]) => apply(operator, a, b)),
  comparison.map((a) => apply("not", a)),
);

const points: ReadonlyMap<string, number>[] = [];
for (let n = 1; n <= 13; n += 1)
  for (let m = 1; m <= 13; m += 3)
    for (let r = 1; r <= 13; r += 4)
      points.push(
        new Map([
          ["n", n],
          ["m", m],
          ["r", r],
        ]),
      );

describe("prove", () => {
  test("a verdict holds at every point that the facts allow", () => {
    fc.assert(
      fc.property(
        condition,
        fc.array(fc.oneof(divisibility, comparison), { maxLength: 2 }),
        (claim, facts) => {
          const verdict = prove(claim, { ranges: sizes, facts });
          if (verdict === "open") return;
          for (const point of points) {
            if (!facts.every((fact) => evaluateNumber(fact, point) !== 0)) continue;
            expect(evaluateNumber(claim, point) !== 0).toBe(verdict === "proven");
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  const [n, m, r] = [symbol("n"), symbol("m"), symbol("r")];
  const divides = (divisor: NumberExpression, dividend: NumberExpression): NumberExpression =>
    apply("==", apply("%", dividend, divisor), number(0));

  test("a share of a matrix is no larger than the matrix", () => {
    const ranges = new Map([...sizes, ["share", { low: 0, high: 1, whole: false }]]);
    const count = apply("floor", apply("*", symbol("share"), n, m));
    expect(prove(apply("<=", count, apply("*", n, m)), { ranges, facts: [] })).toBe("proven");
    expect(prove(apply("<", count, apply("*", n, m)), { ranges, facts: [] })).toBe("open");
  });

  test.each([
    ["n >= 1", apply(">=", n, number(1)), [], "proven"],
    ["n % 4 == 0 from n % 8 == 0", divides(number(4), n), [divides(number(8), n)], "proven"],
    [
      "n % 12 == 0 from 4 and 6",
      divides(number(12), n),
      [divides(number(4), n), divides(number(6), n)],
      "proven",
    ],
    [
      "n % 4 == 0 refuted by n % 8 == 2",
      divides(number(4), n),
      [apply("==", apply("%", n, number(8)), number(2))],
      "refuted",
    ],
    [
      "(4 n + 2) % 4 == 0",
      divides(number(4), apply("+", apply("*", number(4), n), number(2))),
      [],
      "refuted",
    ],
    ["n m % m == 0", divides(m, apply("*", n, m)), [], "proven"],
    ["n % (n / m) == 0", divides(apply("/", n, m), n), [], "proven"],
    ["n % m == 0 as a fact", divides(m, n), [divides(m, n)], "proven"],
    ["n r % m == 0 from n % m == 0", divides(m, apply("*", n, r)), [divides(m, n)], "proven"],
    ["n / m > 0", apply(">", apply("/", n, m), number(0)), [], "proven"],
    ["r <= n from r <= min(n, m)", apply("<=", r, n), [apply("<=", r, apply("min", n, m))], "proven"],
    ["min(n, m) <= n", apply("<=", apply("min", n, m), n), [], "proven"],
    ["max(n, 3) >= 3", apply(">=", apply("max", n, number(3)), number(3)), [], "proven"],
    ["min(n, m) <= n m", apply("<=", apply("min", n, m), apply("*", n, m)), [], "open"],
    ["floor(n / 8) <= n", apply("<=", apply("floor", apply("/", n, number(8))), n), [], "proven"],
    ["16 <= min(10, n)", apply("<=", number(16), apply("min", number(10), n)), [], "refuted"],
    ["r <= n is open", apply("<=", r, n), [], "open"],
    [
      "n / r == n / r with r unknown",
      apply("==", apply("/", n, symbol("free")), apply("/", n, symbol("free"))),
      [],
      "open",
    ],
  ] as const)("%s", (_name, claim, facts, verdict) => {
    expect(prove(claim, { ranges: sizes, facts })).toBe(verdict);
  });
});
