/** Which variant of a plan is called for which batch: the lower envelope of the predicted costs. */
import { batchIntervals } from "../contract/batch-intervals.ts";
import type { VariantManifest } from "../contract/manifest.ts";
import { evaluateNumber, type SymbolValues } from "../contract/number-expression.ts";
import { SpxError } from "../errors.ts";

/** Batches `from` up to and including `to` (null: without end). */
export interface VariantInterval {
  readonly variant: VariantManifest;
  readonly from: number;
  readonly to: number | null;
}

/** Predicted nanoseconds of a call on a level. @throws SpxError SPX8102 when the cost is no number. */
export function predictCost(
  variant: VariantManifest,
  symbols: SymbolValues,
  batch: number,
  level: string,
): number {
  const cost = variant.costs[level];
  const value = cost === undefined ? Number.NaN : evaluateNumber(cost, new Map(symbols).set("batch", batch));
  if (!Number.isNaN(value)) return value;
  throw new SpxError(
    "SPX8102",
    `the cost of variant \`${variant.name}\` on level \`${level}\` is not a number for batch ${batch}`,
    {
      facts: { variant: variant.name, batch, level },
      help: "build the artefact again; if it stays, report it with the .spx file",
    },
  );
}

/** The intervals from batch 1 on: see `batchIntervals`. */
export function chooseVariants(
  variants: readonly VariantManifest[],
  symbols: SymbolValues,
  level: string,
): VariantInterval[] {
  const costs = variants.map((variant) => (batch: number) => predictCost(variant, symbols, batch, level));
  return batchIntervals(costs).flatMap(({ choice, from, to }) => {
    const variant = variants[choice];
    return variant === undefined ? [] : [{ variant, from, to }];
  });
}

/** The interval that `batch` lies in; an empty batch counts as one row. */
export function intervalAt(intervals: readonly VariantInterval[], batch: number): VariantInterval {
  const wanted = Math.max(1, batch);
  const found = intervals.find(({ from, to }) => from <= wanted && (to === null || wanted <= to));
  if (found === undefined) throw new RangeError(`no variant for batch ${batch}`);
  return found;
}
