/**
 * The k largest of many entries by compiled passes over them: a sample brackets the threshold, one reading counts what
 * lies above the bracket and gathers the few inside it, among which the threshold is found, a second one marks what is
 * kept. A bracket that misses is followed by one of all that is left, so that the result is exact whatever the sample
 * said: the same positions as counting over digits gives, ties to the lowest index.
 */
import type { SelectionOrder } from "../contract/manifest.ts";
import { floatOfBits, infinityBits } from "../tensor/float-bits.ts";
import { cutOf, type Keys, magnitudeKeys, valueKeys } from "./largest-entries.ts";

/** Scores of one interval, in the order of their entries. */
export interface Bracketed {
  readonly scores: Float32Array;
  /** Entries of a run. */
  readonly run: number;
  /** For each run four numbers: scores above the interval, scores inside, the bits of the largest magnitude, 0. */
  readonly counts: Uint32Array;
}

/** Compiled passes; each gives null where the artefact has no kernel for it. */
export interface SelectionPasses {
  bracket(values: Float32Array, order: SelectionOrder, low: number, high: number): Bracketed | null;
  /** Bits of the entries with at least this score up to position `cut`, a multiple of 16, with a larger one from there on. */
  mark(values: Float32Array, order: SelectionOrder, threshold: number, cut: number): Uint32Array | null;
  /** Bits of the n largest magnitudes of each m entries; null for values that are not finite as well. */
  groups(values: Float32Array, n: number, m: number): Uint32Array | null;
}

interface Order {
  readonly keys: (values: Float32Array) => Keys;
  readonly score: (value: number) => number;
  /** The score with this key. */
  readonly ofKey: (key: number) => number;
}

const orders: Readonly<Record<SelectionOrder, Order>> = {
  magnitude: { keys: magnitudeKeys, score: Math.abs, ofKey: floatOfBits },
  value: {
    keys: valueKeys,
    score: (value) => value,
    ofKey: (key) => floatOfBits(key >= 0x80000000 ? key - 0x80000000 : ~key),
  },
};

/** Keys in the order of a selection. Values have to be finite. */
export const keysOf = (order: SelectionOrder, values: Float32Array): Keys => orders[order].keys(values);

/** Below this many entries counting over digits is as fast. */
const fewest = 1 << 16;
const sampleSize = 1 << 13;
/** Standard deviations of a rank in the sample on either side of the expected one. */
const margin = 4;
/** Few enough to count over digits. */
const fewGathered = 1 << 15;

/**
 * The bits of the `count` entries of largest score, row-major; null where digits have to be counted: few entries, no
 * kernels, a count that is none, values that are not finite.
 */
export function largestByPasses(
  values: Float32Array,
  order: SelectionOrder,
  count: number,
  passes: SelectionPasses | null,
): Uint32Array | null {
  const isCount = Number.isInteger(count) && count > 0 && count <= values.length;
  if (passes === null || values.length < fewest || !isCount) return null;
  const found = locate(values, order, count, passes);
  if (found === null) return null;
  const { threshold, ties, equal } = found;
  if (ties === equal) return passes.mark(values, order, threshold, 16 * Math.ceil(values.length / 16));
  const last = positionOfTie(values, order, found);
  const cut = last - (last % 16);
  const bits = passes.mark(values, order, threshold, cut);
  if (bits === null) return null;
  const { score } = orders[order];
  for (let at = cut; at <= last; at++)
    if (score(values[at] ?? 0) === threshold) bits[at >>> 5] = (bits[at >>> 5] ?? 0) | (1 << (at & 31));
  return bits;
}

interface Located {
  readonly threshold: number;
  /** How many entries with just that score are kept, the first ones, and how many there are. */
  readonly ties: number;
  readonly equal: number;
  readonly part: Bracketed;
}

function locate(
  values: Float32Array,
  order: SelectionOrder,
  count: number,
  passes: SelectionPasses,
): Located | null {
  let { low, high } = bracketOf(values, order, count);
  for (;;) {
    const part = passes.bracket(values, order, low, high);
    if (part === null) return null;
    const { above, inside, finite } = totalOf(part);
    if (!finite) return null;
    if (count <= above) [low, high] = [high, Number.POSITIVE_INFINITY];
    else if (count > above + inside) [low, high] = [Number.NEGATIVE_INFINITY, low];
    else if (low === high) return { threshold: low, ties: count - above, equal: inside, part };
    else {
      // What a bracket does not make fewer is not bracketed again.
      const again = inside > fewGathered && inside <= values.length / 2;
      const found = again ? locate(part.scores, order, count - above, passes) : null;
      return { ...(found ?? countedIn(part.scores, order, count - above)), part };
    }
  }
}

function countedIn(scores: Float32Array, order: SelectionOrder, count: number): Omit<Located, "part"> {
  const { keys, ofKey } = orders[order];
  const own = keys(scores);
  const { threshold, ties } = cutOf(own, count);
  const equal = own.reduce((total, key) => total + Number(key === threshold), 0);
  return { threshold: ofKey(threshold), ties, equal };
}

/** An interval that holds the `count`-th largest score as far as a sample tells. */
function bracketOf(
  values: Float32Array,
  order: SelectionOrder,
  count: number,
): { low: number; high: number } {
  const { keys, ofKey } = orders[order];
  const step = values.length / sampleSize;
  const drawn = new Float32Array(sampleSize);
  for (let at = 0; at < sampleSize; at++) {
    // Somewhere in each part, so that no pattern of rows and columns is met at the same place.
    const within = (Math.imul(at + 1, 0x9e3779b1) >>> 0) / 2 ** 32;
    drawn[at] = values[Math.floor((at + within) * step)] ?? 0;
  }
  const sample = keys(drawn);
  const share = count / values.length;
  const away = margin * Math.sqrt(sampleSize * share * (1 - share)) + margin;
  const [upper, lower] = [Math.floor(sampleSize * share - away), Math.ceil(sampleSize * share + away)];
  return {
    low: lower > sampleSize ? Number.NEGATIVE_INFINITY : ofKey(cutOf(sample, lower).threshold),
    high: upper < 1 ? Number.POSITIVE_INFINITY : ofKey(cutOf(sample, upper).threshold),
  };
}

function totalOf({ counts }: Bracketed): { above: number; inside: number; finite: boolean } {
  let [above, inside, finite] = [0, 0, true];
  for (let at = 0; at < counts.length; at += 4) {
    above += counts[at] ?? 0;
    inside += counts[at + 1] ?? 0;
    finite &&= (counts[at + 2] ?? 0) < infinityBits;
  }
  return { above, inside, finite };
}

/** Where the last of the ties stands that are kept. */
function positionOfTie(
  values: Float32Array,
  order: SelectionOrder,
  { threshold, ties, part }: Located,
): number {
  const { score } = orders[order];
  const { scores, counts, run } = part;
  let left = ties;
  for (let at = 0, first = 0; at < counts.length; at += 4) {
    const own = scores.subarray(first, first + (counts[at + 1] ?? 0));
    first += own.length;
    const held = own.reduce((total, value) => total + Number(value === threshold), 0);
    if (held < left) {
      left -= held;
      continue;
    }
    for (let position = (at / 4) * run; position < values.length; position++)
      if (score(values[position] ?? 0) === threshold && --left === 0) return position;
  }
  throw new RangeError("fewer ties than were counted");
}
