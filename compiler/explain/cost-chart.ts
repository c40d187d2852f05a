/** Predicted times over the batch on logarithmic axes, as one inline SVG with the crossovers marked. */
import type { CostCurve, Explanation } from "./explanation.ts";
import { printTime } from "./print-quantity.ts";

const [width, height] = [860, 420];
const margin = { left: 70, right: 20, top: 16, bottom: 40 } as const;

interface Scale {
  x(batch: number): number;
  y(nanoseconds: number): number;
  readonly ticksX: readonly number[];
  readonly ticksY: readonly number[];
}

const decades = (low: number, high: number): readonly number[] => {
  const ticks: number[] = [];
  for (let tick = 10 ** Math.floor(Math.log10(low)); tick <= high; tick *= 10)
    if (tick >= low) ticks.push(tick);
  return ticks;
};

function scaleOf(curves: readonly CostCurve[]): Scale {
  // A price that excludes a candidate is no time.
  const times = curves.flatMap(({ points }) => points.map(([, time]) => time)).filter((time) => time < 1e14);
  const batches = curves.flatMap(({ points }) => points.map(([batch]) => batch));
  const [lowX, highX] = [Math.min(...batches), Math.max(...batches)];
  const [lowY, highY] = [Math.min(...times) / 1.2, Math.max(...times) * 1.2];
  const across = (value: number, low: number, high: number): number =>
    Math.log(value / low) / Math.log(high / low);
  return {
    x: (batch) => margin.left + across(batch, lowX, highX) * (width - margin.left - margin.right),
    y: (time) => height - margin.bottom - across(time, lowY, highY) * (height - margin.top - margin.bottom),
    ticksX: [1, 4, 16, 64, 256, 1024, 4096].filter((tick) => tick >= lowX && tick <= highX),
    ticksY: decades(lowY, highY),
  };
}

function axes({ x, y, ticksX, ticksY }: Scale): string {
  const bottom = height - margin.bottom;
  return [
    ...ticksX.map(
      (tick) =>
        `<line class="grid" x1="${x(tick).toFixed(1)}" x2="${x(tick).toFixed(1)}" y1="${margin.top}" y2="${bottom}"/><text x="${x(tick).toFixed(1)}" y="${bottom + 16}" text-anchor="middle">${tick}</text>`,
    ),
    ...ticksY.map(
      (tick) =>
        `<line class="grid" x1="${margin.left}" x2="${width - margin.right}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}"/><text x="${margin.left - 6}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${printTime(tick)}</text>`,
    ),
    `<text x="${(width / 2).toFixed(0)}" y="${height - 6}" text-anchor="middle">batch (tokens in a call)</text>`,
  ].join("");
}

const path = ({ points }: CostCurve, { x, y }: Scale): string =>
  points
    .filter(([, time]) => time < 1e14)
    .map(([batch, time], index) => `${index === 0 ? "M" : "L"}${x(batch).toFixed(1)} ${y(time).toFixed(1)}`)
    .join("");

/** Where the dispatch changes: the batch from which on another variant serves. */
function crossovers({ variants, curves }: Explanation, scale: Scale): string {
  const largest = Math.max(...curves.flatMap(({ points }) => points.map(([batch]) => batch)));
  const starts = variants
    .flatMap(({ intervals }) => intervals.map(({ from }) => from))
    .filter((from) => from > 1 && from <= largest)
    .sort((a, b) => a - b);
  return starts
    .map(
      (from) =>
        `<line class="crossover" x1="${scale.x(from).toFixed(1)}" x2="${scale.x(from).toFixed(1)}" y1="${margin.top}" y2="${height - margin.bottom}"><title>from batch ${from}</title></line>${
          starts.length > 6
            ? ""
            : `<text class="crossover-text" x="${(scale.x(from) + 4).toFixed(1)}" y="${margin.top + 12}">${from}</text>`
        }`,
    )
    .join("");
}

/** Line number `index` of the chart has the class `line-index`; candidates without kernels are dashed. */
export function costChart(explanation: Explanation, escaped: (text: string) => string): string {
  const scale = scaleOf(explanation.curves);
  const lines = explanation.curves.map(
    (curve, index) =>
      `<path class="line line-${index % 8}${curve.built ? "" : " unbuilt"}" d="${path(curve, scale)}"><title>${escaped(curve.name)}</title></path>`,
  );
  return `<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="predicted time over the batch">${axes(scale)}${crossovers(explanation, scale)}${lines.join("")}</svg>`;
}
