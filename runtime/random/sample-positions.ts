/**
 * A uniform random subset of exactly `count` of `population` positions, by Floyd's algorithm (Bentley and
 * Floyd, "A sample of brilliance", 1987): one draw for each position taken, memory in proportion to `count`.
 */
import { SpxError } from "../errors.ts";
import { philoxBlock, type RandomStream } from "./philox.ts";

/**
 * `count` distinct positions below `population` (at most 2^32 - 1), ascending; every subset equally likely.
 * @throws SpxError SPX8407 when `count` or `population` is no such number.
 */
export function sampleWithoutReplacement(
  stream: RandomStream,
  count: number,
  population: number,
): Uint32Array {
  refuse(population, "the population", 2 ** 32 - 1);
  refuse(count, "the count of positions to draw", population);
  const taken = population <= 64 * count ? bitSet(population) : hashSet(count);
  const draw = boundedDraws(stream);
  for (let last = population - count; last < population; last += 1) {
    // When the draw is taken already, `last` cannot be: it was outside the range of every draw before.
    if (!taken.add(draw(last + 1))) taken.add(last);
  }
  return taken.ascending(count);
}

/** A set of positions, `add` telling whether the position is new. */
interface PositionSet {
  add(position: number): boolean;
  ascending(count: number): Uint32Array;
}

function bitSet(population: number): PositionSet {
  const words = new Uint32Array(Math.ceil(population / 32));
  return {
    add(position) {
      const word = words[position >>> 5] as number;
      const bit = 1 << (position & 31);
      words[position >>> 5] = word | bit;
      return (word & bit) === 0;
    },
    ascending(count) {
      const positions = new Uint32Array(count);
      let filled = 0;
      words.forEach((word, index) => {
        for (let rest = word; rest !== 0; rest &= rest - 1) {
          positions[filled] = index * 32 + (31 - Math.clz32(rest & -rest));
          filled += 1;
        }
      });
      return positions;
    },
  };
}

/** Open addressing, at most half full: the engine's own sets end at 2^24 entries. */
function hashSet(count: number): PositionSet {
  const bits = Math.max(1, Math.ceil(Math.log2(2 * count + 1)));
  const slots = new Uint32Array(2 ** bits);
  return {
    add(position) {
      // Multiplication by the golden ratio spreads neighbours; 0 marks a free slot, hence the + 1.
      let slot = Math.imul(position, 0x9e3779b1) >>> (32 - bits);
      for (; slots[slot] !== 0; slot = (slot + 1) % slots.length)
        if (slots[slot] === position + 1) return false;
      slots[slot] = position + 1;
      return true;
    },
    ascending(wanted) {
      const positions = new Uint32Array(wanted);
      let filled = 0;
      for (const slot of slots) {
        if (slot === 0) continue;
        positions[filled] = slot - 1;
        filled += 1;
      }
      return positions.sort();
    },
  };
}

/** Successive uniform integers below a bound, without bias: words beyond the last whole multiple are skipped. */
function boundedDraws(stream: RandomStream): (bound: number) => number {
  const words = new Uint32Array(4);
  let index = 0;
  return (bound) => {
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      if (index % 4 === 0) philoxBlock(stream, index / 4, words);
      const word = words[index % 4] as number;
      index += 1;
      if (word < limit) return word % bound;
    }
  };
}

function refuse(value: number, what: string, largest: number): void {
  if (Number.isSafeInteger(value) && value >= 0 && value <= largest) return;
  throw new SpxError("SPX8407", `${what} is ${value}, expected a whole number from 0 to ${largest}`, {
    facts: { found: String(value), largest },
    help: "check the count, or the shape that it is a part of",
  });
}
