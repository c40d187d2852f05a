/** The kinds of patterns: what a statement writes after the name, held against the size of the matrix. */

import type { Span } from "../../grammar/text/source-text.ts";
import { type NumberExpression, number, printNumber } from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import {
  ambiguousAxis,
  groupsDoNotDivide,
  tilesDoNotDivide,
  unknownAxis,
} from "../diagnostics/shape-diagnostics.ts";
import { groupCounts } from "../diagnostics/training-diagnostics.ts";
import { missingArgument, tooManyArguments } from "../diagnostics/type-diagnostics.ts";
import { printShape, sameDimension } from "../types/dimension.ts";
import { addProblem, oblige } from "./check-context.ts";
import { asWholeConstant } from "./check-numbers.ts";
import type { PatternShape } from "./checked-module.ts";
import { divides } from "./obligations.ts";
import type { PatternDraft } from "./pattern-draft.ts";
import type { TransformDraft } from "./transform-draft.ts";

type Shape = readonly [NumberExpression, NumberExpression];

type PatternSyntax = NonNullable<PatternDraft["syntax"]>;

/** The kind that a statement writes, for a matrix of this size; `selected` is where it was chosen from. Null after a report. */
export function patternShape(
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
