/**
 * A layer on a CUDA device: the parameters, patterns and clocks of a layer on the host, and its calls on the device.
 * What is given as a device tensor comes back as one; what is given from the host comes back to the host.
 */
import type { CudaElements, CudaPlan } from "../contract/cuda.ts";
import type { TransformManifest } from "../contract/manifest.ts";
import type { CudaDevice, DeviceState } from "../device/cuda/cuda-device.ts";
import type { CudaKernels } from "../device/cuda/cuda-kernels.ts";
import type { CudaStream } from "../device/cuda/cuda-stream.ts";
import { type DeviceTensor, isDeviceTensor } from "../device/cuda/device-tensor.ts";
import { SpxError } from "../errors.ts";
import { fromFloat32, toFloat32 } from "../tensor/convert.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { type BatchInput, batchOf, outputFor } from "./batch-input.ts";
import { createDeviceBackward, createHostBackward } from "./device-backward.ts";
import { createCallCopies, deviceBatch, elementTypeOf } from "./device-batch.ts";
import { createDeviceCalls, type DeviceCalls, type DeviceInterval } from "./device-calls.ts";
import type {
  BackwardOptions,
  BackwardResult,
  Layer,
  LayerParts,
  ParameterGradients,
  TimeTypes,
} from "./layer.ts";
import { type BackwardEnds, createBackward, hostEnds } from "./layer-backward.ts";
import type { LayerCalls } from "./layer-calls.ts";

/** Where a layer is to run. */
export type CudaPlace = "cuda" | `cuda:${number}` | CudaDevice;

export interface DeviceOptions {
  /** Number type of the calls; `f32`, or the first that the artefact has kernels for, unless given. */
  readonly elements?: CudaElements;
}

/** What `load` takes to give a layer on a device. */
export interface OnDevice extends DeviceOptions {
  readonly device: CudaPlace;
}

export interface DeviceForwardOptions {
  /** The stream that the call is put on; the device's own unless given. */
  readonly stream?: CudaStream;
}

export interface DeviceBackwardOptions<P> extends BackwardOptions<P> {
  readonly stream?: CudaStream;
}

/** One interval of the batch and what is launched in it. */
export interface DevicePlanInterval {
  /** Batches from here up to and including `to` (null: without end). */
  readonly from: number;
  readonly to: number | null;
  readonly variant: string;
  readonly form: string;
  readonly elements: CudaElements;
  /** Predicted at batch `from`, or at the batch asked for. */
  readonly nanoseconds: number;
  /** Kernels in the order of their launches. */
  readonly kernels: readonly string[];
  /** What they were loaded from, e.g. `cubin sm_90a`. */
  readonly origin: string;
  readonly rules: readonly string[];
  readonly steps: readonly string[];
}

type WithDeviceDx<P> = DeviceBackwardOptions<P> & { readonly dx?: true };
type WithoutDeviceDx<P> = DeviceBackwardOptions<P> & { readonly dx: false };

/** dx lies on the device, gradients on the host, beside the parameters. */
export interface DeviceBackwardResult<P> extends ParameterGradients<P> {
  readonly dx: DeviceTensor;
}

export interface DeviceLayer<P = unknown, T extends TimeTypes = TimeTypes>
  extends Omit<Layer<P, T>, "forward" | "forwardAsync" | "backward" | "backwardAsync" | "plan" | "to"> {
  readonly device: CudaDevice;
  readonly elements: CudaElements;
  /** The same layer on the CPU, with the same parameters. */
  readonly host: Layer<P, T>;
  /**
   * x [batch, in] → [batch, out]. On a device tensor the work is put on the stream and the result, a new tensor or `y`,
   * is there in the order of the stream. On a host array it blocks, and the result is on the host.
   * @throws SpxError SPX8404, SPX8405, SPX8705 to SPX8708.
   */
  forward(x: DeviceTensor, options?: DeviceForwardOptions & { readonly y?: DeviceTensor }): DeviceTensor;
  forward(x: BatchInput, options?: DeviceForwardOptions & { readonly y?: Float32Array }): Tensor<"f32">;
  /** As `forward`; resolves when the device has done it, the event loop free meanwhile. */
  forwardAsync(
    x: DeviceTensor,
    options?: DeviceForwardOptions & { readonly y?: DeviceTensor },
  ): Promise<DeviceTensor>;
  forwardAsync(
    x: BatchInput,
    options?: DeviceForwardOptions & { readonly y?: Float32Array },
  ): Promise<Tensor<"f32">>;
  /** As on the CPU; dx lies where x and dy do. Blocks until the gradients of parameters are on the host. */
  backward(x: DeviceTensor, dy: DeviceTensor, options?: WithDeviceDx<P>): DeviceBackwardResult<P>;
  backward(x: DeviceTensor, dy: DeviceTensor, options: WithoutDeviceDx<P>): ParameterGradients<P>;
  backward(x: BatchInput, dy: BatchInput, options?: WithDeviceDx<P>): BackwardResult<P>;
  backward(x: BatchInput, dy: BatchInput, options: WithoutDeviceDx<P>): ParameterGradients<P>;
  backwardAsync(
    x: DeviceTensor,
    dy: DeviceTensor,
    options?: WithDeviceDx<P>,
  ): Promise<DeviceBackwardResult<P>>;
  backwardAsync(
    x: DeviceTensor,
    dy: DeviceTensor,
    options: WithoutDeviceDx<P>,
  ): Promise<ParameterGradients<P>>;
  backwardAsync(x: BatchInput, dy: BatchInput, options?: WithDeviceDx<P>): Promise<BackwardResult<P>>;
  backwardAsync(x: BatchInput, dy: BatchInput, options: WithoutDeviceDx<P>): Promise<ParameterGradients<P>>;
  /** Which variant is launched for which batch; with `batch`, for that one alone. */
  plan(batch?: number): readonly DevicePlanInterval[];
  /** Gives the memory on the device back; the layer on the host stays. */
  dispose(): void;
  [Symbol.dispose](): void;
}

