/**
 * Exactly `count` entries with the largest keys, by counting over the digits of a 32-bit key: linear in the size
 * whatever the values are, and ties fall to the lowest index by construction.
 */
import { SpxError } from "../errors.ts";
import { emptyBits, type Pattern, setBit } from "./pattern.ts";

export type Keys = Uint32Array;

/** Keys that order values by their magnitude. Values have to be finite. */
export function magnitudeKeys(values: Float32Array): Keys {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const keys = new Uint32Array(words.length);
  for (let index = 0; index < keys.length; index++) keys[index] = (words[index] ?? 0) & 0x7fffffff;
  return keys;
}

/** Keys that order values by size; both zeros have one key. Values have to be finite. */
export function valueKeys(values: Float32Array): Keys {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const keys = new Uint32Array(words.length);
  for (let index = 0; index < keys.length; index++) {
    const word = words[index] ?? 0;
    if ((word & 0x7fffffff) === 0) keys[index] = 0x80000000;
    else keys[index] = (word & 0x80000000) === 0 ? word | 0x80000000 : ~word;
  }
  return keys;
}

/** What is kept: every key above `threshold`, and of those equal to it the first `ties`. */
export interface KeyCut {
  readonly threshold: number;
  readonly ties: number;
}

/** The pattern of the `count` largest keys of a [rows, columns] matrix. */
export function largestEntries(keys: Keys, rows: number, columns: number, count: number): Pattern {
  return entriesOfCut(keys, rows, columns, cutOf(keys, count));
}

/** The pattern of what a cut keeps, chosen here or among the keys of several layers. */
export function entriesOfCut(keys: Keys, rows: number, columns: number, cut: KeyCut): Pattern {
  const bits = emptyBits(rows, columns);
  const count = setKept(bits, keys, 0, cut);
  return { rows, columns, count, bits };
}

/** Visits the positions of the `count` largest keys in ascending order. */
export function forLargest(keys: Keys, count: number, visit: (position: number) => void): void {
  forKept(keys, cutOf(keys, count), visit);
}

/** Sets the bits of what the cut keeps of `keys`, which begin at position `first`; gives how many. */
function setKept(bits: Uint32Array, keys: Keys, first: number, cut: KeyCut): number {
  let kept = 0;
  forKept(keys, cut, (index) => {
    setBit(bits, first + index);
    kept++;
  });
  return kept;
}

function forKept(keys: Keys, { threshold, ties }: KeyCut, visit: (index: number) => void): void {
  let tiesLeft = ties;
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] ?? 0;
    if (key > threshold || (key === threshold && tiesLeft-- > 0)) visit(index);
  }
}

/** Few long passes for long arrays, short histograms for rows; the bits of each pass, highest first. */
const wideDigits = [16, 16] as const;
const narrowDigits = [11, 11, 10] as const;

/** The smallest key that is kept, and how many entries with just that key are. */
export function cutOf(keys: Keys, count: number): KeyCut {
  if (count === 0) return { threshold: 0xffffffff, ties: 0 };
  let prefix = 0;
  let bitsKnown = 0;
  let left = count;
  for (const digit of keys.length < 2 ** 18 ? narrowDigits : wideDigits) {
    const histogram = countDigits(keys, { prefix, bitsKnown }, digit);
    const found = descend(histogram, left);
    prefix = prefix * 2 ** digit + found.bucket;
    bitsKnown += digit;
    left = found.left;
  }
  return { threshold: prefix, ties: left };
}

/** The first `bitsKnown` bits of the keys that matter. */
export interface KeyPrefix {
  readonly prefix: number;
  readonly bitsKnown: number;
}

/** How many of the keys with this prefix have each value of the next `digit` bits; added to `histogram`. */
export function countDigits(
  keys: Keys,
  { prefix, bitsKnown }: KeyPrefix,
  digit: number,
  histogram = new Uint32Array(2 ** digit),
): Uint32Array {
  const shift = 32 - bitsKnown - digit;
  const mask = 2 ** digit - 1;
  // A shift by 32 would be one by 0.
  const above = bitsKnown === 0 ? 0 : 32 - bitsKnown;
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] ?? 0;
    if (bitsKnown !== 0 && key >>> above !== prefix) continue;
    const bucket = (key >>> shift) & mask;
    histogram[bucket] = (histogram[bucket] ?? 0) + 1;
  }
  return histogram;
}

/**
 * The bucket, counted from the top, in which the `count`-th entry lies, and its rank inside the bucket.
 * @throws RangeError when there are fewer entries.
 */
export function descend(histogram: Uint32Array, count: number): { bucket: number; left: number } {
  let left = count;
  for (let bucket = histogram.length - 1; bucket >= 0; bucket--) {
    const held = histogram[bucket] ?? 0;
    if (held >= left) return { bucket, left };
    left -= held;
  }
  throw new RangeError(`count ${count} is above the number of keys`);
}

/**
 * @throws SpxError SPX8407 unless `count` is a whole number from 0 to `size`; `what` names the selection.
 */
export function checkCount(what: string, count: number, size: number): void {
  if (Number.isInteger(count) && count >= 0 && count <= size) return;
  throw new SpxError("SPX8407", `\`${what}\` asks for ${count} of ${size} entries`, {
    facts: { what, count, size },
    help: `give a whole number from 0 to ${size}`,
  });
}

/** @throws SpxError SPX8408 naming `tensor`, the first index and its value when one is NaN or infinite. */
export function requireFinite(tensor: string, values: Float32Array, columns: number): void {
  for (let position = 0; position < values.length; position++) {
    const value = values[position] ?? 0;
    // A difference with itself is zero for finite numbers alone.
    if (value - value === 0) continue;
    const index = columns > 0 ? [Math.floor(position / columns), position % columns] : [position];
    throw new SpxError(
      "SPX8408",
      `\`${tensor}\` holds ${value} at [${index.join(", ")}], where an order is needed`,
      {
        facts: { tensor, index, value: String(value) },
        help: "repair the checkpoint, or set such entries to zero before loading",
      },
    );
  }
}
