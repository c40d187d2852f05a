/**
 * The state of a layer at load: its patterns, parameters and frozen tensors, from recipes or from a saved record.
 * Frozen tensors are never saved: they follow from the recipes, which saved parameters do not change.
 */
import type { ComputedTensorManifest, TransformManifest } from "../contract/manifest.ts";
import type { SymbolLookup } from "../contract/number-expression.ts";
import { SpxError } from "../errors.ts";
import type { DenseTensor } from "../select/dense-tensor.ts";
import type { Pattern } from "../select/pattern.ts";
import { type ParameterTarget, parameterTarget } from "../select/recipe-target.ts";
import { type BoundArguments, checkRequirements } from "./bind-arguments.ts";
import type { FrozenTensor } from "./frozen-values.ts";
import { initialValues, type PooledChoices, type RecipeContext } from "./initial-values.ts";
import { createJointValues, type JointParameter, type JointValues, jointKey } from "./joint-values.ts";
import { type LayerParameter, storedCount } from "./parameter-values.ts";

/** Values of parameters, and patterns by name, that a record brings instead of the recipes. */
export interface RestoredState {
  readonly values: ReadonlyMap<string, Float32Array>;
  readonly patterns: ReadonlyMap<string, (symbols: SymbolLookup) => Pattern>;
}

/** Symbols, patterns and parameters are put in place anew when the clocks of a layer move, and by nothing else. */
export interface LayerState {
  readonly symbols: Map<string, number>;
  readonly tensors: ReadonlyMap<string, DenseTensor>;
  readonly patterns: Map<string, Pattern>;
  readonly parameters: Map<string, LayerParameter>;
  readonly frozen: ReadonlyMap<string, FrozenTensor>;
  /** Parameters that other layers read too. */
  readonly shared: readonly JointParameter[];
}

/**
 * `joint` holds what the layers of one model have in common, `cuts` what they have chosen together; parameters that a
 * record brings are the layer's own. Requirements that read a measured count are checked once it is known.
 * @throws SpxError from the recipes; SPX8405 for saved values of another count; SPX8102 when the order names something
 *   that does not exist.
 */
export function initialState(
  transform: TransformManifest,
  bound: BoundArguments,
  context: RecipeContext,
  restored: RestoredState | null,
  joint: JointValues = createJointValues(),
  cuts: PooledChoices["cuts"] = new Map(),
): LayerState {
  const initial = initialValues(transform, bound, context, {
    cuts,
    patterns: pooledAmong(transform, restored),
  });
  const symbols = new Map(bound.symbols);
  const patterns = new Map<string, Pattern>();
  const parameters = new Map<string, LayerParameter>();
  const frozen = new Map<string, FrozenTensor>();
  const shared: JointParameter[] = [];
  const keyOf = (manifest: ComputedTensorManifest): string =>
    jointKey(transform.name, manifest, bound.symbols, context.seed);
  const patternOf = (name: string): Pattern => patterns.get(name) ?? initial.pattern(name);

  const startParameter = (manifest: ComputedTensorManifest): LayerParameter => {
    const { name } = manifest;
    const saved = restored?.values.get(name);
    if (saved === undefined && !manifest.shared) return initial.parameter(name);
    const target = parameterTarget(manifest, symbols, patternOf);
    if (saved !== undefined) return { target, values: checkedCount(saved, target) };
    const common = inPool(joint.parameters, keyOf(manifest), () => ({
      values: initial.parameter(name).values,
      changes: 0,
    }));
    shared.push(common);
    return { target, values: common.values };
  };
  const computeFrozen = (manifest: ComputedTensorManifest): FrozenTensor => {
    const compute = (): FrozenTensor => initial.frozen(manifest.name);
    return manifest.shared ? inPool(joint.frozen, keyOf(manifest), compute) : compute();
  };
  const choosePattern = (name: string): void => {
    const chosen = restored?.patterns.get(name)?.(symbols) ?? initial.pattern(name);
    patterns.set(name, chosen);
    const measured = transform.patterns.find((candidate) => candidate.name === name)?.measured ?? null;
    if (measured === null) return;
    const known = new Set(symbols.keys());
    symbols.set(measured, chosen.count);
    checkRequirements(transform, symbols, known);
  };

  for (const name of transform.order) {
    const parameter = transform.parameters.find((candidate) => candidate.name === name);
    const constant = transform.frozen.find((candidate) => candidate.name === name);
    if (parameter !== undefined) parameters.set(name, startParameter(parameter));
    else if (constant !== undefined) frozen.set(name, computeFrozen(constant));
    else choosePattern(name);
  }
  const { tensors } = bound;
  return { symbols, tensors, patterns, parameters, frozen, shared };
}

/** Positions that a record brings and that this layer could not choose again by itself. */
function pooledAmong(
  transform: TransformManifest,
  restored: RestoredState | null,
): PooledChoices["patterns"] {
  const pooled = new Set(transform.patterns.flatMap(({ name, pool }) => (pool === null ? [] : [name])));
  return new Map([...(restored?.patterns ?? [])].filter(([name]) => pooled.has(name)));
}

function inPool<T>(pool: Map<string, T>, key: string, make: () => T): T {
  const known = pool.get(key) ?? make();
  pool.set(key, known);
  return known;
}

/** @throws SpxError SPX8405. */
function checkedCount(saved: Float32Array, target: ParameterTarget): Float32Array {
  const expected = storedCount(target);
  const { name } = target;
  if (saved.length === expected) return saved;
  throw new SpxError(
    "SPX8405",
    `the saved parameter \`${name}\` has ${saved.length} values, expected ${expected}`,
    {
      facts: { parameter: name, expected, found: saved.length },
      help: "load with the arguments that it was saved with",
    },
  );
}
