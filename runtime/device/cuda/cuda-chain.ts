/**
 * Chains: work on one tensor, recorded as a graph for each shape of it. A shape met for the first time is worked
 * through once as it is, which packs and loads whatever the work needs, and recorded the second time.
 */
import type { Tensor } from "../../tensor/tensor.ts";
import type { DeviceState } from "./cuda-device.ts";
import { type CudaGraph, createGraph } from "./cuda-graph.ts";
import type { CudaStream, StreamState } from "./cuda-stream.ts";
import type { DeviceElementType, DeviceTensor } from "./device-tensor.ts";
import { usedAfterDispose } from "./driver-errors.ts";

export interface CudaChain<A extends DeviceElementType, B extends DeviceElementType> {
  /**
   * The chain on `x`. The result is the chain's own tensor: it is good until the next run with this shape, and is
   * disposed with the chain.
   */
  run(x: DeviceTensor<A>, stream?: CudaStream): DeviceTensor<B>;
  /** The chain on a host tensor, and its result on the host, without blocking the event loop. */
  runAsync(x: Tensor<A>, stream?: CudaStream): Promise<Tensor<B>>;
  /** Shapes that are recorded. */
  readonly recorded: number;
  dispose(): void;
  [Symbol.dispose](): void;
}

/** What is kept of one shape. */
interface Recorded<A extends DeviceElementType, B extends DeviceElementType> {
  readonly x: DeviceTensor<A>;
  y: DeviceTensor<B>;
  readonly graph: CudaGraph;
  /** `DeviceState.replaced` when it was recorded: recorded work reads the memory of that time. */
  replaced: number;
}

/** `recorder` belongs to the chain. */
export function createChain<A extends DeviceElementType, B extends DeviceElementType>(
  device: DeviceState,
  recorder: StreamState,
  work: (x: DeviceTensor<A>, stream: CudaStream) => DeviceTensor<B>,
): CudaChain<A, B> {
  const { driver } = device.context;
  const shapes = new Map<string, Recorded<A, B>>();
  let disposed = false;
  /** Runs `work` as it is, so that nothing is left to pack, load or compile while it is recorded. */
  const workThrough = (x: DeviceTensor<A>): void => work(x, device.main).dispose();
  const record = (elementType: A, shape: readonly number[]): Recorded<A, B> => {
    const x = device.empty(elementType, shape);
    let y: DeviceTensor<B> | null = null;
    try {
      workThrough(x);
      const graph = createGraph(driver, recorder, (stream) => {
        y = work(x, stream);
      });
      if (y === null) throw new RangeError("the work of a chain gave no tensor");
      return { x, y, graph, replaced: device.replaced.count };
    } catch (thrown) {
      (y as DeviceTensor<B> | null)?.dispose();
      x.dispose();
      throw thrown;
    }
  };
  const recordAnew = (known: Recorded<A, B>): void => {
    workThrough(known.x);
    let y = known.y;
    try {
      known.graph.record((stream) => {
        y = work(known.x, stream);
      });
    } catch (thrown) {
      if (y !== known.y) y.dispose();
      throw thrown;
    }
    known.y.dispose();
    known.y = y;
    known.replaced = device.replaced.count;
  };
  const recordingFor = (elementType: A, shape: readonly number[]): Recorded<A, B> => {
    if (disposed) throw usedAfterDispose("a chain");
    device.checkOpen();
    const key = `${elementType} ${shape.join(" ")}`;
    const known = shapes.get(key);
    if (known === undefined) {
      const made = record(elementType, shape);
      shapes.set(key, made);
      return made;
    }
    if (known.replaced !== device.replaced.count) recordAnew(known);
    return known;
  };
  const dispose = (): void => {
    if (disposed) return;
    disposed = true;
    for (const { x, y, graph } of shapes.values()) {
      graph.dispose();
      x.dispose();
      y.dispose();
    }
    shapes.clear();
    recorder.dispose();
  };
  return {
    run(x, stream = device.main) {
      const known = recordingFor(x.elementType, x.shape);
      const { memory } = x;
      if (memory !== known.x.memory && memory.bytes > 0) {
        memory.use(stream, "read");
        known.x.memory.use(stream, "write");
        driver.call("cuMemcpyDtoDAsync", known.x.memory.address, memory.address, memory.bytes, stream.handle);
      }
      known.graph.start(stream);
      return known.y;
    },
    async runAsync(x, stream = device.main) {
      const known = recordingFor(x.elementType, x.shape);
      // Put on the stream in one go: another run of this shape may start before the result has been read.
      device.copies.upload(x.data, known.x.memory, stream);
      known.graph.start(stream);
      return known.y.toHost(stream);
    },
    get recorded() {
      return shapes.size;
    },
    dispose,
    [Symbol.dispose]: dispose,
  };
}
