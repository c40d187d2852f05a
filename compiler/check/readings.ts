/** Building blocks of the two readings of a tensor: terms of the weight and recipes. */

import type { Span } from "../../grammar/text/source-text.ts";
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { IntrinsicName, Recipe } from "../../runtime/contract/recipe.ts";
import type { WeightExpression } from "./checked-module.ts";
import { isObstacle, type Obstacle, type TensorValue } from "./value.ts";

export const obstacle = (text: string, span: Span): Obstacle => ({
  kind: "obstacle",
  reason: "operation",
  text,
  span,
});

/** Builds a reading from readings, or passes on the first obstacle. */
export function joinReadings<T extends { readonly kind: string }, R>(
  readings: readonly (T | Obstacle)[],
  build: (parts: readonly T[]) => R,
): R | Obstacle {
  const parts: T[] = [];
  for (const reading of readings) {
    if (isObstacle(reading)) return reading;
    parts.push(reading as T);
  }
  return build(parts);
}

export const callRecipe = (intrinsic: IntrinsicName, operands: Readonly<Record<string, Recipe>>): Recipe => ({
  kind: "call",
  intrinsic,
  operands,
});

export const matrix = (
  rows: NumberExpression,
  columns: NumberExpression,
  span: Span,
  weight: WeightExpression | Obstacle,
  recipe: Recipe | Obstacle,
): TensorValue => ({ kind: "tensor", dimensions: [rows, columns], weight, recipe, leaf: null, span });
