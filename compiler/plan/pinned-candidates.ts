/** Candidates under pins: what the pins cost, and a price for what they exclude and the merge needs all the same. */
import { type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import type { CheckedTransform } from "../check/checked-module.ts";
import type { PricedCandidate } from "./keep-variants.ts";
import { plus } from "./packed-size.ts";
import type { LevelCosts } from "./plan.ts";
import { gridOf } from "./price-grid.ts";

/** A price that no other candidate reaches. */
const excludingNanoseconds = 1e15;

/** The candidate at a price that keeps every call away. */
export function excluded({ variant, prices }: PricedCandidate): PricedCandidate {
  const more = (cost: NumberExpression): NumberExpression => plus(cost, number(excludingNanoseconds));
  const costs = Object.fromEntries(
    Object.entries(variant.costs).map(([level, cost]) => [level, more(cost)]),
  ) as LevelCosts;
  return {
    variant: { ...variant, cost: more(variant.cost), costs },
    prices: prices.map((price) => price + excludingNanoseconds),
  };
}

/** What the pins cost where they cost most, against the cheapest candidate without them. */
export function pinNotes(
  free: readonly PricedCandidate[],
  pinned: readonly PricedCandidate[],
  transform: CheckedTransform,
): readonly string[] {
  const grid = gridOf(transform);
  const least = (candidates: readonly PricedCandidate[], at: number): number =>
    Math.min(...candidates.map(({ prices }) => prices[at] ?? Number.POSITIVE_INFINITY));
  const points = free[0]?.prices.length ?? 0;
  const losses = Array.from({ length: points }, (_, at) => least(pinned, at) / least(free, at));
  const worst = Math.max(1, ...losses);
  if (worst <= 1) return [];
  const point = grid[losses.indexOf(worst) % grid.length];
  const where = [...(point ?? [])].map(([name, value]) => `${name} = ${value}`).join(", ");
  return [`the pins cost up to ${worst.toFixed(2)} times the free plan, most at ${where}`];
}
