/** How many positions a pattern keeps, by what its selection says and the unit of its kind. */

import {
  apply,
  type NumberExpression,
  number,
  printNumber,
} from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { requirementRefuted, supportTooLarge } from "../diagnostics/shape-diagnostics.ts";
import { selectionForPattern } from "../diagnostics/training-diagnostics.ts";
import { canonicalDimension } from "../types/dimension.ts";
import { foldNumber } from "../types/fold-number.ts";
import { addProblem, oblige } from "./check-context.ts";
import type { PatternShape } from "./checked-module.ts";
import type { PatternDraft } from "./pattern-draft.ts";
import type { TransformDraft } from "./transform-draft.ts";
import type { SelectionValue } from "./value.ts";

type Shape = readonly [NumberExpression, NumberExpression];

const numberOperand = (selection: SelectionValue, name: string): NumberExpression | null => {
  const operand = selection.operands.get(name);
  return operand?.kind === "number" ? operand.expression : null;
};

const patternText = (shape: PatternShape): string =>
  shape.kind === "nm"
    ? `${shape.n}:${shape.m}`
    : shape.kind === "block"
      ? `${shape.height}x${shape.width} block`
      : "unstructured";

/** Positions kept: what the selection says, in the pattern's own unit. */
export function countOf(
  draft: TransformDraft,
  pattern: PatternDraft,
  selection: SelectionValue,
  shape: PatternShape,
  [rows, columns]: Shape,
): NumberExpression | null {
  const keep = numberOperand(selection, "keep");
  const count = numberOperand(selection, "count");
  if (shape.kind === "nm" && keep === null && count === null) {
    return canonicalDimension(apply("/", apply("*", number(shape.n), rows, columns), number(shape.m)));
  }
  if (keep !== null && shape.kind === "unstructured")
    return foldNumber(apply("round", apply("*", keep, rows, columns)));
  if (keep !== null && shape.kind === "block") {
    const blocks = canonicalDimension(
      apply("/", apply("*", rows, columns), number(shape.height * shape.width)),
    );
    return foldNumber(
      apply("*", apply("round", apply("*", keep, blocks)), number(shape.height * shape.width)),
    );
  }
  if (count !== null && shape.kind === "unstructured") {
    obligeCount(draft, pattern, selection, count, [rows, columns]);
    return count;
  }
  const facts = { selection: selection.intrinsic, pattern: patternText(shape) };
  const help =
    shape.kind === "nm"
      ? ["the pattern says how many to keep: write `magnitude(W)`"]
      : keep === null && count === null
        ? ["say how much to keep: `magnitude(W, keep)`"]
        : ["`magnitude(W, keep)` ranks whole blocks"];
  addProblem(draft.context, report(selectionForPattern, selection.span, facts, { help }));
  return null;
}

function obligeCount(
  draft: TransformDraft,
  { name }: PatternDraft,
  selection: SelectionValue,
  count: NumberExpression,
  [rows, columns]: Shape,
): void {
  const atMost = apply("<=", count, foldNumber(apply("*", rows, columns)));
  const reason = `\`${name}\` holds ${printNumber(count)} positions of a matrix [${printNumber(rows)}, ${printNumber(columns)}]`;
  oblige(draft.context, {
    kind: supportTooLarge,
    condition: atMost,
    text: printNumber(atMost),
    span: selection.span,
    reason,
  });
  const atLeast = apply(">=", count, number(0));
  oblige(draft.context, {
    kind: requirementRefuted,
    condition: atLeast,
    text: printNumber(atLeast),
    span: selection.span,
    reason,
  });
}
