/**
 * What dx by one way, a gradient by one pair, or a side by one way computes when it is alone: steps by what they mean,
 * with their prices, so that steps which two of them agree on are known before both are drafted together.
 */
import type { BackwardDraft, BackwardWays, PreparedGradient } from "./backward-plan.ts";
import { deciding, type Member, type WaySpace, waysOf } from "./backward-ways.ts";
import type { Needs } from "./cheapest-union.ts";
import type { Step } from "./plan.ts";

/** What steps compute, as numbers: equal ones for equal values, whatever their activations are called. */
function createMeanings() {
  const known = new Map<string, number>();
  const meaningOf = (content: unknown): number => {
    const text = JSON.stringify(content);
    const meaning = known.get(text) ?? known.size;
    known.set(text, meaning);
    return meaning;
  };
  const ofSteps = (steps: readonly Step[]): readonly number[] => {
    const found = new Map<string, number>();
    return steps.map(({ output, outputPermutation, terms, accumulate }) => {
      const read = terms.map((term) => ({ ...term, input: found.get(term.input) ?? term.input }));
      const target = output.startsWith("dx") ? output : "";
      const meaning = meaningOf([target, accumulate ? found.get(output) : null, outputPermutation, read]);
      found.set(output, meaning);
      return meaning;
    });
  };
  return { meaningOf, ofSteps };
}

/**
 * What a way of dx or of one gradient needs, given as the members of lists that it decides on.
 * @param draftOf a pass of some gradients only. @param priced its price, which what the pass adds to is counted from.
 */
export function createNeeds(
  space: WaySpace,
  prepared: readonly PreparedGradient[],
  draftOf: (some: readonly PreparedGradient[], ways: BackwardWays) => BackwardDraft,
  priced: (draft: BackwardDraft) => number,
): (members: readonly Member[]) => Needs {
  const { meaningOf, ofSteps } = createMeanings();
  /** Each step for what it adds to the price of those before it. */
  const pricesOf = (draft: BackwardDraft): readonly number[] => {
    const upTo = [0, ...draft.steps.map((_, at) => at + 1)].map((length) =>
      priced({ ...draft, steps: draft.steps.slice(0, length) }),
    );
    return draft.steps.map((_, at) => (upTo[at + 1] ?? Number.NaN) - (upTo[at] ?? Number.NaN));
  };
  const needsOfDraft = (draft: BackwardDraft): Needs => {
    const applied = draft.steps.flatMap((step) => (step.kind === "apply" ? [step.step] : []));
    const prices = pricesOf(draft);
    return new Map(ofSteps(applied).map((meaning, at) => [meaning, prices[at] ?? Number.NaN]));
  };
  const needsOfPair = (leaf: number, at: number): Needs => {
    const own = prepared[leaf];
    const pair = own?.pairs[at];
    if (own === undefined || pair === undefined) throw new RangeError("a pair that does not exist");
    const [left, right] = [pair.left, pair.right].map((side) => ({ ...side, term: null }));
    if (left === undefined || right === undefined) throw new TypeError("a pair has two sides");
    const draft = draftOf([{ ...own, pairs: [{ ...pair, left, right }] }], {
      dx: null,
      pairs: [0],
      sides: new Map(),
    });
    return new Map([[meaningOf([leaf, at]), pricesOf(draft)[0] ?? Number.NaN]]);
  };
  const needsOfSide = (index: number, ways: BackwardWays): Needs => {
    const term = space.sides[index]?.term;
    const readers = prepared.flatMap((one) => one.pairs.map((pair) => ({ one, pair })));
    for (const { one, pair } of readers) {
      const side = [pair.left, pair.right].find((each) => each.term === term);
      if (side === undefined) continue;
      const alone = { ...pair, left: side, right: { ...side, term: null } };
      return needsOfDraft(draftOf([{ ...one, pairs: [alone] }], { ...ways, dx: null, pairs: [0] }));
    }
    throw new RangeError("a side that nothing reads");
  };
  const known = new Map<string, Needs>();
  const needsOf = (member: Member): Needs => {
    const [list, at] = member;
    const before = known.get(member.join());
    if (before !== undefined) return before;
    const ways = waysOf(space, deciding(space, [member]));
    const side = list - 1 - space.pairs.length;
    const found =
      list === 0
        ? needsOfDraft(draftOf([], { ...ways, pairs: [] }))
        : side < 0
          ? needsOfPair(list - 1, at)
          : needsOfSide(side, ways);
    known.set(member.join(), found);
    return found;
  };
  return (members) => new Map(members.flatMap((member) => [...needsOf(member)]));
}
