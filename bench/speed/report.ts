/** The results as text: what matters first, then the worst cells, then every cell. */

import type { CellResult, Timed } from "./measure-cell.ts";
import type { MachineRates } from "./probes.ts";
import { type Target, targets } from "./targets.ts";

export interface RunFacts {
  readonly date: string;
  readonly cpu: string;
  readonly level: string;
  readonly suite: string;
  readonly rounds: number;
  readonly rates: readonly { readonly threads: number; readonly rates: MachineRates }[];
  /** Name and version of every peer that took part. */
  readonly peers: readonly string[];
  /** What could not take part, and why. */
  readonly missing: readonly string[];
  readonly build: { readonly seconds: number; readonly bytes: number; readonly transforms: number };
}

const fixed = (value: number, digits = 2): string =>
  Number.isFinite(value) ? value.toFixed(digits) : String(value);
const percent = (value: number): string => `${Math.round(100 * value)} %`;

export function bestOf(peers: readonly Timed[], kinds: readonly Timed["kind"][]): Timed | null {
  const fitting = peers.filter(({ kind }) => kinds.includes(kind));
  return fitting.reduce<Timed | null>(
    (best, next) => (best === null || next.ratio < best.ratio ? next : best),
    null,
  );
}

export const bestPeer = ({ peers }: CellResult): Timed | null =>
  bestOf(
    peers.filter(({ name }) => !name.startsWith("spx")),
    ["dense", "structured"],
  );
export const bestDense = ({ peers }: CellResult): Timed | null => bestOf(peers, ["dense"]);
export const rooflineFraction = ({ roofline, own }: CellResult): number | null =>
  roofline === null ? null : roofline.seconds / own.median;

const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

export interface Judged {
  readonly target: Target;
  readonly cells: readonly CellResult[];
  /** The cell that is farthest below, with what it reaches of what is wanted (1 is enough). */
  readonly worst: { readonly cell: CellResult; readonly reached: number } | null;
  readonly met: number;
}

/** What a cell reaches of a target: the least of its parts, each over what is wanted. */
function reachedBy(result: CellResult, target: Target): number {
  const parts = [
    [target.overPeer, bestPeer(result)?.ratio],
    [target.overDense, bestDense(result)?.ratio],
    [target.roofline, rooflineFraction(result)],
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
      .filter(({ cell }) => target.applies(cell))
      .map((cell) => ({ cell, reached: reachedBy(cell, target) }))
      .filter(({ reached }) => Number.isFinite(reached))
      .sort((a, b) => a.reached - b.reached);
    return cells.length === 0
      ? []
      : [
          {
            target,
            cells: cells.map(({ cell }) => cell),
            worst: cells[0] ?? null,
            met: cells.filter(({ reached }) => reached >= 1).length,
          },
        ];
  });
}

function wanted({ overPeer, overDense, roofline }: Target): string {
  return [
    overPeer === null ? "" : `${fixed(overPeer)}x peer`,
    overDense === null ? "" : `${fixed(overDense)}x dense`,
    roofline === null ? "" : percent(roofline),
  ]
    .filter((part) => part !== "")
    .join(", ");
}

/** One line of a cell, as the columns of `cellHeader`. */
export function cellLine(result: CellResult): readonly string[] {
  const peer = bestPeer(result);
  const dense = bestDense(result);
  const fraction = rooflineFraction(result);
  const { plan, own, roofline } = result;
  return [
    result.name,
    peer === null ? "-" : `${fixed(peer.ratio)} ${peer.name}`,
    dense === null ? "-" : `${fixed(dense.ratio)} ${dense.name}`,
    fraction === null || roofline === null
      ? "-"
      : `${percent(fraction)} of ${roofline.bound} (${roofline.level})`,
    plan.variant,
    fixed(plan.predicted / own.median),
    own.error === null ? "-" : own.error.toExponential(0),
  ];
}

export const cellHeader = [
  "cell",
  "best peer / spx",
  "best dense / spx",
  "roofline",
  "plan",
  "predicted / measured",
  "error",
] as const;

const markdownTable = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

const gigabytes = (rate: number): string => `${fixed(rate / 1e9, 0)} GB/s`;

function machineLines({ rates }: RunFacts): string[] {
  return rates.map(
    ({ threads, rates: found }) =>
      `- ${threads} thread${threads === 1 ? "" : "s"}: ${fixed((2 * found.multiplies) / 1e9, 0)} GFLOP/s fp32; reads ` +
      `${gigabytes(found.read.L2)} from L2, ${gigabytes(found.read.L3)} from L3, ${gigabytes(found.read.memory)} from memory; ` +
      `${fixed(found.permutes / 1e9, 1)} G permutes/s`,
  );
}

function summaryOf(results: readonly CellResult[]): string[] {
  const ratios = results.flatMap((result) => bestPeer(result)?.ratio ?? []);
  const dense = results
    .filter(({ cell }) => cell.operation.pass === "forward" && cell.operation.name !== "dense")
    .flatMap((result) => bestDense(result)?.ratio ?? []);
  const fractions = results.flatMap((result) => rooflineFraction(result) ?? []);
  const judged = judge(results);
  const met = judged.reduce((sum, { met: count }) => sum + count, 0);
  const all = judged.reduce((sum, { cells }) => sum + cells.length, 0);
  return [
    `- ${results.length} cells; geometric mean of best peer over spx: ${fixed(geometricMean(ratios))}`,
    ...(dense.length === 0
      ? []
      : [`- structured cells: best dense over spx ${fixed(geometricMean(dense))} (geometric mean)`]),
    ...(fractions.length === 0 ? [] : [`- roofline: ${percent(geometricMean(fractions))} (geometric mean)`]),
    `- targets: ${met} of ${all} cells reach theirs`,
    `- largest error against float64: ${Math.max(0, ...results.flatMap(({ own }) => own.error ?? [])).toExponential(1)}`,
  ];
}

export function resultsMarkdown(results: readonly CellResult[], facts: RunFacts): string {
  const judged = judge(results);
  const worst = results
    .flatMap((result) => {
      const peer = bestPeer(result);
      return peer === null ? [] : [{ result, ratio: peer.ratio }];
    })
    .sort((a, b) => a.ratio - b.ratio)
    .slice(0, 20);
  return `# Results of \`npm run bench\`

${facts.date}, ${facts.cpu}, kernels for ${facts.level}, suite ${facts.suite}, ${facts.rounds} rounds. Ratios are times of others
over spx's, medians of pairs of one interleaved run: above 1, spx is faster. Written by the command.

${summaryOf(results).join("\n")}
${machineLines(facts).join("\n")}
- build of \`bench/speed/operations.spx\`: ${fixed(facts.build.seconds, 1)} s, ${facts.build.transforms} transforms, ${Math.round(facts.build.bytes / 1024)} KiB of kernels
- peers: ${facts.peers.join("; ")}
${facts.missing.map((line) => `- not here: ${line}`).join("\n")}

## Targets

${markdownTable(
  ["target", "wanted", "cells that reach it", "farthest below", "reaches"],
  judged.map(({ target, cells, met, worst: last }) => [
    target.name,
    wanted(target),
    `${met} of ${cells.length}`,
    last === null ? "-" : last.cell.name,
    last === null ? "-" : percent(last.reached),
  ]),
)}

## Worst cells first

${markdownTable(
  cellHeader,
  worst.map(({ result }) => cellLine(result)),
)}

## Every cell

${markdownTable(cellHeader, results.map(cellLine))}
`;
}
