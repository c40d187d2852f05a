/**
 * What the selections of the standard library mean: which positions, how many, of which kinds of pattern. A selection
 * is settled when the pattern that it is for has a size; until then it is a question.
 */

import { apply, type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import type { IntrinsicName, Recipe } from "../../runtime/contract/recipe.ts";
import { foldNumber } from "../types/fold-number.ts";
import type { CheckContext } from "./check-context.ts";
import { sides } from "./check-tensors.ts";
import { asSelection, isPositions } from "./combine-patterns.ts";
import { type Meaning, numberOf, tensorsOf } from "./intrinsic-call.ts";
import { areaOf, type Budget, countOfBudget, obligeCount, refuseTarget } from "./pattern-count.ts";
import { callRecipe, joinReadings } from "./readings.ts";
import {
  type Choice,
  type Lines,
  type Obstacle,
  type OpenShape,
  type Pool,
  poison,
  type SelectionTarget,
  type SelectionValue,
  type TensorValue,
} from "./value.ts";

const open: OpenShape = [null, null];
const numberRecipe = (value: NumberExpression): Recipe => ({ kind: "number", value });

/** A call with tensors as operands, by name, and numbers beside them. */
function recipeWith(
  intrinsic: IntrinsicName,
  tensors: Readonly<Record<string, TensorValue>>,
  numbers: Readonly<Record<string, NumberExpression>>,
  pool: Pool = "matrix",
): Recipe | Obstacle {
  const names = Object.keys(tensors);
  return joinReadings<Recipe, Recipe>(
    Object.values(tensors).map(({ recipe }) => recipe),
    (parts) => {
      const operands = Object.fromEntries([
        ...parts.map((part, index) => [names[index] ?? "", part] as const),
        ...Object.entries(numbers).map(([name, value]) => [name, numberRecipe(value)] as const),
      ]);
      const call = callRecipe(intrinsic, operands);
      const isLines = pool !== "matrix" && pool !== "group" && pool !== "model";
      return isLines && call.kind === "call" ? { ...call, pool } : call;
    },
  );
}

const budgetOf = (keep: NumberExpression | null, count: NumberExpression | null): Budget =>
  keep !== null ? { kind: "keep", amount: keep } : count !== null ? { kind: "count", amount: count } : null;

/** `magnitude`, `topk`, `random`, `random_support`: a budget in a pool. */
const budgeted =
  (operand: string | null): Meaning =>
  (context, syntax, call, span) => {
    const text = syntax.name.name as IntrinsicName;
    const [tensor] = tensorsOf(call);
    const shape = tensor === undefined ? open : sides(context, tensor);
    if (shape === null) return poison;
    const budget = budgetOf(numberOf(call, "keep"), numberOf(call, "count"));
    const pool =
      call.arguments.flatMap(({ value }) => (value.kind === "pool" ? [value.pool] : []))[0] ?? "matrix";
    const selection = { text, budget, pool, span };
    return {
      kind: "selection",
      text,
      shape,
      patterns: [],
      lines: null,
      span,
      choose: (target) => {
        const counted = countOfBudget(context, selection, target);
        if (counted === null) return null;
        const tensors = tensor === undefined || operand === null ? {} : { [operand]: tensor };
        const amount = budget === null ? {} : { [budget.kind]: budget.amount };
        // A whole pattern has its count in the manifest; a part, or a measured one, says it beside.
        const stated = budget?.kind === "keep" && (target.isPart || counted.measured);
        const numbers = stated ? { ...amount, count: counted.count } : amount;
        return { ...counted, recipe: recipeWith(text, tensors, numbers, pool) };
      },
    };
  };

/** A selection of single entries that has nothing to do with the kind of the target. */
const ofEntries =
  (
    parts: (
      context: CheckContext,
      call: Parameters<Meaning>[2],
    ) => {
      readonly shape: OpenShape | null;
      readonly recipe: (name: IntrinsicName) => Recipe | Obstacle;
      readonly count: (target: SelectionTarget) => {
        readonly count: NumberExpression;
        readonly measured: boolean;
      };
      readonly anyKind?: boolean;
    },
  ): Meaning =>
  (context, syntax, call, span): SelectionValue | typeof poison => {
    const { shape, recipe, count, anyKind } = parts(context, call);
    if (shape === null) return poison;
    const text = syntax.name.name as IntrinsicName;
    return {
      kind: "selection",
      text,
      shape,
      patterns: [],
      lines: null,
      span,
      choose: (target): Choice | null =>
        target.shape.kind === "unstructured" || (anyKind === true && target.shape.kind === "block")
          ? { ...count(target), recipe: recipe(text), pool: null }
          : refuseTarget(context, text, target.shape, span, [
              "it chooses single entries: write `unstructured`",
            ]),
    };
  };

const half = (target: SelectionTarget) => ({
  count: foldNumber(apply("ceil", apply("/", areaOf(target), number(2)))),
  measured: true,
});

/** `above(score, threshold)`, `below(score, threshold)`: prices assume half of the entries. */
const compared: Meaning = ofEntries((context, call) => {
  const [score] = tensorsOf(call);
  const threshold = numberOf(call, "threshold") ?? number(0);
  return {
    shape: score === undefined ? null : sides(context, score),
    recipe: (name) =>
      score === undefined ? callRecipe(name, {}) : recipeWith(name, { score }, { threshold }),
    count: half,
  };
});

const nonzero: Meaning = ofEntries((context, call) => {
  const [of] = tensorsOf(call);
  return {
    shape: of === undefined ? null : sides(context, of),
    recipe: (name) => (of === undefined ? callRecipe(name, {}) : recipeWith(name, { of }, {})),
    count: half,
  };
});

const all: Meaning = ofEntries(() => ({
  shape: open,
  recipe: (name) => callRecipe(name, {}),
  count: (target) => ({ count: areaOf(target), measured: false }),
  anyKind: true,
}));

const diagonal: Meaning = ofEntries(() => ({
  shape: open,
  recipe: (name) => callRecipe(name, {}),
  count: ({ rows, columns }) => ({ count: foldNumber(apply("min", rows, columns)), measured: false }),
}));

/** Whole rows or columns: the largest of a vector of scores, or `count` of `of` at random. */
const wholeLines =
  (axis: Lines["axis"]): Meaning =>
  (context, syntax, call, span) => {
    const text = syntax.name.name as IntrinsicName;
    const [score] = tensorsOf(call);
    const count = numberOf(call, "count");
    if (count === null) return poison;
    const size = score === undefined ? numberOf(call, "of") : (score.dimensions[0] ?? null);
    const choose = (target: SelectionTarget): Choice | null => {
      if (target.shape.kind !== "unstructured") return refuseTarget(context, text, target.shape, span);
      const [most, across] = axis === "row" ? [target.rows, target.columns] : [target.columns, target.rows];
      obligeCount(context, { span }, count, most, target, `\`${target.name}\` is made of whole ${axis}s`);
      const recipe = recipeWith(text, score === undefined ? {} : { score }, { count });
      return { recipe, count: foldNumber(apply("*", count, across)), measured: false, pool: null };
    };
    const shape: OpenShape = axis === "row" ? [size, null] : [null, size];
    return { kind: "selection", text, shape, patterns: [], lines: { axis, count }, span, choose };
  };

/** Drop and grow: as many positions as the pattern has. */
const regrow: Meaning = (context, _syntax, call, span) => {
  const [keep, grow] = tensorsOf(call);
  const fraction = numberOf(call, "fraction");
  const given = call.arguments.find(({ value }) => isPositions(value));
  const of =
    given !== undefined && isPositions(given.value) ? asSelection(context, given.value, given.span) : poison;
  if (keep === undefined || grow === undefined || fraction === null || of.kind === "poison") return poison;
  const [keepSides, growSides] = [sides(context, keep), sides(context, grow)];
  if (keepSides === null || growSides === null) return poison;
  const choose = (target: SelectionTarget): Choice | null => {
    if (target.shape.kind !== "unstructured") return refuseTarget(context, "regrow", target.shape, span);
    const chosen = of.choose({ ...target, isPart: true });
    if (chosen === null) return null;
    const recipe = joinReadings<Recipe, Recipe>(
      [chosen.recipe, keep.recipe, grow.recipe],
      ([pattern, worst, best]) =>
        callRecipe("regrow", {
          ...(pattern === undefined ? {} : { of: pattern }),
          ...(worst === undefined ? {} : { keep: worst }),
          ...(best === undefined ? {} : { grow: best }),
          fraction: numberRecipe(fraction),
        }),
    );
    return { recipe, count: chosen.count, measured: chosen.measured, pool: null };
  };
  const { patterns } = of;
  return { kind: "selection", text: "regrow", shape: keepSides, patterns, lines: null, choose, span };
};

export const selectionMeanings: readonly (readonly [string, Meaning])[] = [
  ["magnitude", budgeted("weight")],
  ["topk", budgeted("score")],
  ["random_support", budgeted(null)],
  ["random", budgeted(null)],
  ["above", compared],
  ["below", compared],
  ["nonzero", nonzero],
  ["all", all],
  ["regrow", regrow],
  ["diagonal", diagonal],
  ["top_rows", wholeLines("row")],
  ["top_columns", wholeLines("column")],
  ["random_rows", wholeLines("row")],
  ["random_columns", wholeLines("column")],
];
