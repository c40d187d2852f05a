/**
 * Patterns that are chosen again while a layer is trained, from its values as they are, and what becomes of the
 * parameters that live on them. Nothing of the layer changes here: the caller puts the result in place.
 */
import type { PatternManifest, TransformManifest } from "../contract/manifest.ts";
import { evaluateNumber } from "../contract/number-expression.ts";
import type { Recipe } from "../contract/recipe.ts";
import { type Clocks, evaluateAt, gradientName, type RefreshManifest } from "../contract/time.ts";
import { SpxError } from "../errors.ts";
import type { DenseTensor } from "../select/dense-tensor.ts";
import { evaluatePattern } from "../select/evaluate-recipe.ts";
import { hasBit, type Pattern, positionsOf } from "../select/pattern.ts";
import { parameterTarget, patternTarget } from "../select/recipe-target.ts";
import type { RecipeKernels, RecipeSources } from "../select/recipe-value.ts";
import { frozenTensor } from "./frozen-values.ts";
import type { LayerState } from "./initial-state.ts";
import { type LayerParameter, parameterTensor, storedCount } from "./parameter-values.ts";

/** A parameter on a support that has changed. */
export interface MovedParameter {
  readonly name: string;
  /** For each value its index before, or -1 where it is new: what an optimizer needs to move its own state. */
  readonly from: Int32Array;
}

/** A pattern that was chosen again and is another now. */
export interface PatternChange {
  readonly name: string;
  /** row * columns + column, ascending: positions that are kept no longer, and those that are kept now. */
  readonly dropped: Float64Array;
  readonly grown: Float64Array;
  readonly parameters: readonly MovedParameter[];
}

/** What a refresh sees of a layer. */
export interface RefreshScene {
  readonly transform: TransformManifest;
  readonly state: LayerState;
  /** Symbols with the schedules as they are now. */
  readonly symbols: Map<string, number>;
  readonly numbers: ReadonlyMap<string, number>;
  readonly before: Clocks;
  readonly clocks: Clocks;
  readonly seed: number;
  readonly layer: string;
  readonly gradient: DenseTensor | null;
  readonly kernels: Partial<RecipeKernels>;
}

export interface Refreshed {
  readonly patterns: Map<string, Pattern>;
  readonly parameters: Map<string, LayerParameter>;
  readonly changes: readonly PatternChange[];
}

/** A multiple of the interval lies behind the clock before and not behind the clock now, and the condition holds. */
export function isDue({ every, condition }: RefreshManifest, scene: RefreshScene): boolean {
  const { symbols, clocks, before, numbers } = scene;
  const interval = evaluateNumber(every, symbols);
  const passed = Math.floor((clocks.step ?? 0) / interval) > Math.floor((before.step ?? 0) / interval);
  return passed && (condition === null || evaluateAt(condition, symbols, clocks, numbers) !== 0);
}

/**
 * Runs the refreshes that are due, in the order of the source; a later one sees what an earlier one chose. Binds the
 * counts of measured patterns in `scene.symbols`.
 * @throws SpxError of the selections; SPX8401 when one reads a gradient that was not given.
 */
