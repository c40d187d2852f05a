/**
 * The header of a safetensors file: 8 bytes with its length N (unsigned, little-endian), N bytes of JSON, then
 * the data. Every promise of the header is checked against the file's length before anything is read or
 * allocated by it; all errors name the file, and the byte offset or the tensor where it applies.
 */
import { type ErrorFacts, type RuntimeErrorCode, SpxError } from "../errors.ts";
import { type ElementType, elementBytes, elementTypeOf, elementTypes } from "../tensor/element-type.ts";
import { type LocatedJson, quote, readLocatedJson } from "./located-json.ts";

/** One tensor of a safetensors file. */
export interface TensorEntry {
  readonly name: string;
  readonly elementType: ElementType;
  readonly shape: readonly number[];
  /** Length of its data. */
  readonly bytes: number;
  /** Where its data begin, counted from the start of the file. */
  readonly offset: number;
}

export interface SafetensorsHeader {
  /** In the order of their bytes in the file. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The format's own limit for the length of a header. */
export const longestHeader = 100_000_000;
export const lengthBytes = 8;

/**
 * The length of the header, from the first 8 bytes of the file (fewer when the file is shorter).
 * @throws SpxError SPX8002 for a file shorter than that, SPX8003 when the header cannot be inside the file.
 */
export function headerLength(start: Uint8Array, fileBytes: number, file: string): number {
  if (start.length < lengthBytes || fileBytes < lengthBytes) {
    throw problem(
      "SPX8002",
      file,
      `the file has ${fileBytes} bytes, fewer than the 8 that hold the header's length`,
      {
        found: fileBytes,
      },
    );
  }
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  const room = fileBytes - lengthBytes;
  if (length > longestHeader || length > room) {
    const limit =
      length > room ? `the file has ${room} bytes after that` : `the format allows ${longestHeader}`;
    throw problem("SPX8003", file, `bytes 0 to 7 claim a header of ${length} bytes; ${limit}`, {
      found: length,
      limit: Math.min(room, longestHeader),
      at: 0,
    });
  }
  return Number(length);
}

/**
 * Reads and checks the header's JSON.
 * @throws SpxError SPX8002 to SPX8013, see the table of codes.
 */
export function parseHeader(bytes: Uint8Array, fileBytes: number, file: string): SafetensorsHeader {
  const members = headerMembers(bytes, file);
  const dataStart = lengthBytes + bytes.length;
  const metadata = readMetadata(members.get("__metadata__"), file);
  const entries: TensorEntry[] = [];
  for (const [name, value] of members) {
    if (name !== "__metadata__") entries.push(readEntry(name, value, dataStart, file));
  }
  entries.sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  checkLayout(entries, dataStart, fileBytes, file);
  return { tensors: new Map(entries.map((entry) => [entry.name, entry])), metadata };
}

function headerMembers(bytes: Uint8Array, file: string): ReadonlyMap<string, LocatedJson> {
  if (bytes[0] !== 0x7b) {
    const found =
      bytes.length === 0 ? "an empty header" : `byte 0x${(bytes[0] ?? 0).toString(16).padStart(2, "0")}`;
    throw problem("SPX8004", file, `the header at byte 8 has to begin with \`{\`, found ${found}`, {
      at: lengthBytes,
    });
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw problem("SPX8004", file, "the header is not UTF-8 text", { at: lengthBytes }, cause);
  }
  const result = readLocatedJson(text);
  if (result.ok && result.value.kind === "object") return result.value.members;
  const { kind, message, at } = result.ok
    ? { kind: "syntax" as const, message: "expected an object", at: 0 }
    : result.problem;
  const byte = lengthBytes + new TextEncoder().encode(text.slice(0, at)).length;
  throw problem(
    kind === "syntax" ? "SPX8004" : "SPX8005",
    file,
    `the header is wrong at byte ${byte}: ${message}`,
    {
      at: byte,
    },
  );
}

function readMetadata(value: LocatedJson | undefined, file: string): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  if (value.kind !== "object") {
    throw problem(
      "SPX8007",
      file,
      `\`__metadata__\` has to be an object of strings, found ${nameKind(value)}`,
      {
        found: nameKind(value),
      },
    );
  }
  const pairs = [...value.members].map(([key, member]): [string, string] => {
    if (member.kind === "string") return [key, member.value];
    throw problem(
      "SPX8007",
      file,
      `\`__metadata__\` holds ${nameKind(member)} under ${quote(key)}, expected a string`,
      {
        key,
        found: nameKind(member),
      },
    );
  });
  return Object.fromEntries(pairs);
}

