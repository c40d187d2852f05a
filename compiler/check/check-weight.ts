/** The weight of a transform: its one reading as mathematics, and what it leaves unread. */
import { type MatrixSource, partsOfSource } from "../../runtime/contract/matrix-source.ts";
import { symbolsOf } from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import {
  frozenUnused,
  maskUnused,
  notInWeight,
  paramUnused,
  sourceInWeight,
  weightMissing,
  weightTwice,
} from "../diagnostics/training-diagnostics.ts";
import { addProblem } from "./check-context.ts";
import { asTensor, sides } from "./check-tensors.ts";
import type { CheckedPattern, CheckedTensor, WeightExpression } from "./checked-module.ts";
import { namesRead } from "./order-initial-values.ts";
import type { Statement, TransformDraft } from "./transform-draft.ts";
import { isObstacle, type Obstacle } from "./value.ts";

export function checkWeight(draft: TransformDraft): WeightExpression | null {
  const { context, syntax } = draft;
  const weights = syntax.statements.filter(
    (statement): statement is Statement<"weight"> => statement.kind === "weight",
  );
  const [first, second] = weights;
  if (first === undefined) {
    if (draft.isComplete)
      addProblem(context, report(weightMissing, syntax.name.span, { name: syntax.name.name }));
    return null;
  }
  if (second !== undefined) {
    const secondary = [{ span: first.span, text: "the first is here" }];
    addProblem(
      context,
      report(
        weightTwice,
        second.span,
        { name: syntax.name.name },
        { secondary, help: ["add the two, or name parts with `let`"] },
      ),
    );
  }
  const value = context.check(draft.environment, first.value);
  const tensor = asTensor(context, value, first.value.span);
  if (tensor === null || sides(context, tensor) === null) return null;
  if (!isObstacle(tensor.weight)) return tensor.weight;
  reportObstacle(draft, tensor.weight);
  return null;
}

/** Why an expression cannot be part of a weight. */
export function reportObstacle(draft: TransformDraft, obstacle: Obstacle): void {
  if (obstacle.reason === "broken") return;
  if (obstacle.reason === "operation") {
    addProblem(draft.context, report(notInWeight, obstacle.span, { operation: obstacle.text }));
    return;
  }
  const type = draft.tensors.get(obstacle.text)?.type.span;
  const help = {
    text: `write \`${obstacle.text}: frozen […]\``,
    edits: type === undefined ? [] : [{ span: { ...type, end: type.start }, replacement: "frozen " }],
    applicability: "safe" as const,
  };
  const secondary =
    type === undefined ? [] : [{ span: type, text: "a source of selections and initial values" }];
  addProblem(
    draft.context,
    report(sourceInWeight, obstacle.span, { name: obstacle.text }, { secondary, help: [help] }),
  );
}

/** Names of tensors and patterns in a weight. */
export function namesInWeight(weight: WeightExpression): string[] {
  switch (weight.kind) {
    case "leaf":
    case "diag":
      return [weight.name];
    case "sum":
      return weight.terms.flatMap(namesInWeight);
    case "product":
    case "hadamard":
    case "kron":
      return weight.factors.flatMap(namesInWeight);
    case "blockdiag":
      return weight.blocks.flatMap(namesInWeight);
    case "concatenation":
      return weight.parts.flatMap(namesInWeight);
    case "scale":
    case "transpose":
      return namesInWeight(weight.operand);
    case "mask":
      return [weight.pattern, ...namesInWeight(weight.operand)];
    case "indicator":
      return [weight.pattern];
    case "identity":
    case "zero":
    case "stride-permutation":
      return [];
  }
}

/** Names of tensors and patterns in a formula. */
function namesInSource(source: MatrixSource): string[] {
  const own =
    source.kind === "leaf" || source.kind === "pattern"
      ? [source.name]
      : source.kind === "mask"
        ? [source.pattern]
        : [];
  return [...own, ...partsOfSource(source).flatMap(namesInSource)];
}

/** Warns of what is declared and never read. */
export function warnOfUnused(
  draft: TransformDraft,
  weight: WeightExpression,
  tensors: readonly CheckedTensor[],
  patterns: readonly CheckedPattern[],
): void {
  const inWeight = new Set([
    ...namesInWeight(weight),
    ...tensors.flatMap(({ derivation }) =>
      derivation === undefined ? [] : namesInSource(derivation.formula),
    ),
  ]);
  const read = new Set([
    ...inWeight,
    ...tensors.flatMap(({ support, recipe }) => [
      ...(support === null ? [] : [support]),
      ...(recipe === null ? [] : namesRead(recipe)),
    ]),
    ...patterns.flatMap(({ recipe }) => namesRead(recipe)),
  ]);
  for (const { name, role, recipe, span } of tensors) {
    // A frozen tensor that is computed may be a step towards another one.
    if (
      inWeight.has(name) ||
      role === "source" ||
      role === "derived" ||
      (role === "frozen" && read.has(name) && recipe !== null)
    )
      continue;
    const isComputed = role === "frozen" && recipe !== null;
    const parts = isComputed ? { help: ["use it in `weight = …`, or remove it"] } : {};
    addProblem(draft.context, report(role === "frozen" ? frozenUnused : paramUnused, span, { name }, parts));
  }
  // How many positions a pattern has may be all that is wanted of it.
  const counted = new Set(tensors.flatMap(({ dimensions }) => dimensions.flatMap(symbolsOf)));
  for (const { name, measured, span } of patterns) {
    if (!read.has(name) && !counted.has(measured?.symbol ?? ""))
      addProblem(draft.context, report(maskUnused, span, { name }));
  }
}
