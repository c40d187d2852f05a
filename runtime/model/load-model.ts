/** Models: the rules of a `model` block applied to a checkpoint, one layer at a time. */
import { type Checkpoint, openCheckpoint } from "../checkpoint/read-safetensors.ts";
import type { ModelManifest, ModelRule } from "../contract/manifest.ts";
import { evaluateNumber, type NumberExpression, symbolsOf } from "../contract/number-expression.ts";
import { SpxError } from "../errors.ts";
import { createJointValues, type JointValues } from "./joint-values.ts";
import type { Layer } from "./layer.ts";
import { matchRules } from "./match-rules.ts";
import { loadLayer, type TransformHome, widen } from "./transform.ts";

/** What a rule does with a tensor. */
export interface TensorMatch {
  readonly tensor: string;
  readonly rule: ModelRule;
  /** Null: the tensor stays as it is. */
  readonly transform: string | null;
  /** Numbers, or expressions over the dimensions of the tensor. */
  readonly arguments: Readonly<Record<string, number | NumberExpression>>;
}

export interface ModelLoadOptions {
  /** Seed of every random choice; each tensor has streams of its own. 0 unless given. */
  readonly seed?: number;
  /** Threads of a call. */
  readonly threads?: number;
  /** Loads only the tensors for which it holds; rules are matched against all. */
  readonly only?: (match: TensorMatch) => boolean;
}

export interface LoadedTensor {
  readonly tensor: string;
  readonly match: TensorMatch;
  readonly layer: Layer;
}

export interface Model {
  readonly name: string;
  readonly documentation: string;
  /**
   * What the rules do with these tensors, in their order; a tensor that no rule takes is left out.
   * @throws SpxError SPX8501 for a rule that matches nothing, SPX8502 for one that earlier rules leave nothing.
   */
  match(names: readonly string[]): TensorMatch[];
  /**
   * Loads the layers one after the other in the order of the checkpoint: only the tensor at hand is in memory, and
   * the caller decides how long a layer stays. A checkpoint given by its path is opened and closed here.
   * Layers of one transform have its `shared` parameters in common, in one array for each shape.
   */
  load(checkpoint: Checkpoint | string, options?: ModelLoadOptions): AsyncIterable<LoadedTensor>;
}

export function createModel(
  name: string,
  manifest: () => ModelManifest,
  homeOf: (transform: string) => TransformHome,
): Model {
  const match = (names: readonly string[]): TensorMatch[] =>
    matchRules(manifest(), names).map(({ tensor, rule }) => ({
      tensor,
      rule,
      transform: rule.transform,
      arguments: Object.fromEntries(
        Object.entries(rule.arguments).map(([key, value]) => [key, constantOf(value)]),
      ),
    }));
  return {
    name,
    get documentation() {
      return manifest().documentation;
    },
    match,
    async *load(given, options = {}) {
      const checkpoint = typeof given === "string" ? await openCheckpoint(given) : given;
      const joint = createJointValues();
      try {
        for (const found of match(checkpoint.names)) {
          if (found.transform === null || options.only?.(found) === false) continue;
          const layer = await loadTensor(checkpoint, found, homeOf(found.transform), options, joint);
          yield { tensor: found.tensor, match: found, layer };
        }
      } finally {
        if (typeof given === "string") await checkpoint.close();
      }
    },
  };
}

const constantOf = (value: NumberExpression): number | NumberExpression =>
  symbolsOf(value).length === 0 ? evaluateNumber(value, new Map()) : value;

/** Errors name the tensor of the checkpoint: the transform knows it only by the name of its argument. */
async function loadTensor(
  checkpoint: Checkpoint,
  match: TensorMatch,
  home: TransformHome,
  options: ModelLoadOptions,
  joint: JointValues,
): Promise<Layer> {
  try {
    return await loadMatched(checkpoint, match, home, options, joint);
  } catch (thrown) {
    if (!(thrown instanceof SpxError)) throw thrown;
    const { code, summary, facts, help } = thrown;
    const layer = match.tensor;
    throw new SpxError(code, `${layer}: ${summary}`, { facts: { ...facts, layer }, help, cause: thrown });
  }
}

async function loadMatched(
  checkpoint: Checkpoint,
  match: TensorMatch,
  home: TransformHome,
  { seed, threads }: ModelLoadOptions,
  joint: JointValues,
): Promise<Layer> {
  const transform = home.manifest();
  const tensors = transform.arguments.filter(({ kind }) => kind === "tensor");
  const [argument] = tensors;
  if (argument === undefined || tensors.length > 1) {
    throw new SpxError("SPX8401", `\`${transform.name}\` takes ${tensors.length} tensors, a rule gives one`, {
      facts: { transform: transform.name, tensors: tensors.map(({ name }) => name) },
      help: "load such a transform by itself",
    });
  }
  const weight = widen(transform, argument.name, await checkpoint.read(match.tensor));
  const options = {
    name: match.tensor,
    ...(seed === undefined ? {} : { seed }),
    ...(threads === undefined ? {} : { threads }),
  };
  const numbers = new Map(Object.entries(match.arguments));
  return loadLayer(home, { tensors: new Map([[argument.name, weight]]), numbers, options }, joint);
}
