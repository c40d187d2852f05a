/**
 * Exactly `count` entries with the largest keys, by two passes of counting over the halves of a 32-bit key:
 * linear in the size whatever the values are, and ties fall to the lowest index by construction.
 */
import { SpxError } from "../errors.ts";
import { emptyBits, type Pattern, setBit } from "./pattern.ts";

export type Keys = Uint32Array;

/** Keys that order values by their magnitude. Values have to be finite. */
export function magnitudeKeys(values: Float32Array): Keys {
  const keys = new Uint32Array(values.buffer, values.byteOffset, values.length).slice();
  for (let index = 0; index < keys.length; index++) keys[index] = (keys[index] ?? 0) & 0x7fffffff;
  return keys;
}

/** Keys that order values by size; both zeros have one key. Values have to be finite. */
export function valueKeys(values: Float32Array): Keys {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return bits.map((word) => {
    if ((word & 0x7fffffff) === 0) return 0x80000000;
    return (word & 0x80000000) === 0 ? word | 0x80000000 : ~word;
  });
}

/** Visits the positions of the `count` largest keys in ascending order. */
export function forLargest(keys: Keys, count: number, visit: (position: number) => void): void {
  const { threshold, ties } = thresholdOf(keys, count);
  let tiesLeft = ties;
  for (let position = 0; position < keys.length; position++) {
    const key = keys[position] ?? 0;
    if (key < threshold) continue;
    if (key > threshold) visit(position);
    else if (tiesLeft > 0) {
      visit(position);
      tiesLeft--;
    }
  }
}

/** The pattern of the `count` largest keys of a [rows, columns] matrix. */
export function largestEntries(keys: Keys, rows: number, columns: number, count: number): Pattern {
  const bits = emptyBits(rows, columns);
  forLargest(keys, count, (position) => setBit(bits, position));
  return { rows, columns, count, bits };
}

/** The smallest key that is kept, and how many entries with just that key are. */
function thresholdOf(keys: Keys, count: number): { threshold: number; ties: number } {
  if (count === 0) return { threshold: 0xffffffff, ties: 0 };
  const high = new Uint32Array(65536);
  for (let index = 0; index < keys.length; index++) {
    const bucket = (keys[index] ?? 0) >>> 16;
    high[bucket] = (high[bucket] ?? 0) + 1;
  }
  const upper = descend(high, count);
  const low = new Uint32Array(65536);
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] ?? 0;
    if (key >>> 16 === upper.bucket) low[key & 0xffff] = (low[key & 0xffff] ?? 0) + 1;
  }
  const lower = descend(low, upper.left);
  return { threshold: upper.bucket * 65536 + lower.bucket, ties: lower.left };
}

/** The bucket, counted from the top, in which the `count`-th entry lies, and its rank inside the bucket. */
function descend(histogram: Uint32Array, count: number): { bucket: number; left: number } {
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
