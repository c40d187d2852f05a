import { describe, expect, it } from "vitest";
import { checkVocabulary } from "../../grammar/parser/lexer.ts";
import { parse } from "../../grammar/parser/parse.ts";
import { checkGrammar } from "../../grammar/parser/spx-parser.ts";
import { printExpression } from "../../grammar/syntax/print-expression.ts";
import type { ExpressionSyntax } from "../../grammar/syntax/syntax-tree.ts";

function bodyOf(text: string): ExpressionSyntax {
  const { tree, diagnostics } = parse({ file: "p.spx", text: `function f() = ${text}` });
  expect(diagnostics).toEqual([]);
  const [declaration] = tree.declarations;
  if (declaration?.kind !== "function") throw new Error(`no function in ${text}`);
  return declaration.body;
}

/** Every operation in brackets of its own. */
function grouped(expression: ExpressionSyntax): string {
  switch (expression.kind) {
    case "binary":
      return `(${grouped(expression.left)} ${expression.operator} ${grouped(expression.right)})`;
    case "unary":
      return `(${expression.operator} ${grouped(expression.operand)})`;
    case "transpose":
      return `(${grouped(expression.operand)}.T)`;
    case "index":
      return `(${grouped(expression.target)}[${grouped(expression.index)}])`;
    default:
      return printExpression(expression);
  }
}

describe("operators", () => {
  it.each([
    ["M .* W + (alpha / r) * (B @ A + S)", "((M .* W) + ((alpha / r) * ((B @ A) + S)))"],
    ["s * A @ B", "((s * A) @ B)"],
    ["A @ B / s", "((A @ B) / s)"],
    ["a - b - c", "((a - b) - c)"],
    ["a - (b - c)", "(a - (b - c))"],
    ["a / b / c", "((a / b) / c)"],
    ["a + b % c", "(a + (b % c))"],
    ["-A @ B", "((- A) @ B)"],
    ["-A.T", "(- (A.T))"],
    ["(-A).T", "((- A).T)"],
    ["- - a", "(- (- a))"],
    ["a - -b", "(a - (- b))"],
    ["P(b) @ L @ P(b).T @ R", "(((P(b) @ L) @ (P(b).T)) @ R)"],
    ["A[i].T[j]", "(((A[i]).T)[j])"],
    ["(A + B).T", "((A + B).T)"],
    ["a == b + 1", "(a == (b + 1))"],
    ["not a < b and c or d", "(((not (a < b)) and c) or d)"],
    ["a or b and c", "(a or (b and c))"],
    ["not not a", "(not (not a))"],
    ["M .* (A @ B)", "(M .* (A @ B))"],
    ["(M .* A) @ B", "((M .* A) @ B)"],
    ["M .* N .* W", "((M .* N) .* W)"],
    ["2 .* W", "(2 .* W)"],
    ["2./W", "(2 ./ W)"],
    ["A ./ B ./ C", "((A ./ B) ./ C)"],
    ["M .* A ./ B + C", "(((M .* A) ./ B) + C)"],
    ["A ./ (B @ C)", "(A ./ (B @ C))"],
    ["not M and N or E", "(((not M) and N) or E)"],
    ["2.T", "(2.T)"],
    ["sum(i < n + 1, kron(A[i], B[i]))", "sum(i < n + 1, kron(A[i], B[i]))"],
  ])("%s groups as %s", (text, expected) => {
    expect(grouped(bodyOf(text))).toBe(expected);
  });

  it.each(["M .* A @ B", "A @ B .* M", "M .* s * A @ B", "A @ B / s .* M", "A ./ B @ C", "A @ B ./ C"])(
    "%s is refused",
    (text) => {
      const { diagnostics } = parse({ file: "p.spx", text: `function f() = ${text}` });
      expect(diagnostics.map(({ code }) => code)).toEqual(["SPX1303"]);
    },
  );

  it.each([
    ["(a / b) * c", "(a / b) * c"],
    ["a / b * c", "(a / b) * c"],
    ["(a * b) / c", "a * b / c"],
    ["A ./ B .* C", "(A ./ B) .* C"],
    ["(A .* B) ./ C", "A .* B ./ C"],
    ["((a))", "a"],
    ["(a + b) + c", "a + b + c"],
    ["a + (b + c)", "a + (b + c)"],
  ])("%s is printed %s", (text, expected) => {
    expect(printExpression(bodyOf(text))).toBe(expected);
  });
});

describe("the grammar", () => {
  it("passes the checks of the parser generator", () => expect(() => checkGrammar()).not.toThrow());
  it("has a vocabulary without contradictions", () => expect(checkVocabulary()).toEqual([]));
});
