/**
 * `refresh M every n while … = …`: a pattern that is chosen again while a layer is trained. Its selection reads values
 * as they are then, the pattern as it is, and the gradient of the weight, which the caller gives.
 */
import {
  apply,
  type NumberExpression,
  number,
  printNumber,
  symbolsOf,
} from "../../runtime/contract/number-expression.ts";
import type { Recipe } from "../../runtime/contract/recipe.ts";
import { gradientName, type RefreshManifest } from "../../runtime/contract/time.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { requirementRefuted } from "../diagnostics/shape-diagnostics.ts";
import { listNames, suggestNames } from "../diagnostics/suggest-name.ts";
import { refreshHeld, refreshUnknown } from "../diagnostics/time-diagnostics.ts";
import { notInInitialValue } from "../diagnostics/training-diagnostics.ts";
import { wrongKind } from "../diagnostics/type-diagnostics.ts";
import { sameDimension } from "../types/dimension.ts";
import { addProblem, extend, oblige } from "./check-context.ts";
import { fitPattern } from "./check-masks.ts";
import { asWhole } from "./check-numbers.ts";
import { checkCondition, scheduledIn } from "./check-time.ts";
import type { CheckedPattern, CheckedTensor, WeightExpression } from "./checked-module.ts";
import { asSelection, isPositions } from "./combine-patterns.ts";
import type { PatternDraft } from "./pattern-draft.ts";
import { obstacle } from "./readings.ts";
import type { RefreshDraft, Statement, TransformDraft } from "./transform-draft.ts";
import { describeValue, isObstacle, type SelectionValue, type TensorValue } from "./value.ts";

/** Requires that the weight has been checked, because the gradient has its shape. */
export function checkRefresh(
  draft: TransformDraft,
  statement: Statement<"refresh">,
  weight: WeightExpression | null,
): void {
  const { context } = draft;
  const { name, every, condition, value } = statement;
  draft.awaited.delete(statement);
  const pattern = context.patterns.get(name.name);
  if (pattern === undefined) {
    reportUnknown(draft, statement);
    return;
  }
  const interval = asWhole(context, context.check(draft.environment, every), every.span, "a number of steps");
  if (interval !== null) obligeInterval(draft, interval, every.span);
  const holds = condition === null ? null : checkCondition(draft, condition, `refresh ${name.name}`);
  const selection = value === null ? pattern.selection : selectionOf(draft, value, weight);
  if (interval === null || selection === null || selection.kind === "poison") return;
  if (condition !== null && holds === null) return;
  draft.refreshes.push({ pattern: name.name, every: interval, condition: holds, selection, span: name.span });
}

function obligeInterval(draft: TransformDraft, interval: NumberExpression, span: RefreshDraft["span"]): void {
  if (interval.kind === "number" && interval.value >= 1) return;
  const atLeast = apply(">=", interval, number(1));
  oblige(draft.context, {
    kind: requirementRefuted,
    condition: atLeast,
    text: printNumber(atLeast),
    span,
    reason: "a refresh comes every so many steps",
  });
}

function selectionOf(
  draft: TransformDraft,
  syntax: NonNullable<Statement<"refresh">["value"]>,
  weight: WeightExpression | null,
): SelectionValue | null {
  const { context, environment } = draft;
  const { span } = syntax;
  const gradient: TensorValue | null = weight && {
    kind: "tensor",
    dimensions: [weight.rows, weight.columns],
    weight: obstacle("the gradient", span),
    recipe: { kind: "tensor", name: gradientName },
    leaf: null,
    span,
  };
  const scope =
    gradient === null || environment.lookup(gradientName, span) !== null
      ? environment
      : extend(environment, gradientName, gradient);
  const value = context.check(scope, syntax);
  if (isPositions(value)) {
    const selection = asSelection(context, value, span);
    return selection.kind === "poison" ? null : selection;
  }
  if (value.kind !== "poison") {
    const facts = { expected: "a selection such as `magnitude(W, 0.5)`", found: describeValue(value) };
    addProblem(context, report(wrongKind, span, facts));
  }
  return null;
}

function reportUnknown({ context }: TransformDraft, { name }: Statement<"refresh">): void {
  if (name.name === "") return;
  const near = suggestNames(name.name, [...context.patterns.keys()]);
  const help =
    near.length > 0
      ? [`did you mean ${listNames(near)}?`]
      : ["name what is to be chosen again: `mask M: … = …` or `support E = …`"];
  addProblem(context, report(refreshUnknown, name.span, { name: name.name }, { help }));
}

