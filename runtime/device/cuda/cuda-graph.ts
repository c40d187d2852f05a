/**
 * Graphs: work that is put on a stream once, recorded instead of run, and then started again and again by one call.
 * A graph keeps the memory that its work uses; the order to what other streams do with it is made at each start.
 */
import type { CudaDriver } from "./cuda-driver.ts";
import type { Access, CudaStream, StreamState } from "./cuda-stream.ts";
import type { DeviceMemory } from "./device-memory.ts";
import { cudaSuccess, usedAfterDispose } from "./driver-errors.ts";
import { driverConstants } from "./driver-functions.ts";

export interface CudaGraph {
  /** Puts the recorded work on `stream`. @throws SpxError SPX8708 after `dispose`. */
  start(stream: CudaStream): void;
  /**
   * Records `work` anew and puts its addresses and numbers in place of the old; where the work itself differs the graph
   * is built anew. Nothing has changed when it throws.
   */
  record(work: (stream: CudaStream) => void): void;
  dispose(): void;
}

const releaseAll = (touched: ReadonlyMap<DeviceMemory, Access>): void => {
  for (const memory of touched.keys()) memory.release();
};

/** What a recording gave. */
interface Recording {
  readonly graph: bigint;
  /** Held. */
  readonly touched: ReadonlyMap<DeviceMemory, Access>;
}

/** `recorder` is a stream that nothing else uses. @throws whatever `work` throws, SpxError SPX8706 for work that cannot be recorded. */
export function createGraph(
  driver: CudaDriver,
  recorder: StreamState,
  work: (stream: CudaStream) => void,
): CudaGraph {
  const { executable: first, touched: firstTouched } = instantiate(
    driver,
    recordWork(driver, recorder, work),
  );
  let executable = first;
  let touched = firstTouched;
  let disposed = false;
  const keep = (next: ReadonlyMap<DeviceMemory, Access>): void => {
    releaseAll(touched);
    touched = next;
  };
  return {
    start(stream) {
      if (disposed) throw usedAfterDispose("a graph");
      for (const [memory, access] of touched) memory.use(stream, access);
      driver.call("cuGraphLaunch", executable, stream.handle);
    },
    record(next) {
      if (disposed) throw usedAfterDispose("a graph");
      const recording = recordWork(driver, recorder, next);
      if (update(driver, executable, recording)) {
        driver.status("cuGraphDestroy", recording.graph);
        keep(recording.touched);
        return;
      }
      const built = instantiate(driver, recording);
      driver.status("cuGraphExecDestroy", executable);
      executable = built.executable;
      keep(built.touched);
    },
    dispose() {
      if (disposed) return;
      disposed = true;
      driver.status("cuGraphExecDestroy", executable);
      releaseAll(touched);
    },
  };
}

function recordWork(
  driver: CudaDriver,
  recorder: StreamState,
  work: (stream: CudaStream) => void,
): Recording {
  const graph = new BigUint64Array(1);
  const touched = new Map<DeviceMemory, Access>();
  driver.call("cuStreamBeginCapture", recorder.handle, driverConstants.CU_STREAM_CAPTURE_MODE_RELAXED);
  recorder.touched = touched;
  let ended = false;
  try {
    work(recorder);
    ended = true;
    driver.callFor({ doing: "recording a graph" }, "cuStreamEndCapture", recorder.handle, graph);
    return { graph: graph[0] ?? 0n, touched };
  } catch (thrown) {
    // A recording that was begun has to be ended, whatever came of it.
    if (!ended) driver.status("cuStreamEndCapture", recorder.handle, graph);
    if (graph[0] !== 0n) driver.status("cuGraphDestroy", graph[0] ?? 0n);
    releaseAll(touched);
    throw thrown;
  } finally {
    recorder.touched = null;
  }
}

/** The recording as something that can be started; the recording itself is given back. */
function instantiate(
  driver: CudaDriver,
  { graph, touched }: Recording,
): { readonly executable: bigint; readonly touched: ReadonlyMap<DeviceMemory, Access> } {
  const executable = new BigUint64Array(1);
  try {
    driver.callFor({ doing: "building a graph" }, "cuGraphInstantiate", executable, graph, 0n);
  } catch (thrown) {
    releaseAll(touched);
    throw thrown;
  } finally {
    driver.status("cuGraphDestroy", graph);
  }
  return { executable: executable[0] ?? 0n, touched };
}

/** CUgraphExecUpdateResultInfo: an enumeration and two handles. */
const updateResultBytes = 24;

/** Whether the recording is the executable's work with other addresses and numbers; then they are in place. */
function update(driver: CudaDriver, executable: bigint, { graph, touched }: Recording): boolean {
  const result = new Uint8Array(updateResultBytes);
  const status = driver.status("cuGraphExecUpdate", executable, graph, result);
  if (status === cudaSuccess) return true;
  if (status === updateRefused) return false;
  driver.status("cuGraphDestroy", graph);
  releaseAll(touched);
  throw driver.failure("cuGraphExecUpdate", status);
}

/** CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE */
const updateRefused = 910;
