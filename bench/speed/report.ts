/** The results as text: what matters first, then targets, the worst cells, every cell, and what else was measured. */
import type { Behaviour } from "./behaviour.ts";
import type { BuildFact } from "./build-facts.ts";
import {
  baseOf,
  bestDense,
  bestPeer,
  bestRounded,
  judge,
  predictedOver,
  rooflineFraction,
  scalingOf,
  summarise,
  worstFirst,
} from "./judge-cells.ts";
import type { CellResult } from "./measure-cell.ts";
import type { MachineRates } from "./probes.ts";
import type { Target } from "./targets.ts";

export interface RunFacts {
  /** Of the day on which the run ended. */
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly spx: string;
  /** Level of the kernels, and whether it was forced below what the machine has. */
  readonly level: string;
  readonly heldDown: boolean;
  readonly suite: string;
  readonly only: readonly string[];
  readonly rounds: number;
  readonly rates: readonly { readonly threads: number; readonly rates: MachineRates }[];
  /** Name and version of every peer that took part. */
  readonly peers: readonly string[];
  /** What could not take part, and why. */
  readonly missing: readonly string[];
  /** Cells that failed, with their message. */
  readonly failed: readonly string[];
  readonly build: { readonly seconds: number; readonly bytes: number; readonly transforms: number };
  /** Each transform built alone; empty when that was not asked for. */
  readonly builds: readonly BuildFact[];
  readonly behaviour: Behaviour | null;
}

export const fixed = (value: number, digits = 2): string =>
  Number.isFinite(value) ? value.toFixed(digits) : String(value);
export const percent = (value: number): string => `${Math.round(100 * value)} %`;

export function timeText(seconds: number): string {
  if (seconds < 1e-3) return `${fixed(1e6 * seconds, 1)} µs`;
  return seconds < 1 ? `${fixed(1e3 * seconds, 2)} ms` : `${fixed(seconds, 2)} s`;
}

export function wantedText({ overPeer, overRounded, overDense, roofline, overBase }: Target): string {
  return [
    overPeer === null ? "" : `${fixed(overPeer)}x peer`,
    overRounded === undefined ? "" : `${fixed(overRounded)}x peer that rounds`,
    overDense === null ? "" : `${fixed(overDense)}x dense`,
    roofline === null ? "" : percent(roofline),
    overBase === undefined ? "" : "time over base",
  ]
    .filter((part) => part !== "")
    .join(", ");
}

export const cellHeader = [
  "cell",
  "spx",
  "best peer / spx",
  "best dense / spx",
  "roofline",
  "plan",
  "predicted / measured",
  "error",
] as const;

/** One line of a cell, as the columns of `cellHeader`. */
export function cellLine(result: CellResult): readonly string[] {
  const peer = bestPeer(result);
  const dense = bestDense(result);
  const base = baseOf(result);
  const rounded = bestRounded(result);
  const fraction = rooflineFraction(result);
  const predicted = predictedOver(result);
  const { plan, own, roofline, peers } = result;
  if (own === null) {
    const fastest = peers.toSorted((a, b) => a.median - b.median)[0];
    const others = fastest === undefined ? "-" : `${fastest.name} takes ${timeText(fastest.median)}`;
    return [result.name, "not offered yet", others, "-", "-", "-", "-", "-"];
  }
  return [
    result.name,
    timeText(own.median),
    (peer === null ? "-" : `${fixed(peer.ratio)} ${peer.name}`) +
      (rounded === null ? "" : `; rounded: ${fixed(rounded.ratio)} ${rounded.name}`),
    dense === null ? "-" : `${fixed(dense.ratio)} ${dense.name}`,
    fraction === null || roofline === null
      ? "-"
      : `${percent(fraction)} of ${roofline.bound} (${roofline.level})`,
    `${plan?.variant ?? "-"}${base === null ? "" : `; ${fixed(1 / base.ratio, 3)} of its base`}`,
    predicted === null ? "-" : fixed(predicted),
    own.error === null ? "-" : own.error.toExponential(0),
  ];
}

const markdownTable = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

const gigabytes = (rate: number): string => `${fixed(rate / 1e9, 0)} GB/s`;

function machineLines({ rates }: RunFacts): string[] {
  return rates.map(
    ({ threads, rates: found }) =>
      `- ${threads} thread${threads === 1 ? "" : "s"}: ${fixed((2 * found.multiplies) / 1e9, 0)} GFLOP/s fp32; reads ` +
      `${gigabytes(found.read.L2)} from L2, ${gigabytes(found.read.L3)} from L3, ${gigabytes(found.read.memory)} from memory; ` +
      `copies ${gigabytes(found.copy)} (read and written); ${fixed(found.permutes / 1e9, 1)} G permutes/s`,
  );
}

