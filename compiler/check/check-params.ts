/** Trained tensors: their types, supports and blocks, and the recipes of their initial values. */
import type { Span } from "../../grammar/text/source-text.ts";
import { apply, number, printNumber, type NumberExpression } from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { unknownName } from "../diagnostics/name-diagnostics.ts";
import { blocksDoNotDivide, dimensionNotPositive, valueShape } from "../diagnostics/shape-diagnostics.ts";
import { suggestNames, listNames } from "../diagnostics/suggest-name.ts";
import { notInInitialValue, outputCount, paramWithoutValue, valueStructure, valueTwice } from "../diagnostics/training-diagnostics.ts";
import { wrongKind } from "../diagnostics/type-diagnostics.ts";
import { canonicalDimension, printShape, sameDimension } from "../types/dimension.ts";
import type { Recipe } from "../../runtime/contract/recipe.ts";
import { checkDimensions } from "./check-arguments.ts";
import { recordPattern } from "./check-patterns.ts";
import { addProblem, oblige } from "./check-context.ts";
import { asWhole } from "./check-numbers.ts";
import { fitPattern } from "./check-tensors.ts";
import type { CheckedPattern, CheckedTensor } from "./checked-module.ts";
import { divides } from "./obligations.ts";
import { declareName, tensorValue, type Statement, type TensorDraft, type TransformDraft } from "./transform-draft.ts";
import { describeValue, isObstacle, type FactorShape, type FactorsValue, type Obstacle, type Value } from "./value.ts";

