/**
 * Operators on matrices: shapes are joined, and both readings of the operands become both readings of the result.
 * size: the operators share how shapes are joined and told.
 */

import type { Label } from "../../grammar/text/diagnostic.ts";
import type { Span } from "../../grammar/text/source-text.ts";
import {
  apply,
  type NumberExpression,
  number,
  printNumber,
} from "../../runtime/contract/number-expression.ts";
import type { IntrinsicName, Recipe } from "../../runtime/contract/recipe.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import {
  dimensionCount,
  innerDimensionsDiffer,
  shapesDiffer,
  unknownSize,
} from "../diagnostics/shape-diagnostics.ts";
import { wrongKind } from "../diagnostics/type-diagnostics.ts";
import { printShape, sameDimension } from "../types/dimension.ts";
import { foldNumber } from "../types/fold-number.ts";
import { addProblem, type CheckContext } from "./check-context.ts";
import type { WeightExpression } from "./checked-module.ts";
import { callRecipe, joinReadings, matrix } from "./readings.ts";
import {
  describeValue,
  type FlexibleValue,
  type Obstacle,
  type PoisonValue,
  poison,
  type TensorValue,
  type Value,
} from "./value.ts";

type TensorLike = TensorValue | FlexibleValue;
type TensorResult = TensorLike | PoisonValue;

const binaryRecipe = (intrinsic: IntrinsicName, left: TensorValue, right: TensorValue): Recipe | Obstacle =>
  joinReadings<Recipe, Recipe>([left.recipe, right.recipe], ([first, second]) =>
    first === undefined || second === undefined
      ? { kind: "number", value: number(0) }
      : callRecipe(intrinsic, { left: first, right: second }),
  );

/** Rows and columns of a matrix; null after a report for vectors and stacks. */
export function sides(
  context: CheckContext,
  value: TensorValue,
): readonly [NumberExpression, NumberExpression] | null {
  const [rows, columns, more] = value.dimensions;
  if (rows !== undefined && columns !== undefined && more === undefined) return [rows, columns];
  const help =
    value.dimensions.length === 1
      ? ["`diag(d)` is the matrix with the vector d on its diagonal"]
      : ["`A[i]` is one matrix of a stack"];
  addProblem(
    context,
    report(
      dimensionCount,
      value.span,
      { expected: "a matrix", found: printShape(value.dimensions) },
      { help },
    ),
  );
  return null;
}

/** A matrix of a fixed size; flexible ones are refused. */
export function asTensor(
  context: CheckContext,
  value: Value,
  span: Span,
  expected = "a matrix",
): TensorValue | null {
  if (value.kind === "tensor") return value;
  if (value.kind === "flexible") {
    addProblem(
      context,
      report(
        unknownSize,
        span,
        { name: `\`${value.text}\`` },
        { help: ["join it with a matrix of known size, or write `identity(n)`"] },
      ),
    );
  } else if (value.kind !== "poison") {
    addProblem(context, report(wrongKind, span, { expected, found: describeValue(value) }));
  }
  return null;
}

/** A matrix of any size, changed as soon as its size is known. */
export const mapFlexible = (
  value: FlexibleValue,
  span: Span,
  change: (fixed: TensorValue) => TensorValue,
): FlexibleValue => ({
  ...value,
  span,
  at: (size) => change(value.at(size)),
});

const shapeLabels = (left: TensorValue, right: TensorValue): { label: string; secondary: Label[] } => ({
  label: printShape(right.dimensions),
  secondary: [{ span: left.span, text: printShape(left.dimensions) }],
});

