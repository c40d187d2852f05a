/**
 * The calls of a layer on a device: which variant serves a batch there, its launches bound to operands on the device
 * when first needed, and bound anew after parameters or numbers changed.
 */
import { batchIntervals } from "../contract/batch-intervals.ts";
import {
  adapterCount,
  adapterRank,
  type CudaElements,
  type CudaPlan,
  type CudaSequence,
  type CudaVariant,
  runsArchitecture,
} from "../contract/cuda.ts";
import { type TransformManifest, wantsDx } from "../contract/manifest.ts";
import { evaluateNumber, type NumberExpression } from "../contract/number-expression.ts";
import type { DeviceState } from "../device/cuda/cuda-device.ts";
import type { CudaKernels } from "../device/cuda/cuda-kernels.ts";
import type { CudaStream } from "../device/cuda/cuda-stream.ts";
import { type CallMemory, prepareSequence, type SequenceCall } from "../device/cuda/launch-call.ts";
import { SpxError } from "../errors.ts";
import type { Allocate } from "../formats/packed-operand.ts";
import { createDeviceOperands } from "./device-operands.ts";
import type { LayerState } from "./initial-state.ts";
import type { LayerCalls } from "./layer-calls.ts";

/** Batches `from` up to and including `to` (null: without end). */
export interface DeviceInterval {
  readonly variant: CudaVariant;
  readonly sequence: CudaSequence;
  readonly from: number;
  readonly to: number | null;
}

/** Memory of a call but its workspace, which is taken from the device's pool. */
export type BoundMemory = Omit<CallMemory, "workspace">;

/** Adds to the output in `memory`. */
export type Adding = (memory: BoundMemory, batch: number, stream: CudaStream) => void;

export interface DeviceCalls {
  readonly intervals: readonly DeviceInterval[];
  intervalAt(batch: number): DeviceInterval;
  cost(variant: CudaVariant, batch: number): number;
  /** Kernels that a batch launches, in order: those with a condition that does not hold, or no blocks, are left out. */
  kernels(sequence: CudaSequence, batch: number): readonly string[];
  /** Packs, copies and binds what a batch of that size needs. */
  prepare(batch: number): void;
  /** Puts a forward call on the stream. @throws SpxError SPX8306 after `dispose`. */
  forward(memory: BoundMemory, batch: number, stream: CudaStream): void;
  /** Whether gradients are formed on the device. */
  readonly hasBackward: boolean;
  backward(memory: BoundMemory, batch: number, stream: CudaStream): void;
  /** What a call with so many adapters, of ranks up to `largest`, puts behind a forward call. @throws SpxError SPX8711. */
  adapters(count: number, largest: number): Adding;
  /** Bytes of the operands that a batch reads. */
  bytes(batch: number): number;
  dispose(): void;
}

export interface DeviceCallParts {
  readonly transform: TransformManifest;
  readonly plan: CudaPlan;
  /** Of the layer, for messages. */
  readonly name: string;
  readonly state: LayerState;
  /** Of the layer on the host. */
  readonly calls: LayerCalls;
  readonly allocate: Allocate;
  readonly device: DeviceState;
  readonly kernels: CudaKernels;
  readonly elements: CudaElements;
}