export interface DeviceLayerParts {
  readonly parts: LayerParts;
  /** Calls of the layer on the host, and what stands for it in gradients. */
  readonly calls: LayerCalls;
  readonly hand: symbol;
  readonly plan: CudaPlan;
  readonly device: DeviceState;
  readonly kernels: CudaKernels;
  readonly elements: CudaElements;
}

/** @throws SpxError SPX8711 when nothing runs with these numbers in this number type. */
export function createDeviceLayer<P, T extends TimeTypes>(
  host: Layer<P, T>,
  given: DeviceLayerParts,
): DeviceLayer<P, T> {
  const { parts, device, kernels, elements } = given;
  const { transform, state } = parts;
  const { out, in: inputs } = host;
  const calls = createDeviceCalls({
    ...given,
    transform,
    name: host.name,
    state,
    allocate: parts.device.allocate,
  });
  const forward = createForward(host, transform, { device, elements }, calls);
  const dispose = (): void => calls.dispose();
  return {
    transform: host.transform,
    name: host.name,
    out,
    in: inputs,
    seed: host.seed,
    arguments: host.arguments,
    get trainable() {
      return host.trainable;
    },
    device,
    elements,
    host,
    ...forward,
    ...createGradients<P, T>(host, given, calls),
    prepare: calls.prepare,
    merge: host.merge,
    parameters: host.parameters,
    patterns: host.patterns,
    frozen: host.frozen,
    updated: host.updated,
    at: host.at,
    save: host.save,
    plan: (batch) => describePlan(calls, kernels, elements, batch),
    bytes: calls.bytes,
    dispose,
    [Symbol.dispose]: dispose,
  };
}

interface Place {
  readonly device: DeviceState;
  readonly elements: CudaElements;
}

function createForward<P, T extends TimeTypes>(
  { out, in: inputs }: Layer<P, T>,
  { name: transform }: TransformManifest,
  { device, elements }: Place,
  calls: DeviceCalls,
): Pick<DeviceLayer<P, T>, "forward" | "forwardAsync"> {
  const scene = { transform, elements, device };
  const onDevice = (x: DeviceTensor, y: DeviceTensor | undefined, stream: CudaStream): DeviceTensor => {
    const { values: input, batch } = deviceBatch(x, inputs, scene, "x");
    const result = y ?? device.empty(elementTypeOf(elements), [batch, out]);
    try {
      const { values: output, batch: rows } = deviceBatch(result, out, scene, "y");
      if (rows !== batch || output === input) throw unfitResult(transform, rows, batch);
      if (batch > 0) calls.forward({ input, output }, batch, stream);
      return result;
    } catch (thrown) {
      if (y === undefined) result.dispose();
      throw thrown;
    }
  };
  const onHost = (x: BatchInput, given: Float32Array | undefined, stream: CudaStream) => {
    const checked = batchOf(x, inputs, transform);
    const y = outputFor(given, checked, out);
    return { ...checked, y, copies: createCallCopies(device, elements, stream) };
  };
  return {
    // Each overload is one of the two roads; which one is the caller's choice of x.
    forward: ((x: DeviceTensor | BatchInput, options: { y?: never; stream?: CudaStream } = {}) => {
      const { y: given, stream = device.main } = options;
      if (isDeviceTensor(x)) return onDevice(x, given, stream);
      const { values, batch, y, copies } = onHost(x, given, stream);
      try {
        if (y.length > 0) {
          const output = copies.room(y.length);
          calls.forward({ input: copies.upload(values), output }, batch, stream);
          copies.download(output, y);
        }
        return tensor("f32", [batch, out], y);
      } finally {
        copies.end();
      }
    }) as DeviceLayer<P, T>["forward"],
    forwardAsync: (async (x: DeviceTensor | BatchInput, options: { y?: never; stream?: CudaStream } = {}) => {
      const { y: given, stream = device.main } = options;
      if (isDeviceTensor(x)) {
        const result = onDevice(x, given, stream);
        await stream.finished();
        return result;
      }
      const { values, batch, y, copies } = onHost(x, given, stream);
      try {
        if (y.length > 0) {
          const input = await copies.uploadAsync(values);
          const output = copies.room(y.length);
          calls.forward({ input, output }, batch, stream);
          await copies.downloadAsync(output, y);
        }
        return tensor("f32", [batch, out], y);
      } finally {
        copies.end();
      }
    }) as DeviceLayer<P, T>["forwardAsync"],
  };
}

