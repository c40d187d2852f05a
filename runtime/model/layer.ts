/**
 * A layer: one weight under one transform, loaded. It runs on batches, merges into a dense weight, lends out its
 * parameters and saves them. Operands are packed when a batch first needs them.
 */
import type { KernelManifest, TransformManifest, VariantManifest } from "../contract/manifest.ts";
import { evaluateNumber } from "../contract/number-expression.ts";
import { checkThreads, type CpuDevice } from "../device/cpu/cpu-device.ts";
import { type KernelCall, prepareKernel, selectKernel } from "../device/cpu/kernel-call.ts";
import { SpxError } from "../errors.ts";
import type { PackedOperand } from "../formats/packed-operand.ts";
import { positionsOf } from "../select/pattern.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { type BatchInput, batchOf, outputFor } from "./batch-input.ts";
import { chooseVariants, intervalAt, predictCost } from "./choose-variant.ts";
import type { LayerState } from "./initial-state.ts";
import { mergeByIdentity, mergeByKernel } from "./merge-weight.ts";
import { createOperandLifetime } from "./operand-lifetime.ts";
import { createPackedOperands } from "./packed-operands.ts";
import { type SavedIdentity, saveParameters } from "./saved-parameters.ts";

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
  /** Predicted for two threads at batch `from`, or at the batch asked for. */
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

export interface Layer<P = Readonly<Record<string, DenseParameter | SparseParameter>>> {
  readonly transform: string;
  readonly name: string;
  /** Outputs and inputs of the weight. */
  readonly out: number;
  readonly in: number;
  readonly seed: number;
  /** The number arguments as bound. */
  readonly arguments: Readonly<Record<string, number>>;
  /** Number of trainable values. */
  readonly trainable: number;
  /** x [batch, in] → [batch, out]. @throws SpxError SPX8404, SPX8405, SPX8309. */
  forward(x: BatchInput, options?: ForwardOptions): Tensor<"f32">;
  /** As `forward`, on a worker thread; `x` must not change before the promise settles. Any number may be in flight. */
  forwardAsync(x: BatchInput, options?: ForwardOptions): Promise<Tensor<"f32">>;
  /** Packs what a batch of that size needs, ahead of the first call. */
  prepare(batch: number): void;
  /** The dense weight [out, in] as it is now. */
  merge(): Tensor<"f32">;
  parameters(): P;
  /** The masks and supports by name. */
  patterns(): Readonly<Record<string, LayerPattern>>;
  /** To be called after values of parameters were changed in place. */
  updated(): void;
  /** Writes the parameters as safetensors; `load({ …, parameters: path })` restores them bit for bit. */
  save(path: string): Promise<void>;
  /** Which variant is called for which batch; with `batch`, for that one alone. */
  plan(batch?: number): readonly PlanInterval[];
  /** Bytes of the packed operands that a batch of that size reads. */
  bytes(batch: number): number;
  /** Gives the packed memory back; the layer cannot be used afterwards. */
  dispose(): void;
}

/** What a layer is made of. */
export interface LayerParts {
  readonly transform: TransformManifest;
  readonly identity: SavedIdentity;
  readonly state: LayerState;
  readonly device: CpuDevice;
  readonly threads: number;
}

interface RunnableVariant {
  readonly variant: VariantManifest;
  readonly kernel: KernelManifest;
}

