/**
 * Memory of a device that knows which streams use it: work on another stream waits for the work it depends on, and
 * memory is given back only after the last of it. So that no caller has to order streams by hand.
 */
import type { CudaContext } from "./cuda-context.ts";
import type { Access, CudaStream, StreamState } from "./cuda-stream.ts";
import { cudaSuccess, isLost, usedAfterDispose } from "./driver-errors.ts";

export interface DeviceMemory {
  /** Of the first byte, a multiple of 256. @throws SpxError SPX8708 after `free`. */
  readonly address: bigint;
  readonly bytes: number;
  /** To be called before work that uses the memory is put on `stream`. @throws SpxError SPX8708 after `free`. */
  use(stream: CudaStream, access: Access): void;
  /** Keeps the memory although it is freed, until `release`: a graph that was captured reads it. */
  hold(): void;
  release(): void;
  /** Gives the memory back once nothing uses it; a second call does nothing. */
  free(): void;
}

export interface DeviceHeap {
  /** Uninitialised memory; 0 bytes give a valid address. @throws SpxError SPX8705 when the device has no room. */
  allocate(bytes: number): DeviceMemory;
  /** Bytes allocated and not given back. */
  readonly bytesInUse: number;
  /** What gives memory back when the device has no room left. */
  readonly reserves: Set<() => void>;
  /** Gives back what is left, held or not: the device has done its work and is about to be closed. */
  freeAll(): void;
}

/** Memory of the context, in the order of `main` where the device can. */
export function createHeap({ driver, properties }: CudaContext, main: StreamState): DeviceHeap {
  let bytesInUse = 0;
  const reserves = new Set<() => void>();
  /** Address → bytes of what was not given back. */
  const live = new Map<bigint, number>();
  const address = new BigUint64Array(1);
  const ask = (bytes: number): number =>
    properties.memoryPools
      ? driver.status("cuMemAllocAsync", address, bytes, main.handle)
      : driver.status("cuMemAlloc", address, bytes);
  const reserveAgain = (bytes: number): number => {
    const status = ask(bytes);
    if (status !== outOfMemory || reserves.size === 0) return status;
    for (const giveBack of reserves) giveBack();
    main.synchronize();
    return ask(bytes);
  };
  const call = properties.memoryPools ? "cuMemFreeAsync" : "cuMemFree";
  const giveBack = (at: bigint): number => {
    bytesInUse -= live.get(at) ?? 0;
    live.delete(at);
    return properties.memoryPools
      ? driver.status("cuMemFreeAsync", at, main.handle)
      : driver.status("cuMemFree", at);
  };
  return {
    reserves,
    get bytesInUse() {
      return bytesInUse;
    },
    allocate(bytes) {
      const size = Math.max(bytes, 1);
      const status = reserveAgain(size);
      if (status !== cudaSuccess) {
        const asked = properties.memoryPools ? "cuMemAllocAsync" : "cuMemAlloc";
        const facts = { bytes: size, bytesInUse, device: properties.name };
        throw driver.failure(asked, status, {
          doing: `allocating ${size} bytes on ${properties.name}`,
          facts,
        });
      }
      bytesInUse += size;
      const start = address[0] ?? 0n;
      live.set(start, size);
      return trackedMemory(start, bytes, main, (order) => {
        if (!live.has(start)) return;
        order();
        const freed = giveBack(start);
        // A lost device has taken its memory along.
        if (freed !== cudaSuccess && !isLost(freed)) throw driver.failure(call, freed);
      });
    },
    freeAll() {
      for (const start of [...live.keys()]) giveBack(start);
    },
  };
}

const outOfMemory = 2;

function trackedMemory(
  address: bigint,
  bytes: number,
  main: StreamState,
  giveBack: (order: () => void) => void,
): DeviceMemory {
  // Allocated in the order of the main stream, which therefore counts as having written.
  let writer: StreamState = main;
  const seenBy = new Set<StreamState>([main]);
  let freed = false;
  let holds = 0;
  const present = (stream: StreamState): StreamState => stream.successor ?? stream;
  const order = (stream: StreamState, access: Access): void => {
    if (writer === stream && seenBy.size === 1) return;
    const earlier = access === "write" ? [writer, ...seenBy] : seenBy.has(stream) ? [] : [writer];
    for (const other of new Set(earlier.map(present))) stream.waitFor(other);
    if (access === "write") {
      writer = stream;
      seenBy.clear();
    }
    seenBy.add(stream);
  };
  const end = (): void => giveBack(() => order(main, "write"));
  const alive = (): void => {
    if (freed && holds === 0) throw usedAfterDispose("memory of a device");
  };
  const memory: DeviceMemory = {
    get address() {
      alive();
      return address;
    },
    bytes,
    use(stream, access) {
      alive();
      // Streams are made by this folder only; the public type leaves out what callers have no use for.
      const state = stream as StreamState;
      const { touched } = state;
      if (touched === null) return order(state, access);
      // Recorded work may free what it used; the recording needs it still.
      if (!touched.has(memory)) memory.hold();
      touched.set(memory, touched.get(memory) === "write" ? "write" : access);
    },
    hold: () => void holds++,
    release() {
      holds--;
      if (freed && holds === 0) end();
    },
    free() {
      if (freed) return;
      freed = true;
      if (holds === 0) end();
    },
  };
  return memory;
}
