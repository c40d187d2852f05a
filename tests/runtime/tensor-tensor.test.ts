import { expect, test } from "vitest";
import { runtimeErrorCodes, SpxError } from "../../runtime/errors.ts";
import { fromFloat32, toFloat32 } from "../../runtime/tensor/convert.ts";
import {
  elementBytes,
  elementTypeOf,
  elementTypeOrder,
  elementTypes,
  storageWidth,
} from "../../runtime/tensor/element-type.ts";
import { elementCount, hasElementType, tensor, zeros } from "../../runtime/tensor/tensor.ts";
import { caught } from "./thrown-error.ts";

test("an error renders code, message and help, and turns into data", () => {
  const error = new SpxError("SPX8012", "too much", { facts: { count: 2n ** 60n }, help: "first\nsecond" });
  expect(error.message).toBe("error[SPX8012]: too much\n  = help: first\n          second");
  expect(JSON.parse(JSON.stringify(error))).toEqual({
    code: "SPX8012",
    message: "too much",
    facts: { count: "1152921504606846976" },
    help: "first\nsecond",
  });
});

test("the table of codes has a name and a line for each, and no name twice", () => {
  const rows = Object.entries(runtimeErrorCodes);
  expect(new Set(rows.map(([, [name]]) => name)).size).toBe(rows.length);
  for (const [code, [name, line]] of rows) {
    expect(code).toMatch(/^SPX8[0-7]\d\d$/);
    expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
    expect(line).toMatch(/^[a-z`].*[^.]$/);
  }
});

test("a tensor is frozen, and its data must have the length and the array of its type", () => {
  const shape = [2, 3];
  const made = tensor("f32", shape, new Float32Array(6));
  shape[0] = 9;
  expect(made.shape).toEqual([2, 3]);
  expect(Object.isFrozen(made) && Object.isFrozen(made.shape)).toBe(true);
  const error = caught(() => tensor("f32", [2, 3], new Float32Array(5)));
  expect(error.code).toBe("SPX8409");
  expect(error.message).toContain("takes 24 bytes in a Float32Array, found 20 bytes");
  // Same bytes, other entries: only a caller without types can do this.
  expect(caught(() => tensor("f32", [2], new Uint16Array(4) as unknown as Float32Array)).code).toBe(
    "SPX8409",
  );
});

test.each([[[-1]], [[1.5]], [[Number.NaN]], [[2 ** 53]], [[2 ** 27, 2 ** 27]], [[2 ** 40, 2 ** 40, 0]]])(
  "shape %j is refused before anything is allocated",
  (shape) => {
    expect(caught(() => zeros("f32", shape)).code).toBe("SPX8407");
  },
);

test("a buffer that no memory can hold is an error, not a crash", () => {
  expect(caught(() => zeros("u8", [2 ** 50])).code).toBe("SPX8304");
});

test("empty shapes and scalars", () => {
  expect(elementCount([])).toBe(1);
  expect(zeros("f64", []).data).toEqual(new Float64Array(1));
  expect(zeros("bf16", [3, 0]).data).toEqual(new Uint16Array(0));
});

test("element types: names lead back, sizes of whole and of packed elements", () => {
  for (const type of elementTypeOrder) {
    expect(elementTypeOf(elementTypes[type].safetensors)).toBe(type);
    const bytes = elementBytes(type, 8);
    expect(bytes).toBe(elementTypes[type].bits);
    expect(zeros(type, [8]).data.byteLength).toBe(bytes);
    expect(zeros(type, [8]).data.BYTES_PER_ELEMENT).toBe(storageWidth(type));
  }
  expect(elementTypeOf("f32")).toBeNull();
  expect([elementBytes("f4", 3), elementBytes("f6_e2m3", 4), elementBytes("f64", 2 ** 51)]).toEqual([
    null,
    3,
    null,
  ]);
});

test("numbers of every readable type become float32", () => {
  expect(toFloat32(tensor("bool", [2], Uint8Array.of(0, 1)))).toEqual(Float32Array.of(0, 1));
  expect(toFloat32(tensor("i8", [2], Int8Array.of(-128, 127)))).toEqual(Float32Array.of(-128, 127));
  expect(toFloat32(tensor("u16", [1], Uint16Array.of(65535)))).toEqual(Float32Array.of(65535));
  expect(toFloat32(tensor("i64", [2], BigInt64Array.of(-3n, 2n ** 40n)))).toEqual(
    Float32Array.of(-3, 2 ** 40),
  );
  expect(toFloat32(tensor("f64", [1], Float64Array.of(0.1)))).toEqual(Float32Array.of(Math.fround(0.1)));
  expect(toFloat32(tensor("f16", [2], Uint16Array.of(0x3c00, 0xc000)))).toEqual(Float32Array.of(1, -2));
  expect(toFloat32(tensor("bf16", [1], Uint16Array.of(0x3fc0)))).toEqual(Float32Array.of(1.5));
  const same = new Float32Array(2);
  expect(toFloat32(tensor("f32", [2], same))).toBe(same);
  expect(caught(() => toFloat32(zeros("f8_e4m3", [2]))).code).toBe("SPX8015");
});

test("float32 rounds into the other float types", () => {
  const values = Float32Array.of(1, -0.5, 3.14159274);
  expect(fromFloat32("f32", [3], values).data).toBe(values);
  expect(fromFloat32("f16", [3], values).data).toEqual(Uint16Array.of(0x3c00, 0xb800, 0x4248));
  expect(fromFloat32("bf16", [3], values).data).toEqual(Uint16Array.of(0x3f80, 0xbf00, 0x4049));
  expect(fromFloat32("f64", [3], values).data).toEqual(Float64Array.from(values));
  expect(caught(() => fromFloat32("f16", [2], values)).code).toBe("SPX8409");
});

test("the element type narrows a tensor", () => {
  const unknown = zeros("i32", [1]);
  expect(hasElementType(unknown, "i32")).toBe(true);
  expect(hasElementType(unknown, "f32")).toBe(false);
});
