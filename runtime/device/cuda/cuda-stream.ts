/**
 * Streams: queues of a device whose entries run one after the other. A host waits for one without blocking its event
 * loop by asking an event again and again; streams wait for each other on the device.
 */
import type { CudaDriver } from "./cuda-driver.ts";
import type { DeviceMemory } from "./device-memory.ts";
import { cudaNotReady, cudaSuccess, usedAfterDispose } from "./driver-errors.ts";
import { driverConstants } from "./driver-functions.ts";

/** A queue of work on a device. */
export interface CudaStream {
  /** The driver's handle. @throws SpxError SPX8708 after `dispose`. */
  readonly handle: bigint;
  /** Resolves when everything put on the stream so far is done; the event loop stays free. */
  finished(): Promise<void>;
  /** Blocks until everything put on the stream so far is done. */
  synchronize(): void;
  /** What is put on this stream from now on starts after what `other` has so far. */
  waitFor(other: CudaStream): void;
  /** Gives the stream back; what it has still to do is done. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** How work uses memory. */
export type Access = "read" | "write";

/** A stream as the runtime sees it. */
export interface StreamState extends CudaStream {
  /** The stream that stands in for one that is gone: it waits for what that one had to do. */
  readonly successor: StreamState | null;
  /** While a graph is recorded: what its work uses, held. The order to other streams is then made at each start. */
  touched: Map<DeviceMemory, Access> | null;
}

export interface EventPool {
  /** An event recorded on the stream now. */
  record(stream: CudaStream): bigint;
  give(event: bigint): void;
  /** Resolves when `event` has happened, and gives it back. */
  happened(event: bigint): Promise<void>;
  dispose(): void;
}

/** Events without times, which are cheap and used again. */
export function createEventPool(driver: CudaDriver): EventPool {
  const free: bigint[] = [];
  const give = (event: bigint): void => void free.push(event);
  return {
    record(stream) {
      const event = free.pop() ?? createEvent(driver, driverConstants.CU_EVENT_DISABLE_TIMING);
      try {
        driver.call("cuEventRecord", event, stream.handle);
        return event;
      } catch (thrown) {
        give(event);
        throw thrown;
      }
    },
    give,
    async happened(event) {
      try {
        await untilHappened(driver, event);
      } finally {
        give(event);
      }
    },
    dispose() {
      for (const event of free.splice(0)) driver.status("cuEventDestroy", event);
    },
  };
}

export function createEvent(driver: CudaDriver, flags: number): bigint {
  const handle = new BigUint64Array(1);
  driver.call("cuEventCreate", handle, flags);
  return handle[0] ?? 0n;
}

/** Turns of the event loop before polls are spread out: short work is answered at once, long work costs no CPU. */
const eagerPolls = 256;

async function untilHappened(driver: CudaDriver, event: bigint): Promise<void> {
  for (let polls = 0; ; polls++) {
    const status = driver.status("cuEventQuery", event);
    if (status === cudaSuccess) return;
    if (status !== cudaNotReady)
      throw driver.failure("cuEventQuery", status, { doing: "waiting for the device" });
    await new Promise<void>((resolve) => {
      if (polls < eagerPolls) setImmediate(resolve);
      else setTimeout(resolve, 1);
    });
  }
}

/** A stream of its own. Once disposed `main` stands in for it; null for the main stream itself. */
export function createStream(driver: CudaDriver, events: EventPool, main: StreamState | null): StreamState {
  const created = new BigUint64Array(1);
  driver.call("cuStreamCreate", created, driverConstants.CU_STREAM_NON_BLOCKING);
  const handle = created[0] ?? 0n;
  let disposed = false;
  const dispose = (): void => {
    if (disposed) return;
    try {
      main?.waitFor(stream);
    } finally {
      disposed = true;
      driver.status("cuStreamDestroy", handle);
    }
  };
  const stream: StreamState = {
    touched: null,
    get successor() {
      return disposed ? main : null;
    },
    get handle() {
      if (disposed) throw usedAfterDispose("a stream");
      return handle;
    },
    finished: async () => events.happened(events.record(stream)),
    synchronize: () =>
      driver.callFor({ doing: "waiting for the device" }, "cuStreamSynchronize", stream.handle),
    waitFor(other) {
      if (other === stream) return;
      const event = events.record(other);
      try {
        driver.call("cuStreamWaitEvent", stream.handle, event, 0);
      } finally {
        // A wait reads the event when it is put on the stream, so that the event can be recorded anew at once.
        events.give(event);
      }
    },
    dispose,
    [Symbol.dispose]: dispose,
  };
  return stream;
}
