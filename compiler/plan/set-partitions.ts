/**
 * Set partitions of the terms of a sum. Terms of one class are interchangeable: of the partitions that differ by an
 * exchange of such terms, the first stands for all. Of many terms those of one kind go together or stay apart.
 */

/** Bell numbers pass every budget beyond this many terms. */
export const mostPartitionedTerms = 8;
/** Kinds of terms that are partitioned; the sixth Bell number, 203, still fits a budget beside ways and layouts. */
const mostKinds = 5;

/** Indices of the terms of each group, groups by their first term; all separate first, then ever fewer groups. */
export type Partition = readonly (readonly number[])[];

/** What decides about a term in a long sum, the finer first: stage and structure, and stage alone. */
export interface TermKind {
  readonly fine: string;
  readonly coarse: string;
}

/**
 * @param classes the class of each term.
 * @param kinds what terms are grouped by when there are more than `mostPartitionedTerms`.
 */
export function setPartitions(
  classes: readonly string[],
  kinds: readonly TermKind[] = [],
): readonly Partition[] {
  const found = new Map<string, Partition>();
  const offer = (groups: Partition): void => {
    const key = partitionKey(groups, classes);
    if (!found.has(key)) found.set(key, groups);
  };
  if (classes.length > mostPartitionedTerms) partitionKinds(classes, kinds).forEach(offer);
  else partitionTerms(classes.length, offer);
  return [...found.values()].sort((a, b) => b.length - a.length);
}

function partitionTerms(count: number, offer: (groups: Partition) => void): void {
  const grow = (groups: Partition, next: number): void => {
    if (next === count) {
      offer(groups);
      return;
    }
    for (const [at, group] of groups.entries()) grow(groups.with(at, [...group, next]), next + 1);
    grow([...groups, [next]], next + 1);
  };
  grow([], 0);
}

/** All terms of a kind apart, or all in one group, alone or with those of other kinds. */
function partitionKinds(classes: readonly string[], kinds: readonly TermKind[]): readonly Partition[] {
  const fine = membersByKind(classes, (index) => kinds[index]?.fine ?? "");
  const units =
    fine.length <= mostKinds ? fine : membersByKind(classes, (index) => kinds[index]?.coarse ?? "");
  return units
    .reduce<readonly { readonly apart: Partition; readonly formed: Partition }[]>(
      (ways, unit) =>
        ways.flatMap(({ apart, formed }) => [
          { apart: [...apart, ...unit.map((index) => [index])], formed },
          { apart, formed: [...formed, unit] },
          ...formed.map((group, at) => ({ apart, formed: formed.with(at, [...group, ...unit]) })),
        ]),
      [{ apart: [], formed: [] }],
    )
    .map(({ apart, formed }) =>
      [...apart, ...formed.map((group) => [...group].sort((a, b) => a - b))].sort(
        ([a = 0], [b = 0]) => a - b,
      ),
    );
}

function membersByKind(classes: readonly string[], kindOf: (index: number) => string): Partition {
  const members = new Map<string, number[]>();
  for (const index of classes.keys())
    members.set(kindOf(index), [...(members.get(kindOf(index)) ?? []), index]);
  return [...members.values()];
}

const partitionKey = (groups: Partition, classes: readonly string[]): string =>
  groups
    .map((group) =>
      group
        .map((index) => classes[index] ?? "")
        .sort()
        .join("+"),
    )
    .sort()
    .join(" | ");
