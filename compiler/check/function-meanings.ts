/** Functions of tensors: as parts of the weight derived tensors, in initial values and selections recipes. */
import type { Span } from "../../grammar/text/source-text.ts";
import type { ElementFunction, MatrixSource } from "../../runtime/contract/matrix-source.ts";
import {
  apply,
  type NumberExpression,
  number,
  printNumber,
} from "../../runtime/contract/number-expression.ts";
import type { IntrinsicName, Recipe } from "../../runtime/contract/recipe.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { requirementRefuted, shapesDiffer } from "../diagnostics/shape-diagnostics.ts";
import { canonicalDimension, printShape, sameDimension } from "../types/dimension.ts";
import { addProblem, type CheckContext, oblige } from "./check-context.ts";
import type { WeightExpression } from "./checked-module.ts";
import { derive, formulaOf } from "./derived-tensors.ts";
import { type Meaning, numberOf, tensorsOf } from "./intrinsic-call.ts";
import { callRecipe, joinReadings, obstacle } from "./readings.ts";
import { type Obstacle, type PoisonValue, poison, type TensorValue } from "./value.ts";

/** The value of a function of `operands`: a derived tensor of `dimensions`, and a recipe unless that is an obstacle. */
export function derivedValue(
  context: CheckContext,
  operands: readonly TensorValue[],
  made: {
    readonly dimensions: readonly NumberExpression[];
    readonly span: Span;
    readonly hint: string;
    readonly formula: (parts: readonly MatrixSource[]) => MatrixSource;
    readonly recipe: ((parts: readonly Recipe[]) => Recipe) | Obstacle;
  },
): TensorValue {
  const { dimensions, span, hint } = made;
  const weight = joinReadings<WeightExpression, WeightExpression>(
    operands.map((operand) => operand.weight),
    (parts) =>
      derive(context, made.formula(parts.map((part) => formulaOf(context, part))), dimensions, span, hint),
  );
  const recipe =
    typeof made.recipe === "function"
      ? joinReadings<Recipe, Recipe>(
          operands.map((operand) => operand.recipe),
          made.recipe,
        )
      : made.recipe;
  return { kind: "tensor", dimensions, weight, recipe, leaf: null, span };
}

type OneOperand = (
  value: TensorValue,
  source: MatrixSource,
) => { readonly formula: MatrixSource; readonly dimensions: readonly NumberExpression[] };

const none: Recipe = { kind: "number", value: number(0) };

/** A function of one tensor; `recipe` names it in initial values. */
const unary =
  (hint: string, recipe: IntrinsicName | null, of: OneOperand, operand = "value"): Meaning =>
  (context, _syntax, call, span) => {
    const [value] = tensorsOf(call);
    if (value === undefined) return poison;
    const shape = of(value, { kind: "ones", rows: number(1), columns: number(1) }).dimensions;
    return derivedValue(context, [value], {
      dimensions: shape,
      span,
      hint,
      formula: ([part]) => of(value, part as MatrixSource).formula,
      recipe:
        recipe === null
          ? obstacle(`\`${hint}\``, span)
          : ([part]) => callRecipe(recipe, { [operand]: part ?? none }),
    });
  };

export const elementMeaning = (name: ElementFunction): Meaning =>
  unary(name, name, ({ dimensions }, of) => ({ dimensions, formula: { kind: "map", function: name, of } }));

const transposed = (of: MatrixSource): MatrixSource => ({ kind: "transpose", of });
const isVector = ({ dimensions }: TensorValue): boolean => dimensions.length === 1;

export const rowNormMeaning = unary(
  "row_norm",
  "row_norm",
  ({ dimensions }, of) => ({ dimensions: dimensions.slice(0, 1), formula: { kind: "row-norm", of } }),
  "of",
);

export const columnNormMeaning = unary(
  "column_norm",
  "column_norm",
  ({ dimensions }, of) => ({
    dimensions: dimensions.slice(1),
    formula: { kind: "row-norm", of: transposed(of) },
  }),
  "of",
);

/** Over the entries of a vector, or along each row of a matrix. */
export const softmaxMeaning = unary("softmax", "softmax", (value, of) => ({
  dimensions: value.dimensions,
  formula: isVector(value)
    ? transposed({ kind: "row-softmax", of: transposed(of) })
    : { kind: "row-softmax", of },
}));

export const inverseMeaning = unary("inverse", "inverse", ({ dimensions }, of) => ({
  dimensions,
  formula: { kind: "inverse", of },
}));

