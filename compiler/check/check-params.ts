/** Tensors that statements declare, trained or frozen: types, supports, blocks, scales, and how many values they store. */

import {
  apply,
  type NumberExpression,
  number,
  printNumber,
} from "../../runtime/contract/number-expression.ts";
import type { QuantizedType } from "../../runtime/contract/quantized-type.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import {
  blocksDoNotDivide,
  dimensionCount,
  dimensionNotPositive,
  scalesDoNotDivide,
} from "../diagnostics/shape-diagnostics.ts";
import { paramWithoutValue, valueReadsLayer } from "../diagnostics/training-diagnostics.ts";
import { wrongKind } from "../diagnostics/type-diagnostics.ts";
import { canonicalDimension, printShape } from "../types/dimension.ts";
import { refuseQuantized } from "./check-arguments.ts";
import { addProblem, oblige } from "./check-context.ts";
import { checkDimensions } from "./check-dimensions.ts";
import { fitPattern } from "./check-masks.ts";
import { asWhole } from "./check-numbers.ts";
import { recordPattern } from "./check-patterns.ts";
import type { CheckedPattern, CheckedTensor } from "./checked-module.ts";
import { divides } from "./obligations.ts";
import { namesRead } from "./order-initial-values.ts";
import {
  declareName,
  type Statement,
  type TensorDraft,
  type TransformDraft,
  tensorValue,
} from "./transform-draft.ts";

export type TensorStatement = Statement<"param"> | Statement<"frozen">;

/** Requires that arguments are declared; ensures the tensor's shape is known to every expression. */
export function declareTensor(draft: TransformDraft, statement: TensorStatement): void {
  const { name, type } = statement;
  if (!declareName(draft, name.name, name.span)) return;
  refuseSecondRole(draft, statement);
  const dimensions = checkDimensions(draft, name.name, type.dimensions, type);
  const blocks = dimensions === null ? null : checkBlocks(draft, name.name, type, dimensions);
  const valid = type.structure !== "blockdiag" || blocks !== null;
  const quantization =
    statement.kind === "frozen" && dimensions !== null
      ? checkQuantization(draft, name.name, type, dimensions)
      : null;
  const tensor: TensorDraft = {
    name: name.name,
    role: statement.kind,
    type,
    span: name.span,
    dimensions: valid ? dimensions : null,
    blocks,
    computed: true,
    quantization,
    shared: statement.shared,
    support: null,
    recipe: null,
  };
  draft.tensors.set(name.name, tensor);
  draft.values.set(name.name, (use) => tensorValue(tensor, use));
}

/** The word of the statement says the role. */
function refuseSecondRole(draft: TransformDraft, { kind, name, type }: TensorStatement): void {
  if (kind === "param")
    refuseQuantized(draft, name.name, type, `write \`frozen ${name.name}\` unless it is trained`);
  if (!type.frozen) return;
  const facts = { expected: `the shape of a ${kind === "param" ? "param" : "tensor"}`, found: "`frozen`" };
  const help =
    kind === "param"
      ? "a tensor that is computed and not trained is a statement: `frozen R: [out, in] = …`"
      : "`frozen` stands before the name alone";
  addProblem(draft.context, report(wrongKind, type.span, facts, { help: [help] }));
}

/** A grid is for matrices, whose rows are divided into runs with one scale. */
function checkQuantization(
  draft: TransformDraft,
  name: string,
  { quantized, span }: TensorDraft["type"],
  dimensions: readonly NumberExpression[],
): QuantizedType | null {
  if (quantized === null) return null;
  const { format: grid, block } = quantized;
  const [, columns, more] = dimensions;
  if (columns === undefined || more !== undefined) {
    const facts = { expected: `a matrix of type \`${grid}\``, found: printShape(dimensions) };
    addProblem(draft.context, report(dimensionCount, span, facts));
    return null;
  }
  if (block === null) return { grid, block: null };
  const { context, environment } = draft;
  const size = asWhole(context, context.check(environment, block), block.span, "a number of entries");
  if (size === null) return null;
  const reason = `\`${name}\` has one scale for ${printNumber(size)} entries of a row`;
  const positive = apply(">", size, number(0));
  oblige(context, {
    kind: dimensionNotPositive,
    condition: positive,
    text: printNumber(positive),
    span: block.span,
    reason,
  });
  const condition = divides(size, columns);
  const text = printNumber(condition);
  oblige(context, { kind: scalesDoNotDivide, condition, text, span: block.span, reason });
  return { grid, block: size };
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

/** Joins a sparse tensor to the pattern after `on`, or to an anonymous one of its own. */
export function joinSupport(draft: TransformDraft, { name, type }: TensorStatement): void {
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
  const { name, role, dimensions, type, support, blocks, recipe, quantization, shared, span } = tensor;
  if (dimensions === null) return null;
  if (shared) refuseLayersOwn(draft, tensor);
  if (draft.places.has(`= ${name}`) && recipe === null) return null;
  if (role === "param" && recipe === null) {
    if (draft.isComplete) addProblem(draft.context, report(paramWithoutValue, span, { name }));
    return null;
  }
  const count = storedCount(tensor, dimensions, patterns);
  if (count === null) return null;
  const supportShape = support === null ? null : (patterns.get(support)?.shape ?? null);
  const { structure } = type;
  return {
    ...{ name, role, dimensions, structure, support, supportShape, blocks, count, recipe, span },
    drawn: "stored",
    ...{ quantization, shared },
  };
}

/** What is computed from a layer's weight or chosen for its shape is not the same in every layer. */
function refuseLayersOwn(draft: TransformDraft, { name, recipe, support, span }: TensorDraft): void {
  const own =
    support ??
    (recipe === null ? [] : namesRead(recipe)).find((read) => draft.tensors.get(read)?.shared !== true);
  if (own === undefined) return;
  const read = support === null ? `\`${own}\`` : `the support \`${own}\``;
  addProblem(draft.context, report(valueReadsLayer, span, { name, read }));
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
