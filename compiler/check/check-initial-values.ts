/** Initial values of params, and values of frozen tensors: a value, or a part of a factorization, as the recipe that makes it at load. */
import type { Span } from "../../grammar/text/source-text.ts";
import { type NumberExpression, number, printNumber } from "../../runtime/contract/number-expression.ts";
import type { Recipe } from "../../runtime/contract/recipe.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { unknownName } from "../diagnostics/name-diagnostics.ts";
import { valueShape } from "../diagnostics/shape-diagnostics.ts";
import { suggestion, suggestNames } from "../diagnostics/suggest-name.ts";
import {
  notInInitialValue,
  outputCount,
  valueStructure,
  valueTwice,
} from "../diagnostics/training-diagnostics.ts";
import { wrongKind } from "../diagnostics/type-diagnostics.ts";
import { printShape, sameDimension } from "../types/dimension.ts";
import { addProblem } from "./check-context.ts";
import type { Statement, TensorDraft, TransformDraft } from "./transform-draft.ts";
import {
  describeValue,
  type FactorShape,
  type FactorsValue,
  isObstacle,
  type Obstacle,
  type Value,
} from "./value.ts";

/** Gives a tensor the recipe of `value`, written at `span`. */
export function giveValue(
  draft: TransformDraft,
  name: { readonly name: string; readonly span: Span },
  value: Value,
  span: Span,
): void {
  const tensor = claim(draft, name);
  if (tensor === null || value.kind === "poison") return;
  if (value.kind === "factors") {
    addProblem(
      draft.context,
      report(
        outputCount,
        span,
        { expected: value.count, found: 1 },
        { help: [`write \`init A, B = …\` for its ${value.count} parts`] },
      ),
    );
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
  addProblem(
    draft.context,
    report(wrongKind, span, { expected: "a number, a distribution or a tensor", found }),
  );
}

function giveTensor(
  draft: TransformDraft,
  tensor: TensorDraft,
  shape: readonly NumberExpression[],
  recipe: Recipe | Obstacle,
  span: Span,
): void {
  const { name, dimensions, type } = tensor;
  if (dimensions === null) return;
  if (type.structure === "blockdiag" || type.structure === "diag") {
    const structure = type.structure === "diag" ? "diagonal" : "block-diagonal";
    addProblem(draft.context, report(valueStructure, span, { name, structure }));
    return;
  }
  const fits =
    shape.length === dimensions.length &&
    shape.every((side, axis) => sameDimension(side, dimensions[axis] ?? number(0)));
  if (!fits) {
    const [expected, found] = [printShape(dimensions), printShape(shape)];
    addProblem(
      draft.context,
      report(
        valueShape,
        span,
        { name, expected, found },
        { label: found, secondary: [{ span: type.span, text: expected }] },
      ),
    );
    return;
  }
  tensor.recipe = settle(draft, recipe);
}

const settle = (draft: TransformDraft, recipe: Recipe | Obstacle): Recipe | null => {
  if (!isObstacle(recipe)) return recipe;
  if (recipe.reason !== "broken")
    addProblem(draft.context, report(notInInitialValue, recipe.span, { operation: recipe.text }));
  return null;
};

/** The tensor to be given a value; null when it has one or does not exist. */
function claim(
  draft: TransformDraft,
  { name, span }: { readonly name: string; readonly span: Span },
): TensorDraft | null {
  const tensor = draft.tensors.get(name);
  if (tensor?.computed !== true) {
    if (name !== "" && draft.environment.lookup(name, span)?.kind !== "poison") {
      const params = [...draft.tensors.values()]
        .filter(({ role }) => role === "param")
        .map((param) => param.name);
      const near = suggestNames(name, params);
      const help = near.length > 0 ? suggestion(name, span, near) : ["`init` names params"];
      addProblem(draft.context, report(unknownName, span, { name }, { help }));
    }
    return null;
  }
  const before = draft.places.get(`= ${name}`);
  if (before !== undefined) {
    addProblem(
      draft.context,
      report(valueTwice, span, { name }, { secondary: [{ span: before, text: "the first is here" }] }),
    );
    return null;
  }
  draft.places.set(`= ${name}`, span);
  return tensor;
}

/** `init L, R = value` */
export function initialise(draft: TransformDraft, { names, value: syntax }: Statement<"init">): void {
  const value = draft.context.check(draft.environment, syntax);
  const [first, ...rest] = names;
  // The parts of a value belong together: without one of the params nothing can be said of the others.
  if (first === undefined || (!draft.isComplete && names.some(({ name }) => !draft.tensors.has(name))))
    return;
  if (value.kind !== "factors") {
    for (const name of names) giveValue(draft, name, value, syntax.span);
    return;
  }
  if (names.length !== value.count) {
    for (const name of names) claim(draft, name);
    addProblem(
      draft.context,
      report(outputCount, syntax.span, { expected: value.count, found: names.length }),
    );
    return;
  }
  giveFactors(draft, [first, ...rest], value, syntax.span);
}

function giveFactors(
  draft: TransformDraft,
  names: Statement<"init">["names"],
  value: FactorsValue,
  span: Span,
): void {
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
    addProblem(
      draft.context,
      report(
        valueShape,
        span,
        { name: name.name, expected, found },
        { label: `part ${index + 1} is ${found}`, secondary },
      ),
    );
  }
}

function matchesFactor({ type, dimensions, blocks }: TensorDraft, output: FactorShape): boolean {
  const structureFits =
    type.structure === output.structure || (output.structure === "dense" && type.structure === "sparse");
  const shapeFits = output.dimensions.every((side, axis) =>
    sameDimension(side, dimensions?.[axis] ?? number(0)),
  );
  const blocksFit = output.blocks === null || (blocks !== null && sameDimension(output.blocks, blocks));
  return structureFits && shapeFits && blocksFit;
}

const describeFactor = ({ structure, dimensions, blocks }: FactorShape): string =>
  `${structure === "dense" ? "" : `${structure} `}${printShape(dimensions)}${blocks === null ? "" : ` blocks ${printNumber(blocks)}`}`;

const describeTarget = ({ type, dimensions, blocks }: TensorDraft): string =>
  `${type.structure === "dense" ? "" : `${type.structure} `}${printShape(dimensions ?? [])}${blocks === null ? "" : ` blocks ${printNumber(blocks)}`}`;