/** left + right, left - right, left .* right of one shape. */
export function combineEntrywise(
  context: CheckContext,
  operator: "+" | "-" | ".*",
  left: TensorLike,
  right: TensorLike,
  span: Span,
): TensorResult {
  if (left.kind === "flexible" && right.kind === "flexible") {
    return mapFlexible(left, span, (fixed) =>
      entrywise(operator, fixed, right.at(fixed.dimensions[0] ?? number(1)), span),
    );
  }
  const fixedLeft =
    left.kind === "flexible" ? left.at((right as TensorValue).dimensions[0] ?? number(1)) : left;
  const fixedRight = right.kind === "flexible" ? right.at(fixedLeft.dimensions[0] ?? number(1)) : right;
  if (areVectors(fixedLeft, fixedRight)) return entrywise(operator, fixedLeft, fixedRight, span);
  const [leftSides, rightSides] = [sides(context, fixedLeft), sides(context, fixedRight)];
  if (leftSides === null || rightSides === null) return poison;
  if (!sameDimension(leftSides[0], rightSides[0]) || !sameDimension(leftSides[1], rightSides[1])) {
    const [leftText, rightText] = [printShape(leftSides), printShape(rightSides)];
    const isTransposed =
      sameDimension(leftSides[0], rightSides[1]) && sameDimension(leftSides[1], rightSides[0]);
    const help = isTransposed
      ? ["transpose one of them: `.T`"]
      : ["nothing is repeated to fit: both sides need one shape"];
    const parts = { ...shapeLabels(fixedLeft, fixedRight), help };
    addProblem(
      context,
      report(shapesDiffer, fixedRight.span, { operator, left: leftText, right: rightText }, parts),
    );
    return poison;
  }
  return entrywise(operator, fixedLeft, fixedRight, span);
}

/** Two vectors of one length. */
const areVectors = (left: TensorValue, right: TensorValue): boolean =>
  left.dimensions.length === 1 &&
  right.dimensions.length === 1 &&
  sameDimension(left.dimensions[0] ?? number(0), right.dimensions[0] ?? number(1));

function entrywise(
  operator: "+" | "-" | ".*",
  left: TensorValue,
  right: TensorValue,
  span: Span,
): TensorValue {
  const [rows = number(1), columns = number(1)] = left.dimensions;
  const second = operator === "-" ? scale(number(-1), right, right.span) : right;
  const weight = joinReadings<WeightExpression, WeightExpression>([left.weight, second.weight], (parts) => {
    if (operator !== ".*")
      return {
        kind: "sum",
        terms: parts.flatMap((part) => (part.kind === "sum" ? part.terms : [part])),
        rows,
        columns,
        span,
      };
    return {
      kind: "hadamard",
      factors: parts.flatMap((part) => (part.kind === "hadamard" ? part.factors : [part])),
      rows,
      columns,
      span,
    };
  });
  const names = { "+": "add", "-": "subtract", ".*": "multiply" } as const;
  const recipe = binaryRecipe(names[operator], left, right);
  return { kind: "tensor", dimensions: left.dimensions, weight, recipe, leaf: null, span };
}

/** left @ right. */
export function multiplyMatrices(
  context: CheckContext,
  left: TensorLike,
  right: TensorLike,
  span: Span,
): TensorResult {
  if (left.kind === "flexible" && right.kind === "flexible") {
    return mapFlexible(left, span, (fixed) =>
      product(fixed, right.at(fixed.dimensions[0] ?? number(1)), span),
    );
  }
  const fixedLeft =
    left.kind === "flexible" ? left.at((right as TensorValue).dimensions[0] ?? number(1)) : left;
  const leftSides = sides(context, fixedLeft);
  if (leftSides === null) return poison;
  const fixedRight = right.kind === "flexible" ? right.at(leftSides[1]) : right;
  const rightSides = sides(context, fixedRight);
  if (rightSides === null) return poison;
  if (!sameDimension(leftSides[1], rightSides[0])) {
    const facts = {
      left: printShape(leftSides),
      right: printShape(rightSides),
      columns: printNumber(leftSides[1]),
      rows: printNumber(rightSides[0]),
    };
    const help = productHelp(leftSides, rightSides);
    addProblem(
      context,
      report(innerDimensionsDiffer, fixedRight.span, facts, { ...shapeLabels(fixedLeft, fixedRight), help }),
    );
    return poison;
  }
  return product(fixedLeft, fixedRight, span);
}

