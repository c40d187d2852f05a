/** Counts that only data know and numbers that follow the clocks, where prices need a number: estimates, by name. */

import { evaluateNumber, type SymbolValues, symbolsOf } from "../../runtime/contract/number-expression.ts";
import { evaluateAt, isClock } from "../../runtime/contract/time.ts";
import type { CheckedTransform, MeasuredCount } from "../check/checked-module.ts";

const measuredOf = ({ patterns, order }: CheckedTransform): readonly MeasuredCount[] =>
  order.flatMap((name) => patterns.find((pattern) => pattern.name === name)?.measured ?? []);

/** A time in the middle of training, where prices need the value of a schedule. */
const usualClocks = { step: 1000, epoch: 1, tokens: 1_000_000, progress: 0.5 } as const;

/** The symbols that estimates read and that are no estimates themselves. */
export function symbolsOfEstimates(transform: CheckedTransform): readonly string[] {
  const estimates = measuredOf(transform).map(({ estimate }) => estimate);
  const scheduled = (transform.time?.numbers ?? []).map(({ value }) => value);
  const read = [...estimates, ...scheduled].flatMap(symbolsOf);
  return [...new Set(read)].filter((name) => !isMeasured(transform, name) && !isClock(name));
}

/** A count that only data know, or a number that follows the clocks. */
export const isMeasured = ({ patterns, time }: CheckedTransform, symbol: string): boolean =>
  patterns.some(({ measured }) => measured?.symbol === symbol) ||
  (time?.numbers.some(({ name }) => name === symbol) ?? false);

/** The value of each schedule and phase at a usual time; where that is no value of its type, the nearest that is. */
function withSchedules({ time }: CheckedTransform, known: Map<string, number>): void {
  for (const scheduled of time?.numbers ?? []) {
    if (known.has(scheduled.name)) continue;
    const value = evaluateAt(scheduled.value, known, usualClocks, known);
    const isShare = scheduled.kind === "phase" || scheduled.type === "ratio" || scheduled.type === "bool";
    known.set(scheduled.name, isShare ? Math.min(1, Math.max(0, value)) : Number.isFinite(value) ? value : 1);
  }
}

/** `values` with an estimate for each measured count that it does not give. */
export function withEstimates(transform: CheckedTransform, values: SymbolValues): SymbolValues {
  const known = new Map(values);
  withSchedules(transform, known);
  for (const { symbol, estimate } of measuredOf(transform))
    if (!known.has(symbol)) known.set(symbol, evaluateNumber(estimate, known));
  return known;
}

/** `count(M) is measured at load; prices assume 512`, for each estimate that `values` does not give. */
export function describeEstimates(transform: CheckedTransform, values: SymbolValues): readonly string[] {
  const known = withEstimates(transform, values);
  const assumed = (name: string, what: string): string[] =>
    values.has(name) ? [] : [`${name} ${what}; prices assume ${Number(known.get(name)?.toPrecision(6))}`];
  return [
    ...measuredOf(transform).flatMap(({ symbol }) => assumed(symbol, "is measured at load")),
    ...(transform.time?.numbers ?? []).flatMap(({ name }) => assumed(name, "follows the clocks")),
  ];
}
