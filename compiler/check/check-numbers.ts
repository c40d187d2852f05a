/** Numbers: arithmetic on them, and the places that ask for a dimension, a constant or a number of some type. */

import type { BinarySyntaxOperator, ExpressionSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Span } from "../../grammar/text/source-text.ts";
import {
  apply,
  evaluateNumber,
  type NumberExpression,
  type NumberOperator,
  number,
  printNumber,
  symbolsOf,
} from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { quotientNotWhole, requirementRefuted } from "../diagnostics/shape-diagnostics.ts";
import { scheduleMisplaced } from "../diagnostics/time-diagnostics.ts";
import { constNeeded, notWhole, outOfRange, wrongKind } from "../diagnostics/type-diagnostics.ts";
import { canonicalDimension } from "../types/dimension.ts";
import { foldNumber } from "../types/fold-number.ts";
import { addCountProblem, addProblem, addProblemOnce, type CheckContext, oblige } from "./check-context.ts";
import { namesInExpression } from "./names-in-expression.ts";
import { divides } from "./obligations.ts";
import {
  describeValue,
  type NumberType,
  type NumberValue,
  type PoisonValue,
  poison,
  type Value,
} from "./value.ts";

export const numberValue = (expression: NumberExpression, type: NumberType): NumberValue => ({
  kind: "number",
  type,
  expression: foldNumber(expression),
});

/** A number that is real whatever it is computed from. */
export const realValue = (expression: NumberExpression, type: NumberType): NumberValue => ({
  ...numberValue(expression, type),
  isReal: true,
});

export const literalValue = (value: number): NumberValue =>
  numberValue(number(value), Number.isInteger(value) ? "int" : "real");

/** The value of an expression without symbols, such as -2; null for any other. */
export const knownNumber = (expression: NumberExpression): number | null =>
  symbolsOf(expression).length === 0 ? evaluateNumber(expression, new Map()) : null;

const comparisons: ReadonlySet<string> = new Set(["==", "!=", "<", "<=", ">", ">="]);
const connectives: ReadonlySet<string> = new Set(["and", "or"]);
/** Whole whatever their operands are. */
const wholeOperators: ReadonlySet<string> = new Set([
  ...["floor", "ceil", "round", "isqrt", "not"],
  ...comparisons,
  ...connectives,
]);

/** a ∘ b for numbers and conditions. */
export function combineNumbers(
  context: CheckContext,
  operator: BinarySyntaxOperator,
  left: NumberValue,
  right: NumberValue,
  places: { readonly left: ExpressionSyntax; readonly right: ExpressionSyntax },
): NumberValue | PoisonValue {
  if (operator === "@" || operator === ".*" || operator === "./") {
    addProblem(
      context,
      report(
        wrongKind,
        places.left.span,
        { expected: "a matrix", found: describeValue(left) },
        { help: [`write \`${operator === "./" ? "/" : "*"}\` between numbers`] },
      ),
    );
    return poison;
  }
  const expectsConditions = connectives.has(operator);
  for (const [side, span] of [
    [left, places.left.span],
    [right, places.right.span],
  ] as const) {
    if (
      (side.type === "bool") === expectsConditions ||
      (side.isCondition === true && expectsConditions) ||
      (operator === "==" && side.type === "bool") ||
      (operator === "!=" && side.type === "bool")
    )
      continue;
    const expected = expectsConditions ? "a condition" : "a number";
    addProblem(context, report(wrongKind, span, { expected, found: describeValue(side) }));
    return poison;
  }
  const expression = apply(operator satisfies NumberOperator, left.expression, right.expression);
  if (comparisons.has(operator) || expectsConditions) return numberValue(expression, "bool");
  if ((operator === "/" || operator === "%") && !divisorMayStand(context, right, places.right)) return poison;
  if (left.isReal === true || right.isReal === true) return realValue(expression, "real");
  const whole = operator !== "/" && left.type === "int" && right.type === "int";
  return numberValue(expression, whole ? "int" : "real");
}

/** Refuses a divisor that is the number 0, and obliges every other one to be something else. */
export function divisorMayStand(
  context: CheckContext,
  divisor: NumberValue,
  syntax: ExpressionSyntax,
): boolean {
  const { expression } = divisor;
  const { span } = syntax;
  if (expression.kind === "number") {
    if (expression.value !== 0) return true;
    const facts = { name: "the divisor", expected: "away from 0", found: "0" };
    addCountProblem(context, namesInExpression(syntax), report(outOfRange, span, facts));
    return false;
  }
  const condition = apply("!=", expression, number(0));
  oblige(context, {
    kind: requirementRefuted,
    condition,
    text: printNumber(condition),
    span,
    reason: `\`${printNumber(expression)}\` divides`,
  });
  return true;
}