function readEntry(name: string, value: LocatedJson, dataStart: number, file: string): TensorEntry {
  const malformed = (expected: string, found: string): SpxError =>
    problem("SPX8006", file, `tensor ${quote(name)}: expected ${expected}, found ${found}`, {
      tensor: name,
      expected,
      found,
    });
  if (value.kind !== "object")
    throw malformed("an object with dtype, shape and data_offsets", nameKind(value));
  const field = (key: string): LocatedJson => {
    const member = value.members.get(key);
    if (member === undefined) throw malformed(`a field \`${key}\``, "none");
    return member;
  };
  const naturals = (key: string): bigint[] => {
    const list = field(key);
    if (list.kind !== "array") throw malformed(`\`${key}\` to be an array`, nameKind(list));
    return list.items.map((item) => {
      if (item.kind === "number" && /^[0-9]{1,20}$/.test(item.text)) return BigInt(item.text);
      throw malformed(`whole numbers in \`${key}\``, item.kind === "number" ? item.text : nameKind(item));
    });
  };
  const dtype = field("dtype");
  if (dtype.kind !== "string") throw malformed("`dtype` to be a string", nameKind(dtype));
  const elementType = elementTypeOf(dtype.value);
  if (elementType === null) throw malformed("a dtype of the format, such as F32 or BF16", quote(dtype.value));
  const [begin, end, ...more] = naturals("data_offsets");
  if (begin === undefined || end === undefined || more.length > 0) {
    throw malformed("two numbers in `data_offsets`", `${naturals("data_offsets").length}`);
  }
  if (begin > end || end > Number.MAX_SAFE_INTEGER) {
    const reason = begin > end ? "run backwards" : "are beyond any file";
    throw problem("SPX8008", file, `tensor ${quote(name)}: data offsets ${begin} to ${end} ${reason}`, {
      tensor: name,
      begin,
      end,
    });
  }
  const shape = exactShape(name, naturals("shape"), file);
  const bytes = Number(end - begin);
  checkSize(name, elementType, shape, bytes, file);
  return { name, elementType, shape, bytes, offset: dataStart + Number(begin) };
}

function exactShape(name: string, dimensions: readonly bigint[], file: string): number[] {
  let count = 1n;
  for (const dimension of dimensions) {
    count *= dimension;
    if (dimension > Number.MAX_SAFE_INTEGER || count > Number.MAX_SAFE_INTEGER) {
      const shape = dimensions.join(", ");
      throw problem("SPX8012", file, `tensor ${quote(name)}: shape [${shape}] has more than 2^53 elements`, {
        tensor: name,
        shape: dimensions.map(String),
      });
    }
  }
  return dimensions.map(Number);
}

function checkSize(
  name: string,
  elementType: ElementType,
  shape: readonly number[],
  bytes: number,
  file: string,
): void {
  const count = shape.reduce((product, dimension) => product * dimension, 1);
  const expected = elementBytes(elementType, count);
  if (expected === bytes) return;
  const dtype = elementTypes[elementType].safetensors;
  const needs = expected === null ? "no whole number of bytes" : `${expected} bytes`;
  throw problem(
    "SPX8011",
    file,
    `tensor ${quote(name)}: ${dtype} values of shape [${shape.join(", ")}] take ${needs}, its offsets span ${bytes}`,
    { tensor: name, dtype, shape, expected, found: bytes },
  );
}

/** The data have to be covered exactly once, without holes, from their start to the end of the file. */
function checkLayout(
  entries: readonly TensorEntry[],
  dataStart: number,
  fileBytes: number,
  file: string,
): void {
  let covered = dataStart;
  let before = "the header";
  for (const { name, offset, bytes } of entries) {
    const facts = {
      tensor: name,
      expected: covered - dataStart,
      found: offset - dataStart,
      at: offset,
      before,
    };
    if (offset < covered) {
      throw problem(
        "SPX8009",
        file,
        `tensor ${quote(name)} begins at byte ${offset}, inside ${before}`,
        facts,
      );
    }
    if (offset > covered && offset + bytes > fileBytes) {
      const text = `tensor ${quote(name)} lies at bytes ${offset} to ${offset + bytes}, the file has ${fileBytes}`;
      throw problem("SPX8008", file, text, facts);
    }
    if (offset > covered) {
      const text = `tensor ${quote(name)} begins at byte ${offset}; ${before} ends at ${covered}, and nothing is between`;
      throw problem("SPX8010", file, text, facts);
    }
    covered = offset + bytes;
    before = `tensor ${quote(name)}`;
  }
  if (covered > fileBytes) {
    const text = `the header promises ${covered} bytes, the file ends after ${fileBytes}, inside the data of its tensors`;
    throw problem("SPX8002", file, text, { expected: covered, found: fileBytes });
  }
  if (covered < fileBytes) {
    const text = `the last tensor ends at byte ${covered}, the file goes on to ${fileBytes}`;
    throw problem("SPX8013", file, text, { expected: covered, found: fileBytes, at: covered });
  }
}

function nameKind(value: LocatedJson): string {
  if (value.kind === "literal") return String(value.value);
  return value.kind === "array" || value.kind === "object" ? `an ${value.kind}` : `a ${value.kind}`;
}

/** Code → what to do; the other codes mean that the writer of the file was wrong. */
const remedies: Partial<Record<RuntimeErrorCode, string>> = {
  SPX8002: "the file is cut off: copy or download it again and compare the length",
  SPX8003: "this is no safetensors file, or it is damaged: check the path, then copy or download it again",
  SPX8004: "this is no safetensors file, or it is damaged: check the path, then copy or download it again",
};

function problem(
  code: RuntimeErrorCode,
  file: string,
  text: string,
  facts: ErrorFacts,
  cause?: unknown,
): SpxError {
  const help =
    remedies[code] ??
    "the file is damaged or its writer was wrong: write it again with the safetensors library";
  return new SpxError(code, `${file}: ${text}`, { facts: { file, ...facts }, help, cause });
}
