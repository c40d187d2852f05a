/**
 * Memory from the system: zeroed reservations and their release. Below `pageThreshold` they come from the C
 * heap, aligned to 64 bytes; from it on they are pages of their own, aligned to 2 MiB and marked for huge pages.
 */
import { totalmem } from "node:os";
import { SpxError } from "../errors.ts";
import {
  type ForeignFunction,
  type ForeignLibrary,
  lastSystemError,
  openLibrary,
} from "./foreign-library.ts";

/** What has to be given back. */
export interface Reservation {
  readonly address: bigint;
  readonly bytes: number;
  /** Mapped bytes; 0 for a block of the C heap. */
  readonly mapped: number;
}

const cacheLine = 64;
const hugePage = 2 << 20;
const pageSize = 4096;
/** From this size on a reservation gets its own pages, on Linux. */
export const pageThreshold = 2 << 20;

let bytesInUse = 0;

/** Bytes reserved and not yet released. */
export function nativeBytesInUse(): number {
  return bytesInUse;
}

/**
 * Zeroed memory of `bytes` bytes; 0 gives a valid address.
 * @throws SpxError SPX8305 when this machine could never hold it (nothing is asked of the system then);
 *   SPX8304 when the system has no memory left.
 */
export function reserve(bytes: number): Reservation {
  refuseHostileSize(bytes);
  const ownPages = process.platform === "linux" && bytes >= pageThreshold;
  const reservation = ownPages ? reservePages(bytes) : reserveHeap(bytes);
  bytesInUse += bytes;
  return reservation;
}

/** Gives a reservation back; once only. */
export function release(reservation: Reservation): void {
  const { munmap, free } = systemCalls();
  if (reservation.mapped > 0) munmap(reservation.address, reservation.mapped);
  else free(reservation.address);
  bytesInUse -= reservation.bytes;
}

function reserveHeap(bytes: number): Reservation {
  const { posixMemalign, memset } = systemCalls();
  const found = new BigUint64Array(1);
  // Whole lines, so that a kernel may read the last line in full.
  const rounded = Math.max(cacheLine, Math.ceil(bytes / cacheLine) * cacheLine);
  if (posixMemalign(found, cacheLine, rounded) !== 0) throw outOfMemory(bytes);
  const address = found[0] ?? 0n;
  memset(address, 0, rounded);
  return { address, bytes, mapped: 0 };
}

const protRead = 1;
const protWrite = 2;
const mapPrivate = 0x02;
const mapAnonymous = 0x20;
const madvHugepage = 14;
const mapFailed = 0xffff_ffff_ffff_ffffn;

function reservePages(bytes: number): Reservation {
  const { mmap, munmap, madvise } = systemCalls();
  const mapped = Math.ceil(bytes / pageSize) * pageSize;
  // One huge page more than needed, then both ends are cut off: mmap itself aligns to 4 KiB only.
  const start = mmap(0n, mapped + hugePage, protRead | protWrite, mapPrivate | mapAnonymous, -1, 0);
  if (typeof start !== "bigint" || start === mapFailed) throw outOfMemory(bytes);
  const alignment = BigInt(hugePage);
  const address = ((start + alignment - 1n) / alignment) * alignment;
  const before = Number(address - start);
  if (before > 0) munmap(start, before);
  if (before < hugePage) munmap(address + BigInt(mapped), hugePage - before);
  // Advice only: where huge pages are switched off, small ones serve as well, more slowly.
  madvise(address, mapped, madvHugepage);
  return { address, bytes, mapped };
}

function refuseHostileSize(bytes: number): void {
  // A container's limit counts; it is 0 or enormous where there is none.
  const constrained = process.constrainedMemory();
  const limit = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  if (Number.isSafeInteger(bytes) && bytes >= 0 && bytes <= limit) return;
  throw new SpxError(
    "SPX8305",
    `a buffer of ${bytes} bytes was asked for; this machine has ${limit} bytes of memory`,
    {
      facts: { found: bytes, limit },
      help: "check the sizes of tensors and batch, or use a machine with more memory",
    },
  );
}

function outOfMemory(bytes: number): SpxError {
  return new SpxError("SPX8304", `the system has no memory for a buffer of ${bytes} bytes`, {
    facts: { bytes, inUse: bytesInUse, errno: lastSystemError() },
    help: "use a smaller batch, drop layers that are no longer needed, or raise the memory limit",
  });
}

interface SystemCalls {
  readonly posixMemalign: ForeignFunction;
  readonly memset: ForeignFunction;
  readonly free: ForeignFunction;
  readonly mmap: ForeignFunction;
  readonly munmap: ForeignFunction;
  readonly madvise: ForeignFunction;
}

let declared: SystemCalls | null = null;

function systemCalls(): SystemCalls {
  declared ??= declareSystemCalls(openLibrary(null));
  return declared;
}

function declareSystemCalls(library: ForeignLibrary): SystemCalls {
  return {
    posixMemalign: library.declare({
      name: "posix_memalign",
      result: "int32",
      parameters: ["pointer", "size", "size"],
    }),
    memset: library.declare({ name: "memset", result: "pointer", parameters: ["pointer", "int32", "size"] }),
    free: library.declare({ name: "free", result: "void", parameters: ["pointer"] }),
    mmap: library.declare({
      name: "mmap",
      result: "pointer",
      parameters: ["pointer", "size", "int32", "int32", "int32", "int64"],
    }),
    munmap: library.declare({ name: "munmap", result: "int32", parameters: ["pointer", "size"] }),
    madvise: library.declare({ name: "madvise", result: "int32", parameters: ["pointer", "size", "int32"] }),
  };
}
