/** Masks on matrices, and the moment at which a pattern without a size gets one. */

import type { Span } from "../../grammar/text/source-text.ts";
import { type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import type { Recipe } from "../../runtime/contract/recipe.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { unknownSize, valueShape } from "../diagnostics/shape-diagnostics.ts";
import { printShape, sameDimension } from "../types/dimension.ts";
import { addProblem, type CheckContext } from "./check-context.ts";
import { sides } from "./check-tensors.ts";
import type { WeightExpression } from "./checked-module.ts";
import { callRecipe, joinReadings, matrix } from "./readings.ts";
import {
  type FlexibleValue,
  type OpenShape,
  type PatternValue,
  type PoisonValue,
  poison,
  type TensorValue,
} from "./value.ts";

type TensorLike = TensorValue | FlexibleValue;
type TensorResult = TensorLike | PoisonValue;

/** pattern .* value: entries outside the pattern vanish. The pattern takes the size of the matrix if it has none. */
export function maskTensor(
  context: CheckContext,
  pattern: PatternValue,
  patternSpan: Span,
  value: TensorLike,
  span: Span,
): TensorResult {
  const draft = context.patterns.get(pattern.name);
  if (draft === undefined) return poison;
  const side = draft.shape[0] ?? draft.shape[1];
  if (value.kind === "flexible" && side === null) {
    addProblem(context, report(unknownSize, value.span, { name: `\`${value.text}\`` }));
    return poison;
  }
  const fixed = value.kind === "flexible" ? value.at(side ?? number(1)) : value;
  const found = sides(context, fixed);
  if (found === null || !fitPattern(context, pattern.name, found, patternSpan, fixed.span)) return poison;
  const [rows, columns] = found;
  const weight = joinReadings<WeightExpression, WeightExpression>([fixed.weight], ([operand]) => {
    if (operand === undefined) throw new RangeError("a mask has one operand");
    return { kind: "mask", pattern: pattern.name, operand, rows, columns, span };
  });
  const recipe = joinReadings<Recipe, Recipe>([fixed.recipe], ([operand]) =>
    callRecipe("multiply", {
      left: { kind: "pattern", name: pattern.name },
      right: operand ?? { kind: "number", value: number(0) },
    }),
  );
  return matrix(rows, columns, span, weight, recipe);
}

/** Gives an open pattern its size, or compares. */
export function fitPattern(
  context: CheckContext,
  name: string,
  shape: readonly [NumberExpression, NumberExpression],
  patternSpan: Span,
  otherSpan: Span,
): boolean {
  const draft = context.patterns.get(name);
  if (draft === undefined || draft.selection.kind === "poison") return false;
  if (draft.shape.every((side, axis) => side === null || sameDimension(side, shape[axis] ?? side))) {
    draft.shape = shape;
    return true;
  }
  const [expected, found] = [printOpenShape(draft.shape), printShape(shape)];
  addProblem(
    context,
    report(
      valueShape,
      otherSpan,
      { name, expected: `a pattern ${expected}`, found },
      { label: found, secondary: [{ span: patternSpan, text: expected }] },
    ),
  );
  return false;
}

/** Each side from the first of the two that knows it. */
export const joinShapes = (first: OpenShape, second: OpenShape): OpenShape => [
  first[0] ?? second[0],
  first[1] ?? second[1],
];

/** `[out, ?]` */
export const printOpenShape = (shape: OpenShape): string =>
  printShape(shape.map((side) => side ?? symbol("?")));
