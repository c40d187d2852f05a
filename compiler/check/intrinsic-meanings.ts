/**
 * What the intrinsics of the standard library mean. Numbers become number expressions, structure becomes terms of
 * the weight, everything else becomes a recipe with the operand names of its declaration.
 */

import type { IntrinsicSyntax, TypeSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Span } from "../../grammar/text/source-text.ts";
import {
  apply,
  type NumberExpression,
  type NumberOperator,
  number,
  printNumber,
} from "../../runtime/contract/number-expression.ts";
import type { IntrinsicName, Recipe } from "../../runtime/contract/recipe.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { unknownIntrinsic } from "../diagnostics/name-diagnostics.ts";
import { rankAboveBound, supportTooLarge } from "../diagnostics/shape-diagnostics.ts";
import { canonicalDimension, sameDimension } from "../types/dimension.ts";
import { foldNumber } from "../types/fold-number.ts";
import { erkMeaning } from "./allotment-meaning.ts";
import type { BoundCall } from "./bind-arguments.ts";
import { addProblem, type CheckContext, oblige } from "./check-context.ts";
import { asWhole, numberValue, realValue } from "./check-numbers.ts";
import { sides } from "./check-tensors.ts";
import {
  cayleyMeaning,
  columnNormMeaning,
  detachMeaning,
  elementMeaning,
  inverseMeaning,
  onesMeaning,
  rowNormMeaning,
  skewMeaning,
  softmaxMeaning,
  strictUpperMeaning,
} from "./function-meanings.ts";
import { type Meaning, numberOf, tensorsOf } from "./intrinsic-call.ts";
import { countMeaning, indicatorMeaning, permutationMeaning, selectorMeaning } from "./pattern-meanings.ts";
import { callRecipe, joinReadings, obstacle } from "./readings.ts";
import { selectionMeanings } from "./selection-meanings.ts";
import {
  blockdiagMeaning,
  concatenationMeaning,
  diagMeaning,
  identityMeaning,
  kronMeaning,
  strideMeaning,
  zerosMeaning,
} from "./structure-meanings.ts";
import { type FactorsValue, type Obstacle, poison, type Value } from "./value.ts";

export const isVariadic = (callable: {
  readonly kind: string;
  readonly name: { readonly name: string };
}): boolean =>
  callable.kind === "intrinsic" &&
  ["min", "max", "kron", "blockdiag", "rows", "columns"].includes(callable.name.name);

/** The value of a call whose arguments fit the declaration. */
export function intrinsicValue(
  context: CheckContext,
  syntax: IntrinsicSyntax,
  call: BoundCall,
  span: Span,
): Value {
  const meaning = meanings.get(syntax.name.name);
  if (meaning !== undefined) return meaning(context, syntax, call, span);
  addProblem(context, report(unknownIntrinsic, syntax.name.span, { name: syntax.name.name }));
  return poison;
}

const numericMeaning =
  (operator: NumberOperator): Meaning =>
  (context, syntax, call, span) => {
    if (syntax.result.kind !== "number-type")
      return (elementFunctionMeanings.get(operator) ?? recipeMeaning)(context, syntax, call, span);
    const operands = call.arguments.flatMap(({ value }) =>
      value.kind === "number" ? [value.expression] : [],
    );
    const { name } = syntax.result;
    return (name === "real" ? realValue : numberValue)(apply(operator, ...operands), name);
  };

/** A condition is 1 or 0 already; as a number it may be multiplied. */
const whenMeaning: Meaning = (_context, _syntax, call) => {
  const [condition] = call.arguments;
  return condition?.value.kind === "number" ? numberValue(condition.value.expression, "int") : poison;
};

const operandRecipe = (value: Value, span: Span): Recipe | Obstacle => {
  if (value.kind === "number") return { kind: "number", value: value.expression };
  if (value.kind === "tensor") return value.recipe;
  if (value.kind === "pattern") return { kind: "pattern", name: value.name };
  return { kind: "obstacle", reason: "broken", text: "", span };
};

/** `weight` is a word of the language, so declarations write W for the operand of that name. */
const operandName = (argument: string): string => (argument === "W" ? "weight" : argument);

function recipeOf(syntax: IntrinsicSyntax, call: BoundCall, span: Span): Recipe | Obstacle {
  const names = call.arguments.map(({ name }) => operandName(name));
  return joinReadings<Recipe, Recipe>(
    call.arguments.map(({ value }) => operandRecipe(value, span)),
    (parts) =>
      callRecipe(
        syntax.name.name as IntrinsicName,
        Object.fromEntries(
          parts.flatMap((part, index) => (names[index] === undefined ? [] : [[names[index], part]])),
        ),
      ),
  );
}

/** The declared result: a pattern is a selection; a tensor whose sides the arguments give is a tensor, else a distribution. */
function recipeMeaning(context: CheckContext, syntax: IntrinsicSyntax, call: BoundCall, span: Span): Value {
  const recipe = recipeOf(syntax, call, span);
  obligeOperands(context, syntax, call, span);
  const dimensions = resultShape(context, syntax.result, call);
  if (dimensions === null) return { kind: "distribution", recipe, span };
  const weight = obstacle(`\`${syntax.name.name}\``, span);
  return { kind: "tensor", dimensions, weight, recipe, leaf: null, span };
}

function resultShape(context: CheckContext, result: TypeSyntax, call: BoundCall): NumberExpression[] | null {
  if (result.kind !== "tensor-type") return null;
  const shape: NumberExpression[] = [];
  for (const side of result.dimensions) {
    if (side.kind === "name" && call.environment.lookup(side.name, side.span) === null) return null;
    const size = asWhole(context, context.check(call.environment, side), side.span, "a dimension");
    if (size === null) return null;
    shape.push(size);
  }
  return shape;
}

