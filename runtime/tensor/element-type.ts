/**
 * Element types: one table with the storage and the safetensors name of each. The order of the rows is the
 * format's own order (ascending alignment), by which its writer sorts tensors.
 */

interface ElementTypeRow {
  /** Name in safetensors headers. */
  readonly safetensors: string;
  /** Bits of one element. */
  readonly bits: number;
  /** The typed array that holds it. Types that JavaScript has no numbers for are kept as raw bytes. */
  readonly storage: StorageName;
}

const storages = {
  bytes: Uint8Array,
  Uint8Array,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
} as const;

type StorageName = keyof typeof storages;

interface StorageArrays {
  readonly bytes: Uint8Array;
  readonly Uint8Array: Uint8Array;
  readonly Int8Array: Int8Array;
  readonly Uint16Array: Uint16Array;
  readonly Int16Array: Int16Array;
  readonly Uint32Array: Uint32Array;
  readonly Int32Array: Int32Array;
  readonly Float32Array: Float32Array;
  readonly Float64Array: Float64Array;
  readonly BigInt64Array: BigInt64Array;
  readonly BigUint64Array: BigUint64Array;
}

export const elementTypes = {
  bool: { safetensors: "BOOL", bits: 8, storage: "Uint8Array" },
  f4: { safetensors: "F4", bits: 4, storage: "bytes" },
  f6_e2m3: { safetensors: "F6_E2M3", bits: 6, storage: "bytes" },
  f6_e3m2: { safetensors: "F6_E3M2", bits: 6, storage: "bytes" },
  u8: { safetensors: "U8", bits: 8, storage: "Uint8Array" },
  i8: { safetensors: "I8", bits: 8, storage: "Int8Array" },
  f8_e5m2: { safetensors: "F8_E5M2", bits: 8, storage: "bytes" },
  f8_e4m3: { safetensors: "F8_E4M3", bits: 8, storage: "bytes" },
  f8_e8m0: { safetensors: "F8_E8M0", bits: 8, storage: "bytes" },
  f8_e4m3fnuz: { safetensors: "F8_E4M3FNUZ", bits: 8, storage: "bytes" },
  f8_e5m2fnuz: { safetensors: "F8_E5M2FNUZ", bits: 8, storage: "bytes" },
  i16: { safetensors: "I16", bits: 16, storage: "Int16Array" },
  u16: { safetensors: "U16", bits: 16, storage: "Uint16Array" },
  f16: { safetensors: "F16", bits: 16, storage: "Uint16Array" },
  bf16: { safetensors: "BF16", bits: 16, storage: "Uint16Array" },
  i32: { safetensors: "I32", bits: 32, storage: "Int32Array" },
  u32: { safetensors: "U32", bits: 32, storage: "Uint32Array" },
  f32: { safetensors: "F32", bits: 32, storage: "Float32Array" },
  c64: { safetensors: "C64", bits: 64, storage: "bytes" },
  f64: { safetensors: "F64", bits: 64, storage: "Float64Array" },
  i64: { safetensors: "I64", bits: 64, storage: "BigInt64Array" },
  u64: { safetensors: "U64", bits: 64, storage: "BigUint64Array" },
} as const satisfies Record<string, ElementTypeRow>;

export type ElementType = keyof typeof elementTypes;

/** The typed array that holds elements of type `E`; f16 and bf16 are kept as their 16 bits. */
export type TensorData<E extends ElementType = ElementType> =
  StorageArrays[(typeof elementTypes)[E]["storage"]];

/** Types in the format's order. */
export const elementTypeOrder = Object.keys(elementTypes) as readonly ElementType[];

const bySafetensorsName: ReadonlyMap<string, ElementType> = new Map(
  elementTypeOrder.map((type) => [elementTypes[type].safetensors, type]),
);

/** The element type with that name in safetensors headers, or null. */
export function elementTypeOf(safetensorsName: string): ElementType | null {
  return bySafetensorsName.get(safetensorsName) ?? null;
}

/**
 * Bytes of `count` elements, or null when they do not fill whole bytes (f4, f6) or the count of bits is too
 * large to be exact.
 */
export function elementBytes(type: ElementType, count: number): number | null {
  const bits = elementTypes[type].bits;
  if (bits % 8 === 0) {
    const bytes = count * (bits / 8);
    return Number.isSafeInteger(bytes) ? bytes : null;
  }
  const total = count * bits;
  return Number.isSafeInteger(total) && total % 8 === 0 ? total / 8 : null;
}

/** Bytes of one entry of the typed array that holds `type`. */
export function storageWidth(type: ElementType): number {
  return storages[elementTypes[type].storage].BYTES_PER_ELEMENT;
}

/** A typed array for `type` over `bytes` bytes of `buffer`; no copy, so `byteOffset` has to be aligned. */
export function viewData<E extends ElementType>(
  type: E,
  buffer: ArrayBuffer,
  byteOffset: number,
  bytes: number,
): TensorData<E> {
  const storage = storages[elementTypes[type].storage];
  // The table ties E to its storage; TypeScript cannot follow the lookup by a generic key.
  return new storage(buffer, byteOffset, bytes / storage.BYTES_PER_ELEMENT) as unknown as TensorData<E>;
}
