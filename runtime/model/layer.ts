/**
 * A layer: one weight under one transform, loaded. It runs on batches, merges into a dense weight, lends out its
 * parameters and saves them. Operands are packed when a batch first needs them.
 *
 * size: what a layer offers is one interface, documented in place, and the factory that fills it stands beside it.
 */
import type { TransformManifest, VariantManifest } from "../contract/manifest.ts";
import { evaluateNumber } from "../contract/number-expression.ts";
import type { Clocks } from "../contract/time.ts";
import { type CpuDevice, checkThreads } from "../device/cpu/cpu-device.ts";
import type { CudaArtefact } from "../device/cuda/cuda-kernels.ts";
import { type Pattern, positionsOf } from "../select/pattern.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { type AdamW, type AdamWOptions, createAdamW, type LayerOptimizer } from "./adamw.ts";
import type { LowRankAdapter } from "./adapter-factors.ts";
import { type Adapters, createAdapters } from "./adapters.ts";
import { type BatchInput, batchOf, outputFor } from "./batch-input.ts";
import { intervalAt, predictCost } from "./choose-variant.ts";
import { createDeviceLayer } from "./create-device-layer.ts";
import { readyDevice } from "./cuda-place.ts";
import type { CudaPlace, DeviceLayer, DeviceOptions } from "./device-layer.ts";
import { computedBy } from "./form-product.ts";
import { frozenTensor } from "./frozen-values.ts";
import type { LayerState } from "./initial-state.ts";
import { createBackward, hostEnds } from "./layer-backward.ts";
import { createLayerCalls, type LayerCalls } from "./layer-calls.ts";
import { createLayerTime, type LayerChange } from "./layer-time.ts";
import type { LayerParameter } from "./parameter-values.ts";
import { patternsToSave, type SavedIdentity, saveParameters } from "./saved-parameters.ts";
import { type FloatMatrix, widenTensor } from "./widen-tensor.ts";

/** A parameter with all its values. `values` is live: change it in place, then call `updated`. */
export interface DenseParameter {
  readonly values: Float32Array;
  /** How `values` are stored: [blocks, rows / blocks, columns / blocks] for a block-diagonal one. */
  readonly shape: readonly number[];
}

/** A parameter that exists at some positions only. */
export interface SparseParameter {
  /** One value for each position. Live, as in `DenseParameter`. */
  readonly values: Float32Array;
  /** [rows, columns] of the matrix. */
  readonly shape: readonly number[];
  /** row * columns + column, ascending. */
  readonly positions: Float64Array;
}

/** Which entries of a matrix a mask or support keeps. */
export interface LayerPattern {
  readonly rows: number;
  readonly columns: number;
  /** row * columns + column, ascending. */
  readonly positions: Float64Array;
}

/** One interval of the batch and what is called in it. */
export interface PlanInterval {
  /** Batches from here up to and including `to` (null: without end). */
  readonly from: number;
  readonly to: number | null;
  readonly variant: string;
  readonly form: string;
  readonly layout: VariantManifest["layout"];
  readonly merged: boolean;
  /** Predicted at batch `from`, or at the batch asked for. */
  readonly nanoseconds: number;
  readonly kernel: string;
  readonly level: string;
  readonly rules: readonly string[];
  readonly steps: readonly string[];
}

export interface ForwardOptions {
  /** Written instead of a new array; batch * out values, not overlapping `x`. */
  readonly y?: Float32Array;
  readonly threads?: number;
}

export interface BackwardOptions<P> {
  /** False leaves dx out, and the work that only dx needs. */
  readonly dx?: boolean;
  /** Gradients of an earlier call, which this call adds to instead of making new ones; of a shared parameter those of any layer that shares it. */
  readonly into?: P;
  readonly threads?: number;
}
export interface WithDx<P> extends BackwardOptions<P> {
  readonly dx?: true;
}
export interface WithoutDx<P> extends BackwardOptions<P> {
  readonly dx: false;
}

export interface ParameterGradients<P> {
  /** By parameter: values, shape and positions as `parameters()` has them. */
  readonly grads: P;
}
export interface BackwardResult<P> extends ParameterGradients<P> {
  readonly dx: Tensor<"f32">;
}

/** What of a transform follows the clocks, as its emitted declarations say it. */
export interface TimeTypes {
  readonly clocks: Clocks;
  readonly numbers: Readonly<Record<string, number>>;
  /** Names of the patterns that are refreshed. */
  readonly patterns: string;
}

export interface AtOptions {
  /** Gradient of the loss by the dense weight [out, in], where a refresh that is due reads it. */
  readonly gradient?: FloatMatrix;
}

export interface Layer<
  P = Readonly<Record<string, DenseParameter | SparseParameter>>,
  T extends TimeTypes = TimeTypes,
