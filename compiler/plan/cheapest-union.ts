/**
 * One option of each group so that what they need, each thing paid once, is cheapest. Exact by branch and bound up to a
 * limit of steps; beyond it the best that was found. Knows nothing of plans: the backward pass chooses with it what
 * gradients and dx compute together.
 */

/** Things that an option needs → their prices. */
export type Needs = ReadonlyMap<number, number>;

/** Options taken or refused at most. */
const mostVisited = 40_000;

interface Option {
  readonly at: number;
  /** What no other group can need. */
  readonly own: number;
  /** What some other group can need, too. */
  readonly common: readonly (readonly [number, number])[];
  readonly total: number;
}

const sumOf = (numbers: Iterable<number>): number => [...numbers].reduce((sum, one) => sum + one, 0);

/** Options of one group, the cheapest alone first; without those that cost more than it even where all else is paid. */
function optionsOf(group: readonly Needs[], owners: ReadonlyMap<number, number>): readonly Option[] {
  const options = group.map((needs, at): Option => {
    const common = [...needs].filter(([key]) => (owners.get(key) ?? 0) > 1);
    const total = sumOf(needs.values());
    return { at, total, common, own: total - sumOf(common.map(([, price]) => price)) };
  });
  const sorted = options.toSorted((a, b) => a.total - b.total);
  const least = sorted[0]?.total ?? 0;
  return sorted.filter((option, index) => index === 0 || option.own < least);
}

/** Position of the chosen option in each group. @throws RangeError for a group without options. */
export function cheapestUnion(groups: readonly (readonly Needs[])[]): readonly number[] {
  const owners = new Map<number, number>();
  for (const group of groups)
    for (const key of new Set(group.flatMap((needs) => [...needs.keys()])))
      owners.set(key, (owners.get(key) ?? 0) + 1);
  const lists = groups.map((group) => optionsOf(group, owners));
  if (lists.some((list) => list.length === 0)) throw new RangeError("a group without options");
  // What the groups from one on cost at least.
  const atLeast = [0];
  for (const list of lists.toReversed())
    atLeast.unshift((atLeast[0] ?? 0) + Math.min(...list.map(({ own }) => own)));
  const paid = new Set<number>();
  const chosen: number[] = [];
  let best = { price: Number.POSITIVE_INFINITY, chosen: lists.map(([first]) => first?.at ?? 0) };
  let visited = 0;
  const visit = (group: number, price: number): void => {
    if (price + (atLeast[group] ?? 0) >= best.price) return;
    const list = lists[group];
    if (list === undefined) {
      best = { price, chosen: [...chosen] };
      return;
    }
    for (const { at, own, common } of list) {
      visited += 1;
      if (visited > mostVisited) return;
      const fresh = common.filter(([key]) => !paid.has(key));
      for (const [key] of fresh) paid.add(key);
      chosen.push(at);
      visit(group + 1, price + own + sumOf(fresh.map(([, cost]) => cost)));
      chosen.pop();
      for (const [key] of fresh) paid.delete(key);
    }
  };
  visit(0, 0);
  return best.chosen;
}