export const strictUpperMeaning = unary("strict_upper", null, ({ dimensions }, of) => ({
  dimensions,
  formula: { kind: "strict-upper", of },
}));

export const detachMeaning = unary("detach", "detach", ({ dimensions }, of) => ({
  dimensions,
  formula: { kind: "detach", of },
}));

/** (I - K) (I + K)⁻¹ */
export const cayleyMeaning = unary("cayley", null, ({ dimensions }, of) => {
  const identity: MatrixSource = { kind: "identity", size: dimensions[0] ?? number(1) };
  const negative: MatrixSource = { kind: "scale", factor: number(-1), of };
  return {
    dimensions,
    formula: {
      kind: "product",
      factors: [
        { kind: "sum", terms: [identity, negative] },
        { kind: "inverse", of: { kind: "sum", terms: [identity, of] } },
      ],
    },
  };
});

/** Skew-symmetric blocks of `size` from their strict upper triangles. */
export const skewMeaning: Meaning = (context, _syntax, call, span) => {
  const [value] = tensorsOf(call);
  const size = numberOf(call, "size");
  const [blocks, entries] = value?.dimensions ?? [];
  if (value === undefined || size === null || blocks === undefined || entries === undefined) return poison;
  const condition = apply(
    "==",
    entries,
    apply("/", apply("*", size, apply("-", size, number(1))), number(2)),
  );
  oblige(context, {
    kind: requirementRefuted,
    condition,
    text: printNumber(condition),
    span,
    reason: "a skew-symmetric block has one number for each entry above its diagonal",
  });
  const side = canonicalDimension(apply("*", blocks, size));
  return derivedValue(context, [value], {
    dimensions: [side, side],
    span,
    hint: "skew",
    formula: ([of]) => ({ kind: "skew", size, of: of as MatrixSource }),
    recipe: obstacle("`skew`", span),
  });
};

/** Ones everywhere: [size] or [rows, columns]. */
export const onesMeaning: Meaning = (context, _syntax, call, span) => {
  const dimensions = call.arguments.flatMap(({ value }) =>
    value.kind === "number" ? [canonicalDimension(value.expression)] : [],
  );
  return onesValue(context, dimensions, span);
};

function onesValue(context: CheckContext, dimensions: readonly NumberExpression[], span: Span): TensorValue {
  const [rows = number(1), columns = number(1)] = dimensions;
  return derivedValue(context, [], {
    dimensions,
    span,
    hint: "ones",
    formula: () => ({ kind: "ones", rows, columns }),
    recipe: () => {
      const height: Recipe = { kind: "number", value: rows };
      const width: Recipe = { kind: "number", value: columns };
      return callRecipe(
        "ones",
        dimensions.length === 2 ? { rows: height, columns: width } : { rows: height },
      );
    },
  });
}

/** A number as a trained number would be written: a tensor [1]. */
export function numberTensor(context: CheckContext, factor: NumberExpression, span: Span): TensorValue {
  const ones = onesValue(context, [number(1)], span);
  const weight = joinReadings<WeightExpression, WeightExpression>([ones.weight], ([operand]) => {
    const of = operand as WeightExpression;
    return { kind: "scale", factor, operand: of, rows: of.rows, columns: of.columns, span };
  });
  return { ...ones, weight, recipe: { kind: "number", value: factor } };
}

/** left ./ right of one shape. */
export function quotientByEntries(
  context: CheckContext,
  left: TensorValue,
  right: TensorValue,
  span: Span,
): TensorValue | PoisonValue {
  const same =
    left.dimensions.length === right.dimensions.length &&
    left.dimensions.every((side, axis) => sameDimension(side, right.dimensions[axis] ?? number(0)));
  if (!same || left.dimensions.length > 2) {
    const facts = {
      operator: "./",
      left: printShape(left.dimensions),
      right: printShape(right.dimensions),
    };
    const help = ["nothing is repeated to fit: both sides need one shape"];
    addProblem(context, report(shapesDiffer, right.span, facts, { label: facts.right, help }));
    return poison;
  }
  return derivedValue(context, [left, right], {
    dimensions: left.dimensions,
    span,
    hint: "quotient",
    formula: ([a, b]) => ({ kind: "quotient", left: a as MatrixSource, right: b as MatrixSource }),
    recipe: ([a, b]) => callRecipe("quotient", { left: a ?? none, right: b ?? none }),
  });
}
