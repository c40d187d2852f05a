/** Models: the rules of a `model` block applied to a checkpoint, one layer at a time. */
import { type Checkpoint, openCheckpoint } from "../checkpoint/read-safetensors.ts";
import type { ModelManifest, ModelRule, TransformManifest } from "../contract/manifest.ts";
import { evaluateNumber, type NumberExpression, symbolsOf } from "../contract/number-expression.ts";
import { SpxError } from "../errors.ts";
import type { DenseTensor } from "../select/dense-tensor.ts";
import { type AllottedLayer, allotDensities } from "./allot-densities.ts";
import { bindArguments, type GivenNumber } from "./bind-arguments.ts";
import type { CudaPlace, DeviceLayer, OnDevice, Placed } from "./device-layer.ts";
import { computedBy } from "./form-product.ts";
import { createJointValues, type JointValues } from "./joint-values.ts";
import type { Layer } from "./layer.ts";
import { matchRules } from "./match-rules.ts";
import { choosePools, type PoolCuts, type PoolMember } from "./pool-cuts.ts";
import { loadLayer, onDevice, type TransformHome } from "./transform.ts";
import { widenTensor } from "./widen-tensor.ts";

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
  /** Loads only the tensors for which it holds; rules are matched against all, pools are made of those that load. */
  readonly only?: (match: TensorMatch) => boolean;
  /**
   * Checkpoints for the tensors that a transform takes beside the one of the rule, by argument: each is read under the
   * name of the rule's tensor. One given by its path is opened and closed here.
   */
  readonly sources?: Readonly<Record<string, Checkpoint | string>>;
}

export interface LoadedTensor<L = Layer> {
  readonly tensor: string;
  readonly match: TensorMatch;
  readonly layer: L;
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
   * Layers of one transform have its `shared` parameters in common, in one array for each shape. Selections in a pool
   * of layers are made before the first layer is loaded: every tensor is then read two or three times more.
   * With `device` the layers are those that `to` gives.
   */
  load<D extends CudaPlace | undefined = undefined>(
    checkpoint: Checkpoint | string,
    options?: ModelLoadOptions & Placed<D>,
  ): AsyncIterable<LoadedTensor<D extends CudaPlace ? DeviceLayer : Layer>>;
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
    load: async function* (given: Checkpoint | string, options: ModelLoadOptions & Partial<OnDevice> = {}) {
      const opened: Checkpoint[] = [];
      const open = async (one: Checkpoint | string): Promise<Checkpoint> => {
        if (typeof one !== "string") return one;
        const checkpoint = await openCheckpoint(one);
        opened.push(checkpoint);
        return checkpoint;
      };
      try {
        const checkpoint = await open(given);
        const sources = new Map<string, Checkpoint>();
        for (const [argument, one] of Object.entries(options.sources ?? {}))
          sources.set(argument, await open(one));
        const wanted = match(checkpoint.names).filter((found) => options.only?.(found) !== false);
        const layers = wanted.flatMap((found) =>
          found.transform === null
            ? []
            : [modelLayer(checkpoint, sources, found, homeOf(found.transform), options)],
        );
        await allotDensities(layers);
        const cuts = await choosePools(layers);
        const joint = createJointValues();
        for (const one of layers) {
          const { name: tensor, match: found } = one;
          const loaded = await one.load(joint, cuts.get(one));
          yield { tensor, match: found, layer: await named(tensor, () => onDevice(loaded, options)) };
        }
      } finally {
        for (const checkpoint of opened) await checkpoint.close();
      }
      // The type of the layers follows from the same option.
    } as Model["load"],
  };
}

const constantOf = (value: NumberExpression): number | NumberExpression =>
  symbolsOf(value).length === 0 ? evaluateNumber(value, new Map()) : value;

interface ModelLayer extends PoolMember, AllottedLayer {
  readonly match: TensorMatch;
  readonly load: (joint: JointValues, cuts: PoolCuts | undefined) => Promise<Layer>;
}

function modelLayer(
  checkpoint: Checkpoint,
  sources: ReadonlyMap<string, Checkpoint>,
  match: TensorMatch,
  home: TransformHome,
  { seed = 0, threads, device, elements }: Pick<ModelLoadOptions, "seed" | "threads"> & Partial<OnDevice>,
): ModelLayer {
  const transform = home.manifest();
  const name = match.tensor;
  const numbers = new Map<string, GivenNumber>(Object.entries(match.arguments));
  const read = () => readTensors(checkpoint, sources, match, transform);
  return {
    name,
    rule: match.rule,
    match,
    transform,
    numbers,
    seed,
    kernels: computedBy(home.device),
    bind: () => named(name, async () => bindArguments(transform, { tensors: await read(), numbers })),
    load: (joint, cuts) =>
      named(name, async () => {
        const options = {
          name,
          seed,
          ...(threads === undefined ? {} : { threads }),
          ...(device === undefined ? {} : { device }),
          ...(elements === undefined ? {} : { elements }),
        };
        return loadLayer(home, { tensors: await read(), numbers, options }, joint, cuts);
      }),
  };
}

/** Errors name the tensor of the checkpoint: the transform knows it only by the name of its argument. */
async function named<T>(layer: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof SpxError)) throw thrown;
    const { code, summary, facts, help } = thrown;
    throw new SpxError(code, `${layer}: ${summary}`, { facts: { ...facts, layer }, help, cause: thrown });
  }
}

/** The rule's tensor for the first tensor argument, and its counterparts in other checkpoints for the others. */
async function readTensors(
  checkpoint: Checkpoint,
  sources: ReadonlyMap<string, Checkpoint>,
  { tensor }: TensorMatch,
  transform: TransformManifest,
): Promise<Map<string, DenseTensor>> {
  const tensors = new Map<string, DenseTensor>();
  for (const argument of transform.arguments) {
    if (argument.kind !== "tensor") continue;
    const from = tensors.size === 0 ? checkpoint : sources.get(argument.name);
    if (from === undefined) {
      throw new SpxError(
        "SPX8401",
        `\`${transform.name}\` reads \`${argument.name}\` from another checkpoint`,
        {
          facts: { transform: transform.name, argument: argument.name },
          help: `give it: \`load(checkpoint, { sources: { ${argument.name}: "…" } })\``,
        },
      );
    }
    tensors.set(argument.name, widenTensor(transform, argument.name, await from.read(tensor)));
  }
  return tensors;
}
