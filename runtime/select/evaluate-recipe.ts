/**
 * Evaluates recipes: patterns and initial values from weights, numbers and a seed. A call that does not depend on
 * its target (a factorization, the sparse part of a weight) is computed once, however many recipes read it.
 */
import { evaluateNumber } from "../contract/number-expression.ts";
import type { Recipe } from "../contract/recipe.ts";
import { SpxError } from "../errors.ts";
import { randomStream } from "../random/philox.ts";
import { type DenseTensor, scalar } from "./dense-tensor.ts";
import { intrinsics } from "./intrinsics.ts";
import type { Keys } from "./largest-entries.ts";
import { indicatorOf, type Pattern } from "./pattern.ts";
import { type PatternTarget, type RecipeTarget, shapeOfTarget } from "./recipe-target.ts";
import type { Call, RecipeSources, RecipeValue } from "./recipe-value.ts";
import { rankingKeys } from "./selections.ts";

/** @throws SpxError from the intrinsics; SPX8102 for a recipe that no compiler writes. */
export const evaluateRecipe = (recipe: Recipe, target: RecipeTarget, sources: RecipeSources): RecipeValue =>
  evaluatorFor(target, sources).evaluate(recipe);

/** The keys by which the recipe of a pattern ranks its positions, for choosing among several layers. @throws SpxError. */
export function evaluateKeys(recipe: Recipe, target: PatternTarget, sources: RecipeSources): Keys {
  const name = recipe.kind === "call" ? recipe.intrinsic : "";
  if (recipe.kind !== "call" || !(name === "magnitude" || name === "topk" || name === "random"))
    throw brokenRecipe(target, "it does not rank positions");
  return rankingKeys[name](evaluatorFor(target, sources).callOf(recipe), target);
}

function evaluatorFor(target: RecipeTarget, sources: RecipeSources) {
  let draws = 0;
  const evaluate = (node: Recipe): RecipeValue => {
    switch (node.kind) {
      case "number":
        return { kind: "number", value: evaluateNumber(node.value, sources.symbols) };
      case "tensor":
        return { kind: "tensor", name: node.name, tensor: sources.tensor(node.name) };
      case "pattern":
        return { kind: "pattern", pattern: sources.pattern(node.name) };
      case "output": {
        const outputs = evaluate(node.of);
        const output = outputs.kind === "outputs" ? outputs.values[node.index] : undefined;
        if (output === undefined) throw brokenRecipe(target, `it has no output ${node.index}`);
        return output;
      }
      case "call":
        return dependsOnTarget(node) ? call(node) : computedOnce(node);
    }
  };
  const computedOnce = (node: Recipe & { kind: "call" }): RecipeValue => {
    const key = JSON.stringify(node);
    const known = sources.computed.get(key);
    if (known !== undefined) return known;
    const value = call(node);
    sources.computed.set(key, value);
    return value;
  };
  const call = (node: Recipe & { kind: "call" }): RecipeValue =>
    intrinsics[node.intrinsic].evaluate(callOf(node));
  const callOf = (node: Recipe & { kind: "call" }): Call => {
    const operand = (name: string): RecipeValue => {
      const found = node.operands[name];
      if (found === undefined)
        throw brokenRecipe(target, `\`${node.intrinsic}\` lacks its operand \`${name}\``);
      return evaluate(found);
    };
    return {
      target,
      pool: node.pool ?? null,
      tensor: (name) => asTensor(operand(name), `${node.intrinsic}(${name})`, target),
      number: (name) => asNumber(operand(name), target),
      optionalNumber: (name) => (node.operands[name] === undefined ? null : asNumber(operand(name), target)),
      pattern: (name) => asPattern(operand(name), target),
      tensors: () => Object.keys(node.operands).map((name) => asTensor(operand(name), name, target).tensor),
      multiply: () => sources.multiply?.() ?? null,
      multiplySingle: () => sources.multiplySingle?.() ?? null,
      select: () => sources.select?.() ?? null,
      // Two distributions in one recipe must not repeat each other's numbers.
      stream: () =>
        randomStream(sources.seed, `${sources.layer}/${target.name}${draws++ === 0 ? "" : `#${draws - 1}`}`),
    };
  };
  return { evaluate, callOf };
}

/** True when a distribution or a selection stands anywhere inside: their shape or key is the target's. */
function dependsOnTarget(node: Recipe): boolean {
  if (node.kind === "output") return dependsOnTarget(node.of);
  if (node.kind !== "call") return false;
  return intrinsics[node.intrinsic].dependsOnTarget || Object.values(node.operands).some(dependsOnTarget);
}

/** @throws SpxError SPX8102 unless the recipe of a pattern gives a pattern of its size and count. */
export function evaluatePattern(recipe: Recipe, target: PatternTarget, sources: RecipeSources): Pattern {
  const value = evaluateRecipe(recipe, target, sources);
  if (value.kind !== "pattern") throw brokenRecipe(target, "it gives no pattern");
  const { rows, columns, count } = value.pattern;
  const counted = target.count === null || count === target.count;
  if (rows === target.rows && columns === target.columns && counted) return value.pattern;
  throw new SpxError(
    "SPX8405",
    `\`${target.name}\` keeps ${target.count ?? "positions"} of [${target.rows}, ${target.columns}], its selection gave ${count} of [${rows}, ${columns}]`,
    {
      facts: { pattern: target.name, rows, columns, count },
      help: "select from a tensor of the pattern's own shape",
    },
  );
}

function asNumber(value: RecipeValue, target: RecipeTarget): number {
  if (value.kind === "number") return value.value;
  throw brokenRecipe(target, "a number is needed where it has something else");
}

function asPattern(value: RecipeValue, target: RecipeTarget): Pattern {
  if (value.kind === "pattern") return value.pattern;
  throw brokenRecipe(target, "positions are needed where it has something else");
}

function asTensor(
  value: RecipeValue,
  unnamed: string,
  target: RecipeTarget,
): { name: string; tensor: DenseTensor } {
  switch (value.kind) {
    case "tensor":
      return { name: value.name === "" ? unnamed : value.name, tensor: value.tensor };
    case "number":
      return { name: unnamed, tensor: scalar(value.value) };
    case "pattern": {
      const { rows, columns } = value.pattern;
      return { name: unnamed, tensor: { shape: [rows, columns], values: indicatorOf(value.pattern) } };
    }
    case "outputs":
      throw brokenRecipe(target, "one of several outputs has to be picked");
  }
}

function brokenRecipe(target: RecipeTarget, reason: string): SpxError {
  const shape = shapeOfTarget(target).join(", ");
  return new SpxError(
    "SPX8102",
    `the recipe of \`${target.name}\` [${shape}] cannot be evaluated: ${reason}`,
    {
      facts: { target: target.name },
      help: "build the artefact again; if it stays, report it with the .spx file",
    },
  );
}
