/** How the types and literals of the loop level are spelled in LLVM IR (LLVM 14, typed pointers). */
import type { BufferElement, Scalar, ValueType } from "../../loop/loop-node.ts";

const scalarSpelling: Readonly<Record<Scalar, string>> = {
  f32: "float",
  f64: "double",
  i32: "i32",
  i64: "i64",
  bool: "i1",
};

/** Memory type and size in bytes of each buffer element. */
export const elementLayout: Readonly<
  Record<BufferElement, { readonly spelling: string; readonly bytes: number }>
> = {
  f32: { spelling: "float", bytes: 4 },
  f64: { spelling: "double", bytes: 8 },
  i32: { spelling: "i32", bytes: 4 },
  u32: { spelling: "i32", bytes: 4 },
  u16: { spelling: "i16", bytes: 2 },
  u8: { spelling: "i8", bytes: 1 },
  i8: { spelling: "i8", bytes: 1 },
};

/** `T`, or `<lanes x T>` above one lane, for an element spelling such as `i16`. */
export function vectorOf(element: string, lanes: number): string {
  return lanes === 1 ? element : `<${lanes} x ${element}>`;
}

export function typeText(type: ValueType): string {
  return vectorOf(scalarSpelling[type.scalar], type.lanes);
}

const floatNames: Readonly<Record<string, string>> = { float: "f32", double: "f64" };

/** A type as intrinsics mangle it: `v16f32`, `i64`. */
export function mangledType(element: string, lanes: number): string {
  const scalar = floatNames[element] ?? element;
  return lanes === 1 ? scalar : `v${lanes}${scalar}`;
}

/** A literal of `type`, repeated over its lanes. Floats are rounded to their format. */
export function literalText(type: ValueType, value: number): string {
  const scalar = scalarLiteral(type.scalar, value);
  if (type.lanes === 1) return scalar;
  return vectorLiteral(
    scalarSpelling[type.scalar],
    Array.from({ length: type.lanes }, () => scalar),
  );
}

/** A literal of its own for each lane. */
export const lanesText = (scalar: Scalar, values: readonly number[]): string =>
  vectorLiteral(
    scalarSpelling[scalar],
    values.map((value) => scalarLiteral(scalar, value)),
  );

export function vectorLiteral(element: string, items: readonly string[]): string {
  return `<${items.map((item) => `${element} ${item}`).join(", ")}>`;
}

function scalarLiteral(scalar: Scalar, value: number): string {
  switch (scalar) {
    case "f32":
      return floatLiteral(Math.fround(value));
    case "f64":
      return floatLiteral(value);
    case "bool":
      return value === 0 ? "false" : "true";
    case "i32":
      return String(value | 0);
    case "i64":
      return String(BigInt(value));
  }
}

/** LLVM reads a binary32 literal as the bits of the binary64 of the same value, so that nothing is rounded twice. */
function floatLiteral(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return `0x${view.getBigUint64(0).toString(16).toUpperCase().padStart(16, "0")}`;
}

/** Lanes of a shuffle, as LLVM writes them. */
export const laneList = (lanes: readonly number[]): string =>
  `<${lanes.map((lane) => `i32 ${lane}`).join(", ")}>`;
