/**
 * Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
 * easy as 1, 2, 3" (2011): ten rounds of multiplication and exclusive or turn a counter and a key into four
 * random 32-bit words. There is no state to carry along, so word i can be computed alone, in any order.
 *
 * A stream is named by a seed and a text. Key: the seed, 64-bit two's complement, low half first. Counter:
 * words 0 and 1 the block number i / 4, low half first; words 2 and 3 the 64-bit hash of the name, low half
 * first. Word i of the stream is word i % 4 of its block.
 */
import { SpxError } from "../errors.ts";
import { hashName } from "./name-hash.ts";

/** A stream of random words; word i depends on nothing but seed, name and i. */
export interface RandomStream {
  readonly seed: number;
  readonly name: string;
  readonly key: readonly [low: number, high: number];
  readonly nameHash: readonly [low: number, high: number];
}

/**
 * The stream of `seed` (an integer below 2^53 in magnitude) for `name`, e.g. "encoder.layer.0.weight/A".
 * @throws SpxError SPX8407 for any other seed.
 */
export function randomStream(seed: number, name: string): RandomStream {
  if (!Number.isSafeInteger(seed)) {
    throw new SpxError("SPX8407", `the seed ${seed} is not an integer below 2^53 in magnitude`, {
      facts: { found: String(seed) },
      help: "give a whole number as `seed`, such as 7",
    });
  }
  return { seed, name, key: [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0], nameHash: hashName(name) };
}

/** Writes the four words of block `block` (0 .. 2^51) of the stream to `target` from `offset` on. */
export function philoxBlock(stream: RandomStream, block: number, target: Uint32Array, offset = 0): void {
  const { key, nameHash } = stream;
  philox4x32(
    block >>> 0,
    Math.floor(block / 2 ** 32),
    nameHash[0],
    nameHash[1],
    key[0],
    key[1],
    target,
    offset,
  );
}

const multiplier0 = 0xd2511f53;
const multiplier1 = 0xcd9e8d57;
/** Key increments: the fractional parts of the golden ratio and of the square root of 3. */
const weyl0 = 0x9e3779b9;
const weyl1 = 0xbb67ae85;

/** The generator itself: counter (c0 .. c3), key (k0, k1), ten rounds. All words unsigned 32-bit. */
export function philox4x32(
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
  target: Uint32Array,
  offset = 0,
): void {
  let a = c0;
  let b = c1;
  let c = c2;
  let d = c3;
  let left = k0;
  let right = k1;
  for (let round = 0; round < 10; round += 1) {
    const high0 = multiplyHigh(multiplier0, a);
    const high1 = multiplyHigh(multiplier1, c);
    const low0 = Math.imul(multiplier0, a);
    const low1 = Math.imul(multiplier1, c);
    a = high1 ^ b ^ left;
    c = high0 ^ d ^ right;
    b = low1;
    d = low0;
    left = (left + weyl0) | 0;
    right = (right + weyl1) | 0;
  }
  target[offset] = a;
  target[offset + 1] = b;
  target[offset + 2] = c;
  target[offset + 3] = d;
}

/** Upper 32 bits of the 64-bit product, by halves, since a double holds only 53 bits of it. */
function multiplyHigh(x: number, y: number): number {
  const xLow = x & 0xffff;
  const xHigh = x >>> 16;
  const yLow = y & 0xffff;
  const yHigh = y >>> 16;
  const middle = xHigh * yLow + ((xLow * yLow) >>> 16);
  const carry = (middle & 0xffff) + xLow * yHigh;
  return (xHigh * yHigh + Math.floor(middle / 65536) + Math.floor(carry / 65536)) | 0;
}
