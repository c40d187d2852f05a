/** Which variant of a plan is called for which batch: the lower envelope of the predicted costs. */
import type { VariantManifest } from "../contract/manifest.ts";
import { evaluateNumber, type SymbolValues } from "../contract/number-expression.ts";
import { SpxError } from "../errors.ts";

/** Batches `from` up to and including `to` (null: without end). */
export interface VariantInterval {
  readonly variant: VariantManifest;
  readonly from: number;
  readonly to: number | null;
}

const largestSample = 4096;

/** Predicted nanoseconds of a call. @throws SpxError SPX8102 when the cost is no number. */
export function predictCost(variant: VariantManifest, symbols: SymbolValues, batch: number): number {
  const cost = evaluateNumber(variant.cost, new Map(symbols).set("batch", batch));
  if (!Number.isNaN(cost)) return cost;
  throw new SpxError(
    "SPX8102",
    `the cost of variant \`${variant.name}\` is not a number for batch ${batch}`,
    {
      facts: { variant: variant.name, batch },
      help: "build the artefact again; if it stays, report it with the .spx file",
    },
  );
}

/**
 * The intervals from batch 1 on. Costs are compared at powers of two up to 4096 and every change of the cheapest
 * is narrowed down to one batch; of equal costs the earlier variant wins.
 */
export function chooseVariants(
  variants: readonly VariantManifest[],
  symbols: SymbolValues,
): VariantInterval[] {
  const [only, ...others] = variants;
  if (only === undefined) throw new RangeError("a plan has at least one variant");
  if (others.length === 0) return [{ variant: only, from: 1, to: null }];
  const cheapest = (batch: number): VariantManifest => {
    let best = only;
    let bestCost = predictCost(only, symbols, batch);
    for (const variant of others) {
      const cost = predictCost(variant, symbols, batch);
      if (cost >= bestCost) continue;
      best = variant;
      bestCost = cost;
    }
    return best;
  };
  const starts: { variant: VariantManifest; from: number }[] = [{ variant: cheapest(1), from: 1 }];
  const narrow = (low: number, lowBest: VariantManifest, high: number, highBest: VariantManifest): void => {
    if (lowBest === highBest) return;
    if (high - low === 1) {
      starts.push({ variant: highBest, from: high });
      return;
    }
    const middle = Math.floor((low + high) / 2);
    const middleBest = cheapest(middle);
    narrow(low, lowBest, middle, middleBest);
    narrow(middle, middleBest, high, highBest);
  };
  let before = starts[0]?.variant ?? only;
  for (let batch = 2; batch <= largestSample; batch *= 2) {
    const best = cheapest(batch);
    narrow(batch / 2, before, batch, best);
    before = best;
  }
  return starts.map(({ variant, from }, index) => {
    const next = starts[index + 1];
    return { variant, from, to: next === undefined ? null : next.from - 1 };
  });
}

/** The interval that `batch` lies in; an empty batch counts as one row. */
export function intervalAt(intervals: readonly VariantInterval[], batch: number): VariantInterval {
  const wanted = Math.max(1, batch);
  const found = intervals.find(({ from, to }) => from <= wanted && (to === null || wanted <= to));
  if (found === undefined) throw new RangeError(`no variant for batch ${batch}`);
  return found;
}
