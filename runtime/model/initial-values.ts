/**
 * What the recipes of a layer give: patterns, initial values of parameters, frozen tensors. Each is computed when it
 * is first asked for, so that a layer which starts from saved parameters runs only those recipes that something else
 * reads; and recipes read nothing but such values, so that they give the same whatever was saved.
 */
import type { ComputedTensorManifest, PatternManifest, TransformManifest } from "../contract/manifest.ts";
import type { SymbolLookup } from "../contract/number-expression.ts";
import { SpxError } from "../errors.ts";
import type { DenseTensor } from "../select/dense-tensor.ts";
import { evaluateKeys, evaluatePattern, evaluateRecipe } from "../select/evaluate-recipe.ts";
import { entriesOfCut, type KeyCut, type Keys } from "../select/largest-entries.ts";
import type { Pattern } from "../select/pattern.ts";
import { type ParameterTarget, parameterTarget, patternTarget } from "../select/recipe-target.ts";
import type { RecipeKernels, RecipeSources } from "../select/recipe-value.ts";
import type { BoundArguments } from "./bind-arguments.ts";
import { type FrozenTensor, frozenTensor, storeFrozen } from "./frozen-values.ts";
import { type LayerParameter, parameterTensor, storeInitialValue } from "./parameter-values.ts";

/** What the layers of a model have chosen together, or saved: see `PoolManifest`. By pattern. */
export interface PooledChoices {
  /** Which keys stay. */
  readonly cuts: ReadonlyMap<string, KeyCut>;
  /** Positions that were chosen before; they cannot be found again without the other layers. */
  readonly patterns: ReadonlyMap<string, (symbols: SymbolLookup) => Pattern>;
}

export const noChoices: PooledChoices = { cuts: new Map(), patterns: new Map() };

/** What recipes have beside tensors: the keys of their random streams, and who computes for them. */
export interface RecipeContext extends Partial<RecipeKernels> {
  readonly seed: number;
  /** The layer's name, which shared tensors leave out. */
  readonly layer: string;
}

/** By name. @throws SpxError from the recipes; SPX8102 for a name that is none or reads itself. */
export interface InitialValues {
  readonly pattern: (name: string) => Pattern;
  readonly parameter: (name: string) => LayerParameter;
  readonly frozen: (name: string) => FrozenTensor;
  /** Dimensions, arguments and measured counts. */
  readonly symbols: SymbolLookup;
  /** The keys by which a pooled pattern ranks its positions. */
  readonly keys: (manifest: PatternManifest) => Keys;
}

export function initialValues(
  transform: TransformManifest,
  bound: BoundArguments,
  context: RecipeContext,
  choices: PooledChoices = noChoices,
): InitialValues {
  const symbols = withMeasured(transform, bound.symbols, (name) => pattern(name).count);
  const sources: RecipeSources = {
    symbols,
    tensor: readTensor,
    pattern: (name) => pattern(name),
    ...context,
    computed: new Map(),
  };
  const pattern = once(transform, (name) => {
    const manifest = named(transform.patterns, transform, name);
    const saved = choices.patterns.get(name);
    if (saved !== undefined) return saved(symbols);
    const target = patternTarget(manifest, symbols);
    const cut = choices.cuts.get(name);
    if (cut === undefined) return evaluatePattern(manifest.recipe, target, sources);
    return entriesOfCut(keys(manifest), target.rows, target.columns, cut);
  });
  const keys = (manifest: PatternManifest): Keys =>
    evaluateKeys(manifest.recipe, patternTarget(manifest, symbols), sources);
  const storedValues = (manifest: ComputedTensorManifest, target: ParameterTarget): Float32Array => {
    const from = manifest.shared ? { ...sources, layer: transform.name } : sources;
    return storeInitialValue(evaluateRecipe(manifest.recipe, target, from), target);
  };
  /** The matrix of which a structural mask leaves some entries; it is known before the mask is. */
  const dense = once(transform, (name): DenseTensor => {
    const manifest = named(transform.parameters, transform, name);
    const target = parameterTarget({ ...manifest, structure: "dense", support: null }, symbols, pattern);
    return { shape: target.dimensions, values: storedValues(manifest, target) };
  });
  const compute = (manifest: ComputedTensorManifest): LayerParameter => {
    const { name, drawn } = manifest;
    const target = parameterTarget(manifest, symbols, pattern);
    if (drawn === "stored") return { target, values: storedValues(manifest, target) };
    return { target, values: storeInitialValue({ kind: "tensor", name, tensor: dense(name) }, target) };
  };
  const parameter = once(transform, (name) => compute(named(transform.parameters, transform, name)));
  const frozen = once(transform, (name) => {
    const manifest = named(transform.frozen, transform, name);
    return storeFrozen(manifest, compute(manifest), symbols);
  });
  return { pattern, parameter, frozen, symbols, keys };

  function readTensor(name: string): DenseTensor {
    const given = bound.tensors.get(name);
    if (given !== undefined) return given;
    if (transform.frozen.some((manifest) => manifest.name === name)) return frozenTensor(frozen(name));
    const manifest = named(transform.parameters, transform, name);
    return manifest.drawn === "dense" ? dense(name) : parameterTensor(parameter(name));
  }
}

/** Symbols of measured counts get their value when they are first read. */
export function withMeasured(
  transform: TransformManifest,
  symbols: ReadonlyMap<string, number>,
  count: (pattern: string) => number,
): SymbolLookup {
  const measured = new Map(
    transform.patterns.flatMap(({ name, measured: symbol }) => (symbol === null ? [] : [[symbol, name]])),
  );
  return {
    get(symbol) {
      const pattern = measured.get(symbol);
      return pattern === undefined ? symbols.get(symbol) : count(pattern);
    },
  };
}

/** Keeps what was computed; a name that is asked for while it is computed reads itself. */
function once<T>(transform: TransformManifest, compute: (name: string) => T): (name: string) => T {
  const known = new Map<string, T>();
  const running = new Set<string>();
  return (name) => {
    const found = known.get(name);
    if (found !== undefined) return found;
    if (running.has(name)) throw unknown(transform, name);
    running.add(name);
    const value = compute(name);
    known.set(name, value);
    return value;
  };
}

function named<T extends { readonly name: string }>(
  list: readonly T[],
  transform: TransformManifest,
  name: string,
): T {
  const found = list.find((candidate) => candidate.name === name);
  if (found === undefined) throw unknown(transform, name);
  return found;
}

function unknown(transform: TransformManifest, name: string): SpxError {
  return new SpxError("SPX8102", `\`${transform.name}\` reads \`${name}\` before it is known`, {
    facts: { transform: transform.name, name },
    help: "build the artefact again; if it stays, report it with the .spx file",
  });
}