/** True when the number of positions may change while a layer is trained, and where that cannot be told yet. */
export function countMoves(
  { refreshes, awaited, context }: TransformDraft,
  { name, selection }: PatternDraft,
  pattern: Pick<CheckedPattern, "shape" | "rows" | "columns">,
  count: NumberExpression,
): boolean {
  const own = refreshes.filter((refresh) => refresh.pattern === name);
  const unread = [...awaited].filter((statement) => statement.name.name === name);
  if (own.length + unread.length === 0 || pattern.shape.kind === "nm") return false;
  if (scheduledIn(context, count) !== null || unread.some(({ value }) => value !== null)) return true;
  return own.some((refresh) => {
    if (refresh.selection === selection) return false;
    // Dropping and growing keeps the number; any other selection that reads the pattern itself may shrink it.
    if (refresh.selection.patterns.includes(name)) return refresh.selection.text !== "regrow";
    const again = refresh.selection.choose({ name, ...pattern, isPart: false });
    return again !== null && (again.measured || !sameDimension(again.count, count));
  });
}

/** A selection by share says its count, because the symbol of a count that moves has no value before it. */
export function stateCount(recipe: Recipe, count: NumberExpression): Recipe {
  if (recipe.kind !== "call" || recipe.operands.keep === undefined || recipe.operands.count !== undefined)
    return recipe;
  return { ...recipe, operands: { ...recipe.operands, count: { kind: "number", value: count } } };
}

/** The refreshes as the manifest carries them. Requires that patterns and tensors are complete. */
export function finishRefreshes(
  draft: TransformDraft,
  patterns: readonly CheckedPattern[],
  tensors: readonly CheckedTensor[],
): RefreshManifest[] {
  const { context } = draft;
  return draft.refreshes.flatMap(({ pattern: name, every, condition, selection, span }) => {
    const pattern = patterns.find((candidate) => candidate.name === name);
    const counts = selection.text === "regrow" ? null : (pattern?.measured?.symbol ?? null);
    if (pattern === undefined || !mayMove(draft, pattern, tensors, counts, span)) return [];
    const { shape, rows, columns } = pattern;
    const [selectedRows, selectedColumns] = selection.shape;
    const sides = [selectedRows ?? rows, selectedColumns ?? columns] as const;
    const fits =
      fitPattern(context, name, sides, span, selection.span) &&
      selection.patterns.every((part) => fitPattern(context, part, [rows, columns], span, selection.span));
    if (!fits) return [];
    const choice = selection.choose({ name, shape, rows, columns, isPart: false });
    if (choice === null) return [];
    const { recipe, count, measured } = choice;
    if (isObstacle(recipe)) {
      if (recipe.reason !== "broken")
        addProblem(context, report(notInInitialValue, recipe.span, { operation: recipe.text }));
      return [];
    }
    return [{ pattern: name, every, condition, recipe, count: measured ? null : count }];
  });
}

/** Sides and numbers of blocks, which are fixed at load. */
const sizesOf = ({ dimensions, blocks }: CheckedTensor): readonly NumberExpression[] =>
  blocks === null ? dimensions : [...dimensions, blocks];

/**
 * What lives on the pattern has to be able to move with it.
 * @param counts symbol of its number of positions, if a refresh may change it.
 */
function mayMove(
  { context }: TransformDraft,
  { name, pool }: CheckedPattern,
  tensors: readonly CheckedTensor[],
  counts: string | null,
  span: RefreshDraft["span"],
): boolean {
  const holder = tensors.find(
    ({ support, role, shared }) => support === name && (shared || role !== "param"),
  );
  const sized = tensors.find(
    (tensor) => counts !== null && sizesOf(tensor).some((size) => symbolsOf(size).includes(counts)),
  );
  const reason =
    pool !== null
      ? "it is chosen with other layers, which are not there any more"
      : holder === undefined
        ? sized === undefined
          ? null
          : `\`count(${name})\` may change, and is a size of \`${sized.name}\``
        : `\`${holder.name}\` lives on it and is ${holder.shared ? "shared" : "frozen"}`;
  if (reason === null) return true;
  addProblem(context, report(refreshHeld, span, { name, reason }));
  return false;
}
