/**
 * Which priced candidates get kernels: a small set that is near the cheapest everywhere on a grid of sizes, batches and
 * arguments, with what the merge needs. Machine code is what a build waits for, so the others are recorded, not built.
 */
import type { OperandLookup } from "./operand-table.ts";
import type { RejectedCandidate, Variant } from "./plan.ts";

/**
 * `winning`: the ones that a build keeps. `covering`: enough to have every atom in every format and layout, for running
 * and measuring machine code. `all`: every candidate, to compare them with what the weight means.
 */
export type VariantChoice = "winning" | "covering" | "all";

/** Beyond this many the ones that are missed least are left out. */
const mostVariants = 6;

/** A candidate whose absence costs less than this factor anywhere on the grid is not worth its machine code. */
const mostLoss = 1.05;

/** Prices, a number for each point of a grid. */
export interface Priced {
  readonly prices: Float64Array;
}

export interface PricedCandidate extends Priced {
  readonly variant: Variant;
}

export interface KeptVariants {
  /** In the order of the candidates. */
  readonly kept: readonly Variant[];
  /** The nearest first. */
  readonly rejected: readonly RejectedCandidate[];
}

/** Price of the best of `kept` over that of the best of all, at the point where it is largest. */
function worstRatio(kept: readonly Priced[], least: Float64Array): number {
  return least.reduce((worst, best, point) => {
    const cheapest = kept.reduce(
      (price, { prices }) => Math.min(price, prices[point] ?? price),
      Number.POSITIVE_INFINITY,
    );
    return Math.max(worst, cheapest / best);
  }, 1);
}

/** The first of the cheapest candidates at each point. */
function winnersOf<C extends Priced>(candidates: readonly C[], least: Float64Array): readonly C[] {
  const winning = new Set<C>();
  least.forEach((best, point) => {
    const winner = candidates.find(({ prices }) => prices[point] === best);
    if (winner !== undefined) winning.add(winner);
  });
  return candidates.filter((candidate) => winning.has(candidate));
}

const leastOf = (candidates: readonly Priced[]): Float64Array =>
  Float64Array.from({ length: candidates[0]?.prices.length ?? 0 }, (_, point) =>
    candidates.reduce(
      (least, { prices }) => Math.min(least, prices[point] ?? least),
      Number.POSITIVE_INFINITY,
    ),
  );

/** The smallest set that a greedy search finds; what `stays` says stays. */
function fewEnough<C extends Priced>(
  candidates: readonly C[],
  least: Float64Array,
  stays: (candidate: C) => boolean,
): readonly C[] {
  let kept = candidates;
  for (;;) {
    // The one that is missed least goes first; of equal ones the later, because the plainest come first.
    const [next] = kept
      .filter((candidate) => !stays(candidate))
      .map((candidate) => ({
        candidate,
        ratio: worstRatio(
          kept.filter((other) => other !== candidate),
          least,
        ),
      }))
      .reverse()
      .sort((a, b) => a.ratio - b.ratio);
    if (next === undefined || kept.length === 1 || (next.ratio > mostLoss && kept.length <= mostVariants))
      return kept;
    kept = kept.filter((other) => other !== next.candidate);
  }
}

/** Candidates that bring an atom in a format, a layout, a permutation, a forming or a stack that none before them had. */
function coveringOf(
  candidates: readonly PricedCandidate[],
  operands: OperandLookup,
): readonly PricedCandidate[] {
  const seen = new Set<string>();
  return candidates.filter(({ variant }) => {
    const traits = variant.steps.flatMap((step) =>
      step.terms.map((term) => {
        const { format, stage, work, source } = operands.find(term.operand);
        const moves = [step.outputPermutation, term.inputPermutation].map((moved) => moved !== null);
        const formed = work.kind !== "number" || work.value > 0 ? `formed at ${stage}` : "";
        const stacked = source.kind === "stack";
        return [variant.layout, variant.merged, format.name, step.accumulate, stacked, ...moves, formed].join(
          " ",
        );
      }),
    );
    const isNew = traits.some((trait) => !seen.has(trait));
    for (const trait of traits) seen.add(trait);
    return isNew;
  });
}

/** Of all candidates as few as stay near the cheapest everywhere on the grid, in their order. */
export function fewestNear<C extends Priced>(candidates: readonly C[]): readonly C[] {
  const least = leastOf(candidates);
  return fewEnough(winnersOf(candidates, least), least, () => false);
}

/** `required`: the variant that the merge goes through, if any, and those that fit where the cheapest do not. */
export function keepVariants(
  candidates: readonly PricedCandidate[],
  required: ReadonlySet<string>,
  choice: VariantChoice,
  operands: OperandLookup,
): KeptVariants {
  if (choice === "all") return { kept: candidates.map(({ variant }) => variant), rejected: [] };
  const least = leastOf(candidates);
  const winners = new Set(winnersOf(candidates, least));
  const first = candidates.filter(
    (candidate) => winners.has(candidate) || required.has(candidate.variant.name),
  );
  const stays = ({ variant }: PricedCandidate): boolean => required.has(variant.name);
  const few = choice === "covering" ? coveringOf(candidates, operands) : fewEnough(first, least, stays);
  const chosen = new Set(choice === "covering" ? [...few, ...fewEnough(first, least, stays)] : few);
  const loss = worstRatio([...chosen], least);
  const rejected = candidates
    .filter((candidate) => !chosen.has(candidate))
    .map((candidate) => rejection(candidate, least, loss))
    .sort((a, b) => a.nearest - b.nearest);
  return {
    kept: candidates.filter((candidate) => chosen.has(candidate)).map(({ variant }) => variant),
    rejected,
  };
}

function rejection(
  { variant, prices }: PricedCandidate,
  least: Float64Array,
  loss: number,
): RejectedCandidate {
  const nearest = prices.reduce(
    (ratio, price, point) => Math.min(ratio, price / (least[point] ?? price)),
    Number.POSITIVE_INFINITY,
  );
  const { name, form, cost, costs, rules } = variant;
  const points = `${prices.length} sampled sizes, batches, arguments and levels`;
  const reason =
    nearest > 1
      ? `never the cheapest at ${points}; at best ${nearest.toFixed(2)} times the cheapest`
      : `what is kept costs at most ${loss.toFixed(2)} times the cheapest at ${points}`;
  return { name, form, cost, costs, nearest, reason, rules };
}
