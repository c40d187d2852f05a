/** Trained numbers: a tensor [1], such as the entry `v[i]` of a vector, times a tensor of any shape. */
import type { Span } from "../../grammar/text/source-text.ts";
import type { MatrixSource } from "../../runtime/contract/matrix-source.ts";
import { type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import { sameDimension } from "../types/dimension.ts";
import type { CheckContext } from "./check-context.ts";
import { mapFlexible } from "./check-tensors.ts";
import type { WeightExpression } from "./checked-module.ts";
import { derive, formulaOf } from "./derived-tensors.ts";
import { derivedValue } from "./function-meanings.ts";
import { joinReadings, obstacle } from "./readings.ts";
import type { FlexibleValue, TensorValue, Value } from "./value.ts";

export const isTrainedNumber = (value: Value): value is TensorValue =>
  value.kind === "tensor" &&
  value.dimensions.length === 1 &&
  sameDimension(value.dimensions[0] ?? number(0), number(1));

/** Entry `index` of a vector. */
export const entryOfVector = (
  context: CheckContext,
  vector: TensorValue,
  index: number,
  span: Span,
): TensorValue =>
  derivedValue(context, [vector], {
    dimensions: [number(1)],
    span,
    hint: `entry${index}`,
    formula: ([of]) => ({ kind: "entry", row: index, column: 0, of: of as MatrixSource }),
    recipe: obstacle("an entry of a vector", span),
  });

/** scale[0] · value; of a value that fits any size, as soon as it has one. */
export const scaleByTrained = (
  context: CheckContext,
  scale: TensorValue,
  value: TensorValue | FlexibleValue,
  span: Span,
): TensorValue | FlexibleValue =>
  value.kind === "flexible"
    ? mapFlexible(value, span, (fixed) => scaleFixed(context, scale, fixed, span))
    : scaleFixed(context, scale, value, span);

/** A matrix is multiplied by the diagonal matrix of the number. */
function scaleFixed(context: CheckContext, scale: TensorValue, value: TensorValue, span: Span): TensorValue {
  const weight = joinReadings<WeightExpression, WeightExpression>(
    [scale.weight, value.weight],
    ([factor, operand]) => {
      const of = formulaOf(context, factor as WeightExpression);
      const scaled = operand as WeightExpression;
      if (value.dimensions.length === 2) return scaleMatrix(context, of, scaled, span);
      const repeated = repeat(of, scaled.rows);
      const formula: MatrixSource = { kind: "hadamard", factors: [repeated, formulaOf(context, scaled)] };
      return derive(context, formula, value.dimensions, span, "scaled");
    },
  );
  const recipe = obstacle("a product with a trained number", span);
  return { kind: "tensor", dimensions: value.dimensions, weight, recipe, leaf: null, span };
}

const repeat = (of: MatrixSource, rows: NumberExpression): MatrixSource => ({
  kind: "fill",
  rows,
  columns: number(1),
  of,
});

/** Of a product the number goes between the first two factors, where a product of thin matrices is thinnest. */
function scaleMatrix(
  context: CheckContext,
  of: MatrixSource,
  operand: WeightExpression,
  span: Span,
): WeightExpression {
  const { rows, columns } = operand;
  if (operand.kind === "scale")
    return { ...operand, operand: scaleMatrix(context, of, operand.operand, span) };
  const [first, ...rest] = operand.kind === "product" ? operand.factors : [operand];
  const size = operand.kind === "product" && first !== undefined ? first.columns : rows;
  const repeated = derive(context, repeat(of, size), [size], span, "repeated");
  const name = repeated.kind === "leaf" ? repeated.name : "";
  const diagonal: WeightExpression = { kind: "diag", name, rows: size, columns: size, span };
  const factors =
    operand.kind === "product" && first !== undefined ? [first, diagonal, ...rest] : [diagonal, operand];
  return { kind: "product", factors, rows, columns, span };
}
