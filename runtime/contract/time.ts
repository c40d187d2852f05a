/**
 * What of a transform follows the clocks of training: schedules, phases and refreshed patterns. Plain JSON in the
 * manifest, and the pure functions that give their values at a clock, so that a trainer needs no layer for them.
 */
import { evaluateNumber, type NumberExpression, type SymbolLookup } from "./number-expression.ts";
import type { Recipe } from "./recipe.ts";

/** Steps of the optimizer, passes over the data, tokens seen (all from 0), and the share of the run that is over, 0 to 1. */
export const clockNames = ["step", "epoch", "tokens", "progress"] as const;
export type ClockName = (typeof clockNames)[number];
export type Clocks = Readonly<Partial<Record<ClockName, number>>>;

export const isClock = (name: string): name is ClockName =>
  clockNames.some((candidate) => candidate === name);

/** A number with a name that other expressions read as a symbol; it reads clocks, arguments, dimensions and earlier ones. */
export interface ScheduleManifest {
  readonly name: string;
  readonly type: "int" | "real" | "ratio" | "bool";
  readonly value: NumberExpression;
}

/** From and to on one clock; null: without end. The start belongs to it unless `afterStart`, the end if `withEnd`. */
export interface PhaseInterval {
  readonly clock: ClockName;
  readonly from: NumberExpression | null;
  readonly afterStart: boolean;
  readonly to: NumberExpression | null;
  readonly withEnd: boolean;
}

/** A condition over the clocks; as a number it is 1 while it holds, else 0. */
export interface PhaseManifest {
  readonly name: string;
  readonly value: NumberExpression;
  /** All of them hold at once; null when the condition is no interval of a clock. */
  readonly intervals: readonly PhaseInterval[] | null;
}

/** A pattern that is chosen again at every multiple of `every` steps at which `condition` holds. */
export interface RefreshManifest {
  readonly pattern: string;
  readonly every: NumberExpression;
  /** Null: always. */
  readonly condition: NumberExpression | null;
  /**
   * The selection, which reads current values of parameters, the current pattern by its own name, and the tensor
   * `gradient` that the caller gives.
   */
  readonly recipe: Recipe;
  /** How many positions it keeps, at the clock at which it runs; null when only the data know. */
  readonly count: NumberExpression | null;
}

export interface TimeManifest {
  /** Those that something reads; `step` whenever there is a refresh. */
  readonly clocks: readonly ClockName[];
  /** Schedules and phases, each after those that it reads. */
  readonly numbers: readonly (
    | ({ readonly kind: "schedule" } & ScheduleManifest)
    | ({ readonly kind: "phase" } & PhaseManifest)
  )[];
  readonly refreshes: readonly RefreshManifest[];
}

/** The name under which a refresh reads the gradient of the weight. */
export const gradientName = "gradient";

const withClocks = (
  symbols: SymbolLookup,
  clocks: Clocks,
  known: ReadonlyMap<string, number>,
): SymbolLookup => ({
  get: (name) => (isClock(name) ? clocks[name] : (known.get(name) ?? symbols.get(name))),
});

/**
 * The schedules and phases at `clocks`, by name.
 * @throws RangeError when a clock that one of them reads is missing, or a value is not of its type.
 */
export function numbersAt(
  { numbers }: Pick<TimeManifest, "numbers">,
  symbols: SymbolLookup,
  clocks: Clocks,
): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (const scheduled of numbers) {
    const value = evaluateNumber(scheduled.value, withClocks(symbols, clocks, values));
    const type = scheduled.kind === "phase" ? "bool" : scheduled.type;
    if (!numberTypes[type].holds(value))
      throw new RangeError(`\`${scheduled.name}\` is ${value}, expected ${numberTypes[type].text}`);
    values.set(scheduled.name, value);
  }
  return values;
}

/** A condition or an interval over the clocks. @throws RangeError when a clock is missing. */
export const evaluateAt = (
  expression: NumberExpression,
  symbols: SymbolLookup,
  clocks: Clocks,
  numbers: ReadonlyMap<string, number>,
): number => evaluateNumber(expression, withClocks(symbols, clocks, numbers));

const numberTypes: Readonly<
  Record<ScheduleManifest["type"], { text: string; holds: (value: number) => boolean }>
> = {
  int: { text: "a whole number", holds: Number.isSafeInteger },
  real: { text: "a finite number", holds: Number.isFinite },
  ratio: { text: "a number from 0 to 1", holds: (value) => value >= 0 && value <= 1 },
  bool: { text: "1 or 0", holds: (value) => value === 0 || value === 1 },
};