/** The first change that would make the product well formed. */
function productHelp(
  left: readonly [NumberExpression, NumberExpression],
  right: readonly [NumberExpression, NumberExpression],
): string[] {
  if (sameDimension(left[0], right[1])) return ["change the order of the factors"];
  if (sameDimension(left[1], right[1])) return ["transpose the right factor: `.T`"];
  if (sameDimension(left[0], right[0])) return ["transpose the left factor: `.T`"];
  return [];
}

/** A product with a diagonal matrix scales rows or columns; the square matrix is never formed. */
function productRecipe(left: TensorValue, right: TensorValue): Recipe | Obstacle {
  const entriesOf = ({ recipe }: TensorValue): Recipe | undefined =>
    recipe.kind === "call" && recipe.intrinsic === "diagonal_matrix" ? recipe.operands.entries : undefined;
  const [rowScales, columnScales] = [entriesOf(left), entriesOf(right)];
  if (columnScales !== undefined)
    return joinReadings<Recipe, Recipe>([left.recipe], ([value]) =>
      callRecipe("scale_columns", { ...(value === undefined ? {} : { value }), by: columnScales }),
    );
  if (rowScales !== undefined)
    return joinReadings<Recipe, Recipe>([right.recipe], ([value]) =>
      callRecipe("scale_rows", { ...(value === undefined ? {} : { value }), by: rowScales }),
    );
  return binaryRecipe("matmul", left, right);
}

function product(left: TensorValue, right: TensorValue, span: Span): TensorValue {
  const [rows = number(1)] = left.dimensions;
  const columns = right.dimensions[1] ?? number(1);
  const weight = joinReadings<WeightExpression, WeightExpression>([left.weight, right.weight], (parts) => ({
    kind: "product",
    factors: parts.flatMap((part) => (part.kind === "product" ? part.factors : [part])),
    rows,
    columns,
    span,
  }));
  return matrix(rows, columns, span, weight, productRecipe(left, right));
}

function scale(factor: NumberExpression, value: TensorValue, span: Span): TensorValue {
  const weight = joinReadings<WeightExpression, WeightExpression>([value.weight], ([operand]) => {
    if (operand === undefined) throw new RangeError("a scale has one operand");
    const { rows, columns } = operand;
    if (operand.kind !== "scale") return { kind: "scale", factor, operand, rows, columns, span };
    return {
      kind: "scale",
      factor: foldNumber(apply("*", factor, operand.factor)),
      operand: operand.operand,
      rows,
      columns,
      span,
    };
  });
  const recipe = joinReadings<Recipe, Recipe>([value.recipe], ([operand]) =>
    callRecipe("scale", {
      factor: { kind: "number", value: factor },
      value: operand ?? { kind: "number", value: number(0) },
    }),
  );
  return { ...value, weight, recipe, leaf: null, span };
}

/** factor · value. */
export function scaleTensor(
  context: CheckContext,
  factor: NumberExpression,
  value: TensorLike,
  span: Span,
): TensorResult {
  if (value.kind === "flexible") return mapFlexible(value, span, (fixed) => scale(factor, fixed, span));
  if (value.dimensions.length === 1) return scale(factor, value, span);
  return sides(context, value) === null ? poison : scale(factor, value, span);
}

export function transposeTensor(context: CheckContext, value: TensorLike, span: Span): TensorResult {
  const transpose = (
    fixed: TensorValue,
    [rows, columns]: readonly [NumberExpression, NumberExpression],
  ): TensorValue => {
    const weight = joinReadings<WeightExpression, WeightExpression>([fixed.weight], ([operand]) => {
      if (operand === undefined) throw new RangeError("a transpose has one operand");
      return { kind: "transpose", operand, rows: columns, columns: rows, span };
    });
    const recipe = joinReadings<Recipe, Recipe>([fixed.recipe], ([operand]) =>
      callRecipe("transpose", { value: operand ?? { kind: "number", value: number(0) } }),
    );
    return matrix(columns, rows, span, weight, recipe);
  };
  if (value.kind === "flexible") {
    return { ...value, span, at: (size) => transpose(value.at(size), [size, size]) };
  }
  const found = sides(context, value);
  return found === null ? poison : transpose(value, found);
}
