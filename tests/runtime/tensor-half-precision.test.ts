import { describe, expect, test } from "vitest";
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
} from "../../runtime/tensor/half-precision.ts";

const patterns = Uint16Array.from({ length: 65536 }, (_, index) => index);

/** A format's value by its definition, in exact double arithmetic. */
function valueByDefinition(bits: number, exponentBits: number, fractionBits: number): number {
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = bits >> (exponentBits + fractionBits) === 0 ? 1 : -1;
  const exponent = (bits >> fractionBits) & (2 ** exponentBits - 1);
  const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  if (exponent === 2 ** exponentBits - 1)
    return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias);
  return sign * (1 + fraction) * 2 ** (exponent - bias);
}

const formats = [
  { name: "float16", widen: float16ToFloat32, narrow: float32ToFloat16, exponentBits: 5, fractionBits: 10 },
  { name: "bfloat16", widen: bfloat16ToFloat32, narrow: float32ToBfloat16, exponentBits: 8, fractionBits: 7 },
];

describe.each(formats)("$name", ({ widen, narrow, exponentBits, fractionBits }) => {
  const values = Float64Array.from(patterns, (bits) => valueByDefinition(bits, exponentBits, fractionBits));
  /** Bits of positive infinity; the finite patterns ascend below it. */
  const infinity = (2 ** exponentBits - 1) * 2 ** fractionBits;

  test("every pattern widens to its value, zeros and infinities with their sign", () => {
    const widened = widen(patterns);
    const wrong = [...patterns].filter((bits) => !Object.is(widened[bits], values[bits]));
    expect(wrong).toEqual([]);
  });

  test("every pattern, NaNs too, survives widening and narrowing", () => {
    const back = narrow(widen(patterns));
    expect([...patterns].filter((bits) => back[bits] !== bits)).toEqual([]);
  });

  test("between any two neighbours: to the nearest, the middle to the even one", () => {
    const inputs: number[] = [];
    const expected: number[] = [];
    const add = (value: number, bits: number): void => {
      for (const sign of [0, 0x8000]) {
        inputs.push(sign === 0 ? value : -value);
        expected.push(bits | sign);
      }
    };
    const next = new Float32Array(1);
    const nextBits = new Uint32Array(next.buffer);
    const step = (value: number, by: number): number => {
      next[0] = value;
      nextBits[0] = (nextBits[0] ?? 0) + by;
      return next[0] ?? 0;
    };
    for (let bits = 0; bits < infinity; bits += 1) {
      const low = values[bits] ?? 0;
      // One step above the largest finite value stands for what infinity begins at.
      const high = bits + 1 === infinity ? 2 * low - (values[bits - 1] ?? 0) : (values[bits + 1] ?? 0);
      const middle = low + (high - low) / 2;
      if (Math.fround(middle) !== middle) continue;
      add(middle, bits % 2 === 0 ? bits : bits + 1);
      add(step(middle, -1), bits);
      add(step(middle, 1), bits + 1);
    }
    const narrowed = narrow(Float32Array.from(inputs));
    const wrong = inputs.filter((_, index) => narrowed[index] !== expected[index]);
    expect(wrong).toEqual([]);
    expect(inputs.length).toBeGreaterThan(6 * (infinity - 2 ** fractionBits));
  });

  test("a NaN whose payload lies in the lost bits stays a NaN", () => {
    const signalling = new Float32Array(new Uint32Array([0x7f800001, 0xff800001]).buffer);
    const narrowed = narrow(signalling);
    expect([...widen(narrowed)].every(Number.isNaN)).toBe(true);
    expect([...narrowed].map((bits) => bits >> 15)).toEqual([0, 1]);
  });

  test("reads and writes the ranges that it is given", () => {
    const source = patterns.subarray(0x3c00, 0x3c05);
    const target = new Float32Array(7).fill(-1);
    expect(widen(source, target.subarray(1, 6))).toHaveLength(5);
    expect([target[0], target[6]]).toEqual([-1, -1]);
    expect([...narrow(target.subarray(1, 6))]).toEqual([...source]);
  });
});

test("float16 rounds to infinity from 65520 on, bfloat16 from the middle above its largest value on", () => {
  expect([...float32ToFloat16(Float32Array.of(65519.996, 65520, 3e38))]).toEqual([0x7bff, 0x7c00, 0x7c00]);
  expect([...float32ToBfloat16(Float32Array.of(3.3895313e38, 3.4e38))]).toEqual([0x7f7f, 0x7f80]);
});
