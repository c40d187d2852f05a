/**
 * The sides of a declared tensor: each is a whole number of known names, and positive. Arguments and the tensors of
 * statements are declared alike, and stand on this.
 */
import type { ExpressionSyntax, ParameterSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Label } from "../../grammar/text/diagnostic.ts";
import {
  apply,
  type NumberExpression,
  number,
  printNumber,
} from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { dimensionCount, dimensionNotPositive, unknownDimension } from "../diagnostics/shape-diagnostics.ts";
import { suggestion, suggestNames } from "../diagnostics/suggest-name.ts";
import { printShape } from "../types/dimension.ts";
import { sizeRange } from "../types/knowledge.ts";
import { addCountProblem, addProblem, addProblemOnce, isCountTold, oblige } from "./check-context.ts";
import { asWhole, knownNumber } from "./check-numbers.ts";
import { namesInExpression } from "./names-in-expression.ts";
import type { TensorType, TransformDraft } from "./transform-draft.ts";

/** Sides in canonical form, each obliged to be positive; null after a report. */
export function checkDimensions(
  draft: TransformDraft,
  name: string,
  syntax: readonly ExpressionSyntax[],
  type: TensorType,
): NumberExpression[] | null {
  const { context, environment } = draft;
  const allowed = { dense: [1, 2, 3], sparse: [2], blockdiag: [2], diag: [1] }[type.structure];
  const dimensions: NumberExpression[] = [];
  for (const side of syntax) {
    if (side.kind === "name" && isUnknown(draft, side.name, side.span)) {
      const near = suggestNames(side.name, environment.names());
      const help =
        near.length > 0
          ? suggestion(side.name, side.span, near)
          : ["dimensions come from the shapes of argument tensors, or from `int` arguments"];
      addProblemOnce(context, side.name, report(unknownDimension, side.span, { name: side.name }, { help }));
      return null;
    }
    const size = asWhole(context, context.check(environment, side), side.span, "a dimension");
    if (size === null) return null;
    dimensions.push(size);
    const isBound = size.kind === "symbol" && draft.ranges.get(size.name) === sizeRange;
    const known = knownNumber(size);
    if (isBound || (known !== null && known > 0)) continue;
    const condition = apply(">", size, number(0));
    if (known !== null) {
      refuseSide(draft, name, side, printNumber(condition));
      return null;
    }
    if (isCountTold(context, namesInExpression(side))) return null;
    oblige(context, {
      kind: dimensionNotPositive,
      condition,
      text: printNumber(condition),
      span: side.span,
      reason: `\`${printNumber(size)}\` is a side of \`${name}\``,
    });
  }
  if (allowed.includes(dimensions.length)) return dimensions;
  const expected =
    type.structure === "dense"
      ? "a shape of 1 to 3 sides"
      : `a shape of ${allowed[0]} side${allowed[0] === 1 ? "" : "s"}`;
  addProblem(context, report(dimensionCount, type.span, { expected, found: printShape(dimensions) }));
  return null;
}

/** A side whose number is known and not positive. */
function refuseSide(draft: TransformDraft, name: string, side: ExpressionSyntax, found: string): void {
  const { context, module } = draft;
  const text = module.source.text.slice(side.span.start, side.span.end);
  const facts = {
    condition: `${text} > 0`,
    values: `${text} > 0` === found ? "" : `: \`${found}\` is false`,
  };
  const because = [`\`${text}\` is a side of \`${name}\``];
  const secondary = constantsIn(draft, side);
  const problem = report(dimensionNotPositive, side.span, facts, { because, secondary });
  addCountProblem(context, namesInExpression(side), problem);
}

const isUnknown = (draft: TransformDraft, name: string, span: ParameterSyntax["span"]): boolean =>
  !draft.module.broken.has(name) &&
  draft.environment.lookup(name, span) === null &&
  !draft.module.names.has(name);

/** Const arguments are numbers by now, and no symbol of the condition remembers them. */
export function constantsIn(draft: TransformDraft, condition: ExpressionSyntax): Label[] {
  return [...new Set(namesInExpression(condition))].flatMap((name) => {
    const value = draft.constants.get(name);
    const parameter = draft.syntax.parameters.find((candidate) => candidate.name.name === name);
    return value === undefined || parameter === undefined
      ? []
      : [{ span: parameter.span, text: `\`${name}\` is ${value}` }];
  });
}