function createGradients<P, T extends TimeTypes>(
  host: Layer<P, T>,
  { parts, calls: hostCalls, hand, device, elements }: DeviceLayerParts,
  calls: DeviceCalls,
): Pick<DeviceLayer<P, T>, "backward" | "backwardAsync"> {
  const { transform } = parts;
  const { out, in: inputs } = host;
  const scene = { transform: transform.name, elements, device };
  const during = (call: () => Promise<void>): Promise<void> => call();
  const where = (options: DeviceBackwardOptions<unknown> | undefined): CudaStream =>
    options?.stream ?? device.main;
  const tensorEnds: BackwardEnds<
    DeviceTensor,
    DeviceTensor["memory"],
    DeviceTensor,
    CudaStream,
    DeviceTensor
  > = {
    check: (x, columns, name) => deviceBatch(x, columns, scene, name),
    room: (batch) => device.empty(elementTypeOf(elements), [batch, inputs]),
    give: (dx) => dx,
    where,
  };
  const onDevice = createDeviceBackward(transform, calls, device);
  const onHost = createHostBackward(onDevice, elements, device, inputs);
  const size = { out, inputs };
  const { leaves } = hostCalls;
  const tensors = createBackward<
    P,
    DeviceTensor,
    DeviceTensor["memory"],
    DeviceTensor,
    CudaStream,
    DeviceTensor
  >(parts, hand, size, { leaves, during, backwardCall: () => onDevice }, tensorEnds);
  const arrays = createBackward(
    parts,
    hand,
    size,
    { leaves, during, backwardCall: () => onHost },
    { ...hostEnds(parts, inputs), where },
  );
  /** A plan without gradients in this number type says so in its notes: the CPU forms them. */
  const byHost = {
    backward(x: DeviceTensor, dy: DeviceTensor, options?: DeviceBackwardOptions<P>) {
      const [hostX, hostDy] = [x, dy].map((each) => widened(each.toHostSync(options?.stream)));
      return lifted(host.backward(hostX as BatchInput, hostDy as BatchInput, options as WithDeviceDx<P>));
    },
    async backwardAsync(x: DeviceTensor, dy: DeviceTensor, options?: DeviceBackwardOptions<P>) {
      const [hostX, hostDy] = await Promise.all(
        [x, dy].map(async (each) => widened(await each.toHost(options?.stream))),
      );
      return lifted(
        await host.backwardAsync(hostX as BatchInput, hostDy as BatchInput, options as WithDeviceDx<P>),
      );
    },
  };
  const widened = (values: Tensor): Tensor<"f32"> => tensor("f32", values.shape, toFloat32(values));
  const lifted = ({ grads, dx }: Partial<BackwardResult<P>> & ParameterGradients<P>) =>
    dx === undefined
      ? { grads }
      : { grads, dx: device.uploadSync(fromFloat32(elementTypeOf(elements), dx.shape, dx.data)) };
  const road = (x: DeviceTensor | BatchInput) => {
    if (isDeviceTensor(x)) return calls.hasBackward ? tensors : byHost;
    return calls.hasBackward ? arrays : host;
  };
  return {
    // Each overload is one of the roads; which one is the caller's choice of x.
    backward: ((x: never, dy: never, options: never) => road(x).backward(x, dy, options)) as DeviceLayer<
      P,
      T
    >["backward"],
    backwardAsync: (async (x: never, dy: never, options: never) =>
      road(x).backwardAsync(x, dy, options)) as DeviceLayer<P, T>["backwardAsync"],
  };
}

function describePlan(
  calls: DeviceCalls,
  { origin }: CudaKernels,
  elements: CudaElements,
  batch: number | undefined,
): DevicePlanInterval[] {
  const shown: readonly DeviceInterval[] = batch === undefined ? calls.intervals : [calls.intervalAt(batch)];
  return shown.map(({ variant, sequence, from, to }) => ({
    from,
    to,
    variant: variant.name,
    form: variant.form,
    elements,
    nanoseconds: calls.cost(variant, batch ?? from),
    kernels: sequence.steps.flatMap((step) => (step.kind === "launch" ? [step.kernel] : [])),
    origin,
    rules: variant.rules,
    steps: variant.lines,
  }));
}

function unfitResult(transform: string, rows: number, batch: number): SpxError {
  const text =
    rows === batch
      ? `\`y\` of \`${transform}\` is \`x\` itself`
      : `\`y\` of \`${transform}\` has ${rows} rows, \`x\` has ${batch}`;
  return new SpxError(rows === batch ? "SPX8407" : "SPX8405", text, {
    facts: { transform, rows, batch },
    help: "give a tensor of its own with a row for each row of x, or none",
  });
}
