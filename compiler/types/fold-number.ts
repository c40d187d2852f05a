/** Number expressions with symbols replaced and constants folded; nothing is reassociated, so reals keep their rounding. */

import {
  apply,
  evaluateNumber,
  type NumberExpression,
  type NumberOperator,
  number,
  printNumber,
} from "../../runtime/contract/number-expression.ts";

/** Replaces symbols; those without a replacement stay. */
export function substitute(
  expression: NumberExpression,
  replacements: ReadonlyMap<string, NumberExpression>,
): NumberExpression {
  switch (expression.kind) {
    case "number":
      return expression;
    case "symbol":
      return replacements.get(expression.name) ?? expression;
    case "apply":
      return apply(
        expression.operator,
        ...expression.operands.map((operand) => substitute(operand, replacements)),
      );
  }
}

/** Folds what holds only numbers, drops neutral elements and what cancels; for scales and counts, which may be real. */
export const foldNumber = (expression: NumberExpression): NumberExpression =>
  expression.kind === "apply"
    ? applyFolded(expression.operator, ...expression.operands.map(foldNumber))
    : expression;

/** Written the same way, not merely equal in value. */
const isSame = (a: NumberExpression | undefined, b: NumberExpression | undefined): boolean =>
  a !== undefined && b !== undefined && (a === b || printNumber(a) === printNumber(b));

/** As `foldNumber(apply(operator, ...operands))` for operands that are folded already: building up stays linear. */
export function applyFolded(operator: NumberOperator, ...operands: NumberExpression[]): NumberExpression {
  if (operands.every(({ kind }) => kind === "number"))
    return number(evaluateNumber(apply(operator, ...operands), noSymbols));
  // a - a = 0, exact for all finite numbers: what is left when everything is taken away.
  if (operator === "-" && isSame(operands[0], operands[1])) return number(0);
  const neutral = operator === "*" ? 1 : operator === "+" ? 0 : null;
  if (neutral === null) return apply(operator, ...operands);
  const kept = operands.filter((operand) => operand.kind !== "number" || operand.value !== neutral);
  const [only] = kept;
  return kept.length === 1 && only !== undefined ? only : apply(operator, ...kept);
}

const noSymbols: ReadonlyMap<string, number> = new Map();
