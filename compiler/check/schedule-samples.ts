/**
 * Tries a schedule at a fixed set of times with the default arguments. A value outside of its type is a mistake whose
 * example can be shown; what no sample breaks is checked whenever a layer moves to a time.
 */
import {
  evaluateNumber,
  type NumberExpression,
  symbolsOf,
} from "../../runtime/contract/number-expression.ts";
import { type ClockName, clockNames } from "../../runtime/contract/time.ts";
import { substitute } from "../types/fold-number.ts";
import type { TransformDraft } from "./transform-draft.ts";
import type { NumberType } from "./value.ts";

const counts = [0, 1, 2, 3, 5, 10, 30, 100, 300, 1000, 3000, 10_000, 100_000, 1_000_000, 10_000_000] as const;
const shares = Array.from({ length: 33 }, (_, index) => index / 32);
const samples: Readonly<Record<ClockName, readonly number[]>> = {
  step: counts,
  epoch: counts,
  tokens: counts,
  progress: shares,
};

const types: Readonly<Record<NumberType, { text: string; holds: (value: number) => boolean }>> = {
  int: { text: "a whole number", holds: Number.isSafeInteger },
  real: { text: "a finite number", holds: Number.isFinite },
  ratio: { text: "between 0 and 1", holds: (value) => value >= 0 && value <= 1 },
  bool: { text: "1 or 0", holds: (value) => value === 0 || value === 1 },
};

export interface Counterexample {
  readonly value: string;
  /** `progress = 0.5` */
  readonly when: string;
  readonly expected: string;
}

/** All combinations of the samples of `clocks`. */
const timesOf = (clocks: readonly ClockName[]): readonly ReadonlyMap<string, number>[] =>
  clocks.reduce<readonly ReadonlyMap<string, number>[]>(
    (times, clock) =>
      times.flatMap((time) => samples[clock].map((value) => new Map([...time, [clock, value]]))),
    [new Map()],
  );

/** A division by 0 at every time, which is a mistake of its own and is reported where it stands. */
function dividesByZero(expression: NumberExpression): boolean {
  if (expression.kind !== "apply") return false;
  const { operator, operands } = expression;
  if (operands.some(dividesByZero)) return true;
  const [, divisor] = operands;
  if ((operator !== "/" && operator !== "%") || divisor === undefined) return false;
  return symbolsOf(divisor).length === 0 && evaluateNumber(divisor, new Map()) === 0;
}

/** Null when there is none, or when sizes or arguments without a default are read. */
export function findCounterexample(
  { time, defaults }: TransformDraft,
  value: NumberExpression,
  type: NumberType,
): Counterexample | null {
  // Later schedules read earlier ones, so that going backwards leaves clocks and arguments alone.
  const open = time.toReversed().reduce((expression, entry) => {
    return substitute(expression, new Map([[entry.name, entry.value]]));
  }, value);
  const expression = substitute(open, defaults);
  const read = symbolsOf(expression);
  const clocks = clockNames.filter((clock) => read.includes(clock));
  if (clocks.length !== read.length || dividesByZero(expression)) return null;
  for (const at of timesOf(clocks.slice(0, 2).length === clocks.length ? clocks : [])) {
    if (at.size !== clocks.length) return null;
    const found = evaluateNumber(expression, at);
    if (types[type].holds(found)) continue;
    const when = [...at].map(([clock, amount]) => `${clock} = ${amount}`).join(", ");
    return { value: String(found), when: when === "" ? "any time" : when, expected: types[type].text };
  }
  return null;
}
