/**
 * Which priced candidates get kernels: a small set that is near the cheapest everywhere on a grid of sizes, batches and
 * arguments, with what the merge needs. Machine code is what a build waits for, so the others are recorded, not built.
 */
import { evaluateNumber, type SymbolValues, symbolsOf } from "../../runtime/contract/number-expression.ts";
import type { CheckedTransform } from "../check/checked-module.ts";
import { costAt } from "./envelope.ts";
import { isMeasured, symbolsOfEstimates, withEstimates } from "./measured-counts.ts";
import type { Plan, Variant } from "./plan.ts";

/** `winning`: the ones that a build keeps. `all`: every candidate, for measuring them against their prices. */
export type VariantChoice = "winning" | "all";

/** Beyond this many the ones that are missed least are left out. */
const mostVariants = 6;

/** A candidate whose absence costs less than this factor anywhere on the grid is not worth its machine code. */
const mostLoss = 1.05;

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
  for (const name of [...symbols, ...symbolsOfEstimates(transform)])
    if (!isMeasured(transform, name) && !transform.arguments.some((argument) => argument.name === name))
      values.set(name, size);
  for (const argument of transform.arguments) {
    if (argument.kind !== "number") continue;
    const fallback = { int: 16, real: 1, ratio: 0.5, bool: 0 }[argument.type];
    const { defaultValue } = argument;
    const readable = defaultValue !== null && symbolsOf(defaultValue).every((name) => values.has(name));
    const ordinary = readable && defaultValue !== null ? evaluateNumber(defaultValue, values) : fallback;
    values.set(argument.name, argument.type === "ratio" && ratio !== null ? ratio : ordinary);
  }
  return withEstimates(transform, values);
}

function gridOf(variants: readonly Variant[], transform: CheckedTransform): readonly GridPoint[] {
  const symbols = [...new Set(variants.flatMap(({ cost }) => symbolsOf(cost)))].filter(
    (name) => name !== "batch",
  );
  const hasRatio = transform.arguments.some(
    (argument) => argument.kind === "number" && argument.type === "ratio",
  );
  const tried = hasRatio ? [null, ...ratios] : [null];
  return sizes.flatMap((size) =>
    tried.flatMap((ratio) => {
      const values = valuesAt(transform, symbols, size, ratio);
      return batches.map((batch) => ({ values, batch }));
    }),
  );
}

/** Prices of one candidate, a number for each point of the grid. */
interface PricedCandidate {
  readonly variant: Variant;
  readonly prices: readonly number[];
}

/** Price of the best of `kept` over that of the best of all, at the point where it is largest. */
function worstRatio(kept: readonly PricedCandidate[], least: readonly number[]): number {
  const ratios = least.map(
    (best, point) => Math.min(...kept.map(({ prices }) => prices[point] ?? best)) / best,
  );
  return Math.max(1, ...ratios);
}

/** `required` is the variant that the merge goes through. The order of `variants` stays. */
export function keepVariants(
  variants: readonly Variant[],
  required: string,
  transform: CheckedTransform,
  choice: VariantChoice,
): { readonly kept: readonly Variant[]; readonly dropped: Plan["rejected"] } {
  if (choice === "all") return { kept: variants, dropped: [] };
  const grid = gridOf(variants, transform);
  const candidates = variants.map((variant): PricedCandidate => {
    // Levels are points of the grid, too: what wins on one of them stays.
    const prices = Object.values(variant.costs).flatMap((cost) =>
      grid.map(({ values, batch }) => costAt(cost, values, batch)),
    );
    return { variant, prices };
  });
  const least = (candidates[0]?.prices ?? []).map((_, point) =>
    Math.min(...candidates.map(({ prices }) => prices[point] ?? Number.NaN)),
  );
  let kept: readonly PricedCandidate[] = candidates;
  const dropped: Plan["rejected"][number][] = [];
  for (;;) {
    // The one that is missed least goes first; of equal ones the later, because the plainest come first.
    const [next] = kept
      .filter(({ variant }) => variant.name !== required)
      .map((candidate) => ({
        candidate,
        ratio: worstRatio(
          kept.filter((other) => other !== candidate),
          least,
        ),
      }))
      .reverse()
      .sort((a, b) => a.ratio - b.ratio);
    if (next === undefined || (next.ratio > mostLoss && kept.length <= mostVariants)) break;
    const { variant } = next.candidate;
    kept = kept.filter((other) => other !== next.candidate);
    dropped.push({
      form: `${variant.name}: ${variant.form}`,
      reason: reasonOf(next.candidate, least, next.ratio),
    });
  }
  return { kept: kept.map(({ variant }) => variant), dropped };
}

function reasonOf({ prices }: PricedCandidate, least: readonly number[], ratio: number): string {
  const nearest = Math.min(...prices.map((price, point) => price / (least[point] ?? price)));
  const points = `${prices.length} sampled sizes, batches and arguments`;
  return nearest > 1
    ? `never the cheapest at ${points}; at best ${nearest.toFixed(2)} times the cheapest`
    : `what is kept costs at most ${ratio.toFixed(2)} times the cheapest at ${points}`;
}
