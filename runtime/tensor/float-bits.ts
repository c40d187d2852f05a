/** A float32 and the 32 bits that stand for it: for keys that sort as floats do, and for numbers in frames of integers. */

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

export function bitsOfFloat(value: number): number {
  float[0] = value;
  return word[0] ?? 0;
}

export function floatOfBits(bits: number): number {
  word[0] = bits;
  return float[0] ?? Number.NaN;
}

/** Of infinity: magnitudes with fewer are finite. */
export const infinityBits = 0x7f800000;
