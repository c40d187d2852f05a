/** Trained tensors: their types, supports and blocks, and how many values they store. */

import {
  apply,
  type NumberExpression,
  number,
  printNumber,
} from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { blocksDoNotDivide, dimensionNotPositive } from "../diagnostics/shape-diagnostics.ts";
import { paramWithoutValue } from "../diagnostics/training-diagnostics.ts";
import { wrongKind } from "../diagnostics/type-diagnostics.ts";
import { canonicalDimension } from "../types/dimension.ts";
import { checkDimensions } from "./check-arguments.ts";
import { addProblem, oblige } from "./check-context.ts";
import { fitPattern } from "./check-masks.ts";
import { asWhole } from "./check-numbers.ts";
import { recordPattern } from "./check-patterns.ts";
import type { CheckedPattern, CheckedTensor } from "./checked-module.ts";
import { divides } from "./obligations.ts";
import {
  declareName,
  type Statement,
  type TensorDraft,
  type TransformDraft,
  tensorValue,
} from "./transform-draft.ts";

/** Requires that arguments are declared; ensures the param's shape is known to every expression. */
export function declareParam(draft: TransformDraft, { name, type }: Statement<"param">): void {
  if (!declareName(draft, name.name, name.span)) return;
  if (type.frozen) {
    const facts = { expected: "the shape of a param", found: "`frozen`" };
    addProblem(
      draft.context,
      report(wrongKind, type.span, facts, { help: ["params are trained; frozen tensors are arguments"] }),
    );
  }
  const dimensions = checkDimensions(draft, name.name, type.dimensions, type);
  const blocks = dimensions === null ? null : checkBlocks(draft, name.name, type, dimensions);
  const valid = type.structure !== "blockdiag" || blocks !== null;
  const tensor: TensorDraft = {
    name: name.name,
    role: "param",
    type,
    span: name.span,
    dimensions: valid ? dimensions : null,
    blocks,
    support: null,
    recipe: null,
  };
  draft.tensors.set(name.name, tensor);
  draft.values.set(name.name, (use) => tensorValue(tensor, use));
}

function checkBlocks(
  draft: TransformDraft,
  name: string,
  type: TensorDraft["type"],
  dimensions: readonly NumberExpression[],
): NumberExpression | null {
  if (type.structure !== "blockdiag") return null;
  const { context, environment } = draft;
  if (type.blocks === null) {
    const facts = { expected: "`blocks` and their number", found: "the end of the type" };
    addProblem(context, report(wrongKind, type.span, facts, { help: ["write `blockdiag [n, n] blocks b`"] }));
    return null;
  }
  const { span } = type.blocks;
  const blocks = asWhole(context, context.check(environment, type.blocks), span, "a number of blocks");
  if (blocks === null) return null;
  const positive = apply(">", blocks, number(0));
  const reason = `\`${name}\` has ${printNumber(blocks)} equal blocks`;
  oblige(context, {
    kind: dimensionNotPositive,
    condition: positive,
    text: printNumber(positive),
    span,
    reason,
  });
  for (const [axis, side] of dimensions.entries()) {
    const condition = divides(blocks, side);
    const place = type.dimensions[axis]?.span ?? span;
    oblige(context, {
      kind: blocksDoNotDivide,
      condition,
      text: printNumber(condition),
      span,
      reason,
      related: [{ span: place, text: `this side is ${printNumber(side)}` }],
    });
  }
  return blocks;
}

/** Joins a sparse param to the pattern after `on`, or to an anonymous one of its own. */
export function joinSupport(draft: TransformDraft, { name, type }: Statement<"param">): void {
  const tensor = draft.tensors.get(name.name);
  const [rows, columns] = tensor?.dimensions ?? [];
  if (
    tensor === undefined ||
    rows === undefined ||
    columns === undefined ||
    type.structure !== "sparse" ||
    tensor.type !== type
  )
    return;
  if (type.support === null) {
    const facts = { expected: "`on` and a support", found: "the end of the type" };
    addProblem(
      draft.context,
      report(wrongKind, type.span, facts, { help: ["write `sparse [out, in] on topk(abs(W), nnz)`"] }),
    );
    return;
  }
  const { span } = type.support;
  const value = draft.context.check(draft.environment, type.support);
  const recorded =
    value.kind === "pattern"
      ? value
      : recordPattern(
          draft,
          { name: `${name.name}.support`, mode: "structural", span, syntax: null },
          value,
          span,
        );
  if (recorded.kind !== "pattern") return;
  if (fitPattern(draft.context, recorded.name, [rows, columns], span, type.span))
    tensor.support = recorded.name;
}

/** Requires that all values have been given. Null when something about the tensor was wrong. */
export function finishTensor(
  draft: TransformDraft,
  tensor: TensorDraft,
  patterns: ReadonlyMap<string, CheckedPattern>,
): CheckedTensor | null {
  const { name, role, dimensions, type, support, blocks, recipe, span } = tensor;
  if (dimensions === null) return null;
  if (role === "param" && recipe === null) {
    if (draft.isComplete && !draft.places.has(`= ${name}`))
      addProblem(draft.context, report(paramWithoutValue, span, { name }));
    return null;
  }
  const count = storedCount(tensor, dimensions, patterns);
  if (count === null) return null;
  const supportShape = support === null ? null : (patterns.get(support)?.shape ?? null);
  const { structure } = type;
  return {
    ...{ name, role, dimensions, structure, support, supportShape, blocks, count, recipe, span },
    drawn: "stored",
    quantization: null,
    shared: false,
  };
}

function storedCount(
  { type, support, blocks }: TensorDraft,
  dimensions: readonly NumberExpression[],
  patterns: ReadonlyMap<string, CheckedPattern>,
): NumberExpression | null {
  const all = apply("*", ...dimensions);
  if (type.structure === "sparse") return support === null ? null : (patterns.get(support)?.count ?? null);
  if (type.structure === "blockdiag")
    return blocks === null ? null : canonicalDimension(apply("/", all, blocks));
  return canonicalDimension(all);
}
