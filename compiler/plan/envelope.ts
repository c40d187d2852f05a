/** The cheapest variant for each batch, when dimensions and arguments are known. */
import { batchIntervals } from "../../runtime/contract/batch-intervals.ts";
import {
  evaluateNumber,
  type NumberExpression,
  number,
  type SymbolValues,
} from "../../runtime/contract/number-expression.ts";
import { foldNumber, substitute } from "../types/fold-number.ts";

export interface EnvelopeInterval<V> {
  /** Smallest and largest batch, both inside; the last interval has no end. */
  readonly from: number;
  readonly to: number | null;
  readonly variant: V;
}

/** Nanoseconds at one batch. @throws RangeError when a symbol has no value. */
export const costAt = (cost: NumberExpression, values: SymbolValues, batch: number): number =>
  evaluateNumber(cost, new Map([...values, ["batch", batch]]));

/** Intervals that cover every batch from 1 on, neighbours with different variants: see `batchIntervals`. */
export function lowerEnvelope<V extends { readonly cost: NumberExpression }>(
  variants: readonly V[],
  values: SymbolValues,
): readonly EnvelopeInterval<V>[] {
  // Only the batch varies below: everything else is folded once.
  const known = new Map(
    [...values].filter(([name]) => name !== "batch").map(([name, value]) => [name, number(value)]),
  );
  const costs = variants.map(({ cost }) => {
    const folded = foldNumber(substitute(cost, known));
    return (batch: number) => costAt(folded, values, batch);
  });
  return batchIntervals(costs).flatMap(({ choice, from, to }) => {
    const variant = variants[choice];
    return variant === undefined ? [] : [{ variant, from, to }];
  });
}
