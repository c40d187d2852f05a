/** A float32 and its 32 bits, as the interpreters of loops and of devices read registers both ways. */
const scratch = new DataView(new ArrayBuffer(4));

export function floatOfBits(bits: number): number {
  scratch.setUint32(0, bits);
  return scratch.getFloat32(0);
}

export function bitsOfFloat(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}
