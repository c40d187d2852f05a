/**
 * Copies between the host and a device. Synchronous ones go straight from and to JavaScript's memory. Asynchronous ones
 * go by way of pinned memory, which the device reads and writes by itself, so that the event loop never waits.
 */
import { viewMemory } from "../../native/foreign-library.ts";
import { createWorkspacePool } from "../workspace-pool.ts";
import type { CudaDriver } from "./cuda-driver.ts";
import type { CudaStream, EventPool } from "./cuda-stream.ts";
import type { DeviceMemory } from "./device-memory.ts";
import { cudaSuccess, isLost } from "./driver-errors.ts";

export interface HostCopies {
  /** From `source` to byte `offset` of `target`; `source` may change once this has returned. */
  upload(source: ArrayBufferView, target: DeviceMemory, stream: CudaStream, offset?: number): void;
  /** As `upload`; `source` must not change before the promise settles. */
  uploadAsync(source: ArrayBufferView, target: DeviceMemory, stream: CudaStream): Promise<void>;
  /** Fills `target` from the start of `source`; blocks until it is there. */
  download(source: DeviceMemory, target: ArrayBufferView, stream: CudaStream): void;
  /** As `download`, with the values as they are after what has been put on the stream so far. */
  downloadAsync(source: DeviceMemory, target: ArrayBufferView, stream: CudaStream): Promise<void>;
  /** Gives pinned memory back that no copy uses. */
  trim(): void;
}

/** Bytes of pinned memory that an upload takes at a time: long enough for full speed, little beside a weight. */
const pieceBytes = 8 << 20;

export function createHostCopies(driver: CudaDriver, events: EventPool): HostCopies {
  const pinned = createWorkspacePool((bytes) => allocatePinned(driver, bytes));
  const waitForCopy = (stream: CudaStream): Promise<void> => events.happened(events.record(stream));
  return {
    upload(source, target, stream, offset = 0) {
      const bytes = bytesOf(source);
      if (bytes.length === 0) return;
      target.use(stream, "write");
      const address = target.address + BigInt(offset);
      driver.call("cuMemcpyHtoDAsync", address, bytes, bytes.length, stream.handle);
    },
    async uploadAsync(source, target, stream) {
      const bytes = bytesOf(source);
      if (bytes.length === 0) return;
      const staging = pinned.take(Math.min(bytes.length, pieceBytes));
      try {
        const view = new Uint8Array(staging.block.view);
        for (let first = 0; first < bytes.length; first += pieceBytes) {
          const piece = bytes.subarray(first, first + pieceBytes);
          view.set(piece);
          target.use(stream, "write");
          const address = target.address + BigInt(first);
          driver.call("cuMemcpyHtoDAsync", address, staging.block.address, piece.length, stream.handle);
          await waitForCopy(stream);
        }
      } finally {
        pinned.give(staging);
      }
    },
    download(source, target, stream) {
      const bytes = bytesOf(target);
      if (bytes.length === 0) return;
      source.use(stream, "read");
      driver.call("cuMemcpyDtoHAsync", bytes, source.address, bytes.length, stream.handle);
      stream.synchronize();
    },
    async downloadAsync(source, target, stream) {
      const bytes = bytesOf(target);
      if (bytes.length === 0) return;
      // In one piece, put on the stream before this returns: what is written afterwards is not what was asked for.
      const staging = pinned.take(bytes.length);
      try {
        source.use(stream, "read");
        driver.call("cuMemcpyDtoHAsync", staging.block.address, source.address, bytes.length, stream.handle);
        await waitForCopy(stream);
        bytes.set(new Uint8Array(staging.block.view, 0, bytes.length));
      } finally {
        pinned.give(staging);
      }
    },
    trim: pinned.trim,
  };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

interface PinnedBlock {
  readonly address: bigint;
  readonly view: ArrayBuffer;
  free(): void;
}

function allocatePinned(driver: CudaDriver, bytes: number): PinnedBlock {
  const found = new BigUint64Array(1);
  const purpose = { doing: `allocating ${bytes} bytes of pinned host memory`, facts: { bytes } };
  driver.callFor(purpose, "cuMemHostAlloc", found, bytes, 0);
  const address = found[0] ?? 0n;
  return {
    address,
    view: viewMemory(address, bytes),
    free() {
      const status = driver.status("cuMemFreeHost", address);
      if (status !== cudaSuccess && !isLost(status)) throw driver.failure("cuMemFreeHost", status);
    },
  };
}
