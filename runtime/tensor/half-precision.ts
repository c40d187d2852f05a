/**
 * Half precision: float16 and bfloat16 bits to and from float32, exact one way, rounded to nearest with ties
 * to even the other. Works on integer views only, because a NaN that passes through a JavaScript number may
 * lose its payload; NaNs keep sign and the payload bits that fit.
 */

/** float32 bits of every float16 pattern; built at first use (256 KiB), since a table beats shifts here. */
let halfTable: Uint32Array | null = null;

function float16Table(): Uint32Array {
  if (halfTable !== null) return halfTable;
  const table = new Uint32Array(65536);
  for (let half = 0; half < 65536; half += 1) table[half] = widenFloat16(half);
  halfTable = table;
  return table;
}

/** float16: 1 sign, 5 exponent (bias 15), 10 fraction bits; float32: 1, 8 (bias 127), 23. */
function widenFloat16(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return (sign | 0x7f800000 | (fraction << 13)) >>> 0;
  if (exponent !== 0) return (sign | ((exponent + 112) << 23) | (fraction << 13)) >>> 0;
  if (fraction === 0) return sign >>> 0;
  // Subnormal: fraction · 2^-24; the leading one moves to the hidden bit.
  const shift = Math.clz32(fraction) - 21;
  return (sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13)) >>> 0;
}

function narrowToFloat16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) {
    const payload = (magnitude >>> 13) & 0x3ff;
    // A payload that lies only in the lost bits must not turn the NaN into an infinity.
    return sign | 0x7c00 | (payload === 0 ? 0x200 : payload);
  }
  // 65520 is halfway between the largest float16 and 65536: from there on, infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    // Normal: rebias, then add just under half of the lost unit, or half when the kept bit is odd.
    const rebased = magnitude - 0x38000000;
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  // At most half of the smallest subnormal, 2^-25, ties to even: zero.
  if (magnitude <= 0x33000000) return sign;
  const shift = 126 - (magnitude >>> 23);
  const significand = (magnitude & 0x7fffff) | 0x800000;
  const kept = significand >>> shift;
  const lost = significand & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (kept + (lost > half || (lost === half && (kept & 1) === 1) ? 1 : 0));
}

function narrowToBfloat16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) {
    const kept = bits >>> 16;
    return (kept & 0x7f) === 0 ? kept | 0x40 : kept;
  }
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

const bitsOf = (values: Float32Array): Uint32Array =>
  new Uint32Array(values.buffer, values.byteOffset, values.length);

/** float16 bits to float32, exactly. */
export function float16ToFloat32(
  source: Uint16Array,
  target = new Float32Array(source.length),
): Float32Array {
  const table = float16Table();
  const bits = bitsOf(target);
  for (let index = 0; index < source.length; index += 1)
    bits[index] = table[source[index] as number] as number;
  return target;
}

/** float32 to float16 bits, to nearest, ties to even; beyond 65504 (rounded) to infinity. */
export function float32ToFloat16(source: Float32Array, target = new Uint16Array(source.length)): Uint16Array {
  const bits = bitsOf(source);
  for (let index = 0; index < bits.length; index += 1) target[index] = narrowToFloat16(bits[index] as number);
  return target;
}

/** bfloat16 bits to float32, exactly. */
export function bfloat16ToFloat32(
  source: Uint16Array,
  target = new Float32Array(source.length),
): Float32Array {
  const bits = bitsOf(target);
  for (let index = 0; index < source.length; index += 1) bits[index] = (source[index] as number) << 16;
  return target;
}

/** float32 to bfloat16 bits, to nearest, ties to even. */
export function float32ToBfloat16(
  source: Float32Array,
  target = new Uint16Array(source.length),
): Uint16Array {
  const bits = bitsOf(source);
  for (let index = 0; index < bits.length; index += 1)
    target[index] = narrowToBfloat16(bits[index] as number);
  return target;
}

/** The number types of 16 bits. */
export type HalfElement = "bf16" | "f16";

/** To float32, exactly, from the bits of either type. */
export const widenHalves = (
  element: HalfElement,
  source: Uint16Array,
  target = new Float32Array(source.length),
): Float32Array => (element === "bf16" ? bfloat16ToFloat32 : float16ToFloat32)(source, target);

/** The bits of either type, to nearest, ties to even. */
export const narrowToHalves = (
  element: HalfElement,
  source: Float32Array,
  target = new Uint16Array(source.length),
): Uint16Array => (element === "bf16" ? float32ToBfloat16 : float32ToFloat16)(source, target);
