/** What operators mean where at least one side is no number: which kinds they join, and what to say of the others. */

import type { BinarySyntaxOperator, ExpressionSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Label } from "../../grammar/text/diagnostic.ts";
import { apply, number } from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { matrixTimesMatrix, numberPlusMatrix, wrongKind } from "../diagnostics/type-diagnostics.ts";
import { printShape } from "../types/dimension.ts";
import { foldNumber } from "../types/fold-number.ts";
import { addProblem, type CheckContext } from "./check-context.ts";
import { maskTensor } from "./check-masks.ts";
import { divisorMayStand } from "./check-numbers.ts";
import { asTensor, combineEntrywise, multiplyMatrices, scaleTensor } from "./check-tensors.ts";
import { combineSelections, isPositions } from "./combine-patterns.ts";
import { numberTensor, quotientByEntries } from "./function-meanings.ts";
import { isTrainedNumber, scaleByTrained } from "./trained-numbers.ts";
import { describeValue, type FlexibleValue, poison, type TensorValue, type Value } from "./value.ts";

type Syntax<Kind extends ExpressionSyntax["kind"]> = ExpressionSyntax & { readonly kind: Kind };
type TensorLike = TensorValue | FlexibleValue;

export const isTensor = (value: Value): value is TensorLike =>
  value.kind === "tensor" || value.kind === "flexible";

export function refuse(
  context: CheckContext,
  expected: string,
  found: Value,
  syntax: ExpressionSyntax,
): Value {
  if (found.kind !== "poison")
    addProblem(context, report(wrongKind, syntax.span, { expected, found: describeValue(found) }));
  return poison;
}

type TensorOperator = (context: CheckContext, left: Value, right: Value, syntax: Syntax<"binary">) => Value;

const refuseSide = (
  context: CheckContext,
  expected: string,
  left: Value,
  right: Value,
  syntax: Syntax<"binary">,
): Value =>
  isTensor(left)
    ? refuse(context, expected, right, syntax.right)
    : refuse(context, expected, left, syntax.left);

const numbersOnly: TensorOperator = (context, left, right, syntax) =>
  left.kind === "number"
    ? refuse(context, "a number", right, syntax.right)
    : refuse(context, "a number", left, syntax.left);

const sumOperator =
  (operator: "+" | "-"): TensorOperator =>
  (context, left, right, syntax) => {
    if (isTensor(left) && isTensor(right))
      return combineEntrywise(context, operator, left, right, syntax.span);
    if (left.kind === "number" && isTrainedNumber(right))
      return combineEntrywise(
        context,
        operator,
        numberTensor(context, left.expression, syntax.left.span),
        right,
        syntax.span,
      );
    if (isTrainedNumber(left) && right.kind === "number")
      return combineEntrywise(
        context,
        operator,
        left,
        numberTensor(context, right.expression, syntax.right.span),
        syntax.span,
      );
    if ((left.kind === "number" && isTensor(right)) || (isTensor(left) && right.kind === "number")) {
      const secondary = [labelled(left, syntax.left), labelled(right, syntax.right)];
      addProblem(context, report(numberPlusMatrix, syntax.operatorSpan, { operator }, { secondary }));
      return poison;
    }
    return refuseSide(context, "a matrix", left, right, syntax);
  };

const scaleOperator: TensorOperator = (context, left, right, syntax) => {
  if (isTrainedNumber(left) && isTensor(right)) return scaleByTrained(context, left, right, syntax.span);
  if (isTensor(left) && isTrainedNumber(right)) return scaleByTrained(context, right, left, syntax.span);
  if (isTensor(left) && isTensor(right)) {
    addProblem(
      context,
      report(matrixTimesMatrix, syntax.operatorSpan, { left: textOf(left), right: textOf(right) }),
    );
    return poison;
  }
  if (left.kind === "number" && isTensor(right))
    return scaleTensor(context, left.expression, right, syntax.span);
  if (isTensor(left) && right.kind === "number")
    return scaleTensor(context, right.expression, left, syntax.span);
  return refuseSide(context, "a number or a matrix", left, right, syntax);
};

