/**
 * Checkpoints: one safetensors file, or a folder with one or with shards and their index, as one set of named
 * tensors. Opening reads headers only; each read holds the memory of what it returns and no more.
 */
import { SpxError } from "../errors.ts";
import { type ElementType, elementBytes, viewData } from "../tensor/element-type.ts";
import { allocateBuffer, type Tensor, tensor } from "../tensor/tensor.ts";
import { locateCheckpoint } from "./locate-checkpoint.ts";
import { quote } from "./located-json.ts";
import { suggestNames } from "./nearest-names.ts";
import { openSafetensorsFile, type SafetensorsFile } from "./safetensors-file.ts";
import type { TensorEntry } from "./safetensors-header.ts";
import { checkShardIndex, readShardIndex } from "./shard-index.ts";

/** Where and what a tensor is; nothing of its data. */
export interface TensorDescription extends TensorEntry {
  readonly file: string;
}

export interface Checkpoint {
  /** As given to `openCheckpoint`. */
  readonly path: string;
  /** The safetensors files, in the order of the shards. */
  readonly files: readonly string[];
  /** Names of all tensors, in the order of their bytes, file by file. */
  readonly names: readonly string[];
  /** `__metadata__` of all files together; the first file wins where they differ. */
  readonly metadata: Readonly<Record<string, string>>;
  has(name: string): boolean;
  /** @throws SpxError SPX8014 for an unknown name. */
  describe(name: string): TensorDescription;
  /** @throws SpxError SPX8014, SPX8019, SPX8023, SPX8304. */
  read(name: string): Promise<Tensor>;
  /**
   * Rows `from` up to, not including, `to` of the first dimension; shape [to - from, ...rest].
   * @throws SpxError SPX8018 for rows that are not there, SPX8015 for rows of f4 or f6 that end inside a byte.
   */
  readRows(name: string, from: number, to: number): Promise<Tensor>;
  /** Closes the files; a second call does nothing. */
  close(): Promise<void>;
}

/**
 * Opens a safetensors file, an index of shards, or a folder that holds `model.safetensors`, or
 * `model.safetensors.index.json` and its shards, or one other safetensors file.
 * @throws SpxError SPX8001 to SPX8013, SPX8016, SPX8017, SPX8022.
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const location = await locateCheckpoint(path);
  if (location.kind === "file") return checkpointOver(path, [await openSafetensorsFile(location.file)]);
  const index = await readShardIndex(location.file);
  const files: SafetensorsFile[] = [];
  try {
    for (const shard of index.shards) files.push(await openSafetensorsFile(shard));
    checkShardIndex(index, files);
  } catch (thrown) {
    await closeAll(files);
    throw thrown;
  }
  return checkpointOver(path, files);
}

async function closeAll(files: readonly SafetensorsFile[]): Promise<void> {
  await Promise.all(files.map((file) => file.close()));
}

interface Location {
  readonly entry: TensorEntry;
  readonly file: SafetensorsFile;
}

function checkpointOver(path: string, files: readonly SafetensorsFile[]): Checkpoint {
  const locations = new Map<string, Location>();
  for (const file of files)
    for (const [name, entry] of file.header.tensors) locations.set(name, { entry, file });
  const names = [...locations.keys()];
  let open = true;
  const locate = (name: string): Location => {
    const found = locations.get(name);
    if (found === undefined) throw unknownTensor(path, name, names);
    return found;
  };
  const readRange = async (
    at: Location,
    shape: readonly number[],
    begin: number,
    bytes: number,
  ): Promise<Tensor> => {
    if (!open) throw closed(path);
    const buffer = allocateBuffer(bytes);
    await at.file.readInto(new Uint8Array(buffer), at.entry.offset + begin);
    return tensor<ElementType>(at.entry.elementType, shape, viewData(at.entry.elementType, buffer, 0, bytes));
  };
  return {
    path,
    files: files.map((file) => file.path),
    names,
    // Later entries win, so the files go in backwards.
    metadata: Object.fromEntries(files.flatMap((file) => Object.entries(file.header.metadata)).reverse()),
    has: (name) => locations.has(name),
    describe: (name) => {
      const { entry, file } = locate(name);
      return { ...entry, file: file.path };
    },
    read: async (name) => {
      const location = locate(name);
      return readRange(location, location.entry.shape, 0, location.entry.bytes);
    },
    readRows: async (name, from, to) => {
      const location = locate(name);
      const rowBytes = bytesOfRow(location, from, to);
      const shape = [to - from, ...location.entry.shape.slice(1)];
      return readRange(location, shape, from * rowBytes, (to - from) * rowBytes);
    },
    close: async () => {
      if (!open) return;
      open = false;
      await closeAll(files);
    },
  };
}

function bytesOfRow({ entry, file }: Location, from: number, to: number): number {
  const [rows, ...rest] = entry.shape;
  const whole = Number.isSafeInteger(from) && Number.isSafeInteger(to);
  if (rows === undefined || !whole || from < 0 || from > to || to > rows) {
    const has = rows === undefined ? "is a scalar" : `has ${rows} rows`;
    const text = `${file.path}: rows ${from} to ${to} of tensor ${quote(entry.name)} were asked for, which ${has}`;
    throw new SpxError("SPX8018", text, {
      facts: { file: file.path, tensor: entry.name, from: String(from), to: String(to), rows: rows ?? null },
      help: "ask for rows from 0 up to the first dimension",
    });
  }
  const bytes = elementBytes(
    entry.elementType,
    rest.reduce((product, dimension) => product * dimension, 1),
  );
  if (bytes !== null) return bytes;
  throw new SpxError(
    "SPX8015",
    `${file.path}: rows of ${entry.elementType} tensor ${quote(entry.name)} end inside a byte`,
    {
      facts: { file: file.path, tensor: entry.name, elementType: entry.elementType },
      help: "read the whole tensor",
    },
  );
}

function unknownTensor(path: string, name: string, names: readonly string[]): SpxError {
  return new SpxError("SPX8014", `${path}: there is no tensor ${quote(name)} among ${names.length}`, {
    facts: { file: path, tensor: name },
    help: suggestNames(name, names, "tensor"),
  });
}

function closed(path: string): SpxError {
  return new SpxError("SPX8023", `${path}: the checkpoint was read after it was closed`, {
    facts: { file: path },
    help: "open it again, or close it later",
  });
}