/** True when an expression is whole once its quotients are. */
export function isWholeExpression(context: CheckContext, expression: NumberExpression): boolean {
  if (expression.kind === "number") return Number.isSafeInteger(expression.value);
  if (expression.kind === "symbol") return context.symbolTypes.get(expression.name) === "int";
  if (wholeOperators.has(expression.operator)) return true;
  return (
    !["sqrt", "exp", "log", "cos", "pow"].includes(expression.operator) &&
    expression.operands.every((operand) => isWholeExpression(context, operand))
  );
}

/** Obliges every quotient in a whole expression to be exact. */
function obligeQuotients(
  context: CheckContext,
  expression: NumberExpression,
  span: Span,
  what: string,
): void {
  if (expression.kind !== "apply" || wholeOperators.has(expression.operator)) return;
  for (const operand of expression.operands) obligeQuotients(context, operand, span, what);
  if (expression.operator !== "/") return;
  const [dividend = number(0), divisor = number(1)] = expression.operands;
  const condition = divides(divisor, dividend);
  oblige(context, {
    kind: quotientNotWhole,
    condition,
    text: printNumber(condition),
    span,
    reason: `\`${printNumber(expression)}\` is ${what}`,
  });
}

export function asNumber(
  context: CheckContext,
  value: Value,
  span: Span,
  expected = "a number",
): NumberValue | null {
  if (value.kind === "number" && value.type !== "bool") return value;
  if (value.kind !== "poison")
    addProblem(context, report(wrongKind, span, { expected, found: describeValue(value) }));
  return null;
}

/**
 * A whole number in canonical form; `what` completes "`n / b` is …", e.g. "a dimension". One that is fixed at load may
 * follow nothing.
 */
export function asWhole(
  context: CheckContext,
  value: Value,
  span: Span,
  what: string,
  follows: "nothing" | "clocks" = "nothing",
): NumberExpression | null {
  const found = asNumber(context, value, span);
  if (found === null) return null;
  const name = symbolsOf(found.expression).find((read) => context.scheduled.has(read));
  if (name !== undefined && follows === "nothing") {
    addProblemOnce(context, name, report(scheduleMisplaced, span, { name, place: what }));
    return null;
  }
  if (!isWholeExpression(context, found.expression)) {
    const text = printNumber(found.expression);
    addProblemOnce(context, text, report(notWhole, span, { expected: what, found: text }));
    return null;
  }
  obligeQuotients(context, found.expression, span, what);
  return canonicalDimension(found.expression);
}

/** A whole number known at build time. */
export function asWholeConstant(
  context: CheckContext,
  value: Value,
  span: Span,
  what: string,
): number | null {
  const expression = asWhole(context, value, span, what);
  if (expression === null) return null;
  const folded = foldNumber(expression);
  if (folded.kind === "number") return folded.value;
  addProblem(context, report(constNeeded, span, { expected: what, found: printNumber(expression) }));
  return null;
}

/** Checks a number against a declared type; the expression that carries it, or null after a report. */
export function asTyped(
  context: CheckContext,
  value: Value,
  type: NumberType,
  span: Span,
  name: string,
): NumberExpression | null {
  if (type === "bool") {
    const isTruth =
      value.kind === "number" &&
      (value.type === "bool" ||
        value.isCondition === true ||
        (value.expression.kind === "number" && [0, 1].includes(value.expression.value)));
    if (isTruth) return value.expression;
    if (value.kind !== "poison")
      addProblem(context, report(wrongKind, span, { expected: "a condition", found: describeValue(value) }));
    return null;
  }
  if (type === "int") return asWhole(context, value, span, `\`${name}\``, "clocks");
  const found = asNumber(context, value, span);
  if (found === null) return null;
  const { expression } = found;
  if (type === "ratio" && expression.kind === "number" && (expression.value < 0 || expression.value > 1)) {
    addProblem(
      context,
      report(outOfRange, span, { name, expected: "between 0 and 1", found: String(expression.value) }),
    );
    return null;
  }
  return expression;
}
