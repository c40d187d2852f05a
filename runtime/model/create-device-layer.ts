/** Makes the layer on a device of a layer on the host: its two roads, for tensors of the device and arrays of the host. */
import type { CudaElements, CudaPlan } from "../contract/cuda.ts";
import type { TransformManifest } from "../contract/manifest.ts";
import type { DeviceState } from "../device/cuda/cuda-device.ts";
import type { CudaKernels } from "../device/cuda/cuda-kernels.ts";
import type { CudaStream } from "../device/cuda/cuda-stream.ts";
import { type DeviceTensor, isDeviceTensor } from "../device/cuda/device-tensor.ts";
import { SpxError } from "../errors.ts";
import { fromFloat32, toFloat32 } from "../tensor/convert.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { packAdapters } from "./adapter-factors.ts";
import { type BatchInput, batchOf, outputFor } from "./batch-input.ts";
import { createDeviceAdapters, type DevicePlace } from "./device-adapters.ts";
import { createDeviceBackward, createHostBackward } from "./device-backward.ts";
import { createCallCopies, deviceBatch, elementTypeOf } from "./device-batch.ts";
import { createDeviceCalls, type DeviceCalls, type DeviceInterval } from "./device-calls.ts";
import type { DeviceBackwardOptions, DeviceLayer, DevicePlanInterval, WithDeviceDx } from "./device-layer.ts";
import type { BackwardResult, Layer, LayerParts, ParameterGradients, TimeTypes } from "./layer.ts";
import { type BackwardEnds, createBackward, hostEnds } from "./layer-backward.ts";
import type { LayerCalls } from "./layer-calls.ts";

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
  const place = { device, elements };
  const forward = createForward(host, transform, place, calls.forward);
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
    adapters: (adapters) =>
      createDeviceAdapters(packAdapters(transform, host, adapters), calls, place, (put) =>
        createForward(host, transform, place, put),
      ),
    ...createGradients<P, T>(host, given, calls),
    prepare: calls.prepare,
    merge: host.merge,
    parameters: host.parameters,
    patterns: host.patterns,
    frozen: host.frozen,
    updated: host.updated,
    adamW: host.adamW,
    at: host.at,
    save: host.save,
    plan: (batch) => describePlan(calls, kernels, elements, batch),
    bytes: calls.bytes,
    dispose,
    [Symbol.dispose]: dispose,
  };
}

/** The two roads of a forward call; `put` puts its work on a stream. */
function createForward<P, T extends TimeTypes>(
  { out, in: inputs }: Layer<P, T>,
  { name: transform }: TransformManifest,
  { device, elements }: DevicePlace,
  put: DeviceCalls["forward"],
): Pick<DeviceLayer<P, T>, "forward" | "forwardAsync"> {
  const scene = { transform, elements, device };
  const onDevice = (x: DeviceTensor, y: DeviceTensor | undefined, stream: CudaStream): DeviceTensor => {
    const { values: input, batch } = deviceBatch(x, inputs, scene, "x");
    const result = y ?? device.empty(elementTypeOf(elements), [batch, out]);
    try {
      const { values: output, batch: rows } = deviceBatch(result, out, scene, "y");
      if (rows !== batch || output === input) throw unfitResult(transform, rows, batch);
      if (batch > 0) put({ input, output }, batch, stream);
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
          put({ input: copies.upload(values), output }, batch, stream);
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
          put({ input, output }, batch, stream);
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
    kernels: calls.kernels(sequence, batch ?? from),
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
