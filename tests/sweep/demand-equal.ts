/** How two levels are compared: to the last bit where data are exact, within a bound on what is rounded elsewhere. */
import type { LoadedCase } from "./loaded-case.ts";
import { largestInput } from "./loaded-case.ts";
import { type Level, LevelFault } from "./road.ts";

/** What may be between two ways to calculate in float64 and float32: shares of the parts that are rounded. */
const [roundingOf64, roundingOf32] = [1e-13, 5e-7];
export const within64 = ({ rounded }: LoadedCase, times = 1): number => rounded * times * roundingOf64;
export const within32 = ({ rounded }: LoadedCase, times = 1): number => rounded * times * roundingOf32;

/** @throws LevelFault at the first entry that is further than `within` from the expected one. */
export function demandEqual(
  level: Level,
  what: string,
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  within = 0,
): void {
  if (found.length !== expected.length)
    throw new LevelFault(level, `${what}: ${found.length} values, expected ${expected.length}`);
  for (let index = 0; index < expected.length; index++) {
    const [one = Number.NaN, other = Number.NaN] = [found[index], expected[index]];
    if (one !== other && !(Math.abs(one - other) <= within))
      throw new LevelFault(
        level,
        `${what}: entry ${index} of ${expected.length} is ${one}, expected ${other}${within === 0 ? "" : ` within ${within}`}`,
      );
  }
}

/** How many times the rounding of a weight an entry of a gradient may have: products of `batch` inputs, several uses. */
export const gradientRounding = (batch: number): number => 8 * batch * largestInput ** 2;
