/** Structured matrices: Kronecker products, diagonals, the identity, stride permutations. */

import {
  apply,
  type NumberExpression,
  number,
  printNumber,
} from "../../runtime/contract/number-expression.ts";
import type { Recipe } from "../../runtime/contract/recipe.ts";
import { dimensionNotPositive, strideDoesNotDivide } from "../diagnostics/shape-diagnostics.ts";
import { canonicalDimension } from "../types/dimension.ts";
import { oblige } from "./check-context.ts";
import { asWhole, numberValue } from "./check-numbers.ts";
import { sides } from "./check-tensors.ts";
import type { WeightExpression } from "./checked-module.ts";
import { derive, formulaOf } from "./derived-tensors.ts";
import { type Meaning, numberOf, tensorsOf } from "./intrinsic-call.ts";
import { divides } from "./obligations.ts";
import { callRecipe, joinReadings, matrix, obstacle } from "./readings.ts";
import { poison, type TensorValue } from "./value.ts";

/** A ⊗ B: [a, b] ⊗ [c, d] is [a c, b d]. */
export const kronMeaning: Meaning = (context, _syntax, call, span) => {
  const factors = tensorsOf(call);
  const shapes = factors.flatMap((factor) => sides(context, factor) ?? []);
  if (shapes.length !== 2 * factors.length) return poison;
  const multiply = (axis: 0 | 1): NumberExpression =>
    canonicalDimension(apply("*", ...shapes.filter((_, index) => index % 2 === axis)));
  const [rows, columns] = [multiply(0), multiply(1)];
  const weight = joinReadings<WeightExpression, WeightExpression>(
    factors.map((factor) => factor.weight),
    (parts) => ({
      kind: "kron",
      factors: parts.flatMap((part) => (part.kind === "kron" ? part.factors : [part])),
      rows,
      columns,
      span,
    }),
  );
  const recipe = joinReadings<Recipe, Recipe>(
    factors.map((factor) => factor.recipe),
    (parts) => parts.reduceRight((right, left) => callRecipe("kron", { left, right })),
  );
  return matrix(rows, columns, span, weight, recipe);
};

export const blockdiagMeaning: Meaning = (context, _syntax, call, span) => {
  const blocks = tensorsOf(call);
  const shapes = blocks.flatMap((block) => sides(context, block) ?? []);
  if (shapes.length !== 2 * blocks.length) return poison;
  const total = (axis: 0 | 1): NumberExpression =>
    canonicalDimension(apply("+", ...shapes.filter((_, index) => index % 2 === axis)));
  const [rows, columns] = [total(0), total(1)];
  const weight = joinReadings<WeightExpression, WeightExpression>(
    blocks.map((block) => block.weight),
    (parts) => ({
      kind: "blockdiag",
      blocks: parts,
      rows,
      columns,
      span,
    }),
  );
  return matrix(rows, columns, span, weight, obstacle("`blockdiag`", span));
};

/** `rows(A, B)`, `columns(A, B)`: the other side is one, which the declaration sees to. */
export const concatenationMeaning =
  (axis: "rows" | "columns"): Meaning =>
  (context, _syntax, call, span) => {
    const parts = tensorsOf(call);
    const shapes = parts.map((part) => sides(context, part));
    const [first] = shapes;
    if (first === null || first === undefined || shapes.includes(null)) return poison;
    const joined = axis === "rows" ? 0 : 1;
    const total = canonicalDimension(apply("+", ...shapes.flatMap((shape) => shape?.[joined] ?? [])));
    const [rows, columns] = axis === "rows" ? [total, first[1]] : [first[0], total];
    const weight = joinReadings<WeightExpression, WeightExpression>(
      parts.map((part) => part.weight),
      (terms) => ({ kind: "concatenation", axis, parts: terms, rows, columns, span }),
    );
    return matrix(rows, columns, span, weight, obstacle(`\`${axis}\``, span));
  };

export const zerosMeaning: Meaning = (context, _syntax, call, span) => {
  const sizes = ["rows", "columns"].flatMap((name) => {
    const given = numberOf(call, name);
    const size = given === null ? null : asWhole(context, numberValue(given, "int"), span, "a dimension");
    if (size === null) return [];
    const positive = apply(">", size, number(0));
    oblige(context, {
      kind: dimensionNotPositive,
      condition: positive,
      text: printNumber(positive),
      span,
      reason: `\`${printNumber(size)}\` is a side of a zero matrix`,
    });
    return [size];
  });
  const [rows, columns] = sizes;
  if (rows === undefined || columns === undefined) return poison;
  return matrix(rows, columns, span, { kind: "zero", rows, columns, span }, obstacle("`zeros`", span));
};

export const diagMeaning: Meaning = (context, _syntax, call, span) => {
  const [vector] = tensorsOf(call);
  const size = vector?.dimensions[0];
  if (vector === undefined || size === undefined) return poison;
  const weight = joinReadings<WeightExpression, WeightExpression>([vector.weight], ([part]) => {
    const given = part as WeightExpression;
    const leaf =
      given.kind === "leaf" ? given : derive(context, formulaOf(context, given), [size], span, "diag");
    const name = leaf.kind === "leaf" ? leaf.name : "";
    return { kind: "diag", name, rows: size, columns: size, span };
  });
  const recipe = joinReadings<Recipe, Recipe>([vector.recipe], ([entries]) =>
    callRecipe("diagonal_matrix", entries === undefined ? {} : { entries }),
  );
  return matrix(size, size, span, weight, recipe);
};

export const identityMeaning: Meaning = (_context, _syntax, call, span) => {
  const at = (size: NumberExpression): TensorValue =>
    matrix(
      size,
      size,
      span,
      { kind: "identity", rows: size, columns: size, span },
      callRecipe("diagonal_matrix", {
        entries: callRecipe("ones", { rows: { kind: "number", value: size } }),
      }),
    );
  const size = numberOf(call, "size");
  return size === null ? { kind: "flexible", text: "identity", at, span } : at(size);
};

/** P(stride), see runtime/contract/matrix-source.ts. */
export const strideMeaning: Meaning = (context, _syntax, call, span) => {
  const given = numberOf(call, "stride");
  const stride = given === null ? null : asWhole(context, numberValue(given, "int"), span, "a stride");
  if (stride === null) return poison;
  const text = `P(${printNumber(stride)})`;
  const positive = apply(">", stride, number(0));
  oblige(context, {
    kind: dimensionNotPositive,
    condition: positive,
    text: printNumber(positive),
    span,
    reason: `\`${text}\` needs a stride`,
  });
  const at = (size: NumberExpression): TensorValue => {
    const condition = divides(stride, size);
    oblige(context, {
      kind: strideDoesNotDivide,
      condition,
      text: printNumber(condition),
      span,
      reason: `\`${text}\` needs equal strides`,
    });
    const weight: WeightExpression = { kind: "stride-permutation", stride, rows: size, columns: size, span };
    return matrix(size, size, span, weight, obstacle(`\`${text}\``, span));
  };
  return { kind: "flexible", text, at, span };
};
