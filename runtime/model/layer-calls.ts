/**
 * The calls of a layer: which kernel serves a batch, bound to packed operands when first needed, bound anew after
 * parameters changed, and given back at the end.
 */
import type { KernelManifest, TransformManifest, VariantManifest } from "../contract/manifest.ts";
import { evaluateNumber } from "../contract/number-expression.ts";
import { type BackwardCall, prepareBackward } from "../device/cpu/backward-call.ts";
import type { CpuDevice } from "../device/cpu/cpu-device.ts";
import { type KernelCall, prepareKernel, selectKernel } from "../device/cpu/kernel-call.ts";
import { SpxError } from "../errors.ts";
import type { PackedOperand } from "../formats/packed-operand.ts";
import { unpackPanel16 } from "../formats/panel16.ts";
import { chooseVariants, intervalAt, type VariantInterval } from "./choose-variant.ts";
import { formWith } from "./form-product.ts";
import { createLayerLeaves, type LayerLeaves } from "./formula-scope.ts";
import type { LayerState } from "./initial-state.ts";
import { mergeWeight } from "./merge-weight.ts";
import { createOperandLifetime } from "./operand-lifetime.ts";
import { createPackedOperands } from "./packed-operands.ts";

/** What follows the parameters and numbers of a layer besides its own calls: the same layer on a device. */
export interface LayerFollower {
  /** Parameters have changed. */
  dropSteps(): void;
  /** Numbers or patterns have changed. */
  moved(): void;
}

export interface LayerCalls {
  readonly intervals: readonly VariantInterval[];
  /** The level that the intervals are priced for; kernels that it does not have are those of the device's level. */
  readonly level: string;
  /** What formulas read. */
  readonly leaves: LayerLeaves;
  /** The kernel that is called in an interval. */
  kernelOf(variant: VariantManifest): KernelManifest;
  /** @throws SpxError SPX8306 after `dispose`. */
  callFor(batch: number): KernelCall;
  /** @throws SpxError SPX8306 after `dispose`, SPX8102. */
  backwardCall(): BackwardCall;
  /** The dense weight [out, in] as it is now, row-major. @throws SpxError SPX8102, SPX8306, SPX8309. */
  weight(): Float32Array;
  /** Runs an asynchronous call; what it reads stays until it has ended. */
  during(call: () => Promise<void>): Promise<void>;
  /** Bytes of the packed operands that a batch reads. */
  bytes(batch: number): number;
  updated(): void;
  /** To be called before anything packed is used: another layer may have changed parameters that this one reads too. */
  follow(): void;
  readonly followers: Set<LayerFollower>;
  /** The whole weight as it is now in `panel16`, in memory of its own. @throws SpxError SPX8102, SPX8306, SPX8309. */
  mergeNow(): PackedOperand;
  /** Numbers or patterns have changed: everything that follows from them is chosen, bound and packed anew. */
  moved(): void;
  dispose(): void;
}

/**
 * `threads` is what the merge of the weight runs on; `rounding` the level over the device's that forward calls may use,
 * which the merge and the backward pass do not.
 * @throws SpxError SPX8102 when the plan has no kernel for this level and these arguments.
 */