/** Requires that arguments are declared; ensures the param's shape is known to every expression. */
export function declareParam(draft: TransformDraft, { name, type }: Statement<"param">): void {
  if (!declareName(draft, name.name, name.span)) return;
  if (type.frozen) {
    const facts = { expected: "the shape of a param", found: "`frozen`" };
    addProblem(draft.context, report(wrongKind, type.span, facts, { help: ["params are trained; frozen tensors are arguments"] }));
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

function checkBlocks(draft: TransformDraft, name: string, type: TensorDraft["type"], dimensions: readonly NumberExpression[]): NumberExpression | null {
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
  oblige(context, { kind: dimensionNotPositive, condition: positive, text: printNumber(positive), span, reason });
  for (const [axis, side] of dimensions.entries()) {
    const condition = divides(blocks, side);
    const place = type.dimensions[axis]?.span ?? span;
    oblige(context, { kind: blocksDoNotDivide, condition, text: printNumber(condition), span, reason, related: [{ span: place, text: `this side is ${printNumber(side)}` }] });
  }
  return blocks;
}

/** Joins a sparse param to the pattern after `on`, or to an anonymous one of its own. */
export function joinSupport(draft: TransformDraft, { name, type }: Statement<"param">): void {
  const tensor = draft.tensors.get(name.name);
  const [rows, columns] = tensor?.dimensions ?? [];
  if (tensor === undefined || rows === undefined || columns === undefined || type.structure !== "sparse" || tensor.type !== type) return;
  if (type.support === null) {
    const facts = { expected: "`on` and a support", found: "the end of the type" };
    addProblem(draft.context, report(wrongKind, type.span, facts, { help: ["write `sparse [out, in] on topk(abs(W), nnz)`"] }));
    return;
  }
  const { span } = type.support;
  const value = draft.context.check(draft.environment, type.support);
  const recorded =
    value.kind === "pattern" ? value : recordPattern(draft, { name: `${name.name}.support`, span, syntax: null }, value, span);
  if (recorded.kind !== "pattern") return;
  if (fitPattern(draft.context, recorded.name, [rows, columns], span, type.span)) tensor.support = recorded.name;
}

/** Gives a param the recipe of `value`, written at `span`. */
export function giveValue(draft: TransformDraft, name: { readonly name: string; readonly span: Span }, value: Value, span: Span): void {
  const tensor = claim(draft, name);
  if (tensor === null || value.kind === "poison") return;
  if (value.kind === "factors") {
    addProblem(draft.context, report(outputCount, span, { expected: value.count, found: 1 }, { help: [`write \`init A, B = …\` for its ${value.count} parts`] }));
    return;
  }
  if (value.kind === "number" && value.type !== "bool") {
    tensor.recipe = { kind: "number", value: value.expression };
    return;
  }
  if (value.kind === "distribution") {
    tensor.recipe = settle(draft, value.recipe);
    return;
  }
  if (value.kind === "tensor") {
    giveTensor(draft, tensor, value.dimensions, value.recipe, span);
    return;
  }
  const found = value.kind === "flexible" ? `\`${value.text}\`` : describeValue(value);
  addProblem(draft.context, report(wrongKind, span, { expected: "a number, a distribution or a tensor", found }));
}

function giveTensor(draft: TransformDraft, tensor: TensorDraft, shape: readonly NumberExpression[], recipe: Recipe | Obstacle, span: Span): void {
  const { name, dimensions, type } = tensor;
  if (dimensions === null) return;
  if (type.structure === "blockdiag" || type.structure === "diag") {
    const structure = type.structure === "diag" ? "diagonal" : "block-diagonal";
    addProblem(draft.context, report(valueStructure, span, { name, structure }));
    return;
  }
  const fits = shape.length === dimensions.length && shape.every((side, axis) => sameDimension(side, dimensions[axis] ?? number(0)));
  if (!fits) {
    const [expected, found] = [printShape(dimensions), printShape(shape)];
    addProblem(draft.context, report(valueShape, span, { name, expected, found }, { label: found, secondary: [{ span: type.span, text: expected }] }));
    return;
  }
  tensor.recipe = settle(draft, recipe);
}

const settle = (draft: TransformDraft, recipe: Recipe | Obstacle): Recipe | null => {
  if (!isObstacle(recipe)) return recipe;
  if (recipe.reason !== "broken") addProblem(draft.context, report(notInInitialValue, recipe.span, { operation: recipe.text }));
  return null;
};

/** The param to be given a value; null when it has one or does not exist. */
function claim(draft: TransformDraft, { name, span }: { readonly name: string; readonly span: Span }): TensorDraft | null {
  const tensor = draft.tensors.get(name);
  if (tensor?.role !== "param") {
    if (name !== "") {
      const params = [...draft.tensors.values()].filter(({ role }) => role === "param").map((param) => param.name);
      const near = suggestNames(name, params);
      const help = near.length > 0 ? [`did you mean ${listNames(near)}?`] : ["`init` names params"];
      addProblem(draft.context, report(unknownName, span, { name }, { help }));
    }
    return null;
  }
  const before = draft.places.get(`= ${name}`);
  if (before !== undefined) {
    addProblem(draft.context, report(valueTwice, span, { name }, { secondary: [{ span: before, text: "the first is here" }] }));
    return null;
  }
  draft.places.set(`= ${name}`, span);
  return tensor;
}

/** `init L, R = value` */
export function initialise(draft: TransformDraft, { names, value: syntax }: Statement<"init">): void {
  const value = draft.context.check(draft.environment, syntax);
  const [first, ...rest] = names;
  if (first === undefined) return;
  if (value.kind !== "factors") {
    for (const name of names) giveValue(draft, name, value, syntax.span);
    return;
  }
  if (names.length !== value.count) {
    for (const name of names) claim(draft, name);
    addProblem(draft.context, report(outputCount, syntax.span, { expected: value.count, found: names.length }));
    return;
  }
  giveFactors(draft, [first, ...rest], value, syntax.span);
}

function giveFactors(draft: TransformDraft, names: Statement<"init">["names"], value: FactorsValue, span: Span): void {
  const open = draft.tensors.get(names[0]?.name ?? "")?.blocks ?? null;
  const { recipe, outputs } = value.resolve(open);
  const settled = settle(draft, recipe);
  for (const [index, name] of names.entries()) {
    const tensor = claim(draft, name);
    const output = outputs[index];
    if (tensor === null || output === undefined || settled === null || tensor.dimensions === null) continue;
    if (matchesFactor(tensor, output)) {
      tensor.recipe = { kind: "output", index, of: settled };
      continue;
    }
    const [expected, found] = [describeTarget(tensor), describeFactor(output)];
    const secondary = [{ span: tensor.type.span, text: expected }];
    addProblem(draft.context, report(valueShape, span, { name: name.name, expected, found }, { label: `part ${index + 1} is ${found}`, secondary }));
  }
}

function matchesFactor({ type, dimensions, blocks }: TensorDraft, output: FactorShape): boolean {
  const structureFits = type.structure === output.structure || (output.structure === "dense" && type.structure === "sparse");
  const shapeFits = output.dimensions.every((side, axis) => sameDimension(side, dimensions?.[axis] ?? number(0)));
  const blocksFit = output.blocks === null || (blocks !== null && sameDimension(output.blocks, blocks));
  return structureFits && shapeFits && blocksFit;
}

const describeFactor = ({ structure, dimensions, blocks }: FactorShape): string =>
  `${structure === "dense" ? "" : `${structure} `}${printShape(dimensions)}${blocks === null ? "" : ` blocks ${printNumber(blocks)}`}`;

const describeTarget = ({ type, dimensions, blocks }: TensorDraft): string =>
  `${type.structure === "dense" ? "" : `${type.structure} `}${printShape(dimensions ?? [])}${blocks === null ? "" : ` blocks ${printNumber(blocks)}`}`;

/** Requires that all values have been given. Null when something about the tensor was wrong. */
export function finishTensor(draft: TransformDraft, tensor: TensorDraft, patterns: ReadonlyMap<string, CheckedPattern>): CheckedTensor | null {
  const { name, role, dimensions, type, support, blocks, recipe, span } = tensor;
  if (dimensions === null) return null;
  if (role === "param" && recipe === null) {
    if (!draft.places.has(`= ${name}`)) addProblem(draft.context, report(paramWithoutValue, span, { name }));
    return null;
  }
  const count = storedCount(tensor, dimensions, patterns);
  if (count === null) return null;
  return { name, role, dimensions, structure: type.structure, support, blocks, count, recipe, span };
}

function storedCount({ type, support, blocks }: TensorDraft, dimensions: readonly NumberExpression[], patterns: ReadonlyMap<string, CheckedPattern>): NumberExpression | null {
  const all = apply("*", ...dimensions);
  if (type.structure === "sparse") return support === null ? null : (patterns.get(support)?.count ?? null);
  if (type.structure === "blockdiag") return blocks === null ? null : canonicalDimension(apply("/", all, blocks));
  return canonicalDimension(all);
}
