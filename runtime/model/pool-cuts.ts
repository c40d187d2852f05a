/**
 * Selections among the layers of a model, made before any layer is loaded. Every layer's keys are counted by their
 * upper and then by their lower half, which finds the smallest key that stays; where only some entries with just that
 * key stay, a third reading deals them out in the order of the layers. So each tensor is read two or three times more
 * than without a pool, and beside the one at hand only the counts are in memory, 1 MiB for a pool.
 */
import type { ModelRule, PatternManifest, PoolManifest, TransformManifest } from "../contract/manifest.ts";
import { evaluateNumber } from "../contract/number-expression.ts";
import { SpxError } from "../errors.ts";
import { checkCount, countDigits, descend, type KeyCut, type Keys } from "../select/largest-entries.ts";
import type { RecipeKernels } from "../select/recipe-value.ts";
import type { BoundArguments } from "./bind-arguments.ts";
import { initialValues, noChoices } from "./initial-values.ts";

/** A layer that is going to be loaded. */
export interface PoolMember {
  /** Name of its tensor. */
  readonly name: string;
  readonly rule: ModelRule;
  readonly transform: TransformManifest;
  readonly seed: number;
  /** Where there are none, loops do all the work. */
  readonly kernels: Partial<RecipeKernels>;
  /** Reads its tensor and binds its arguments; called once for each reading. */
  readonly bind: () => Promise<BoundArguments>;
}

/** Which keys stay, by pattern. */
export type PoolCuts = ReadonlyMap<string, KeyCut>;

/**
 * `members` in the order of the checkpoint, which is the order in which equal keys are taken.
 * @throws SpxError SPX8503 when the layers of a pool ask for different amounts, SPX8407 for more than the pool has, and
 *   what reading, binding and scoring throw.
 */
export async function choosePools(
  members: readonly PoolMember[],
): Promise<ReadonlyMap<PoolMember, PoolCuts>> {
  const cuts = new Map(members.map((member) => [member, new Map<string, KeyCut>()]));
  for (const transform of new Set(members.map((member) => member.transform))) {
    const own = members.filter((member) => member.transform === transform);
    // In order, because the scores of one pattern may read another.
    for (const name of transform.order) {
      const pattern = transform.patterns.find((candidate) => candidate.name === name);
      if (pattern === undefined || pattern.pool === null) continue;
      for (const pool of poolsOf(own, pattern.pool)) await choosePool(pool, pattern, pattern.pool, cuts);
    }
  }
  return cuts;
}

const poolsOf = (
  members: readonly PoolMember[],
  { scope }: PoolManifest,
): readonly (readonly PoolMember[])[] =>
  scope === "model"
    ? [members]
    : [...new Set(members.map(({ rule }) => rule))].map((rule) =>
        members.filter((member) => member.rule === rule),
      );

/** Keys of one layer, and what it asks of the pool. */
interface Ballot {
  readonly keys: Keys;
  readonly amount: number;
}

async function choosePool(
  members: readonly PoolMember[],
  pattern: PatternManifest,
  pool: PoolManifest,
  cuts: ReadonlyMap<PoolMember, Map<string, KeyCut>>,
): Promise<void> {
  const read = async (member: PoolMember): Promise<Ballot> => {
    const bound = await member.bind();
    const { seed, name: layer, kernels } = member;
    const context = { seed, layer, ...kernels };
    const known = cuts.get(member) ?? new Map<string, KeyCut>();
    const values = initialValues(member.transform, bound, context, { ...noChoices, cuts: known });
    return { keys: values.keys(pattern), amount: evaluateNumber(pool.amount, values.symbols) };
  };
  const upper = new Uint32Array(65536);
  const amounts: number[] = [];
  let entries = 0;
  for (const member of members) {
    const { keys, amount } = await read(member);
    countDigits(keys, { prefix: 0, bitsKnown: 0 }, 16, upper);
    entries += keys.length;
    amounts.push(amount);
  }
  const asked = agreed(members, amounts, pattern, pool);
  const wanted = pool.budget === "keep" ? Math.round(asked * entries) : asked;
  checkCount(`${pattern.name} in the ${pool.scope}`, wanted, entries);
  const give = (member: PoolMember, cut: KeyCut): void => void cuts.get(member)?.set(pattern.name, cut);
  if (wanted === 0) {
    for (const member of members) give(member, { threshold: 0xffffffff, ties: 0 });
    return;
  }
  const high = descend(upper, wanted);
  const lower = new Uint32Array(65536);
  for (const member of members)
    countDigits((await read(member)).keys, { prefix: high.bucket, bitsKnown: 16 }, 16, lower);
  const low = descend(lower, high.left);
  const threshold = high.bucket * 65536 + low.bucket;
  const allStay = low.left === lower[low.bucket];
  let left = low.left;
  for (const member of members) {
    const ties = allStay ? left : Math.min(left, countOf((await read(member)).keys, threshold));
    give(member, { threshold, ties });
    if (!allStay) left -= ties;
  }
}

function countOf(keys: Keys, wanted: number): number {
  let count = 0;
  for (const key of keys) if (key === wanted) count++;
  return count;
}

/** The amount that all layers of a pool ask for. */
function agreed(
  members: readonly PoolMember[],
  amounts: readonly number[],
  { name }: PatternManifest,
  { budget, scope }: PoolManifest,
): number {
  const [first = 0] = amounts;
  const other = amounts.findIndex((amount) => amount !== first);
  if (other === -1) return first;
  const [one, another] = [members[0]?.name ?? "", members[other]?.name ?? ""];
  throw new SpxError(
    "SPX8503",
    `the ${scope} shares one budget for \`${name}\`, and \`${one}\` asks for ${first}, \`${another}\` for ${amounts[other]}`,
    {
      facts: { pattern: name, layers: [one, another], first, other: amounts[other] ?? first },
      help: `give all its layers the same ${budget === "keep" ? "share" : "count"}, or use \`pool: group\``,
    },
  );
}