/** The ten lines that matter first. */
export function headLines(results: readonly CellResult[], { failed, behaviour }: RunFacts): string[] {
  const { overPeer, overRounded, overDense, roofline, met, judged, slower, largestError, drifted, cells } =
    summarise(results);
  const [worst] = worstFirst(results);
  const scaling = scalingOf(results).map(({ faster }) => faster);
  const lines = [
    `- ${cells} cells; best peer over spx ${overPeer === null ? "-" : fixed(overPeer)} (geometric mean)`,
    overRounded === null
      ? ""
      : `- peers that round tokens or sums to fewer bits, over spx: ${fixed(overRounded)} (geometric mean)`,
    overDense === null
      ? ""
      : `- structured cells: best dense form over spx ${fixed(overDense)} (geometric mean)`,
    roofline === null ? "" : `- fraction of the roofline: ${percent(roofline)} (geometric mean)`,
    `- targets: ${met} of ${judged} cells reach theirs`,
    `- slower than the best dense form of the same function by more than 3 %: ${slower.length} of ${cells} cells`,
    worst === undefined ? "" : `- farthest behind a peer: ${cellLine(worst).slice(0, 3).join(", ")}`,
    scaling.length === 0
      ? ""
      : `- all threads over one: ${fixed(Math.min(...scaling))} to ${fixed(Math.max(...scaling))} times as fast`,
    behaviour === null
      ? ""
      : `- event loop during \`forwardAsync\`: late by at most ${fixed(behaviour.asyncDelay, 1)} ms; ` +
        `${behaviour.workers} workers at once: ${behaviour.wrong} of ${behaviour.calls} calls wrong`,
    `- largest error against float64: ${largestError.toExponential(1)}`,
    drifted === 0 ? "" : `- cells during which the machine changed by more than 10 %: ${drifted}`,
    failed.length === 0 ? "" : `- failed: ${failed.length} cells`,
  ];
  return lines.filter((line) => line !== "");
}

function targetTable(results: readonly CellResult[]): string {
  return markdownTable(
    ["target", "wanted", "cells that reach it", "farthest below", "reaches"],
    judge(results).map(({ target, cells, met, worst }) => [
      target.name,
      wantedText(target),
      `${met} of ${cells.length}`,
      worst === null ? "-" : worst.cell.name,
      worst === null ? "-" : percent(worst.reached),
    ]),
  );
}

const section = (title: string, body: string): string => (body === "" ? "" : `\n## ${title}\n\n${body}\n`);

function scalingTable(results: readonly CellResult[]): string {
  const rows = scalingOf(results);
  if (rows.length === 0) return "";
  return markdownTable(
    ["cell", "threads", "times as fast"],
    rows.map(({ name, threads, faster }) => [name, String(threads), fixed(faster)]),
  );
}

function buildTable({ builds }: RunFacts): string {
  if (builds.length === 0) return "";
  return markdownTable(
    ["built alone", "seconds", "kernels"],
    builds.map(({ name, seconds, kernelBytes }) => [
      name,
      fixed(seconds, 1),
      `${Math.round(kernelBytes / 1024)} KiB`,
    ]),
  );
}

function behaviourText({ behaviour }: RunFacts): string {
  if (behaviour === null) return "";
  const { idleDelay, asyncDelay, syncDelay, call, workers, calls, wrong } = behaviour;
  return `Longest time between two turns of a timer of 1 ms: ${fixed(idleDelay, 1)} ms without calls, ${fixed(asyncDelay, 1)} ms during
\`forwardAsync\`, ${fixed(syncDelay, 1)} ms during \`forward\` (one call: ${fixed(call, 1)} ms). ${workers} worker threads that called at once:
${wrong} of ${calls} results differ from the same call alone.`;
}

/** `bench/RESULTS.md`. */
export function resultsMarkdown(results: readonly CellResult[], facts: RunFacts): string {
  const { heldDown, only } = facts;
  const scope = `suite ${facts.suite}${only.length === 0 ? "" : ` (only ${only.join(", ")})`}`;
  const level = `kernels for ${facts.level}${heldDown ? ", forced down; peers held to the same instructions, or left out" : ""}`;
  return `# Results of \`npm run bench\`

${facts.date}, ${facts.cpu}, ${facts.cores} cores, ${level}, spx ${facts.spx}, Node ${facts.node}, ${scope}, ${facts.rounds} rounds. Ratios
are times of others over spx's, medians of pairs of one interleaved run: above 1, spx is faster. Written by the command.

${headLines(results, facts).join("\n")}

${machineLines(facts).join("\n")}
- build of \`bench/speed/operations.spx\`: ${fixed(facts.build.seconds, 1)} s, ${facts.build.transforms} transforms, ${Math.round(facts.build.bytes / 1024)} KiB of kernels
- peers: ${facts.peers.join("; ")}
${facts.missing.map((line) => `- not here: ${line}`).join("\n")}
${facts.failed.map((line) => `- failed: ${line.split("\n")[0]}`).join("\n")}

## Targets

${targetTable(results)}

## Worst cells first

${markdownTable(cellHeader, worstFirst(results).slice(0, 20).map(cellLine))}
${section("Threads", scalingTable(results))}${section("Event loop and workers", behaviourText(facts))}${section("Builds", buildTable(facts))}
## Every cell

${markdownTable(cellHeader, results.map(cellLine))}
`;
}
