/** What of a transform follows the clocks, put together, and what would never follow them because it is computed once. */
import { type NumberExpression, symbolsOf } from "../../runtime/contract/number-expression.ts";
import type { Recipe } from "../../runtime/contract/recipe.ts";
import { clockNames, type RefreshManifest, type TimeManifest } from "../../runtime/contract/time.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { patternLeftBehind, scheduleReadOnce } from "../diagnostics/time-diagnostics.ts";
import { addProblem } from "./check-context.ts";
import { scheduledIn } from "./check-time.ts";
import type { CheckedPattern, CheckedTensor } from "./checked-module.ts";
import { namesRead } from "./order-initial-values.ts";
import type { TransformDraft } from "./transform-draft.ts";

/** Null when nothing follows the clocks. */
export function timeOf({ time }: TransformDraft, refreshes: readonly RefreshManifest[]): TimeManifest | null {
  if (time.length === 0 && refreshes.length === 0) return null;
  const read = new Set([
    ...time.flatMap(({ value }) => symbolsOf(value)),
    ...refreshes.flatMap(({ condition }) => (condition === null ? [] : symbolsOf(condition))),
    ...(refreshes.length === 0 ? [] : ["step"]),
  ]);
  return { clocks: clockNames.filter((name) => read.has(name)), numbers: time, refreshes };
}

const numbersIn = (recipe: Recipe): readonly NumberExpression[] => {
  switch (recipe.kind) {
    case "number":
      return [recipe.value];
    case "call":
      return Object.values(recipe.operands).flatMap(numbersIn);
    case "output":
      return numbersIn(recipe.of);
    default:
      return [];
  }
};

/** Initial values and patterns that are never chosen again cannot read a schedule. */
export function warnOfReadOnce(
  draft: TransformDraft,
  patterns: readonly CheckedPattern[],
  tensors: readonly CheckedTensor[],
): void {
  const refreshed = new Set(draft.refreshes.map(({ pattern }) => pattern));
  for (const { name, recipe, span } of patterns) {
    const from = refreshed.has(name) ? undefined : namesRead(recipe).find((read) => refreshed.has(read));
    if (from !== undefined) addProblem(draft.context, report(patternLeftBehind, span, { name, from }));
  }
  const once = [...tensors, ...patterns.filter(({ name }) => !refreshed.has(name))];
  for (const { name, recipe, span } of once) {
    const schedule = (recipe === null ? [] : numbersIn(recipe))
      .map((value) => scheduledIn(draft.context, value))
      .find((found) => found !== null);
    if (schedule === undefined || schedule === null) continue;
    const isPattern = patterns.some((pattern) => pattern.name === name);
    const help = isPattern
      ? [`have it chosen again: \`refresh ${name} every 1\``]
      : ["put the schedule in the weight, as a factor of the tensor"];
    addProblem(draft.context, report(scheduleReadOnce, span, { name, schedule }, { help }));
  }
}
