/**
 * Schedules and phases at a clock, for a layer and for a trainer without one: the clocks are checked, and what the
 * contract's pure functions refuse becomes an error that names the transform.
 */

import { suggestNames } from "../checkpoint/nearest-names.ts";
import type { TransformManifest } from "../contract/manifest.ts";
import { evaluateNumber, type SymbolLookup, symbolsOf } from "../contract/number-expression.ts";
import { type ClockName, type Clocks, clockNames, isClock, numbersAt } from "../contract/time.ts";
import { SpxError } from "../errors.ts";

/** Where every layer starts. */
export const zeroClocks: Readonly<Record<ClockName, number>> = { step: 0, epoch: 0, tokens: 0, progress: 0 };

const clockRanges: Readonly<Record<ClockName, { text: string; holds: (value: number) => boolean }>> = {
  step: { text: "a whole number from 0 on", holds: (value) => Number.isSafeInteger(value) && value >= 0 },
  epoch: { text: "a number from 0 on", holds: (value) => value >= 0 && value < Infinity },
  tokens: { text: "a whole number from 0 on", holds: (value) => Number.isSafeInteger(value) && value >= 0 },
  progress: { text: "a number from 0 to 1", holds: (value) => value >= 0 && value <= 1 },
};

/**
 * The clocks that the transform reads, of those given.
 * @throws SpxError SPX8401 for one that is missing, SPX8402 for a name that is no clock, SPX8407 for a time that is none.
 */
export function checkClocks({ name, time }: TransformManifest, given: Clocks): Clocks {
  for (const clock of Object.keys(given)) {
    if (isClock(clock)) continue;
    throw new SpxError("SPX8402", `\`${clock}\` is no clock`, {
      facts: { transform: name, clock, known: clockNames },
      help: suggestNames(clock, clockNames, "clock"),
    });
  }
  const clocks: Partial<Record<ClockName, number>> = {};
  for (const clock of time?.clocks ?? []) {
    const value = given[clock];
    if (value === undefined) {
      throw new SpxError("SPX8401", `\`${name}\` follows the clock \`${clock}\`, which was not given`, {
        facts: { transform: name, clock },
        help: `give \`${clock}\`: ${clockRanges[clock].text}`,
      });
    }
    clocks[clock] = value;
  }
  for (const [clock, value] of Object.entries(given)) {
    if (!isClock(clock) || value === undefined || clockRanges[clock].holds(value)) continue;
    throw new SpxError("SPX8407", `the clock \`${clock}\` is ${value}, expected ${clockRanges[clock].text}`, {
      facts: { transform: name, clock, found: String(value) },
      help: `give ${clockRanges[clock].text}`,
    });
  }
  return clocks;
}

/**
 * By name. Requires that `clocks` have been checked.
 * @throws SpxError SPX8407 when a value is not of the type of its schedule.
 */
export function scheduledNumbers(
  { name, time }: TransformManifest,
  symbols: SymbolLookup,
  clocks: Clocks,
): ReadonlyMap<string, number> {
  if (time === null) return new Map();
  try {
    return numbersAt(time, symbols, clocks);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const when = Object.entries(clocks)
      .map(([clock, value]) => `${clock} = ${value}`)
      .join(", ");
    throw new SpxError("SPX8407", `\`${name}\` at ${when}: ${cause.message}`, {
      facts: { transform: name, clocks: when },
      help: "change the schedule, its arguments or its type",
      cause,
    });
  }
}

/**
 * Schedules and phases without a layer. `given` are dimensions and number arguments; arguments that are left out have
 * their defaults.
 * @throws SpxError SPX8401 for a clock or a number that is read and missing, SPX8407 as `checkClocks` and
 *   `scheduledNumbers`.
 */
export function transformNumbersAt(
  transform: TransformManifest,
  given: Clocks,
  numbers: Readonly<Record<string, number>>,
): Record<string, number> {
  const clocks = checkClocks(transform, given);
  const symbols = new Map([...Object.entries(transform.constants), ...Object.entries(numbers)]);
  for (const argument of transform.arguments) {
    if (argument.kind !== "number" || symbols.has(argument.name) || argument.defaultValue === null) continue;
    if (symbolsOf(argument.defaultValue).every((name) => symbols.has(name)))
      symbols.set(argument.name, evaluateNumber(argument.defaultValue, symbols));
  }
  const scheduled = new Set(transform.time?.numbers.map(({ name }) => name));
  const read = (transform.time?.numbers ?? []).flatMap(({ value }) => symbolsOf(value));
  const missing = read.find((name) => !isClock(name) && !scheduled.has(name) && !symbols.has(name));
  if (missing !== undefined) {
    throw new SpxError("SPX8401", `a schedule of \`${transform.name}\` reads \`${missing}\``, {
      facts: { transform: transform.name, argument: missing },
      help: `give \`${missing}\` beside the clocks`,
    });
  }
  return Object.fromEntries(scheduledNumbers(transform, symbols, clocks));
}
