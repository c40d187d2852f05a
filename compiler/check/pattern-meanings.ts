/** Patterns read as something else: their 0/1 matrix, the selector of their rows or columns, their number of positions. */

import type { Span } from "../../grammar/text/source-text.ts";
import { type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import type { Recipe } from "../../runtime/contract/recipe.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { unknownSize } from "../diagnostics/shape-diagnostics.ts";
import { wrongKind } from "../diagnostics/type-diagnostics.ts";
import { addProblem, addProblemOnce, type CheckContext } from "./check-context.ts";
import { joinShapes } from "./check-masks.ts";
import { numberValue } from "./check-numbers.ts";
import { type Meaning, tensorsOf } from "./intrinsic-call.ts";
import type { PatternDraft } from "./pattern-draft.ts";
import { callRecipe, joinReadings, matrix } from "./readings.ts";
import {
  describeValue,
  isObstacle,
  type Lines,
  type Obstacle,
  type OpenShape,
  poison,
  type TensorValue,
  type Value,
} from "./value.ts";

/** The pattern that a call names; null after a report. */
function namedPattern(context: CheckContext, value: Value | undefined, span: Span): PatternDraft | null {
  if (value?.kind === "pattern") {
    const draft = context.patterns.get(value.name);
    return draft === undefined || draft.selection.kind === "poison" ? null : draft;
  }
  if (value === undefined || value.kind === "poison") return null;
  const help = ["give it a name first: `support E = …`"];
  const facts = { expected: "a mask or a support", found: describeValue(value) };
  addProblem(context, report(wrongKind, span, facts, { help }));
  return null;
}

function sizeUnknown(context: CheckContext, { name }: PatternDraft, span: Span, help: string) {
  const problem = report(unknownSize, span, { name: `the pattern \`${name}\`` }, { help: [help] });
  addProblemOnce(context, name, problem);
  return poison;
}

const indicatorMatrix = (
  name: string,
  [rows, columns]: readonly [NumberExpression, NumberExpression],
  span: Span,
): TensorValue =>
  matrix(
    rows,
    columns,
    span,
    { kind: "indicator", pattern: name, rows, columns, span },
    { kind: "pattern", name },
  );

/** The matrix with ones at the positions of the pattern. */
export const indicatorMeaning: Meaning = (context, _syntax, call, span) => {
  const [argument] = call.arguments;
  const draft = namedPattern(context, argument?.value, argument?.span ?? span);
  if (draft === null) return poison;
  const [rows, columns] = draft.shape;
  if (rows === null || columns === null) return sizeUnknown(context, draft, span, "choose it from a matrix");
  return indicatorMatrix(draft.name, [rows, columns], span);
};

/** [count, n] with a one in each row, at the chosen row or column: gathers, and transposed it scatters. */
export const selectorMeaning =
  (axis: Lines["axis"]): Meaning =>
  (context, _syntax, call, span) => {
    const [argument] = call.arguments;
    const draft = namedPattern(context, argument?.value, argument?.span ?? span);
    if (draft === null || draft.selection.kind === "poison") return poison;
    const { lines } = draft.selection;
    if (lines?.axis !== axis) {
      const facts = { expected: `a pattern of whole ${axis}s`, found: `the pattern \`${draft.name}\`` };
      const help = [`choose it with \`top_${axis}s\` or \`random_${axis}s\``];
      addProblem(context, report(wrongKind, argument?.span ?? span, facts, { help }));
      return poison;
    }
    const size = draft.shape[axis === "row" ? 0 : 1];
    if (size === null)
      return sizeUnknown(context, draft, span, `say of how many: \`random_${axis}s(count, of: …)\``);
    const name = `${axis}_selector(${draft.name})`;
    const recipe = callRecipe(`${axis}_selector`, { of: { kind: "pattern", name: draft.name } });
    if (!context.patterns.has(name))
      recordPositions(context, name, `${axis}_selector`, [lines.count, size], recipe, span);
    return indicatorMatrix(name, [lines.count, size], span);
  };

/** A pattern of one position a row that an expression brings along. */
function recordPositions(
  context: CheckContext,
  name: string,
  text: string,
  shape: readonly [NumberExpression, NumberExpression],
  recipe: Recipe | Obstacle,
  span: Span,
): void {
  const [rows, columns] = shape;
  const kind = { kind: "unstructured" } as const;
  context.patterns.set(name, {
    name,
    span,
    mode: "structural",
    syntax: null,
    shape,
    selection: { kind: "selection", text, shape, patterns: [], lines: null, choose: () => null, span },
    kind: () => kind,
    finish: () =>
      isObstacle(recipe)
        ? null
        : {
            name,
            mode: "structural",
            shape: kind,
            rows,
            columns,
            count: rows,
            measured: null,
            pool: null,
            recipe,
            span,
          },
  });
}

/** The 0/1 matrix [n, n] that sorts by a vector of scores; equal scores give one pattern. */
export const permutationMeaning: Meaning = (context, _syntax, call, span) => {
  const [score] = tensorsOf(call);
  const size = score?.dimensions[0];
  if (score === undefined || size === undefined) return poison;
  const recipe = joinReadings<Recipe, Recipe>([score.recipe], ([of]) =>
    callRecipe("permutation", of === undefined ? {} : { score: of }),
  );
  if (isObstacle(recipe)) return matrix(size, size, span, recipe, recipe);
  const key = JSON.stringify(recipe);
  const taken = [...context.patterns.values()].filter(({ name }) => name.startsWith("permutation("));
  const same = taken.find((draft) => JSON.stringify(draft.finish()?.recipe) === key);
  const name = same?.name ?? `permutation(${taken.length + 1})`;
  if (same === undefined) recordPositions(context, name, "permutation", [size, size], recipe, span);
  return indicatorMatrix(name, [size, size], span);
};

/** The number of positions of a pattern. */
export const countMeaning: Meaning = (context, _syntax, call, span) => {
  const [argument] = call.arguments;
  const draft = namedPattern(context, argument?.value, argument?.span ?? span);
  if (draft === null) return poison;
  const open: OpenShape = joinShapes(draft.shape, [null, null]);
  if (open.some((side) => side === null)) return sizeUnknown(context, draft, span, "choose it from a matrix");
  const pattern = draft.finish();
  return pattern === null ? poison : numberValue(pattern.count ?? number(0), "int");
};
