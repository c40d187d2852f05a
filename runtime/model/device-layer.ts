/**
 * A layer on a CUDA device as users see it: the parameters, patterns and clocks of a layer on the host, and its calls on
 * the device. What is given as a device tensor comes back as one; what is given from the host comes back to the host.
 */
import type { CudaElements } from "../contract/cuda.ts";
import type { CudaDevice } from "../device/cuda/cuda-device.ts";
import type { CudaStream } from "../device/cuda/cuda-stream.ts";
import type { DeviceTensor } from "../device/cuda/device-tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { LowRankAdapter } from "./adapter-factors.ts";
import type { BatchInput } from "./batch-input.ts";
import type {
  BackwardOptions,
  BackwardResult,
  DenseParameter,
  Layer,
  ParameterGradients,
  SparseParameter,
  TimeTypes,
} from "./layer.ts";

/** Where a layer is to run. */
export type CudaPlace = "cuda" | `cuda:${number}` | CudaDevice;

export interface DeviceOptions {
  /**
   * Number type of the calls; `f32`, or the first that the artefact has kernels for, unless given. Without a device `bf16`
   * is leave, not a demand: what weights held in bf16 multiply is rounded to bf16 where artefact and CPU have such kernels.
   */
  readonly elements?: CudaElements;
}

/** What `load` takes to give a layer on a device. */
export interface OnDevice extends DeviceOptions {
  readonly device: CudaPlace;
}

/** `OnDevice`, or nothing of it. */
export interface Placed<D extends CudaPlace | undefined> extends DeviceOptions {
  /** The layer is one on that device, as `to` gives it. */
  readonly device?: D;
}

/** What `load` gives. */
export type LayerAt<D extends CudaPlace | undefined, P, T extends TimeTypes> = D extends CudaPlace
  ? DeviceLayer<P, T>
  : Layer<P, T>;

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
  /** Kernels in the order of their launches, at that batch. */
  readonly kernels: readonly string[];
  /** What they were loaded from, e.g. `cubin sm_90a`. */
  readonly origin: string;
  readonly rules: readonly string[];
  readonly steps: readonly string[];
}

export type WithDeviceDx<P> = DeviceBackwardOptions<P> & { readonly dx?: true };
export type WithoutDeviceDx<P> = DeviceBackwardOptions<P> & { readonly dx: false };

/** dx lies on the device, gradients on the host, beside the parameters. */
export interface DeviceBackwardResult<P> extends ParameterGradients<P> {
  readonly dx: DeviceTensor;
}

/** A layer on a device with several low-rank adapters, one of which each token of a batch names. */
export interface DeviceAdapters {
  /** How many there are. */
  readonly count: number;
  /**
   * x [batch, in] → [batch, out] as `forward` of the layer, then y += scale B (A x) with the adapter that `index` names for
   * each token, -1 for none. y is rounded to the element type of the call before the addition and after it.
   * @throws SpxError as `forward` of the layer, SPX8404, SPX8405, SPX8407 for the index, SPX8407 inside a chain, whose
   *   later starts could not follow the index.
   */
  forward(
    x: DeviceTensor,
    index: Int32Array,
    options?: DeviceForwardOptions & { readonly y?: DeviceTensor },
  ): DeviceTensor;
  forward(
    x: BatchInput,
    index: Int32Array,
    options?: DeviceForwardOptions & { readonly y?: Float32Array },
  ): Tensor<"f32">;
  /** As `forward`; resolves when the device has done it. `index` must not change before. */
  forwardAsync(
    x: DeviceTensor,
    index: Int32Array,
    options?: DeviceForwardOptions & { readonly y?: DeviceTensor },
  ): Promise<DeviceTensor>;
  forwardAsync(
    x: BatchInput,
    index: Int32Array,
    options?: DeviceForwardOptions & { readonly y?: Float32Array },
  ): Promise<Tensor<"f32">>;
  /** Gives the memory of the factors back; the layer stays. */
  dispose(): void;
  [Symbol.dispose](): void;
}

export interface DeviceLayer<
  P = Readonly<Record<string, DenseParameter | SparseParameter>>,
  T extends TimeTypes = TimeTypes,
> extends Omit<
    Layer<P, T>,
    "forward" | "forwardAsync" | "adapters" | "backward" | "backwardAsync" | "plan" | "to"
  > {
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
  /**
   * As on the CPU, the factors on the device in the element type of the calls: two launches for all adapters of a batch,
   * behind those of the layer. @throws SpxError SPX8403 to SPX8409, SPX8705.
   */
  adapters(adapters: readonly LowRankAdapter[]): DeviceAdapters;
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