/** @throws SpxError SPX8102 when the plan has no kernel for this level and these arguments. */
export function createLayer<P>({ transform, identity, state, device, threads }: LayerParts): Layer<P> {
  const { symbols } = state;
  const out = evaluateNumber(transform.rows, symbols);
  const inputs = evaluateNumber(transform.columns, symbols);
  const runnable = runnableVariants(transform, device, symbols);
  const intervals = chooseVariants(runnable.map(({ variant }) => variant), symbols);
  const operands = createPackedOperands(transform.plan, state, device.allocate);
  const lifetime = createOperandLifetime();
  const calls = new Map<KernelManifest, KernelCall>();

  const kernelOf = (variant: VariantManifest): KernelManifest =>
    required(runnable.find((candidate) => candidate.variant === variant)?.kernel, transform, variant.name);
  const operandsOf = (kernel: KernelManifest): ReadonlyMap<string, PackedOperand> =>
    new Map(kernel.buffers.map(({ operand }) => [operand, operands.get(operand)]));
  const callOf = (kernel: KernelManifest): KernelCall => {
    lifetime.checkAlive(identity.name);
    const known = calls.get(kernel);
    if (known !== undefined) return known;
    const call = prepareKernel(kernel, device.kernels, operandsOf(kernel), symbols, device.allocate, device.workspaces);
    calls.set(kernel, call);
    return call;
  };
  const callFor = (batch: number): KernelCall => callOf(kernelOf(intervalAt(intervals, batch).variant));
  const start = (x: BatchInput, options: ForwardOptions | undefined) => {
    const input = batchOf(x, inputs, transform.name);
    const y = outputFor(options?.y, input, out);
    const used = options?.threads === undefined ? threads : checkThreads(options.threads);
    const call = callFor(input.batch);
    return { ...input, y, call, threads: used, isEmpty: input.batch === 0 || out === 0 };
  };
  const result = (y: Float32Array, batch: number): Tensor<"f32"> => tensor("f32", [batch, out], y);

  return {
    transform: transform.name,
    name: identity.name,
    out,
    in: inputs,
    seed: identity.seed,
    arguments: identity.arguments,
    trainable: evaluateNumber(transform.trainable, symbols),
    forward(x, options) {
      const { values, y, batch, call, threads: used, isEmpty } = start(x, options);
      if (!isEmpty) call.run(values, y, batch, used);
      return result(y, batch);
    },
    async forwardAsync(x, options) {
      const { values, y, batch, call, threads: used, isEmpty } = start(x, options);
      if (!isEmpty) await lifetime.during(() => call.runAsync(values, y, batch, used));
      return result(y, batch);
    },
    prepare: (batch) => void callFor(batch),
    merge() {
      const { merge, variants } = transform.plan;
      if (out === 0 || inputs === 0) return tensor("f32", [out, inputs], new Float32Array(0));
      if (merge.method === "kernel") {
        const kernel = required(selectKernel(merge.kernels, device.level, symbols), transform, "merge");
        return tensor("f32", [out, inputs], mergeByKernel(callOf(kernel), device, out, inputs, threads));
      }
      const named = variants.find(({ name }) => name === merge.variant);
      const kernel = required(named && selectKernel(named.kernels, device.level, symbols), transform, merge.variant);
      return tensor("f32", [out, inputs], mergeByIdentity(callOf(kernel), out, inputs, threads));
    },
    // The emitted declarations name the parameters of this very manifest.
    parameters: () => lentParameters(state) as P,
    patterns: () =>
      Object.fromEntries(
        [...state.patterns].map(([name, pattern]) => [
          name,
          { rows: pattern.rows, columns: pattern.columns, positions: positionsOf(pattern) },
        ]),
      ),
    updated() {
      for (const kernel of calls.keys()) {
        if (kernel.buffers.some(({ operand }) => operands.isStep(operand))) calls.delete(kernel);
      }
      lifetime.retire(operands.dropSteps());
    },
    save: (path) => saveParameters(path, state.parameters, identity),
    plan(batch) {
      const shown = batch === undefined ? intervals : [intervalAt(intervals, batch)];
      return shown.map(({ variant, from, to }) => ({
        from,
        to,
        variant: variant.name,
        form: variant.form,
        layout: variant.layout,
        merged: variant.merged,
        nanoseconds: predictCost(variant, symbols, batch ?? from),
        kernel: kernelOf(variant).symbol,
        level: device.level,
        rules: variant.rules,
        steps: variant.steps,
      }));
    },
    bytes(batch) {
      lifetime.checkAlive(identity.name);
      const kernel = kernelOf(intervalAt(intervals, batch).variant);
      return [...operandsOf(kernel).values()].reduce((sum, { bytes }) => sum + bytes, 0);
    },
    dispose() {
      calls.clear();
      lifetime.retire(operands.dropAll());
      lifetime.end();
    },
  };
}

/** The variants that have a kernel for this level and these arguments. */
function runnableVariants(
  transform: TransformManifest,
  device: CpuDevice,
  symbols: ReadonlyMap<string, number>,
): readonly RunnableVariant[] {
  const runnable = transform.plan.variants.flatMap((variant) => {
    const kernel = selectKernel(variant.kernels, device.level, symbols);
    return kernel === null ? [] : [{ variant, kernel }];
  });
  if (runnable.length === 0) required(null, transform, "any variant");
  return runnable;

}

function required(
  kernel: KernelManifest | null | undefined,
  transform: TransformManifest,
  what: string,
): KernelManifest {
  if (kernel !== null && kernel !== undefined) return kernel;
  throw new SpxError("SPX8102", `\`${transform.name}\` has no kernel for ${what} with these dimensions on this level`, {
    facts: { transform: transform.name, what },
    help: "build the artefact again; if it stays, report it with the .spx file",
  });
}

function lentParameters(state: LayerState): Record<string, DenseParameter | SparseParameter> {
  return Object.fromEntries(
    [...state.parameters].map(([name, { target, values }]) => {
      const { support, stored, dimensions } = target;
      if (support === null) return [name, { values, shape: stored }];
      return [name, { values, shape: dimensions, positions: positionsOf(support) }];
    }),
  );
}