const quotientOperator: TensorOperator = (context, left, right, syntax) => {
  if (isTrainedNumber(right) && (left.kind === "tensor" || left.kind === "number")) {
    const inverse = quotientByEntries(
      context,
      numberTensor(context, number(1), syntax.span),
      right,
      syntax.span,
    );
    if (inverse.kind === "poison") return poison;
    return left.kind === "number"
      ? scaleTensor(context, left.expression, inverse, syntax.span)
      : scaleByTrained(context, inverse, left, syntax.span);
  }
  if (!isTensor(left) || right.kind !== "number")
    return numbersOnly(context, left.kind === "number" ? left : right, right, syntax);
  if (!divisorMayStand(context, right, syntax.right)) return poison;
  return scaleTensor(context, foldNumber(apply("/", number(1), right.expression)), left, syntax.span);
};

const productOperator: TensorOperator = (context, left, right, syntax) => {
  if (isTensor(left) && isTensor(right)) return multiplyMatrices(context, left, right, syntax.span);
  if (left.kind === "pattern" || right.kind === "pattern") {
    const [pattern, place] = left.kind === "pattern" ? [left, syntax.left] : [right, syntax.right];
    const help = ["a pattern masks a matrix: `M .* W`"];
    addProblem(
      context,
      report(wrongKind, place.span, { expected: "a matrix", found: describeValue(pattern) }, { help }),
    );
    return poison;
  }
  return refuseSide(context, "a matrix", left, right, syntax);
};

const hadamardOperator: TensorOperator = (context, left, right, syntax) => {
  if (left.kind === "pattern" && isTensor(right))
    return maskTensor(context, left, syntax.left.span, right, syntax.span);
  if (isTensor(left) && right.kind === "pattern")
    return maskTensor(context, right, syntax.right.span, left, syntax.span);
  if (isTensor(left) && isTensor(right)) return combineEntrywise(context, ".*", left, right, syntax.span);
  if (left.kind === "selection" || right.kind === "selection") {
    const [selection, place] = left.kind === "selection" ? [left, syntax.left] : [right, syntax.right];
    const help = ["declare it first: `mask M: unstructured = …`"];
    addProblem(
      context,
      report(
        wrongKind,
        place.span,
        { expected: "a mask or a matrix", found: describeValue(selection) },
        { help },
      ),
    );
    return poison;
  }
  return refuseSide(context, "a matrix", left, right, syntax);
};

const entryQuotient: TensorOperator = (context, left, right, syntax) => {
  if (!isTensor(left) || !isTensor(right)) return refuseSide(context, "a matrix", left, right, syntax);
  const dividend = asTensor(context, left, syntax.left.span);
  const divisor = asTensor(context, right, syntax.right.span);
  if (dividend === null || divisor === null) return poison;
  return quotientByEntries(context, dividend, divisor, syntax.span);
};

/** What stands on a side of an operator that joins only equals. */
const labelled = (value: Value, { span }: ExpressionSyntax): Label => ({
  span,
  text: isTensor(value) ? textOf(value) : "a number",
});

const textOf = (value: TensorLike): string =>
  value.kind === "flexible" ? `\`${value.text}\`` : printShape(value.dimensions);

const connective =
  (operator: "and" | "or"): TensorOperator =>
  (context, left, right, syntax) => {
    const spans = { left: syntax.left.span, right: syntax.right.span, whole: syntax.span };
    if (isPositions(left) && isPositions(right))
      return combineSelections(context, operator, [left, right], spans);
    if (isPositions(left)) return refuse(context, "a pattern", right, syntax.right);
    if (isPositions(right)) return refuse(context, "a pattern", left, syntax.left);
    return numbersOnly(context, left, right, syntax);
  };

export const tensorOperators: Readonly<Record<BinarySyntaxOperator, TensorOperator>> = {
  "+": sumOperator("+"),
  "-": sumOperator("-"),
  "*": scaleOperator,
  "/": quotientOperator,
  "@": productOperator,
  ".*": hadamardOperator,
  "./": entryQuotient,
  "%": numbersOnly,
  "==": numbersOnly,
  "!=": numbersOnly,
  "<": numbersOnly,
  "<=": numbersOnly,
  ">": numbersOnly,
  ">=": numbersOnly,
  and: connective("and"),
  or: connective("or"),
};