> {
  readonly transform: string;
  readonly name: string;
  /** Outputs and inputs of the weight. */
  readonly out: number;
  readonly in: number;
  readonly seed: number;
  /** The number arguments as bound. */
  readonly arguments: Readonly<Record<string, number>>;
  /** Number of trainable values; that of a refreshed pattern may change. */
  readonly trainable: number;
  /** x [batch, in] → [batch, out]. @throws SpxError SPX8404, SPX8405, SPX8309. */
  forward(x: BatchInput, options?: ForwardOptions): Tensor<"f32">;
  /** As `forward`, on a worker thread; `x` must not change before the promise settles. Any number may be in flight. */
  forwardAsync(x: BatchInput, options?: ForwardOptions): Promise<Tensor<"f32">>;
  /**
   * Gradients of a loss from dy [batch, out], its gradient by the result of `forward` at x: dx [batch, in], and one
   * for each parameter in the format of its values. @throws SpxError SPX8404, SPX8405, SPX8407, SPX8309, SPX8413.
   */
  backward(x: BatchInput, dy: BatchInput, options?: WithDx<P>): BackwardResult<P>;
  backward(x: BatchInput, dy: BatchInput, options: WithoutDx<P>): ParameterGradients<P>;
  /** As `backward`, on a worker thread; `x` and `dy` must not change before the promise settles, nor `into` be used by another call. */
  backwardAsync(x: BatchInput, dy: BatchInput, options?: WithDx<P>): Promise<BackwardResult<P>>;
  backwardAsync(x: BatchInput, dy: BatchInput, options: WithoutDx<P>): Promise<ParameterGradients<P>>;
  /** Packs what a batch of that size needs, ahead of the first call. */
  prepare(batch: number): void;
  /** The dense weight [out, in] as it is now. */
  merge(): Tensor<"f32">;
  /**
   * This layer with low-rank adapters beside it, one of which each token names. Factors are read once, now. Their products
   * are formed by the product kernels of the artefact where it has any, else by loops. @throws SpxError SPX8403 to SPX8409.
   */
  adapters(adapters: readonly LowRankAdapter[]): Adapters;
  parameters(): P;
  /** The masks and supports by name. */
  patterns(): Readonly<Record<string, LayerPattern>>;
  /** Copies of the frozen tensors that the transform computed at load; a quantized one as the values of its grid. */
  frozen(): Readonly<Record<string, DenseParameter | SparseParameter>>;
  /** To be called after values of parameters were changed in place; of shared ones, on any of the layers. */
  updated(): void;
  /** An optimizer of the parameters, its state in their own formats. @throws SpxError SPX8402, SPX8407. */
  adamW(options?: AdamWOptions): AdamW<P>;
  /**
   * Moves the layer to a time: schedules get their values, and patterns whose refresh is due are chosen again from the
   * values as they are now. A layer starts at clock 0. @throws SpxError SPX8401, SPX8402, SPX8405, SPX8407, and the
   * code of a `require` that holds no longer; then nothing has changed.
   */
  at(clocks: T["clocks"], options?: AtOptions): LayerChange<T>;
  /** Writes the parameters, the clocks and the refreshed patterns as safetensors; `load({ …, parameters: path })` restores them bit for bit. */
  save(path: string): Promise<void>;
  /** Which variant is called for which batch; with `batch`, for that one alone. */
  plan(batch?: number): readonly PlanInterval[];
  /** Bytes of the packed operands that a batch of that size reads. */
  bytes(batch: number): number;
  /**
   * The same layer on a CUDA device: parameters, patterns and clocks are this layer's, calls run there. Kernels are
   * loaded, or compiled at the first load; operands are packed and copied when a batch first needs them.
   * @throws SpxError SPX8701 to SPX8712 for driver, device, kernels and memory; this layer goes on as it was.
   */
  to(place: CudaPlace, options?: DeviceOptions): Promise<DeviceLayer<P, T>>;
  /** Gives the packed memory back; the layer cannot be used afterwards. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** What a layer is made of. */
export interface LayerParts {
  readonly transform: TransformManifest;
  readonly identity: SavedIdentity;
  readonly state: LayerState;
  readonly device: CpuDevice;
  readonly threads: number;
  /** Whether forward calls may round activations to bf16 where weights are held so. */
  readonly rounds?: boolean;
  /** The CUDA kernels of the artefact; null when it was built without. */
  readonly cuda: CudaArtefact | null;
}

/** @throws SpxError SPX8102 when the plan has no kernel for this level and these arguments. */
export function createLayer<P, T extends TimeTypes = TimeTypes>(parts: LayerParts): Layer<P, T> {
  const { transform, identity, state, device, threads } = parts;
  const { symbols } = state;
  const out = evaluateNumber(transform.rows, symbols);
  const inputs = evaluateNumber(transform.columns, symbols);
  const calls = createLayerCalls(
    transform,
    identity.name,
    state,
    device,
    threads,
    parts.rounds === true ? device.rounding : null,
  );
  const start = (x: BatchInput, options: ForwardOptions | undefined) => {
    const input = batchOf(x, inputs, transform.name);
    const y = outputFor(options?.y, input, out);
    const used = options?.threads === undefined ? threads : checkThreads(options.threads);
    return { ...input, y, call: calls.callFor(input.batch), threads: used };
  };
  const hand = Symbol(transform.name);
  const ends = hostEnds({ transform, device, threads }, inputs);
  // A call without dx is typed without it.
  const { backward, backwardAsync } = createBackward(
    { transform, state, device },
    hand,
    { out, inputs },
    calls,
    ends,
  ) as Pick<Layer<P>, "backward" | "backwardAsync">;
  const time = createLayerTime(
    { transform, state, identity },
    calls,
    computedBy(() => device),
  );
  const optimizers: LayerOptimizer<P>[] = [];
  const layer: Layer<P, T> = {
    transform: transform.name,
    name: identity.name,
    out,
    in: inputs,
    seed: identity.seed,
    arguments: identity.arguments,
    get trainable() {
      return evaluateNumber(transform.trainable, symbols);
    },
    forward(x, options) {
      const { values, y, batch, call, threads: used } = start(x, options);
      if (y.length > 0) call.run(values, y, batch, used);
      return tensor("f32", [batch, out], y);
    },
    async forwardAsync(x, options) {
      const { values, y, batch, call, threads: used } = start(x, options);
      if (y.length > 0) await calls.during(() => call.runAsync(values, y, batch, used));
      return tensor("f32", [batch, out], y);
    },
    backward,
    backwardAsync,
    prepare: (batch) => void calls.callFor(batch),
    adapters: (given) => createAdapters(layer, transform, device.products, given),
    merge: () => tensor("f32", [out, inputs], calls.weight()),
    // The emitted declarations name the parameters of this very manifest.
    parameters: () => lentParameters(state) as P,
    patterns: () => lentPatterns(state),
    frozen: () => copiedFrozen(state),
    updated: calls.updated,
    adamW(options = {}) {
      const { updates: kernels } = device;
      const threadsOf = (given: number | undefined): number =>
        given === undefined ? threads : checkThreads(given);
      const scene = { transform: transform.name, state, kernels, threads: threadsOf, updated: calls.updated };
      const optimizer = createAdamW<P>(scene, options);
      optimizers.push(optimizer);
      return optimizer;
    },
    at(clocks, options) {
      const { gradient } = options ?? {};
      const given = gradient === undefined ? null : widenTensor(transform, "gradient", gradient);
      const change = time.at(clocks, given);
      for (const optimizer of optimizers) optimizer.follow(change.patterns);
      // The emitted declarations name the schedules and patterns of this very manifest.
      return change as LayerChange<T>;
    },
    save(path) {
      const { parameters } = state;
      const saved = { ...identity, clocks: time.now() };
      return saveParameters(path, parameters, patternsAsTheyAre(transform, state), saved);
    },
    plan: (batch) => describePlan(calls, symbols, batch),
    bytes: calls.bytes,
    async to(place, options) {
      const ready = await readyDevice(place, options?.elements, parts.cuda);
      const { cuda: plan } = transform.plan;
      if (plan === null) throw new RangeError("an artefact with CUDA kernels has a plan for each transform");
      return createDeviceLayer<P, T>(layer, { ...ready, parts, calls, hand, plan });
    },
    dispose: calls.dispose,
    [Symbol.dispose]: calls.dispose,
  };
  return layer;
}

function describePlan(
  calls: LayerCalls,
  symbols: ReadonlyMap<string, number>,
  batch: number | undefined,
): PlanInterval[] {
  const shown = batch === undefined ? calls.intervals : [intervalAt(calls.intervals, batch)];
  return shown.map(({ variant, from, to }) => ({
    from,
    to,
    variant: variant.name,
    form: variant.form,
    layout: variant.layout,
    merged: variant.merged,
    nanoseconds: predictCost(variant, symbols, batch ?? from, calls.level),
    kernel: calls.kernelOf(variant).symbol,
    level: calls.kernelOf(variant).level,
    rules: variant.rules,
    steps: variant.steps,
  }));
}

const lentParameters = (state: LayerState): Record<string, DenseParameter | SparseParameter> =>
  Object.fromEntries([...state.parameters].map(([name, parameter]) => [name, lent(parameter)]));

function lent({ target, values }: LayerParameter): DenseParameter | SparseParameter {
  const { support, stored, dimensions } = target;
  if (support === null) return { values, shape: stored };
  return { values, shape: dimensions, positions: positionsOf(support) };
}

function copiedFrozen({ frozen }: LayerState): Record<string, DenseParameter | SparseParameter> {
  return Object.fromEntries(
    [...frozen].map(([name, value]) => {
      if (value.kind === "stored")
        return [name, { ...lent(value.tensor), values: value.tensor.values.slice() }];
      return [name, frozenTensor(value)];
    }),
  );
}

/** Patterns that this layer could not choose again by itself. */
const patternsAsTheyAre = (
  transform: TransformManifest,
  { patterns }: LayerState,
): ReadonlyMap<string, Pattern> => {
  const names = patternsToSave(transform);
  return new Map([...patterns].filter(([name]) => names.includes(name)));
};

function lentPatterns(state: LayerState): Record<string, LayerPattern> {
  return Object.fromEntries(
    [...state.patterns].map(([name, pattern]) => {
      const { rows, columns } = pattern;
      return [name, { rows, columns, positions: positionsOf(pattern) }];
    }),
  );
}
