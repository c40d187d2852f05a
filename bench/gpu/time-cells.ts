/**
 * Times of a cell on a device: several copies of the layer and its batch, more than the cache holds, run one after the
 * other in one graph, so that what is read comes from memory and no launch waits for the host.
 */
import type { DeviceState } from "../../runtime/device/cuda/cuda-device.ts";
import { createGraph } from "../../runtime/device/cuda/cuda-graph.ts";
import { createEvent, type StreamState } from "../../runtime/device/cuda/cuda-stream.ts";
import type { DeviceTensor } from "../../runtime/device/cuda/device-tensor.ts";
import { driverConstants } from "../../runtime/device/cuda/driver-functions.ts";
import { elementTypeOf } from "../../runtime/model/device-batch.ts";
import type { DeviceLayer } from "../../runtime/model/device-layer.ts";
import type { Artefact } from "../../runtime/model/open-artefact.ts";
import { fillNormal } from "../../runtime/random/distributions.ts";
import { randomStream } from "../../runtime/random/philox.ts";
import { fromFloat32 } from "../../runtime/tensor/convert.ts";
import { loadRandom } from "./check-numbers.ts";
import type { GpuCell } from "./gpu-cells.ts";

export interface TimedCell {
  /** Copies that are run one after the other. */
  readonly copies: number;
  /** Variant and kernels that are launched. */
  readonly plan: string;
  /** Nanoseconds of one call, this time. */
  time(): number;
  dispose(): void;
}

/** Of the second-level cache: what all copies read together. */
const pastCache = 2.5;
const mostCopies = 12;
const leastNanoseconds = 20e6;

export async function prepareCell(
  cell: GpuCell,
  artefact: Artefact,
  device: DeviceState,
): Promise<TimedCell> {
  const { operation, out, in: inputs, batch, elements, numbers } = cell;
  const type = elementTypeOf(elements);
  const made: { dispose(): void }[] = [];
  const layers: DeviceLayer[] = [];
  const load = async (): Promise<DeviceLayer> => {
    const host = await loadRandom(artefact, operation, [out, inputs], 1 + layers.length, numbers);
    if (host === null) throw new RangeError(`${operation} refuses ${out}x${inputs}`);
    const there = await host.to(device, { elements });
    there.prepare(batch);
    made.push(there);
    layers.push(there);
    return there;
  };
  const first = await load();
  const width = type === "f32" ? 4 : 2;
  const bytes = first.bytes(batch) + width * batch * (out + inputs);
  const copies = Math.min(mostCopies, Math.ceil((pastCache * device.context.properties.cacheBytes) / bytes));
  while (layers.length < copies) await load();
  const noise = (name: string, count: number, shape: readonly number[]) =>
    device.uploadSync(fromFloat32(type, shape, fillNormal(randomStream(7, name), new Float32Array(count))));
  const batches = layers.map((layer, index) => {
    const x = noise(`x${index}`, batch * inputs, [batch, inputs]);
    const dy = noise(`dy${index}`, batch * out, [batch, out]);
    const y = device.empty(type, [batch, out]);
    made.push(x, y, dy);
    return { layer, x, y, dy };
  });
  const [interval] = first.plan(batch);
  const plan = `${interval?.variant}: ${interval?.kernels.join(", ")}`;
  const dispose = (): void => {
    for (const each of made.reverse()) each.dispose();
  };
  if (cell.pass === "training") return { copies, plan, dispose, time: trainingTime(batches) };
  for (const { layer, x, y } of batches) layer.forward(x, { y });
  const recorder = device.stream() as StreamState;
  made.push(recorder);
  const graph = createGraph(device.context.driver, recorder, (stream) => {
    for (const { layer, x, y } of batches) layer.forward(x, { y, stream });
  });
  made.push(graph);
  const { driver } = device.context;
  const clock = [0, 0].map(() => createEvent(driver, driverConstants.CU_EVENT_DEFAULT)) as [bigint, bigint];
  made.push({ dispose: () => clock.forEach((event) => void driver.status("cuEventDestroy", event)) });
  return { copies, plan, dispose, time: graphTime(device, clock, () => graph.start(device.main), copies) };
}

/** Time by the device's own clock, of as many starts as it takes to be exact. */
function graphTime(
  device: DeviceState,
  [before, after]: readonly [bigint, bigint],
  start: () => void,
  copies: number,
): () => number {
  const { driver } = device.context;
  const elapsed = new Float32Array(1);
  const run = (starts: number): number => {
    driver.call("cuEventRecord", before, device.main.handle);
    for (let i = 0; i < starts; i++) start();
    driver.call("cuEventRecord", after, device.main.handle);
    device.main.synchronize();
    driver.call("cuEventElapsedTime", elapsed, before, after);
    return (elapsed[0] ?? 0) * 1e6;
  };
  run(2);
  const starts = Math.max(3, Math.ceil(leastNanoseconds / Math.max(run(3) / 3, 1)));
  return () => run(starts) / starts / copies;
}

/** Forward and backward as a caller has them: gradients of parameters come back to the host, which is part of the time. */
function trainingTime(
  batches: readonly { layer: DeviceLayer; x: DeviceTensor; y: DeviceTensor; dy: DeviceTensor }[],
): () => number {
  return () => {
    const begin = process.hrtime.bigint();
    for (const { layer, x, y, dy } of batches) {
      layer.forward(x, { y });
      layer.backward(x, dy).dx.dispose();
    }
    return Number(process.hrtime.bigint() - begin) / batches.length;
  };
}