/** @throws SpxError SPX8711 when no variant of the plan runs with these numbers in this number type. */
export function createDeviceCalls(parts: DeviceCallParts): DeviceCalls {
  const { plan, state, calls, device, kernels, elements, name } = parts;
  const { symbols } = state;
  const operands = createDeviceOperands(plan, state, calls, parts.allocate, device);
  const cost = (variant: CudaVariant, batch: number): number =>
    evaluateNumber(variant.cost, new Map(symbols).set("batch", batch));
  const choose = () => chooseIntervals(parts, cost);
  let intervals = choose();
  let disposed = false;
  const bound = new Map<CudaSequence, SequenceCall>();
  const backwardSequence = (): CudaSequence | null => {
    const backward = plan.backward.find((candidate) => candidate.elements === elements);
    return backward === undefined ? null : runnable(parts, backward.sequences);
  };
  const callOf = (sequence: CudaSequence): SequenceCall => {
    calls.follow();
    if (disposed) throw usedAfter(name);
    device.checkOpen();
    const known = bound.get(sequence);
    if (known !== undefined) return known;
    const { driver } = device.context;
    const call = prepareSequence(driver, kernels, sequence, operands.buffer, symbols);
    bound.set(sequence, call);
    return call;
  };
  const put = (sequence: CudaSequence, memory: BoundMemory, batch: number, stream: CudaStream): void => {
    putCall(callOf(sequence), memory, batch, stream);
  };
  const putCall = (call: SequenceCall, memory: BoundMemory, batch: number, stream: CudaStream): void => {
    const bytes = call.workspace(batch);
    if (bytes === 0) {
      call.run({ ...memory, workspace: null }, batch, stream);
      return;
    }
    const workspace = device.workspaces.take(bytes);
    try {
      call.run({ ...memory, workspace: workspace.block }, batch, stream);
    } finally {
      // Whoever takes it next is ordered behind this call.
      device.workspaces.give(workspace);
    }
  };
  const intervalAt = (batch: number): DeviceInterval => {
    const wanted = Math.max(1, batch);
    const found = intervals.find(({ from, to }) => from <= wanted && (to === null || wanted <= to));
    if (found === undefined) throw new RangeError(`no variant for batch ${batch}`);
    return found;
  };
  const dropSteps = (): void => {
    if (!operands.dropSteps()) return;
    bound.clear();
    device.replaced.count++;
  };
  const follower = {
    dropSteps,
    moved(): void {
      operands.dropSteps();
      bound.clear();
      device.replaced.count++;
      intervals = choose();
    },
  };
  calls.followers.add(follower);
  return {
    get intervals() {
      return intervals;
    },
    intervalAt,
    cost,
    kernels: ({ steps }, batch) => {
      const numbers = new Map(symbols).set("batch", batch).set(wantsDx, 1);
      const holds = (value: NumberExpression): boolean => evaluateNumber(value, numbers) !== 0;
      return steps.flatMap((step) =>
        step.kind === "launch" && step.grid.every(holds) && (step.condition === null || holds(step.condition))
          ? [step.kernel]
          : [],
      );
    },
    prepare: (batch) => callOf(intervalAt(batch).sequence).prepare(batch),
    forward: (memory, batch, stream) => put(intervalAt(batch).sequence, memory, batch, stream),
    get hasBackward() {
      return backwardSequence() !== null;
    },
    backward(memory, batch, stream) {
      const sequence = backwardSequence();
      if (sequence === null) throw new RangeError("the plan has no backward pass in this number type");
      put(sequence, memory, batch, stream);
    },
    adapters(count, largest) {
      const adapters = plan.adapters.find((candidate) => candidate.elements === elements);
      const sequence = adapters === undefined ? null : runnable(parts, adapters.sequences);
      if (sequence === null) throw withoutKernels(parts, "adapters");
      const numbers = new Map(symbols).set(adapterCount, count).set(adapterRank, largest);
      const { driver } = device.context;
      const call = prepareSequence(driver, kernels, sequence, operands.buffer, numbers);
      return (memory, batch, stream) => putCall(call, memory, batch, stream);
    },
    bytes(batch) {
      calls.follow();
      return operandNames(intervalAt(batch).sequence).reduce(
        (sum, operand) => sum + operands.bytes(operand),
        0,
      );
    },
    dispose() {
      disposed = true;
      calls.followers.delete(follower);
      bound.clear();
      operands.dropAll();
    },
  };
}

/** The first that the loaded kernels run and whose guard holds. */
function runnable(
  { kernels, state }: DeviceCallParts,
  sequences: readonly CudaSequence[],
): CudaSequence | null {
  const fits = ({ architecture, guard }: CudaSequence): boolean =>
    runsArchitecture(kernels.architecture, architecture) &&
    (guard === null || evaluateNumber(guard, state.symbols) !== 0);
  return sequences.find(fits) ?? null;
}

function chooseIntervals(
  parts: DeviceCallParts,
  cost: (variant: CudaVariant, batch: number) => number,
): readonly DeviceInterval[] {
  const { plan, elements } = parts;
  const candidates = plan.variants.flatMap((variant) => {
    if (variant.elements !== elements) return [];
    const sequence = runnable(parts, variant.sequences);
    return sequence === null ? [] : [{ variant, sequence }];
  });
  if (candidates.length === 0) {
    throw withoutKernels(parts, "forward");
  }
  const costs = candidates.map(
    ({ variant }) =>
      (batch: number) =>
        cost(variant, batch),
  );
  return batchIntervals(costs).flatMap(({ choice, from, to }) => {
    const chosen = candidates[choice];
    return chosen === undefined ? [] : [{ ...chosen, from, to }];
  });
}

function withoutKernels({ transform, elements }: DeviceCallParts, what: string): SpxError {
  const text = `\`${transform.name}\` has no CUDA kernels for ${elements} with these numbers`;
  return new SpxError("SPX8711", text, {
    facts: { transform: transform.name, elements, what },
    help: "build the artefact again for this number type, or give another as `elements`",
  });
}

const operandNames = ({ steps }: CudaSequence): readonly string[] => {
  const names = steps.flatMap((step) =>
    step.kind === "launch"
      ? step.arguments.flatMap((argument) => (argument.kind === "operand" ? [argument.operand] : []))
      : [],
  );
  return [...new Set(names)];
};

function usedAfter(layer: string): SpxError {
  return new SpxError("SPX8306", `the layer \`${layer}\` was used on a device after it was disposed of`, {
    facts: { layer },
    help: "load it again, or dispose of it later",
  });
}
