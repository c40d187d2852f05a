/**
 * Every way of applying a weight as a draft with a name: the enumeration of enumerate-sums.ts in both layouts, cut off at
 * a budget. Ways that come out as the same steps on the same operands are one.
 */
import type { Term } from "../algebra/algebra-node.ts";
import { buildVariant } from "./build-variant.ts";
import { enumerateSum, isMergedWhole } from "./enumerate-sums.ts";
import type { AppliedSum, AppliedTerm } from "./linear-factors.ts";
import type { OperandTable } from "./operand-table.ts";
import type { Layout } from "./plan.ts";
import type { VariantDraft } from "./variant-draft.ts";

/** Enough for five terms with two ways each and every partition; a weight that has more is cut off and says so. */
export const mostCandidates = 512;

const layouts: readonly Layout[] = ["lane-output", "lane-token"];

export interface CandidateSet {
  /** The first is a separate, lane = output one. */
  readonly drafts: readonly VariantDraft[];
  /** Names of those that the claims admit; all without claims. */
  readonly admitted: ReadonlySet<string>;
  /** How many there are without the budget, both layouts. */
  readonly total: number;
  readonly notes: readonly string[];
}

/** What the author demands of every candidate; see pins.ts. */
export interface CandidateClaims {
  readonly admits: (terms: readonly AppliedTerm[], layout: Layout) => boolean;
  /** Terms that the claims name. */
  readonly distinct: ReadonlySet<Term>;
  /** Tokens that a kernel takes at once; null for what the level prefers. */
  readonly tile: number | null;
}

export const noClaims: CandidateClaims = { admits: () => true, distinct: new Set(), tile: null };

/** Steps with operand names replaced by nothing but themselves: operands are shared, so equal names mean equal bytes. */
const contentKey = (draft: VariantDraft): string =>
  JSON.stringify([draft.layout, draft.activations, draft.steps]);

/** Traits that replace `separate` in a name; the others follow it. */
const storageTraits = ["sparse", "unpacked", "merged", "dense"];

/** `separate`, `sparse`, `separate-multiplied-reversed`: what sets a way apart from the plainest. */
function nameOf({ terms, stacks = [] }: AppliedSum): string {
  const own = stacks.length > 0 ? ["stacked"] : [];
  const traits = [...new Set([...terms.flatMap((term) => term.traits), ...own])];
  const stored = storageTraits.filter((trait) => traits.includes(trait));
  const others = traits.filter((trait) => !storageTraits.includes(trait)).sort();
  return [...(stored.length === 0 ? ["separate"] : stored), ...others].join("-");
}

export function candidatePlans(
  root: Term,
  operands: OperandTable,
  rules: readonly string[],
  claims: CandidateClaims = noClaims,
  most = mostCandidates,
): CandidateSet {
  const { sums, total, byKinds } = enumerateSum(
    root,
    { most: Math.ceil(most / layouts.length), allows: () => true, stacks: true },
    claims.distinct,
  );
  // What cannot be applied but as one matrix is packed like any other.
  const hasParts = sums.some((sum) => !isMergedWhole(root, sum));
  const found = new Map<string, VariantDraft>();
  const taken = new Map<string, number>();
  const admitted = new Set<string>();
  let same = 0;
  for (const layout of layouts) {
    for (const sum of sums) {
      const merged = hasParts && isMergedWhole(root, sum);
      const stem = merged ? "merged" : nameOf(sum);
      const count = (taken.get(`${stem}/${layout}`) ?? 0) + 1;
      const name = count === 1 ? stem : `${stem}-${count}`;
      const draft = buildVariant(sum, { name, layout, merged }, operands, rules);
      const key = contentKey(draft);
      const before = found.get(key);
      if (claims.admits(sum.terms, layout)) admitted.add((before ?? draft).name);
      if (before !== undefined) {
        same += 1;
        continue;
      }
      found.set(key, draft);
      taken.set(`${stem}/${layout}`, count);
    }
  }
  const all = total * layouts.length;
  const cut = all - sums.length * layouts.length;
  const notes = [
    ...(cut > 0
      ? [`${all} ways to apply the weight are more than the ${most} that are priced; ${cut} were not`]
      : []),
    ...(byKinds
      ? [
          "the sum has too many terms to try every group of them: those of one stage and structure were priced together or apart",
        ]
      : []),
  ];
  return { drafts: [...found.values()], admitted, total: all - same, notes };
}
