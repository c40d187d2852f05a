/** What the timings of a cell say: who was best, what the roofline leaves, which target it reaches. Pure. */
import { geometricMean } from "../../compiler/calibrate/sample-statistics.ts";
import { type Cell, nameOfCell } from "./cells.ts";
import type { CellResult, Timed } from "./measure-cell.ts";
import { type Target, targets } from "./targets.ts";

/** Another's time with its ratio to spx's. */
export type Compared = Timed & { readonly ratio: number };

function bestOf(peers: readonly Timed[], fits: (peer: Timed) => boolean): Compared | null {
  const fitting = peers.filter((peer): peer is Compared => peer.ratio !== null && fits(peer));
  return fitting.reduce<Compared | null>(
    (best, next) => (best === null || next.ratio < best.ratio ? next : best),
    null,
  );
}

const isOurs = ({ name }: Timed): boolean => name.startsWith("spx");

/** An error above this says that tokens or sums were rounded to fewer bits than fp32 has: not the same function. */
const sameAccuracy = 1e-3;
export const isRounded = ({ error }: Timed): boolean => error !== null && error > sameAccuracy;

/** The fastest of others, in whatever way it does the same. */
export const bestPeer = ({ peers }: CellResult): Compared | null =>
  bestOf(peers, (peer) => !isOurs(peer) && !isRounded(peer));
/** The fastest of those that round tokens or sums to fewer bits. */
export const bestRounded = ({ peers }: CellResult): Compared | null =>
  bestOf(peers, (peer) => !isOurs(peer) && isRounded(peer));
/** The fastest dense fp32 product of the same function, spx's own among them. */
export const bestDense = ({ peers }: CellResult): Compared | null =>
  bestOf(peers, ({ kind }) => kind === "dense");
/** spx without what the cell adds. */
export const baseOf = ({ peers }: CellResult): Compared | null =>
  bestOf(peers, ({ kind }) => kind === "base");

export const rooflineFraction = ({ roofline, own }: CellResult): number | null =>
  roofline === null || own === null ? null : roofline.seconds / own.median;

/** Predicted over measured time. */
export const predictedOver = ({ plan, own }: CellResult): number | null =>
  plan === null || own === null ? null : plan.predicted / own.median;

export interface Judged {
  readonly target: Target;
  readonly cells: readonly CellResult[];
  /** The cell that is farthest below, with what it reaches of what is wanted (1 is enough). */
  readonly worst: { readonly cell: CellResult; readonly reached: number } | null;
  readonly met: number;
}

/** What a cell reaches of a target: the least of its parts, each over what is wanted; infinite when nothing applies. */
export function reachedBy(result: CellResult, target: Target): number {
  const base = baseOf(result);
  const added = target.overBase?.(result.cell) ?? null;
  const parts = [
    [target.overPeer, bestPeer(result)?.ratio],
    [target.overRounded ?? null, bestRounded(result)?.ratio],
    [target.overDense, bestDense(result)?.ratio],
    [target.roofline, rooflineFraction(result)],
    [added === null ? null : 1 / added, base?.ratio],
  ] as const;
  return Math.min(
    ...parts.flatMap(([wanted, found]) =>
      wanted === null || found === null || found === undefined ? [] : [found / wanted],
    ),
  );
}

export function judge(results: readonly CellResult[]): Judged[] {
  return targets.flatMap((target) => {
    const cells = results
      .filter(({ cell, own }) => own !== null && target.applies(cell))
      .map((cell) => ({ cell, reached: reachedBy(cell, target) }))
      .filter(({ reached }) => Number.isFinite(reached))
      .sort((a, b) => a.reached - b.reached);
    if (cells.length === 0) return [];
    return [
      {
        target,
        cells: cells.map(({ cell }) => cell),
        worst: cells[0] ?? null,
        met: cells.filter(({ reached }) => reached >= 1).length,
      },
    ];
  });
}

export interface Summary {
  readonly cells: number;
  /** Geometric means of ratios and fractions; null where no cell tells. */
  readonly overPeer: number | null;
  readonly overRounded: number | null;
  readonly overDense: number | null;
  readonly roofline: number | null;
  /** Cells of all targets, and those that reach theirs. */
  readonly judged: number;
  readonly met: number;
  /** Cells slower than the best dense form by more than 3 %. */
  readonly slower: readonly CellResult[];
  readonly largestError: number;
  /** Cells whose probes still differed when they were run again. */
  readonly drifted: number;
}

const meanOf = (values: readonly number[]): number | null =>
  values.length === 0 ? null : geometricMean(values);
const isForward = ({ cell }: CellResult): boolean => cell.operation.pass === "forward";
const tolerated = 1 / 1.03;

export function summarise(results: readonly CellResult[], tolerableDrift = 0.1): Summary {
  const offered = results.filter(({ own }) => own !== null);
  const structured = offered.filter((result) => isForward(result) && result.cell.operation.name !== "dense");
  const judged = judge(results);
  return {
    cells: offered.length,
    overPeer: meanOf(offered.flatMap((result) => bestPeer(result)?.ratio ?? [])),
    overRounded: meanOf(offered.flatMap((result) => bestRounded(result)?.ratio ?? [])),
    overDense: meanOf(structured.flatMap((result) => bestDense(result)?.ratio ?? [])),
    roofline: meanOf(offered.flatMap((result) => rooflineFraction(result) ?? [])),
    judged: judged.reduce((sum, { cells }) => sum + cells.length, 0),
    met: judged.reduce((sum, { met }) => sum + met, 0),
    slower: offered.filter(
      (result) => isForward(result) && (bestDense(result)?.ratio ?? Number.POSITIVE_INFINITY) < tolerated,
    ),
    largestError: Math.max(0, ...offered.flatMap(({ own }) => own?.error ?? [])),
    drifted: results.filter(({ drift }) => drift > tolerableDrift).length,
  };
}

export interface Scaling {
  /** The cell, on one thread. */
  readonly name: string;
  readonly threads: number;
  /** Time on one thread over that on `threads`. */
  readonly faster: number;
}

/** What more threads bring, for cells that ran on one thread and on several. */
export function scalingOf(results: readonly CellResult[]): Scaling[] {
  const onOne = new Map(
    results.filter(({ cell }) => cell.threads === 1).map((result) => [result.name, result] as const),
  );
  return results.flatMap(({ cell, own }) => {
    const name = nameOfCell({ ...cell, threads: 1 } satisfies Cell);
    const single = onOne.get(name)?.own;
    if (cell.threads === 1 || own === null || single === undefined || single === null) return [];
    return [{ name, threads: cell.threads, faster: single.median / own.median }];
  });
}

/** Cells with a peer, the one that is farthest behind first. */
export const worstFirst = (results: readonly CellResult[]): readonly CellResult[] =>
  results
    .flatMap((result) => {
      const ratio = bestPeer(result)?.ratio;
      return ratio === undefined ? [] : [{ result, ratio }];
    })
    .sort((a, b) => a.ratio - b.ratio)
    .map(({ result }) => result);
