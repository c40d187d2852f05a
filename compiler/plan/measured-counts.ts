/** Counts that only data know, where prices need a number: the estimates of the checker, by name. */
import { evaluateNumber, type SymbolValues, symbolsOf } from "../../runtime/contract/number-expression.ts";
import type { CheckedTransform, MeasuredCount } from "../check/checked-module.ts";

const measuredOf = ({ patterns, order }: CheckedTransform): readonly MeasuredCount[] =>
  order.flatMap((name) => patterns.find((pattern) => pattern.name === name)?.measured ?? []);

/** The symbols that estimates read and that are no estimates themselves. */
export function symbolsOfEstimates(transform: CheckedTransform): readonly string[] {
  const measured = measuredOf(transform);
  const read = measured.flatMap(({ estimate }) => symbolsOf(estimate));
  return [...new Set(read)].filter((name) => !measured.some(({ symbol }) => symbol === name));
}

export const isMeasured = (transform: CheckedTransform, symbol: string): boolean =>
  transform.patterns.some(({ measured }) => measured?.symbol === symbol);

/** `values` with an estimate for each measured count that it does not give. */
export function withEstimates(transform: CheckedTransform, values: SymbolValues): SymbolValues {
  const known = new Map(values);
  for (const { symbol, estimate } of measuredOf(transform))
    if (!known.has(symbol)) known.set(symbol, evaluateNumber(estimate, known));
  return known;
}

/** `count(M) is known at load; prices assume 512`, for each count that `values` does not give. */
export function describeEstimates(transform: CheckedTransform, values: SymbolValues): readonly string[] {
  const known = withEstimates(transform, values);
  return measuredOf(transform)
    .filter(({ symbol }) => !values.has(symbol))
    .map(({ symbol }) => `${symbol} is measured at load; prices assume ${known.get(symbol)}`);
}
