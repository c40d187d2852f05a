/** Masks and supports: what chooses their positions, which pattern they follow, how many positions they keep. */

import type { Span } from "../../grammar/text/source-text.ts";
import { type NumberExpression, number, printNumber } from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import {
  ambiguousAxis,
  groupsDoNotDivide,
  tilesDoNotDivide,
  unknownAxis,
  unknownSize,
} from "../diagnostics/shape-diagnostics.ts";
import { groupCounts, notInInitialValue } from "../diagnostics/training-diagnostics.ts";
import { missingArgument, tooManyArguments, wrongKind } from "../diagnostics/type-diagnostics.ts";
import { printShape, sameDimension } from "../types/dimension.ts";
import { addProblem, oblige } from "./check-context.ts";
import { asWholeConstant } from "./check-numbers.ts";
import type { CheckedPattern, PatternShape } from "./checked-module.ts";
import { divides } from "./obligations.ts";
import { countOf } from "./pattern-count.ts";
import type { PatternDraft } from "./pattern-draft.ts";
import type { Statement, TransformDraft } from "./transform-draft.ts";
import { describeValue, isObstacle, poison, type Value } from "./value.ts";

type Shape = readonly [NumberExpression, NumberExpression];

/** The value of `mask M: … = E`: its pattern, recorded under its name. */
export function startPattern(draft: TransformDraft, statement: Statement<"mask">): Value {
  const value = draft.context.check(draft.environment, statement.value);
  return recordPattern(
    draft,
    {
      name: statement.name.name,
      mode: statement.mode ?? "structural",
      span: statement.name.span,
      syntax: statement.pattern,
    },
    value,
    statement.value.span,
  );
}

/** Records a pattern; the value must be a selection. */
export function recordPattern(
  draft: TransformDraft,
  parts: Pick<PatternDraft, "name" | "mode" | "span" | "syntax">,
  value: Value,
  span: Span,
): Value {
  const selection = value.kind === "selection" ? value : poison;
  if (value.kind !== "selection" && value.kind !== "poison") {
    const facts = { expected: "a selection such as `magnitude(W, 0.5)`", found: describeValue(value) };
    addProblem(draft.context, report(wrongKind, span, facts));
  }
  const shape = selection.kind === "selection" ? selection.shape : null;
  draft.context.patterns.set(parts.name, { ...parts, selection, shape });
  return selection.kind === "poison" ? poison : { kind: "pattern", name: parts.name };
}

/** Requires that every use of the pattern has been checked, so that its size is known. Null after a report. */
export function finishPattern(draft: TransformDraft, pattern: PatternDraft): CheckedPattern | null {
  const { selection, syntax, name } = pattern;
  if (selection.kind === "poison") return null;
  if (pattern.shape === null) {
    const help = ["use it on a matrix, or choose it from one"];
    addProblem(
      draft.context,
      report(unknownSize, pattern.span, { name: `the pattern \`${name}\`` }, { help }),
    );
    return null;
  }
  const [rows, columns] = pattern.shape;
  const shape =
    syntax === null
      ? ({ kind: "unstructured" } as const)
      : patternShape(draft, syntax, pattern.shape, selection.span);
  if (shape === null) return null;
  const count = countOf(draft, pattern, selection, shape, pattern.shape);
  if (count === null) return null;
  if (isObstacle(selection.recipe)) {
    if (selection.recipe.reason !== "broken") {
      addProblem(
        draft.context,
        report(notInInitialValue, selection.recipe.span, { operation: selection.recipe.text }),
      );
    }
    return null;
  }
  const { mode } = pattern;
  return { name, mode, shape, rows, columns, count, recipe: selection.recipe, span: pattern.span };
}

type PatternSyntax = NonNullable<PatternDraft["syntax"]>;

