/** How tightly operators bind; the printer and the reference page read this table, the tests hold the parser to it. */
import type { BinarySyntaxOperator, ExpressionSyntax } from "./syntax-tree.ts";

/** Loosest first. Binary operators of one level group from the left; comparisons do not group at all. */
export const operatorLevels = [
  { level: 1, operators: ["or"], note: "" },
  { level: 2, operators: ["and"], note: "" },
  { level: 3, operators: ["not"], note: "before its operand" },
  { level: 4, operators: ["==", "!=", "<", "<=", ">", ">="], note: "never in a row" },
  { level: 5, operators: ["+", "-"], note: "" },
  {
    level: 6,
    operators: ["*", "/", "%", "@", ".*", "./"],
    note: "`.*` or `./` beside `@` needs parentheses",
  },
  { level: 7, operators: ["-"], note: "before its operand" },
  { level: 8, operators: [".T", "[i]"], note: "after their operand" },
] as const;

const comparisonLevel = 4;
const productLevel = 6;
export const sumLevel = 5;
const negativeLevel = 7;
export const postfixLevel = 8;
const primaryLevel = 9;

export const binaryLevels: Readonly<Record<BinarySyntaxOperator, number>> = {
  or: 1,
  and: 2,
  "==": comparisonLevel,
  "!=": comparisonLevel,
  "<": comparisonLevel,
  "<=": comparisonLevel,
  ">": comparisonLevel,
  ">=": comparisonLevel,
  "+": sumLevel,
  "-": sumLevel,
  "*": productLevel,
  "/": productLevel,
  "%": productLevel,
  "@": productLevel,
  ".*": productLevel,
  "./": productLevel,
};

/** Operators between entries of equal place; beside `@` they have two readings. */
export const isEntrywise = (operator: BinarySyntaxOperator): boolean =>
  operator === ".*" || operator === "./";

const isQuotient = (operator: BinarySyntaxOperator): boolean => operator === "/" || operator === "./";

/** How tightly the outermost operation of `expression` binds. */
export function levelOf(expression: ExpressionSyntax): number {
  switch (expression.kind) {
    case "binary":
      return binaryLevels[expression.operator];
    case "unary":
      return expression.operator === "not" ? 3 : negativeLevel;
    case "transpose":
    case "index":
      return postfixLevel;
    case "number":
      return expression.text.startsWith("-") ? negativeLevel : primaryLevel;
    default:
      return primaryLevel;
  }
}

type Binary = ExpressionSyntax & { readonly kind: "binary" };

/** The product operators that stand side by side when `expression` is written. */
function productSigns(expression: Binary): Set<BinarySyntaxOperator> {
  const { left } = expression;
  const signs =
    left.kind === "binary" && !needsParenthesesLeft(expression, left)
      ? productSigns(left)
      : new Set<BinarySyntaxOperator>();
  return signs.add(expression.operator);
}

/** True when `left`, the left operand of `outer`, must be written in parentheses. */
export function needsParenthesesLeft(outer: Binary, left: ExpressionSyntax): boolean {
  const level = binaryLevels[outer.operator];
  if (levelOf(left) !== level) return levelOf(left) < level;
  if (level === comparisonLevel) return true;
  if (level !== productLevel || left.kind !== "binary") return false;
  // A quotient before a product is bracketed although it groups so anyway: `alpha / r * X` is easily misread.
  if (isQuotient(left.operator) && !isQuotient(outer.operator)) return true;
  const signs = [...productSigns(left)];
  return (
    (outer.operator === "@" && signs.some(isEntrywise)) ||
    (isEntrywise(outer.operator) && signs.includes("@"))
  );
}

/** True when the right operand of `outer` must be written in parentheses. */
export const needsParenthesesRight = (outer: Binary, right: ExpressionSyntax): boolean =>
  levelOf(right) <= binaryLevels[outer.operator];
