/**
 * Which priced candidates get kernels: those that are cheapest somewhere on a grid of sizes, batches and arguments, and
 * what the merge needs. Machine code is what a build waits for, so a candidate that never wins is recorded, not built.
 */
import { evaluateNumber, type SymbolValues, symbolsOf } from "../../runtime/contract/number-expression.ts";
import type { CheckedTransform } from "../check/checked-module.ts";
import { costAt } from "./envelope.ts";
import type { Plan, Variant } from "./plan.ts";

/** `winning`: what a build keeps. `all`: every candidate, for measuring them against their prices. */
export type VariantChoice = "winning" | "all";

/** Beyond this many the ones that win least are left out. */
const mostVariants = 6;

const sizes = [256, 768, 2048, 4096] as const;
const batches = [1, 2, 4, 8, 16, 32, 64, 256, 1024] as const;
/** Values of a `ratio` argument beside its default. */
const ratios = [0.05, 0.2, 0.8] as const;

/** One point of the grid: symbols and batch. */
interface GridPoint {
  readonly values: SymbolValues;
  readonly batch: number;
}

/** Dimensions are `size`; arguments have their defaults, ratios the given value instead if there is one. */
export function valuesAt(
  transform: CheckedTransform,
  symbols: readonly string[],
  size: number,
  ratio: number | null,
): SymbolValues {
  const values = new Map<string, number>();
  for (const name of symbols)
    if (!transform.arguments.some((argument) => argument.name === name)) values.set(name, size);
  for (const argument of transform.arguments) {
    if (argument.kind !== "number") continue;
    const fallback = { int: 16, real: 1, ratio: 0.5, bool: 0 }[argument.type];
    const { defaultValue } = argument;
    const readable = defaultValue !== null && symbolsOf(defaultValue).every((name) => values.has(name));
    const ordinary = readable && defaultValue !== null ? evaluateNumber(defaultValue, values) : fallback;
    values.set(argument.name, argument.type === "ratio" && ratio !== null ? ratio : ordinary);
  }
  return values;
}

function gridOf(variants: readonly Variant[], transform: CheckedTransform): readonly GridPoint[] {
  const symbols = [...new Set(variants.flatMap(({ cost }) => symbolsOf(cost)))].filter((name) => name !== "batch");
  const hasRatio = transform.arguments.some((argument) => argument.kind === "number" && argument.type === "ratio");
  const tried = hasRatio ? [null, ...ratios] : [null];
  return sizes.flatMap((size) =>
    tried.flatMap((ratio) => {
      const values = valuesAt(transform, symbols, size, ratio);
      return batches.map((batch) => ({ values, batch }));
    }),
  );
}

interface WinRecord {
  wins: number;
  /** Smallest price over the cheapest one's. */
  nearest: number;
}

function recordsOf(variants: readonly Variant[], grid: readonly GridPoint[]): ReadonlyMap<Variant, WinRecord> {
  const records = new Map(variants.map((variant) => [variant, { wins: 0, nearest: Number.POSITIVE_INFINITY }]));
  for (const { values, batch } of grid) {
    const prices = variants.map((variant) => ({ variant, price: costAt(variant.cost, values, batch) }));
    const least = Math.min(...prices.map(({ price }) => price));
    const winner = prices.find(({ price }) => price === least);
    for (const { variant, price } of prices) {
      const record = records.get(variant);
      if (record === undefined) continue;
      if (variant === winner?.variant) record.wins += 1;
      record.nearest = Math.min(record.nearest, price / least);
    }
  }
  return records;
}

const reasonOf = (record: WinRecord, points: number): string =>
  record.wins === 0
    ? `never the cheapest at ${points} sampled sizes, batches and arguments; at best ${record.nearest.toFixed(2)} times the cheapest`
    : `the cheapest at ${record.wins} of ${points} sampled sizes, batches and arguments; a plan keeps ${mostVariants} variants`;

/** `required` is the variant that the merge goes through. The order of `variants` stays. */
export function keepVariants(
  variants: readonly Variant[],
  required: string,
  transform: CheckedTransform,
  choice: VariantChoice,
): { readonly kept: readonly Variant[]; readonly dropped: Plan["rejected"] } {
  if (choice === "all") return { kept: variants, dropped: [] };
  const grid = gridOf(variants, transform);
  const records = recordsOf(variants, grid);
  const winsOf = (variant: Variant): number => records.get(variant)?.wins ?? 0;
  const chosen = new Set(
    variants
      .filter((variant) => variant.name === required || winsOf(variant) > 0)
      .sort((a, b) => Number(b.name === required) - Number(a.name === required) || winsOf(b) - winsOf(a))
      .slice(0, mostVariants),
  );
  return {
    kept: variants.filter((variant) => chosen.has(variant)),
    dropped: variants.flatMap((variant) => {
      const record = records.get(variant);
      if (chosen.has(variant) || record === undefined) return [];
      return [{ form: `${variant.name}: ${variant.form}`, reason: reasonOf(record, grid.length) }];
    }),
  };
}
