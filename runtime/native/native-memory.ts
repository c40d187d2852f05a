/**
 * Blocks of native memory that kernels read and write, and typed arrays over them. A block is zeroed, aligned
 * to 64 bytes (a cache line, a vector register), and to 2 MiB with huge pages from 2 MiB on, because walking a
 * large weight through 4 KiB pages costs address translations that huge pages save.
 */
import { constants } from "node:buffer";
import { type ErrorFacts, SpxError } from "../errors.ts";
import { viewMemory } from "./foreign-library.ts";
import { type Reservation, release, reserve } from "./system-memory.ts";

/**
 * A block of native memory, freed when it and every array over it are unreachable, or at once by `free`.
 * Arrays taken from it keep it alive. After `free` they point to memory that is gone: reading or writing them
 * is undefined, as in C, so `free` is for owners that have dropped their arrays.
 */
export interface NativeBlock {
  /** Of the first byte. Holding the address alone does not keep the block alive. */
  readonly address: bigint;
  readonly bytes: number;
  /** The whole block. Blocks above 4 GiB have no such view: take typed ranges. @throws SpxError SPX8306 */
  readonly view: ArrayBuffer;
  /** Typed ranges: `offset` in bytes, a multiple of the entry's size; `length` in entries. @throws SpxError SPX8306 */
  float32(offset?: number, length?: number): Float32Array;
  float64(offset?: number, length?: number): Float64Array;
  int64(offset?: number, length?: number): BigInt64Array;
  int32(offset?: number, length?: number): Int32Array;
  uint32(offset?: number, length?: number): Uint32Array;
  uint16(offset?: number, length?: number): Uint16Array;
  uint8(offset?: number, length?: number): Uint8Array;
  /** Gives the memory back; a second call does nothing. */
  free(): void;
  [Symbol.dispose](): void;
}

/** Reservations of blocks that became unreachable without `free`. */
const abandoned = new FinalizationRegistry<Reservation>(release);
/** An array's buffer keeps its block reachable through this table: the engine itself knows of no such tie. */
const owners = new WeakMap<ArrayBuffer, NativeBlock>();

/**
 * A zeroed block of `bytes` bytes; 0 gives an empty block with a valid address.
 * @throws SpxError SPX8305 when this machine could never hold it (nothing is allocated then);
 *   SPX8304 when the system has no memory left.
 */
export function allocate(bytes: number): NativeBlock {
  const reservation = reserve(bytes);
  let freed = false;
  const bufferOver = (offset: number, length: number): ArrayBuffer => {
    if (freed) throw memoryMisused("a block of native memory was used after it was freed", { bytes });
    // The engine's limit for a buffer over foreign memory; beyond it the process would be aborted.
    if (length > constants.MAX_LENGTH) {
      throw memoryMisused(`${length} bytes are more than one array can hold (${constants.MAX_LENGTH})`, {
        length,
      });
    }
    const buffer = viewMemory(reservation.address + BigInt(offset), length);
    owners.set(buffer, block);
    return buffer;
  };
  const free = (): void => {
    if (freed) return;
    freed = true;
    abandoned.unregister(block);
    release(reservation);
  };
  const block: NativeBlock = {
    address: reservation.address,
    bytes,
    get view() {
      return bufferOver(0, bytes);
    },
    float32: typedRange(Float32Array, bytes, bufferOver),
    float64: typedRange(Float64Array, bytes, bufferOver),
    int64: typedRange(BigInt64Array, bytes, bufferOver),
    int32: typedRange(Int32Array, bytes, bufferOver),
    uint32: typedRange(Uint32Array, bytes, bufferOver),
    uint16: typedRange(Uint16Array, bytes, bufferOver),
    uint8: typedRange(Uint8Array, bytes, bufferOver),
    free,
    [Symbol.dispose]: free,
  };
  abandoned.register(block, reservation, block);
  return block;
}

interface ArrayType<A> {
  new (buffer: ArrayBuffer): A;
  readonly BYTES_PER_ELEMENT: number;
}

function typedRange<A>(
  arrayType: ArrayType<A>,
  bytes: number,
  bufferOver: (offset: number, length: number) => ArrayBuffer,
): (offset?: number, length?: number) => A {
  const width = arrayType.BYTES_PER_ELEMENT;
  return (offset = 0, length = Math.floor((bytes - offset) / width)) => {
    const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset % width === 0;
    if (!whole || offset < 0 || length < 0 || offset + length * width > bytes) {
      throw memoryMisused(
        `a block of ${bytes} bytes has no range of ${length} entries of ${width} bytes at byte ${offset}`,
        { bytes, offset, length, width },
      );
    }
    return new arrayType(bufferOver(offset, length * width));
  };
}

function memoryMisused(summary: string, facts: ErrorFacts): SpxError {
  return new SpxError("SPX8306", summary, {
    facts,
    help: "this is a mistake in the code that owns the block: report it with the stack trace",
  });
}
