/**
 * How large an expression is once it is written out. Abbreviations that double a few dozen times would outgrow any
 * memory, so growth is refused while it is small. Sizes are remembered, because parts are the same objects.
 */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { Recipe } from "../../runtime/contract/recipe.ts";
import type { WeightExpression } from "./checked-module.ts";
import { isObstacle, type Value } from "./value.ts";

/** Nodes of one expression; far above anything written by hand. */
export const largestExpression = 4096;
/** Expressions looked at for one transform, and for all functions of a file together. */
export const mostSteps = 50_000;

const sizes = new WeakMap<object, number>();

function measured(node: object, parts: readonly number[]): number {
  const size = parts.reduce((sum, part) => sum + part, 1);
  sizes.set(node, size);
  return size;
}

const sizeOfNumber = (expression: NumberExpression): number =>
  expression.kind === "apply"
    ? (sizes.get(expression) ?? measured(expression, expression.operands.map(sizeOfNumber)))
    : 1;

function sizeOfWeight(weight: WeightExpression): number {
  const known = sizes.get(weight);
  if (known !== undefined) return known;
  switch (weight.kind) {
    case "sum":
      return measured(weight, weight.terms.map(sizeOfWeight));
    case "product":
    case "hadamard":
    case "kron":
      return measured(weight, weight.factors.map(sizeOfWeight));
    case "blockdiag":
      return measured(weight, weight.blocks.map(sizeOfWeight));
    case "concatenation":
      return measured(weight, weight.parts.map(sizeOfWeight));
    case "scale":
      return measured(weight, [sizeOfNumber(weight.factor), sizeOfWeight(weight.operand)]);
    case "transpose":
    case "mask":
      return measured(weight, [sizeOfWeight(weight.operand)]);
    default:
      return 1;
  }
}

function sizeOfRecipe(recipe: Recipe): number {
  const known = sizes.get(recipe);
  if (known !== undefined) return known;
  if (recipe.kind === "number") return sizeOfNumber(recipe.value);
  if (recipe.kind === "call") return measured(recipe, Object.values(recipe.operands).map(sizeOfRecipe));
  return recipe.kind === "output" ? 1 + sizeOfRecipe(recipe.of) : 1;
}

export function sizeOfValue(value: Value): number {
  if (value.kind === "number") return sizeOfNumber(value.expression);
  if (value.kind !== "tensor") return 1;
  const shape = value.dimensions.reduce((sum, side) => sum + sizeOfNumber(side), 0);
  const weight = isObstacle(value.weight) ? 1 : sizeOfWeight(value.weight);
  const recipe = isObstacle(value.recipe) ? 1 : sizeOfRecipe(value.recipe);
  return shape + Math.max(weight, recipe);
}
