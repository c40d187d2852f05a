/**
 * One open safetensors file: its checked header, and reads at positions. Data go straight into memory of their
 * own, so their alignment in the file does not matter and no more than the range asked for is ever held.
 */
import { type FileHandle, open } from "node:fs/promises";
import { describeCause, SpxError, systemCode } from "../errors.ts";
import { headerLength, lengthBytes, parseHeader, type SafetensorsHeader } from "./safetensors-header.ts";

export interface SafetensorsFile {
  readonly path: string;
  readonly bytes: number;
  readonly header: SafetensorsHeader;
  /** Fills `target` from byte `position` of the file on. @throws SpxError SPX8019 */
  readInto(target: Uint8Array, position: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a file and reads its header.
 * @throws SpxError SPX8001 when it cannot be opened or is no regular file, SPX8002 to SPX8013 for its header.
 */
export async function openSafetensorsFile(path: string): Promise<SafetensorsFile> {
  const handle = await openForReading(path);
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw notOpened(path, "it is no regular file");
    const start = new Uint8Array(lengthBytes);
    await readFully(handle, start.subarray(0, Math.min(lengthBytes, status.size)), 0, path);
    const header = new Uint8Array(headerLength(start, status.size, path));
    await readFully(handle, header, lengthBytes, path);
    return {
      path,
      bytes: status.size,
      header: parseHeader(header, status.size, path),
      readInto: (target, position) => readFully(handle, target, position, path),
      close: () => handle.close(),
    };
  } catch (thrown) {
    await handle.close();
    throw thrown;
  }
}

async function openForReading(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (cause) {
    throw notOpened(
      path,
      systemCode(cause) === "ENOENT" ? "there is no such file" : describeCause(cause),
      cause,
    );
  }
}

/** The system reads at most 2 GiB at once; smaller pieces also keep its own buffers small. */
const largestRead = 64 << 20;

async function readFully(
  handle: FileHandle,
  target: Uint8Array,
  position: number,
  path: string,
): Promise<void> {
  for (let done = 0; done < target.length; ) {
    const wanted = Math.min(largestRead, target.length - done);
    let bytesRead: number;
    try {
      ({ bytesRead } = await handle.read(target, done, wanted, position + done));
    } catch (cause) {
      throw readFailed(path, position + done, describeCause(cause), cause);
    }
    if (bytesRead === 0)
      throw readFailed(path, position + done, "the file is shorter now than when it was opened");
    done += bytesRead;
  }
}

function notOpened(path: string, reason: string, cause?: unknown): SpxError {
  return new SpxError("SPX8001", `${path}: the checkpoint cannot be opened: ${reason}`, {
    facts: { file: path, reason },
    help: "check the path and the permission to read it",
    cause,
  });
}

function readFailed(path: string, at: number, reason: string, cause?: unknown): SpxError {
  return new SpxError("SPX8019", `${path}: reading at byte ${at} failed: ${reason}`, {
    facts: { file: path, at, reason },
    help: "see that nothing writes to the file while it is read, and that its disk is sound",
    cause,
  });
}
