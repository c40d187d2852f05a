/** The cheapest variant for each batch, when dimensions and arguments are known. */
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

/** The first of the cheapest variants. @throws TypeError when there is none. */
export function cheapestAt<V extends { readonly cost: NumberExpression }>(
  variants: readonly V[],
  values: SymbolValues,
  batch: number,
): V {
  let [best] = variants;
  if (best === undefined) throw new TypeError("a plan without variants");
  for (const variant of variants)
    if (costAt(variant.cost, values, batch) < costAt(best.cost, values, batch)) best = variant;
  return best;
}

/** Every batch up to 64, then those where a panel of 16 begins, thinning out; costs are smooth between them. */
export const sampledBatches: readonly number[] = [
  ...Array.from({ length: 64 }, (_, index) => index + 1),
  ...Array.from({ length: 28 }, (_, index) => 81 + 16 * index),
  ...Array.from({ length: 28 }, (_, index) => 577 + 128 * index),
  8193,
  16385,
];

/** Intervals that cover every batch from 1 on, neighbours with different variants. */
export function lowerEnvelope<V extends { readonly cost: NumberExpression }>(
  variants: readonly V[],
  values: SymbolValues,
  batches: readonly number[] = sampledBatches,
): readonly EnvelopeInterval<V>[] {
  const starts: { from: number; variant: V }[] = [];
  // Only the batch varies below: everything else is folded once.
  const known = new Map(
    [...values].filter(([name]) => name !== "batch").map(([name, value]) => [name, number(value)]),
  );
  const folded = variants.map((variant) => ({ variant, cost: foldNumber(substitute(variant.cost, known)) }));
  for (const batch of batches) {
    const { variant } = cheapestAt(folded, values, batch);
    if (starts.at(-1)?.variant !== variant) starts.push({ from: starts.length === 0 ? 1 : batch, variant });
  }
  return starts.map(({ from, variant }, index) => {
    const next = starts[index + 1];
    return { from, to: next === undefined ? null : next.from - 1, variant };
  });
}