function patternShape(
  draft: TransformDraft,
  syntax: PatternSyntax,
  [rows, columns]: Shape,
  selected: Span,
): PatternShape | null {
  const { context, environment } = draft;
  if (syntax.name === "unstructured" || syntax.name === "support") {
    const [extra] = syntax.arguments;
    if (extra === undefined) return { kind: "unstructured" };
    addProblem(
      context,
      report(tooManyArguments, extra.span, {
        name: syntax.name,
        expected: 0,
        found: syntax.arguments.length,
      }),
    );
    return null;
  }
  const names = syntax.name === "nm" ? ["n", "m"] : ["height", "width"];
  if (syntax.arguments.length !== 2) {
    const diagnostic =
      syntax.arguments.length > 2
        ? report(tooManyArguments, syntax.span, {
            name: syntax.name,
            expected: 2,
            found: syntax.arguments.length,
          })
        : report(missingArgument, syntax.span, {
            name: syntax.name,
            argument: names[syntax.arguments.length] ?? "n",
          });
    addProblem(context, diagnostic);
    return null;
  }
  const [first, second] = syntax.arguments.map((argument, index) =>
    asWholeConstant(
      context,
      context.check(environment, argument),
      argument.span,
      `\`${names[index] ?? ""}\` of \`${syntax.name}\``,
    ),
  );
  if (typeof first !== "number" || typeof second !== "number") return null;
  if (syntax.name === "block") return blockShape(draft, syntax, [rows, columns], [first, second], selected);
  if (first < 1 || first > second) {
    addProblem(context, report(groupCounts, syntax.span, { n: first, m: second }));
    return null;
  }
  const axis = axisOf(draft, syntax, [rows, columns]);
  if (axis === null) return null;
  const condition = divides(number(second), axis === "input" ? columns : rows);
  const reason = `${first}:${second} groups along the ${axis}`;
  const related = [{ span: selected, text: printShape([rows, columns]) }];
  oblige(context, {
    kind: groupsDoNotDivide,
    condition,
    text: printNumber(condition),
    span: syntax.span,
    reason,
    related,
  });
  return { kind: "nm", n: first, m: second, axis };
}

function blockShape(
  draft: TransformDraft,
  syntax: PatternSyntax,
  [rows, columns]: Shape,
  [height, width]: readonly [number, number],
  selected: Span,
): PatternShape | null {
  for (const [side, size] of [
    [rows, height],
    [columns, width],
  ] as const) {
    if (size < 1) {
      addProblem(
        draft.context,
        report(
          groupCounts,
          syntax.span,
          { n: height, m: width },
          { help: ["`block(height, width)` needs positive sizes"] },
        ),
      );
      return null;
    }
    const condition = divides(number(size), side);
    oblige(draft.context, {
      kind: tilesDoNotDivide,
      condition,
      text: printNumber(condition),
      span: syntax.span,
      reason: `blocks of ${height} outputs by ${width} inputs`,
      related: [{ span: selected, text: printShape([rows, columns]) }],
    });
  }
  return { kind: "block", height, width };
}

function axisOf(
  draft: TransformDraft,
  { along, span }: PatternSyntax,
  [rows, columns]: Shape,
): "input" | "output" | null {
  if (along === null || along.name === "input") return "input";
  if (along.name === "output") return "output";
  const named = draft.environment.lookup(along.name, along.span);
  const facts = { name: along.name, rows: printNumber(rows), columns: printNumber(columns) };
  if (named?.kind !== "number") {
    const help = ["write the dimension of that side, or `input` (within a row), `output` (within a column)"];
    addProblem(draft.context, report(unknownAxis, along.span, facts, { help }));
    return null;
  }
  const [isRow, isColumn] = [sameDimension(named.expression, rows), sameDimension(named.expression, columns)];
  if (isRow && isColumn) {
    addProblem(
      draft.context,
      report(
        ambiguousAxis,
        along.span,
        { name: along.name },
        { secondary: [{ span, text: "the mask of a square matrix" }] },
      ),
    );
    return null;
  }
  if (isRow || isColumn) return isRow ? "output" : "input";
  const help = [
    `write \`along ${facts.columns}\` (within a row) or \`along ${facts.rows}\` (within a column)`,
  ];
  addProblem(draft.context, report(unknownAxis, along.span, facts, { help }));
  return null;
}
