/**
 * Writes safetensors files, byte for byte as the reference writer does: tensors by element type (widest first),
 * then by name, a header padded to 8 bytes. The file comes into being under its name only when it is complete
 * and on the disk; until then, and after any failure, what stood there before still stands there.
 */
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describeCause, type ErrorFacts, SpxError, systemCode } from "../errors.ts";
import { type ElementType, elementTypeOrder, elementTypes } from "../tensor/element-type.ts";
import { type Tensor, tensorBytes } from "../tensor/tensor.ts";
import { isUnicode, quote } from "./located-json.ts";
import { longestHeader } from "./safetensors-header.ts";

type Pieces = Iterable<ArrayBufferView> | AsyncIterable<ArrayBufferView>;

/** A tensor for the writer: what it is, and its data when their turn comes, in pieces. */
export interface TensorToWrite {
  readonly name: string;
  readonly elementType: ElementType;
  readonly shape: readonly number[];
  /** Called once, when all tensors before it are written; the pieces together are the row-major data. */
  readonly pieces: () => Pieces;
}

/** A tensor that is in memory, for the writer. */
export function namedTensor(name: string, tensor: Tensor): TensorToWrite {
  return { name, elementType: tensor.elementType, shape: tensor.shape, pieces: () => [tensor.data] };
}

/**
 * Writes `tensors` to `path`, replacing a file there. `metadata` comes after `format: "pt"`, which readers
 * expect. Memory: one piece at a time. What a `pieces` function throws is passed on as it is.
 * @returns the length of the file in bytes.
 * @throws SpxError SPX8021 for tensors that cannot stand in such a file, SPX8020 when the system refuses.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToWrite>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<number> {
  const ordered = [...tensors].sort(inFileOrder);
  const header = encodeHeader(path, ordered, { format: "pt", ...metadata });
  return replaceFile(path, async (append) => {
    await append(header);
    for (const entry of ordered) await writeData(path, entry, append);
  });
}

type Append = (bytes: ArrayBufferView) => Promise<void>;

const typeRank: ReadonlyMap<ElementType, number> = new Map(
  elementTypeOrder.map((type, rank) => [type, rank]),
);

/** Element type descending in the format's order, then name ascending by its UTF-8 bytes. */
function inFileOrder(a: TensorToWrite, b: TensorToWrite): number {
  const byType = (typeRank.get(b.elementType) ?? 0) - (typeRank.get(a.elementType) ?? 0);
  return byType !== 0 ? byType : Buffer.compare(Buffer.from(a.name), Buffer.from(b.name));
}

/** Length field and JSON, padded with spaces so that the data begin at a multiple of 8. */
function encodeHeader(
  path: string,
  ordered: readonly TensorToWrite[],
  metadata: Record<string, string>,
): Uint8Array {
  const members = new Map<string, string>();
  const sorted = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  const odd = sorted.find(([key, value]) => !isUnicode(key + value));
  if (odd !== undefined)
    throw unwritable(path, null, `the metadata under ${quote(odd[0])} are no Unicode text`);
  members.set("__metadata__", JSON.stringify(Object.fromEntries(sorted)));
  let offset = 0;
  for (const { name, elementType, shape } of ordered) {
    if (members.has(name))
      throw unwritable(path, name, "the name is taken: each tensor needs a name of its own");
    if (!isUnicode(name)) throw unwritable(path, name, "the name is no Unicode text");
    const end = offset + tensorBytes(elementType, shape);
    const dtype = elementTypes[elementType].safetensors;
    members.set(name, JSON.stringify({ dtype, shape, data_offsets: [offset, end] }));
    offset = end;
  }
  const json = [...members].map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(",");
  const text = new TextEncoder().encode(`{${json}}`);
  const length = Math.ceil(text.length / 8) * 8;
  if (length > longestHeader) {
    throw unwritable(path, null, `the header would have ${length} bytes, the format allows ${longestHeader}`);
  }
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(text, 8);
  return bytes;
}

async function writeData(path: string, entry: TensorToWrite, append: Append): Promise<void> {
  const expected = tensorBytes(entry.elementType, entry.shape);
  let written = 0;
  for await (const piece of entry.pieces()) {
    written += piece.byteLength;
    if (written > expected) break;
    await append(piece);
  }
  if (written === expected) return;
  const found = written > expected ? `at least ${written}` : String(written);
  throw unwritable(path, entry.name, `its shape takes ${expected} bytes, its data have ${found}`, {
    expected,
    found,
  });
}

let temporaryFiles = 0;

/** Writes a file beside `path` and puts it in its place when it is complete and on the disk. */
async function replaceFile(path: string, write: (append: Append) => Promise<void>): Promise<number> {
  temporaryFiles += 1;
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}-${temporaryFiles}.partial`);
  const handle = await attempt(path, () => open(temporary, "wx"));
  let position = 0;
  try {
    await write(async (bytes) => {
      await attempt(path, () => writeFully(handle, bytes, position));
      position += bytes.byteLength;
    });
    await attempt(path, () => handle.sync());
    await attempt(path, () => handle.close());
    await attempt(path, () => rename(temporary, path));
  } catch (thrown) {
    // Whatever went wrong is what the user has to see, so failures to tidy up do not replace it.
    await handle.close().catch(() => undefined);
    await rm(temporary, { force: true }).catch(() => undefined);
    throw thrown;
  }
  await syncFolder(dirname(path));
  return position;
}

/** Without this a power failure may undo the rename. Some file systems cannot do it, and need not. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => null);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

const largestWrite = 64 << 20;

async function writeFully(handle: FileHandle, view: ArrayBufferView, position: number): Promise<void> {
  for (let done = 0; done < view.byteLength; ) {
    const length = Math.min(largestWrite, view.byteLength - done);
    const piece = new Uint8Array(view.buffer, view.byteOffset + done, length);
    done += (await handle.write(piece, 0, length, position + done)).bytesWritten;
  }
}

/** Error of the system → what the user can do. */
const remedies: Readonly<Record<string, string>> = {
  ENOSPC: "free space on that disk, or write to another one",
  EDQUOT: "free space in your quota, or write elsewhere",
  EFBIG: "the file system or a limit of the shell allows no file this large: write elsewhere",
  EACCES: "write to a folder that you may write to, or change its permissions",
  EPERM: "write to a folder that you may write to, or change its permissions",
  EROFS: "the file system is read-only: write elsewhere",
  ENOENT: "create the folder first",
  ENOTDIR: "a part of the path is a file: choose another path",
  EISDIR: "a folder has that name: choose another file name",
};

async function attempt<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    const code = systemCode(cause);
    throw new SpxError("SPX8020", `${path}: the checkpoint could not be written: ${describeCause(cause)}`, {
      facts: { file: path, reason: code },
      help: remedies[code ?? ""] ?? "see what the system says, and write elsewhere",
      cause,
    });
  }
}

function unwritable(path: string, tensor: string | null, reason: string, facts: ErrorFacts = {}): SpxError {
  const which = tensor === null ? "" : `tensor ${quote(tensor)}: `;
  return new SpxError("SPX8021", `${path}: ${which}${reason}`, {
    facts: { file: path, tensor, ...facts },
    help: "nothing was written; correct the tensors that are handed to the writer",
  });
}
