/**
 * Set partitions of the terms of a sum. Terms of one class are interchangeable: of the partitions that differ by an
 * exchange of such terms, the first stands for all.
 */

/** Bell numbers pass every budget beyond this many terms. */
export const mostPartitionedTerms = 8;

/** Indices of the terms of each group, groups by their first term; all separate first, then ever fewer groups. */
export type Partition = readonly (readonly number[])[];

/** @param classes the class of each term. Above `mostPartitionedTerms` terms: all separate, and all together. */
export function setPartitions(classes: readonly string[]): readonly Partition[] {
  const all = classes.map((_, index) => index);
  const separate = all.map((index) => [index]);
  if (classes.length > mostPartitionedTerms) return [separate, [all]];
  const found = new Map<string, Partition>();
  const grow = (groups: readonly (readonly number[])[], next: number): void => {
    if (next === classes.length) {
      const key = partitionKey(groups, classes);
      if (!found.has(key)) found.set(key, groups);
      return;
    }
    for (const [at, group] of groups.entries()) grow(groups.with(at, [...group, next]), next + 1);
    grow([...groups, [next]], next + 1);
  };
  grow([], 0);
  return [...found.values()].sort((a, b) => b.length - a.length);
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
