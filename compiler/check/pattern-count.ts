/** How many positions a selection by rank or at random keeps, by its budget and the unit of the target's kind. */

import type { Span } from "../../grammar/text/source-text.ts";
import {
  apply,
  type NumberExpression,
  number,
  printNumber,
} from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { requirementRefuted, supportTooLarge, tilesDoNotDivide } from "../diagnostics/shape-diagnostics.ts";
import { pooledPart, selectionForPattern } from "../diagnostics/training-diagnostics.ts";
import { canonicalDimension } from "../types/dimension.ts";
import { foldNumber } from "../types/fold-number.ts";
import { addProblem, type CheckContext, oblige } from "./check-context.ts";
import type { PatternShape } from "./checked-module.ts";
import { divides } from "./obligations.ts";
import { type Choice, type Pool, poolText, type SelectionTarget, type TilePool } from "./value.ts";

/** How much a selection keeps: a share, a number, or (null) what an N:M pattern says. */
export type Budget =
  | { readonly kind: "keep"; readonly amount: NumberExpression }
  | { readonly kind: "count"; readonly amount: NumberExpression }
  | null;

export interface BudgetedSelection {
  /** As messages call it. */
  readonly text: string;
  readonly budget: Budget;
  readonly pool: Pool;
  readonly span: Span;
}

const patternText = (shape: PatternShape): string =>
  shape.kind === "nm"
    ? `${shape.n}:${shape.m}`
    : shape.kind === "block"
      ? `${shape.height}x${shape.width} block`
      : "unstructured";

export const areaOf = ({ rows, columns }: Pick<SelectionTarget, "rows" | "columns">): NumberExpression =>
  foldNumber(apply("*", rows, columns));

/** A selection that the kind of the target cannot hold. */
export function refuseTarget(
  context: CheckContext,
  text: string,
  shape: PatternShape,
  span: Span,
  help: readonly string[] = [],
): null {
  addProblem(
    context,
    report(selectionForPattern, span, { selection: text, pattern: patternText(shape) }, { help }),
  );
  return null;
}

/** The count of a selection with a budget; null after a report. */
export function countOfBudget(
  context: CheckContext,
  selection: BudgetedSelection,
  target: SelectionTarget,
): Omit<Choice, "recipe"> | null {
  const { budget, pool } = selection;
  const { shape } = target;
  const known = (count: NumberExpression) => ({ count, measured: false, pool: null });
  if (shape.kind === "nm") {
    if (budget !== null || pool !== "matrix") return refuseBudget(context, selection, shape);
    const all = apply("*", number(shape.n), target.rows, target.columns);
    return known(canonicalDimension(apply("/", all, number(shape.m))));
  }
  if (budget === null) return refuseBudget(context, selection, shape);
  if (shape.kind === "block") {
    if (budget.kind !== "keep" || pool !== "matrix") return refuseBudget(context, selection, shape);
    const size = number(shape.height * shape.width);
    const blocks = canonicalDimension(apply("/", apply("*", target.rows, target.columns), size));
    return known(foldNumber(apply("*", apply("round", apply("*", budget.amount, blocks)), size)));
  }
  if (pool === "matrix") return known(countOfMatrix(context, selection, budget, target));
  if (pool !== "group" && pool !== "model") return known(countOfLines(context, selection, pool, target));
  if (target.isPart) {
    addProblem(context, report(pooledPart, selection.span, { selection: selection.text, pool }));
    return null;
  }
  obligeAtLeastZero(context, selection, budget.amount, target);
  const estimate =
    budget.kind === "keep"
      ? foldNumber(apply("round", apply("*", budget.amount, target.rows, target.columns)))
      : foldNumber(apply("min", budget.amount, areaOf(target)));
  return {
    count: estimate,
    measured: true,
    pool: { scope: pool, budget: budget.kind, amount: budget.amount },
  };
}

/** As many pools as there are rows, columns or tiles, each with its own budget. */
function countOfLines(
  context: CheckContext,
  { budget, span }: BudgetedSelection,
  pool: "row" | "column" | TilePool,
  target: SelectionTarget,
): NumberExpression {
  const { rows, columns } = target;
  const [pools, size] =
    pool === "row"
      ? [rows, columns]
      : pool === "column"
        ? [columns, rows]
        : [tilesOf(context, pool, span, target), number(pool.height * pool.width)];
  const amount = budget?.amount ?? number(0);
  if (budget?.kind === "keep") return foldNumber(apply("*", pools, apply("round", apply("*", amount, size))));
  obligeCount(context, { span }, amount, size, target);
  return foldNumber(apply("*", pools, amount));
}

/** The number of tiles, which have to fill the matrix. */
function tilesOf(
  context: CheckContext,
  pool: TilePool,
  span: Span,
  { rows, columns }: SelectionTarget,
): NumberExpression {
  for (const [side, of] of [
    [pool.height, rows],
    [pool.width, columns],
  ] as const) {
    const condition = divides(number(side), of);
    oblige(context, {
      kind: tilesDoNotDivide,
      condition,
      text: printNumber(condition),
      span,
      reason: `the pools are ${poolText(pool)}`,
    });
  }
  return canonicalDimension(apply("/", apply("*", rows, columns), number(pool.height * pool.width)));
}

function countOfMatrix(
  context: CheckContext,
  selection: BudgetedSelection,
  budget: NonNullable<Budget>,
  target: SelectionTarget,
): NumberExpression {
  if (budget.kind === "keep")
    return foldNumber(apply("round", apply("*", budget.amount, target.rows, target.columns)));
  obligeCount(context, selection, budget.amount, areaOf(target), target);
  return budget.amount;
}

function refuseBudget(
  context: CheckContext,
  { text, budget, pool, span }: BudgetedSelection,
  shape: PatternShape,
): null {
  const help =
    shape.kind === "nm"
      ? [`the pattern says how many to keep: write \`${text}(${text === "random" ? "" : "W"})\``]
      : budget === null
        ? ["say how much to keep: `magnitude(W, keep)`"]
        : pool === "matrix"
          ? ["`magnitude(W, keep)` ranks whole blocks"]
          : ["blocks are ranked in each matrix by itself: leave `pool` out"];
  return refuseTarget(context, text, shape, span, help);
}

const holds = ({ name, rows, columns }: SelectionTarget, count: NumberExpression): string =>
  `\`${name}\` holds ${printNumber(count)} positions of a matrix [${printNumber(rows)}, ${printNumber(columns)}]`;

/** 0 <= count <= most. */
export function obligeCount(
  context: CheckContext,
  { span }: Pick<BudgetedSelection, "span">,
  count: NumberExpression,
  most: NumberExpression,
  target: SelectionTarget,
  reason = holds(target, count),
): void {
  const condition = apply("<=", count, most);
  oblige(context, { kind: supportTooLarge, condition, text: printNumber(condition), span, reason });
  obligeAtLeastZero(context, { span }, count, target, reason);
}

function obligeAtLeastZero(
  context: CheckContext,
  { span }: Pick<BudgetedSelection, "span">,
  count: NumberExpression,
  target: SelectionTarget,
  reason = holds(target, count),
): void {
  const condition = apply(">=", count, number(0));
  oblige(context, { kind: requirementRefuted, condition, text: printNumber(condition), span, reason });
}