export function createLayerCalls(
  transform: TransformManifest,
  layer: string,
  state: LayerState,
  device: CpuDevice,
  threads: number,
  rounding: string | null = null,
): LayerCalls {
  const { symbols } = state;
  const priced = transform.plan.variants.every(({ costs }) => rounding !== null && rounding in costs);
  const level = priced && rounding !== null ? rounding : device.level;
  const levels = [...new Set([level, device.level])];
  const chooseKernels = () => {
    const kernels = runnableKernels(transform, levels, symbols);
    let intervals: readonly VariantInterval[] | null = null;
    return {
      kernels,
      // Prices of every batch take milliseconds, which a layer that is only merged or saved does without.
      get intervals() {
        intervals ??= chooseVariants([...kernels.keys()], symbols, level);
        return intervals;
      },
    };
  };
  let chosen = chooseKernels();
  const lifetime = createOperandLifetime();
  const mergeInto = (earlier: () => PackedOperand | null): PackedOperand => {
    const size = {
      out: evaluateNumber(transform.rows, symbols),
      inputs: evaluateNumber(transform.columns, symbols),
      threads,
    };
    const call = callOf(mergeKernel(transform, device, symbols));
    return mergeWeight(transform.plan.merge.method, call, size, device.allocate, earlier());
  };
  const mergeNow = () => mergeInto(() => null);
  const leaves = createLayerLeaves(transform.plan.derived, state, formWith(device.products));
  const operands = createPackedOperands(transform.plan, state, leaves, device.allocate, () =>
    mergeInto(lifetime.again),
  );
  const calls = new Map<KernelManifest, KernelCall>();
  const backwardCalls = new Map<KernelManifest, BackwardCall>();
  const followers = new Set<LayerFollower>();
  const dropSteps = (): void => {
    leaves.dropSteps();
    for (const follower of followers) follower.dropSteps();
    for (const bound of [calls, backwardCalls]) {
      for (const kernel of bound.keys())
        if (kernel.buffers.some(({ operand }) => operands.isStep(operand))) bound.delete(kernel);
    }
    const merged = operands.merged();
    lifetime.retire(operands.dropSteps().filter((operand) => operand !== merged));
    if (merged !== null) lifetime.keep(merged);
  };
  const changesNow = (): number => state.shared.reduce((sum, { changes }) => sum + changes, 0);
  let changes = changesNow();
  const follow = (): void => {
    const now = changesNow();
    if (now === changes) return;
    changes = now;
    dropSteps();
  };
  const kernelOf = (variant: VariantManifest) =>
    required(chosen.kernels.get(variant), transform, variant.name);
  const kernelFor = (batch: number) => kernelOf(intervalAt(chosen.intervals, batch).variant);
  const operandsOf = (kernel: KernelManifest): ReadonlyMap<string, PackedOperand> => {
    lifetime.checkAlive(layer);
    return new Map(kernel.buffers.map(({ operand }) => [operand, operands.get(operand)]));
  };
  const callOf = (kernel: KernelManifest): KernelCall => {
    const known = calls.get(kernel);
    if (known !== undefined) return known;
    const { kernels: source, allocate, workspaces } = device;
    const call = prepareKernel(kernel, source, operandsOf(kernel), symbols, allocate, workspaces);
    calls.set(kernel, call);
    return call;
  };
  return {
    get intervals() {
      return chosen.intervals;
    },
    level,
    leaves,
    kernelOf,
    follow,
    followers,
    mergeNow,
    callFor(batch) {
      follow();
      return callOf(kernelFor(batch));
    },
    backwardCall() {
      follow();
      const kernel = backwardKernel(transform, device, symbols);
      const known = backwardCalls.get(kernel);
      if (known !== undefined) return known;
      const call = prepareBackward(kernel, device.kernels, operandsOf(kernel), symbols, device.workspaces);
      backwardCalls.set(kernel, call);
      return call;
    },
    weight() {
      lifetime.checkAlive(layer);
      follow();
      const packed = operands.merged();
      if (packed !== null) return unpackPanel16(packed);
      const operand = mergeNow();
      try {
        return unpackPanel16(operand);
      } finally {
        operand.block.free();
      }
    },
    during: lifetime.during,
    bytes: (batch) => [...operandsOf(kernelFor(batch)).values()].reduce((sum, { bytes }) => sum + bytes, 0),
    updated() {
      for (const shared of state.shared) shared.changes++;
      changes = changesNow();
      dropSteps();
    },
    moved() {
      chosen = chooseKernels();
      // Frames hold numbers that may have changed.
      calls.clear();
      backwardCalls.clear();
      dropSteps();
      for (const follower of followers) follower.moved();
    },
    dispose() {
      leaves.dropSteps();
      calls.clear();
      backwardCalls.clear();
      lifetime.retire(operands.dropAll());
      lifetime.end();
    },
  };
}

/** The variants that have a kernel for one of the levels and these arguments, each with the first that fits. */
function runnableKernels(
  transform: TransformManifest,
  levels: readonly string[],
  symbols: ReadonlyMap<string, number>,
): ReadonlyMap<VariantManifest, KernelManifest> {
  const runnable = new Map<VariantManifest, KernelManifest>();
  for (const variant of transform.plan.variants) {
    const [kernel = null] = levels.flatMap((level) => selectKernel(variant.kernels, level, symbols) ?? []);
    if (kernel !== null) runnable.set(variant, kernel);
  }
  if (runnable.size === 0) throw noKernel(transform, "any variant");
  return runnable;
}

function mergeKernel(
  transform: TransformManifest,
  device: CpuDevice,
  symbols: ReadonlyMap<string, number>,
): KernelManifest {
  const { merge, variants } = transform.plan;
  const kernels =
    merge.method === "kernel"
      ? merge.kernels
      : (variants.find(({ name }) => name === merge.variant)?.kernels ?? []);
  return required(selectKernel(kernels, device.level, symbols), transform, "the merge");
}

function backwardKernel(
  transform: TransformManifest,
  device: CpuDevice,
  symbols: ReadonlyMap<string, number>,
): KernelManifest {
  const { kernels } = transform.plan.backward;
  return required(selectKernel(kernels, device.level, symbols), transform, "the backward pass");
}

function required(
  kernel: KernelManifest | null | undefined,
  transform: TransformManifest,
  what: string,
): KernelManifest {
  if (kernel !== null && kernel !== undefined) return kernel;
  throw noKernel(transform, what);
}

function noKernel(transform: TransformManifest, what: string): SpxError {
  const text = `\`${transform.name}\` has no kernel for ${what} with these dimensions on this level`;
  return new SpxError("SPX8102", text, {
    facts: { transform: transform.name, what },
    help: "build the artefact again; if it stays, report it with the .spx file",
  });
}
