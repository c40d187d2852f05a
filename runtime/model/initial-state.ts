/**
 * The state of a layer at load: its patterns and its parameters' values, computed in the order of the manifest, or
 * taken from a saved record.
 */
import type { TransformManifest } from "../contract/manifest.ts";
import { SpxError } from "../errors.ts";
import type { DenseTensor } from "../select/dense-tensor.ts";
import { evaluatePattern, evaluateRecipe } from "../select/evaluate-recipe.ts";
import type { Pattern } from "../select/pattern.ts";
import { parameterTarget, patternTarget } from "../select/recipe-target.ts";
import type { RecipeSources, RecipeValue } from "../select/recipe-value.ts";
import type { BoundArguments } from "./bind-arguments.ts";
import { type LayerParameter, parameterTensor, storedCount, storeInitialValue } from "./parameter-values.ts";

/** Values of parameters, and patterns by name, that a record brings instead of the recipes. */
export interface RestoredState {
  readonly values: ReadonlyMap<string, Float32Array>;
  readonly patterns: ReadonlyMap<string, Pattern>;
}

export interface LayerState {
  readonly symbols: ReadonlyMap<string, number>;
  readonly tensors: ReadonlyMap<string, DenseTensor>;
  readonly patterns: ReadonlyMap<string, Pattern>;
  readonly parameters: ReadonlyMap<string, LayerParameter>;
}

/** @throws SpxError from the recipes; SPX8102 when the order names something that does not exist. */
export function initialState(
  transform: TransformManifest,
  bound: BoundArguments,
  random: { readonly seed: number; readonly layer: string },
  restored: RestoredState | null,
): LayerState {
  const patterns = new Map<string, Pattern>();
  const parameters = new Map<string, LayerParameter>();
  const pattern = (name: string): Pattern => found(patterns.get(name), transform, name);
  const sources: RecipeSources = {
    symbols: bound.symbols,
    tensor: (name) => {
      const parameter = parameters.get(name);
      return parameter === undefined
        ? found(bound.tensors.get(name), transform, name)
        : parameterTensor(parameter);
    },
    pattern,
    ...random,
    computed: new Map<string, RecipeValue>(),
  };
  for (const name of transform.order) {
    const patternManifest = transform.patterns.find((candidate) => candidate.name === name);
    if (patternManifest !== undefined) {
      const target = patternTarget(patternManifest, bound.symbols);
      const saved = restored?.patterns.get(name);
      patterns.set(name, saved ?? evaluatePattern(patternManifest.recipe, target, sources));
      continue;
    }
    const manifest = found(
      transform.parameters.find((candidate) => candidate.name === name),
      transform,
      name,
    );
    const target = parameterTarget(manifest, bound.symbols, pattern);
    const saved = restored?.values.get(name);
    if (saved !== undefined && saved.length !== storedCount(target))
      throw wrongCount(name, storedCount(target), saved.length);
    const values = saved ?? storeInitialValue(evaluateRecipe(manifest.recipe, target, sources), target);
    parameters.set(name, { target, values });
  }
  return { symbols: bound.symbols, tensors: bound.tensors, patterns, parameters };
}

function found<T>(value: T | undefined, transform: TransformManifest, name: string): T {
  if (value !== undefined) return value;
  throw new SpxError("SPX8102", `\`${transform.name}\` reads \`${name}\` before it is known`, {
    facts: { transform: transform.name, name },
    help: "build the artefact again; if it stays, report it with the .spx file",
  });
}

function wrongCount(name: string, expected: number, found: number): SpxError {
  return new SpxError(
    "SPX8405",
    `the saved parameter \`${name}\` has ${found} values, expected ${expected}`,
    {
      facts: { parameter: name, expected, found },
      help: "load with the arguments that it was saved with",
    },
  );
}
