/** `not M`, `M and N`, `M or N`: sets of positions combined. Both sides have one shape, and the result has it too. */

import type { Span } from "../../grammar/text/source-text.ts";
import { apply, type NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { Recipe } from "../../runtime/contract/recipe.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { shapesDiffer } from "../diagnostics/shape-diagnostics.ts";
import { sameDimension } from "../types/dimension.ts";
import { foldNumber } from "../types/fold-number.ts";
import { addProblem, type CheckContext } from "./check-context.ts";
import { joinShapes, printOpenShape } from "./check-masks.ts";
import type { PatternShape } from "./checked-module.ts";
import { areaOf, refuseTarget } from "./pattern-count.ts";
import { callRecipe, joinReadings } from "./readings.ts";
import {
  type Choice,
  type PatternValue,
  type PoisonValue,
  poison,
  type SelectionTarget,
  type SelectionValue,
  type Value,
} from "./value.ts";

export const isPositions = (value: Value): value is PatternValue | SelectionValue =>
  value.kind === "pattern" || value.kind === "selection";

/** A named pattern as a selection: the positions that it has. */
export function asSelection(
  context: CheckContext,
  value: PatternValue | SelectionValue,
  span: Span,
): SelectionValue | PoisonValue {
  if (value.kind === "selection") return value;
  const draft = context.patterns.get(value.name);
  if (draft === undefined || draft.selection.kind === "poison") return poison;
  const choose = (target: SelectionTarget): Choice | null => {
    const pattern = draft.finish();
    if (pattern === null) return null;
    if (!target.isPart && !fitsKind(pattern.shape, target.shape))
      return refuseTarget(context, value.name, target.shape, span);
    return {
      recipe: { kind: "pattern", name: value.name },
      count: pattern.count,
      measured: false,
      pool: null,
    };
  };
  return {
    kind: "selection",
    text: value.name,
    shape: draft.shape,
    patterns: [value.name],
    lines: draft.selection.lines,
    choose,
    span,
  };
}

/** True when positions of one kind may stand in a pattern of another. */
const fitsKind = (found: PatternShape, wanted: PatternShape): boolean =>
  wanted.kind === "unstructured" || JSON.stringify(found) === JSON.stringify(wanted);

/** Every part of a combination that is to be made of blocks has to be made of the same blocks. */
function partsFit(context: CheckContext, parts: readonly SelectionValue[], target: SelectionTarget): boolean {
  return parts.every((part) =>
    part.patterns.every((name) => {
      const kind = context.patterns.get(name)?.kind() ?? null;
      return kind === null || fitsKind(kind, target.shape);
    }),
  );
}

/** The complement of n of m is m - n of m; of blocks, blocks. */
const complementKind = (shape: PatternShape): PatternShape =>
  shape.kind === "nm" ? { ...shape, n: shape.m - shape.n } : shape;

/** not E */
export function complementSelection(
  context: CheckContext,
  value: PatternValue | SelectionValue,
  span: Span,
): SelectionValue | PoisonValue {
  const operand = asSelection(context, value, span);
  if (operand.kind === "poison") return poison;
  const choose = (target: SelectionTarget): Choice | null => {
    const inner = { ...target, shape: complementKind(target.shape), isPart: true };
    if (!partsFit(context, [operand], inner) || (target.shape.kind === "nm" && operand.patterns.length !== 1))
      return refuseTarget(context, "not", target.shape, span, ["the complement of n:m is (m - n):m"]);
    const chosen = operand.choose(inner);
    if (chosen === null) return null;
    const recipe = joinReadings<Recipe, Recipe>([chosen.recipe], ([of]) =>
      callRecipe("complement", of === undefined ? {} : { of }),
    );
    const count = foldNumber(apply("-", areaOf(target), chosen.count));
    return { recipe, count, measured: chosen.measured, pool: null };
  };
  return { ...operand, text: "not", lines: null, choose, span };
}

const disagree = (left: NumberExpression | null, right: NumberExpression | null): boolean =>
  left !== null && right !== null && !sameDimension(left, right);

/** E and F, E or F. Prices assume that the two are independent. */
export function combineSelections(
  context: CheckContext,
  operator: "and" | "or",
  sides: readonly [PatternValue | SelectionValue, PatternValue | SelectionValue],
  spans: { readonly left: Span; readonly right: Span; readonly whole: Span },
): SelectionValue | PoisonValue {
  const left = asSelection(context, sides[0], spans.left);
  const right = asSelection(context, sides[1], spans.right);
  if (left.kind === "poison" || right.kind === "poison") return poison;
  if (disagree(left.shape[0], right.shape[0]) || disagree(left.shape[1], right.shape[1])) {
    const facts = { operator, left: printOpenShape(left.shape), right: printOpenShape(right.shape) };
    const secondary = [{ span: spans.left, text: facts.left }];
    addProblem(context, report(shapesDiffer, spans.right, facts, { label: facts.right, secondary }));
    return poison;
  }
  const choose = (target: SelectionTarget): Choice | null => {
    if (target.shape.kind === "nm" || !partsFit(context, [left, right], target))
      return refuseTarget(context, operator, target.shape, spans.whole, ["write `unstructured`"]);
    const part = { ...target, isPart: true };
    const [first, second] = [left.choose(part), right.choose(part)];
    if (first === null || second === null) return null;
    const recipe = joinReadings<Recipe, Recipe>([first.recipe, second.recipe], ([one, other]) =>
      callRecipe(operator === "and" ? "intersection" : "union", {
        ...(one === undefined ? {} : { left: one }),
        ...(other === undefined ? {} : { right: other }),
      }),
    );
    const both = apply("/", apply("*", first.count, second.count), areaOf(target));
    const count = operator === "and" ? both : apply("-", apply("+", first.count, second.count), both);
    return { recipe, count: foldNumber(apply("ceil", count)), measured: true, pool: null };
  };
  const lines = null;
  const patterns = [...new Set([...left.patterns, ...right.patterns])];
  const shape = joinShapes(left.shape, right.shape);
  return { kind: "selection", text: operator, shape, patterns, lines, choose, span: spans.whole };
}