/** min(rows, columns), as the author would write it. */
const smallerSide = (rows: NumberExpression, columns: NumberExpression): NumberExpression =>
  sameDimension(rows, columns) ? rows : foldNumber(apply("min", rows, columns));

/** rank <= min(rows, columns), count <= rows · columns of the tensor it is taken from. */
function obligeOperands(context: CheckContext, syntax: IntrinsicSyntax, call: BoundCall, span: Span): void {
  const [first] = tensorsOf(call);
  const [rows, columns] = first?.dimensions ?? [];
  if (rows === undefined || columns === undefined) return;
  const name = syntax.name.name;
  const rank = numberOf(call, "rank");
  if (rank !== null) {
    const condition = apply("<=", rank, smallerSide(rows, columns));
    oblige(context, {
      kind: rankAboveBound,
      condition,
      text: printNumber(condition),
      span,
      reason: `\`${name}\` finds at most min(rows, columns) directions`,
    });
  }
  const count = numberOf(call, "count");
  if (count !== null) {
    const condition = apply("<=", count, foldNumber(apply("*", rows, columns)));
    oblige(context, {
      kind: supportTooLarge,
      condition,
      text: printNumber(condition),
      span,
      reason: `\`${name}\` chooses among all positions`,
    });
  }
}

/** weight ≈ B A: [rows, rank] and [rank, columns]. */
const svdMeaning: Meaning = (context, syntax, call, span) => {
  const [weight] = tensorsOf(call);
  const rank = numberOf(call, "rank");
  const shape = weight === undefined ? null : sides(context, weight);
  if (shape === null || rank === null) return poison;
  obligeOperands(context, syntax, call, span);
  const recipe = recipeOf(syntax, call, span);
  const dense = (dimensions: readonly [NumberExpression, NumberExpression]) => ({
    structure: "dense" as const,
    dimensions,
    blocks: null,
  });
  const inner = canonicalDimension(rank);
  const value: FactorsValue = {
    kind: "factors",
    intrinsic: syntax.name.name,
    count: 2,
    resolve: () => ({ recipe, outputs: [dense([shape[0], inner]), dense([inner, shape[1]])] }),
    span,
  };
  return value;
};

/** weight ≈ P(b) L P(b)ᵀ R with b blocks in L and n / b in R; b is that of L unless the call says it. */
const monarchMeaning: Meaning = (context, syntax, call, span) => {
  const [weight] = tensorsOf(call);
  const shape = weight === undefined ? null : sides(context, weight);
  if (weight === undefined || shape === null) return poison;
  const [size] = shape;
  const stated = numberOf(call, "blocks");
  const factor = (blocks: NumberExpression) => ({
    structure: "blockdiag" as const,
    dimensions: [size, size] as const,
    blocks,
  });
  return {
    kind: "factors",
    intrinsic: syntax.name.name,
    count: 2,
    resolve: (open) => {
      const blocks = canonicalDimension(stated ?? open ?? number(1));
      const recipe = joinReadings<Recipe, Recipe>([weight.recipe], ([of]) =>
        callRecipe("monarch_projection", {
          weight: of ?? { kind: "number", value: number(0) },
          blocks: { kind: "number", value: blocks },
        }),
      );
      return { recipe, outputs: [factor(blocks), factor(canonicalDimension(apply("/", size, blocks)))] };
    },
    span,
  };
};

const elementFunctionMeanings: ReadonlyMap<string, Meaning> = new Map(
  (["sigmoid", "tanh", "exp", "log", "sqrt", "abs", "relu"] as const).map((name) => [
    name,
    elementMeaning(name),
  ]),
);

const meanings: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ...(
    ["min", "max", "abs", "sqrt", "isqrt", "floor", "ceil", "round", "exp", "log", "cos", "pow"] as const
  ).map((operator): [string, Meaning] => [operator, numericMeaning(operator)]),
  ...(["sigmoid", "tanh", "relu"] as const).map((name): [string, Meaning] => [name, elementMeaning(name)]),
  ["erk", erkMeaning],
  ["row_norm", rowNormMeaning],
  ["column_norm", columnNormMeaning],
  ["softmax", softmaxMeaning],
  ["inverse", inverseMeaning],
  ["cayley", cayleyMeaning],
  ["skew", skewMeaning],
  ["strict_upper", strictUpperMeaning],
  ["detach", detachMeaning],
  ["ones", onesMeaning],
  ["when", whenMeaning],
  ["kron", kronMeaning],
  ["blockdiag", blockdiagMeaning],
  ["rows", concatenationMeaning("rows")],
  ["columns", concatenationMeaning("columns")],
  ["zeros", zerosMeaning],
  ["diag", diagMeaning],
  ["identity", identityMeaning],
  ["P", strideMeaning],
  ...(
    [
      "svd_factors",
      "trailing_svd",
      "context_svd",
      "trailing_context_svd",
      "weighted_svd",
      "quantized_split",
      "weighted_quantized_split",
    ] as const
  ).map((name): [string, Meaning] => [name, svdMeaning]),
  ["monarch_projection", monarchMeaning],
  ...selectionMeanings,
  ["indicator", indicatorMeaning],
  ["permutation", permutationMeaning],
  ["row_selector", selectorMeaning("row")],
  ["column_selector", selectorMeaning("column")],
  ["count", countMeaning],
  ...(
    [
      "sparse_part",
      "normal",
      "uniform",
      "group_indicator",
      "lstsq",
      "normalized_spectrum",
      "fourier_cosine",
      "fourier_sine",
      "row_sum",
      "column_sum",
    ] as const
  ).map((name): [string, Meaning] => [name, recipeMeaning]),
]);
