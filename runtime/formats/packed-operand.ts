/** A packed operand: one block of native memory cut into the buffers of its format, each on a 64-byte boundary. */
import { type FormatName, formatBuffers } from "../contract/operand-format.ts";
import { SpxError } from "../errors.ts";

/** Memory that kernels can reach: `view` holds the bytes at `address`. */
export interface MemoryBlock {
  readonly address: bigint;
  readonly view: ArrayBuffer;
  /** Gives the memory back; nobody may use the block afterwards. */
  free(): void;
}

/** Zeroed memory of at least `bytes` bytes, on a 64-byte boundary. */
export type Allocate = (bytes: number) => MemoryBlock;

export type BufferElement = "f32" | "i32" | "u32" | "u16" | "u8" | "i8";

export interface PackedBuffer {
  readonly name: string;
  readonly element: BufferElement;
  /** Bytes from the start of the block. */
  readonly offset: number;
  /** Elements. */
  readonly length: number;
  readonly address: bigint;
}

export interface PackedOperand {
  readonly format: FormatName;
  readonly rows: number;
  readonly columns: number;
  readonly block: MemoryBlock;
  /** In the order of `formatBuffers`. */
  readonly buffers: readonly PackedBuffer[];
  /** Bytes of the buffers' contents, without the gaps between them. */
  readonly bytes: number;
}

const elementBytes: Readonly<Record<BufferElement, number>> = {
  ...{ f32: 4, i32: 4, u32: 4 },
  ...{ u16: 2, u8: 1, i8: 1 },
};
const alignment = 64;

/** Bytes of a buffer's contents. */
export const bufferBytes = ({ element, length }: Pick<PackedBuffer, "element" | "length">): number =>
  length * elementBytes[element];

/** An operand with buffers of the given lengths (in elements), zeroed. */
export function allocateOperand(
  format: FormatName,
  rows: number,
  columns: number,
  lengths: Readonly<Record<string, number>>,
  allocate: Allocate,
): PackedOperand {
  let offset = 0;
  let bytes = 0;
  const placed = formatBuffers[format].map(({ name, element }) => {
    const length = lengths[name] ?? 0;
    const size = bufferBytes({ element, length });
    const buffer = { name, element, offset, length };
    offset = Math.ceil((offset + size) / alignment) * alignment;
    bytes += size;
    return buffer;
  });
  const block = allocate(Math.max(offset, alignment));
  const buffers = placed.map((buffer) => ({ ...buffer, address: block.address + BigInt(buffer.offset) }));
  return { format, rows, columns, block, buffers, bytes };
}

/** The buffer called `name`. @throws RangeError when the format has no such buffer. */
export function bufferOf(operand: PackedOperand, name: string): PackedBuffer {
  const buffer = operand.buffers.find((candidate) => candidate.name === name);
  if (buffer === undefined) throw new RangeError(`format ${operand.format} has no buffer ${name}`);
  return buffer;
}

export const floatsOf = (operand: PackedOperand, name: string): Float32Array => {
  const { offset, length } = bufferOf(operand, name);
  return new Float32Array(operand.block.view, offset, length);
};

export const integersOf = (
  operand: PackedOperand,
  name: string,
): Int32Array | Uint32Array | Uint16Array | Uint8Array | Int8Array => {
  const { offset, length, element } = bufferOf(operand, name);
  const { view } = operand.block;
  switch (element) {
    case "i32":
      return new Int32Array(view, offset, length);
    case "u16":
      return new Uint16Array(view, offset, length);
    case "u8":
      return new Uint8Array(view, offset, length);
    case "i8":
      return new Int8Array(view, offset, length);
    default:
      return new Uint32Array(view, offset, length);
  }
};

/** The error of a matrix that does not have the structure its format needs. */
export const patternViolation = (format: FormatName, reason: string): SpxError =>
  new SpxError("SPX8411", `a matrix cannot be packed as ${format}: ${reason}`, {
    facts: { format },
    help: "give values that keep to the declared pattern; positions restored from a file have to come from the same transform",
  });