export function refreshPatterns(scene: RefreshScene): Refreshed {
  const { transform, state, symbols } = scene;
  const patterns = new Map(state.patterns);
  const parameters = new Map(state.parameters);
  const changes: PatternChange[] = [];
  for (const refresh of transform.time?.refreshes ?? []) {
    if (!isDue(refresh, scene)) continue;
    const manifest = transform.patterns.find(({ name }) => name === refresh.pattern);
    const before = patterns.get(refresh.pattern);
    if (manifest === undefined || before === undefined) throw unknown(transform, refresh.pattern);
    const target = patternTarget({ ...manifest, ...countAt(refresh, manifest) }, symbols);
    const now = evaluatePattern(refresh.recipe, target, sourcesOf(scene, patterns, parameters));
    // A pattern that was chosen as it is moves nothing and costs no packing.
    if (now.count === before.count && now.bits.every((word, index) => word === before.bits[index])) continue;
    patterns.set(refresh.pattern, now);
    if (manifest.measured !== null) symbols.set(manifest.measured, now.count);
    const moved = transform.parameters.flatMap((parameter) => {
      const old = parameters.get(parameter.name);
      if (parameter.support !== refresh.pattern || old === undefined) return [];
      const first = parameter.recipe.kind === "number" ? evaluateNumber(parameter.recipe.value, symbols) : 0;
      const place = parameterTarget(parameter, symbols, (name) => patterns.get(name) ?? now);
      const from = originOf(before, now);
      const values = new Float32Array(storedCount(place));
      from.forEach((origin, index) => {
        values[index] = origin < 0 ? first : (old.values[origin] ?? 0);
      });
      parameters.set(parameter.name, { target: place, values });
      return [{ name: parameter.name, from }];
    });
    changes.push({
      name: refresh.pattern,
      dropped: positionsOf(before).filter((position) => !hasBit(now.bits, position)),
      grown: positionsOf(now).filter((position) => !hasBit(before.bits, position)),
      parameters: moved,
    });
  }
  return { patterns, parameters, changes };
}

/** What the refresh says it keeps; where only the data know, as many as there are. */
const countAt = (
  { count }: RefreshManifest,
  manifest: PatternManifest,
): Pick<PatternManifest, "count" | "measured"> =>
  count === null
    ? { count: manifest.count, measured: manifest.measured ?? manifest.name }
    : { count, measured: null };

/** For each entry of `now` its index in `before`, or -1. */
function originOf(before: Pattern, now: Pattern): Int32Array {
  const index = new Map([...positionsOf(before)].map((position, entry) => [position, entry]));
  return Int32Array.from(positionsOf(now), (position) => index.get(position) ?? -1);
}

function sourcesOf(
  scene: RefreshScene,
  patterns: ReadonlyMap<string, Pattern>,
  parameters: ReadonlyMap<string, LayerParameter>,
): RecipeSources {
  const { transform, state, symbols, seed, layer, clocks, gradient, kernels } = scene;
  return {
    ...kernels,
    symbols,
    seed,
    // Every refresh draws anew, and the same after a restart.
    layer: `${layer}@${clocks.step ?? 0}`,
    computed: new Map(),
    pattern(name) {
      const pattern = patterns.get(name);
      if (pattern === undefined) throw unknown(transform, name);
      return pattern;
    },
    tensor(name) {
      const parameter = parameters.get(name);
      if (parameter !== undefined) return parameterTensor(parameter);
      const frozen = state.frozen.get(name);
      if (frozen !== undefined) return frozenTensor(frozen);
      const given = name === gradientName ? gradient : (state.tensors.get(name) ?? null);
      if (given !== null) return given;
      throw name === gradientName ? noGradient(transform) : unknown(transform, name);
    },
  };
}

/** Names of the tensors that a recipe reads. */
export function tensorsRead(recipe: Recipe): readonly string[] {
  switch (recipe.kind) {
    case "tensor":
      return [recipe.name];
    case "call":
      return Object.values(recipe.operands).flatMap(tensorsRead);
    case "output":
      return tensorsRead(recipe.of);
    default:
      return [];
  }
}

function noGradient({ name }: TransformManifest): SpxError {
  return new SpxError("SPX8401", `a refresh of \`${name}\` is due that reads the gradient of the weight`, {
    facts: { transform: name, argument: gradientName },
    help: "give `at(clocks, { gradient })`, a matrix of the weight's shape",
  });
}

function unknown(transform: TransformManifest, name: string): SpxError {
  return new SpxError(
    "SPX8102",
    `a refresh of \`${transform.name}\` reads \`${name}\`, which it does not have`,
    {
      facts: { transform: transform.name, name },
      help: "build the artefact again; if it stays, report it with the .spx file",
    },
  );
}
