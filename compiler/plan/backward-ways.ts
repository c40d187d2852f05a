/**
 * The choices of a backward pass and the search among them: a way of dx, for each gradient the pair that is multiplied
 * out, for each side of those a way to compute it. Knows no prices: `choose-backward` brings them.
 */
import type { Term } from "../algebra/algebra-node.ts";
import type { GradientPair, Gradients } from "../algebra/derive-gradient.ts";
import type { BackwardWays } from "./backward-plan.ts";
import { type Budget, enumerateSum, enumerateTerm } from "./enumerate-sums.ts";
import { combinations } from "./formed-ways.ts";
import type { AppliedSum, AppliedTerm } from "./linear-factors.ts";

/** Every choice there is. */
export interface WaySpace {
  readonly dx: readonly AppliedSum[];
  /** The pairs of each gradient. */
  readonly pairs: readonly (readonly GradientPair[])[];
  /** Ways of each side that is more than x or dy. */
  readonly sides: readonly { readonly term: Term; readonly ways: readonly AppliedTerm[] }[];
}

/** Positions in the lists of a space: that of dx, those of the pairs, those of the sides. */
export type Choice = readonly number[];

/** Choices that are all drafted and priced when there are no more of them. */
const mostTried = 64;
/** Choices beside a chosen one that are tried, one list after the other. */
const mostBeside = 24;
/** Ways of one side that are combined with those of the other. */
const mostOfSide = 24;
/** Choices of pairs that are gone through one by one to count what there is. */
const mostCounted = 4096;

const termsOf = ({ left, right }: GradientPair): readonly Term[] =>
  [left.term, right.term].filter((term) => term !== null);

export function waySpace({ transposed, leaves }: Gradients, budget: Budget): WaySpace {
  const pairs = leaves.map((leaf) => leaf.pairs);
  const terms = new Set(pairs.flat().flatMap(termsOf));
  return {
    dx: enumerateSum(transposed, budget).sums,
    pairs,
    sides: [...terms].map((term) => ({ term, ways: enumerateTerm(term, budget) })),
  };
}

const positions = (size: number): number[] => Array.from({ length: size }, (_, at) => at);

const pairsOf = ({ pairs }: WaySpace, choice: Choice): readonly number[] => choice.slice(1, 1 + pairs.length);

/** Sides that the chosen pairs read. */
const readBy = ({ pairs }: WaySpace, chosen: readonly number[]): ReadonlySet<Term> =>
  new Set(
    pairs.flatMap((list, index) => {
      const pair = list[chosen[index] ?? 0];
      return pair === undefined ? [] : termsOf(pair);
    }),
  );

/** @throws RangeError for a choice outside of the space. */
export function waysOf(space: WaySpace, choice: Choice): BackwardWays {
  const { dx, pairs, sides } = space;
  const sum = dx[choice[0] ?? 0];
  if (sum === undefined) throw new RangeError("a way that does not exist");
  const chosen = sides.flatMap(({ term, ways }, index) => {
    const way = ways[choice[1 + pairs.length + index] ?? 0];
    return way === undefined ? [] : [[term, way] as const];
  });
  return { dx: sum, pairs: pairsOf(space, choice), sides: new Map(chosen) };
}

/** Sides that nobody reads in their first way, so that equal ways are equal choices. */
function plain(space: WaySpace, choice: Choice): Choice {
  const read = readBy(space, pairsOf(space, choice));
  const first = 1 + space.pairs.length;
  return choice.map((at, list) => {
    const side = space.sides[list - first];
    return side === undefined || read.has(side.term) ? at : 0;
  });
}

/** The choices of pairs, each with what it leaves open. */
function* openLists(space: WaySpace): Generator<readonly (readonly number[])[]> {
  for (const chosen of combinations(space.pairs.map((list) => positions(list.length)))) {
    const read = readBy(space, chosen);
    yield [
      positions(space.dx.length),
      ...chosen.map((at) => [at]),
      ...space.sides.map(({ term, ways }) => (read.has(term) ? positions(ways.length) : [0])),
    ];
  }
}

const productOf = (numbers: readonly number[]): number => numbers.reduce((product, one) => product * one, 1);

/** How many choices there are; beyond some thousand choices of pairs as if no two gradients shared a side. */
export function countChoices(space: WaySpace): number {
  const { dx, pairs, sides } = space;
  if (productOf(pairs.map((list) => list.length)) <= mostCounted)
    return [...openLists(space)].reduce((sum, lists) => sum + productOf(lists.map((list) => list.length)), 0);
  const counts = new Map(sides.map(({ term, ways }) => [term, ways.length]));
  const ofPair = (pair: GradientPair): number =>
    productOf(termsOf(pair).map((term) => counts.get(term) ?? 1));
  return dx.length * productOf(pairs.map((list) => list.reduce((sum, pair) => sum + ofPair(pair), 0)));
}

/** A member of a list of a space. */
export type Member = readonly [list: number, at: number];

/** For dx and for each gradient every way that it alone can be computed in, as the members that it decides on. */
export function singleWays({ dx, pairs, sides }: WaySpace): readonly (readonly (readonly Member[])[])[] {
  const places = new Map(
    sides.map(({ term, ways }, index) => [term, { list: 1 + pairs.length + index, ways }]),
  );
  const ofPair = (leaf: number, at: number, pair: GradientPair): readonly (readonly Member[])[] => {
    const lists = termsOf(pair).map((term) => {
      const { list = 0, ways = [] } = places.get(term) ?? {};
      return positions(Math.min(ways.length, mostOfSide)).map((way): Member => [list, way]);
    });
    return combinations(lists).map((decided) => [[1 + leaf, at], ...decided]);
  };
  return [
    positions(dx.length).map((at) => [[0, at]]),
    ...pairs.map((list, leaf) => list.flatMap((pair, at) => ofPair(leaf, at, pair))),
  ];
}

/** The plainest choice but for what is decided. */
export const deciding = (space: WaySpace, decides: readonly Member[]): Choice =>
  decides.reduce<Choice>(
    (choice, [list, at]) => choice.with(list, at),
    [0, ...space.pairs.map(() => 0), ...space.sides.map(() => 0)],
  );

/** All choices, when they are few. */
export function everyChoice(space: WaySpace): readonly Choice[] | null {
  if (countChoices(space) > mostTried) return null;
  return [...openLists(space)].flatMap((open) => combinations(open));
}

/** The best that is found from `start` on, one list after the other, again and again until nothing changes. */
export function improveChoice(space: WaySpace, start: Choice, priceOf: (choice: Choice) => number): Choice {
  const lists = [space.dx, ...space.pairs, ...space.sides.map(({ ways }) => ways)];
  const first = plain(space, start);
  let best = { choice: first, price: priceOf(first) };
  const tried = new Set([first.join()]);
  const offer = (offered: Choice): void => {
    const choice = plain(space, offered);
    if (tried.size >= mostBeside || tried.has(choice.join())) return;
    tried.add(choice.join());
    const price = priceOf(choice);
    if (price < best.price) best = { choice, price };
  };
  for (let before: Choice | null = null; before !== best.choice; ) {
    before = best.choice;
    lists.forEach((list, index) => {
      for (const at of positions(list.length)) offer(best.choice.with(index, at));
    });
  }
  return best.choice;
}
