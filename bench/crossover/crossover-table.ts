/**
 * Predicted beside measured crossovers, as text, and when the two agree.
 *
 * They agree within 25 %, and where they lie between the same two neighbours of the batches that are compared (every
 * batch up to 16, full panels of 16 tokens beyond): no batch is chosen differently then, and where between them the
 * crossover lies is a matter of interpolation. Two lines that run beside each other have no crossover that a measurement
 * could tell: where the times differ by less than 10 % over all rungs from 0.7 to 1.45 times the predicted crossover,
 * the crossover is called flat, is counted apart, and what counts is its regret: how much longer than the better variant
 * the predicted one takes, on the rung where that is most.
 */
import type { MeasuredCrossover } from "./measure-crossover.ts";

export interface CrossoverRow extends MeasuredCrossover {
  readonly title: string;
}

/** Predicted over measured, or null where one of them is not there. */
export const ratioOf = ({
  predicted,
  measured,
}: Pick<MeasuredCrossover, "predicted" | "measured">): number | null =>
  predicted === null || measured === null ? null : predicted / measured;

const isWithinQuarter = (row: Pick<MeasuredCrossover, "predicted" | "measured">): boolean => {
  const ratio = ratioOf(row);
  return ratio !== null && ratio >= 0.75 && ratio <= 1.25;
};

/** Neighbours among the compared batches: [1, 2], …, [15, 16], [16, 32], [32, 48], … */
const neighboursBelow = (batch: number): number =>
  batch < 16 ? Math.floor(batch) : 16 * Math.floor(batch / 16);

/** Within a quarter, or between the same compared batches; two that both find no crossing agree. */
export const agrees = (row: Pick<MeasuredCrossover, "predicted" | "measured">): boolean => {
  const { predicted, measured } = row;
  if (predicted === null || measured === null) return predicted === measured;
  return isWithinQuarter(row) || neighboursBelow(predicted) === neighboursBelow(measured);
};

/** Logarithm of the ratio of two times that differ by less than this are beside each other. */
const flatness = Math.log(1.1);

/** Whether the two variants take about the same time over a wide range around the predicted crossover. */
export const isFlat = ({ predicted, rungs }: Pick<MeasuredCrossover, "predicted" | "rungs">): boolean => {
  if (predicted === null) return false;
  const near = rungs.filter(({ batch }) => batch >= 0.7 * predicted && batch <= 1.45 * predicted);
  return near.length > 0 && near.every(({ advantage }) => Math.abs(advantage) < flatness);
};

const batchText = (batch: number | null): string =>
  batch === null ? "none" : batch.toFixed(batch < 100 ? 1 : 0);

/** What the predicted choice takes over the better of the two, where that is most: 1 where every choice is right. */
export const regretOf = ({ rungs }: Pick<MeasuredCrossover, "rungs">): number =>
  Math.exp(
    Math.max(
      0,
      ...rungs.map(({ predicted, advantage }) => (predicted * advantage < 0 ? Math.abs(advantage) : 0)),
    ),
  );

/** Widest distance between the quartiles of a rung's ratios, as a share. */
const spreadOf = ({ rungs }: MeasuredCrossover): number =>
  Math.max(...rungs.map(({ quartiles: [low, high] }) => high - low));

/** How the ratio of the times runs over the ladder: `8:0.91/0.90 11:1.02/1.03`, median and undisturbed. */
const ladder = ({ rungs }: MeasuredCrossover): string =>
  rungs
    .map(
      ({ batch, advantage, undisturbed }) =>
        `${batch}:${Math.exp(advantage).toFixed(2)}/${Math.exp(undisturbed).toFixed(2)}`,
    )
    .join(" ");

export type Verdict = "within 25 %" | "same panels" | "flat" | "differs" | "none";

export function verdictOf(row: MeasuredCrossover): Verdict {
  if (row.predicted === null && row.measured === null) return "none";
  if (isWithinQuarter(row)) return "within 25 %";
  if (agrees(row)) return "same panels";
  return isFlat(row) ? "flat" : "differs";
}

/** One line on how many rows have which verdict. */
function summary(rows: readonly CrossoverRow[]): string {
  const having = (verdict: Verdict): readonly CrossoverRow[] =>
    rows.filter((row) => verdictOf(row) === verdict);
  const flat = having("flat");
  const worst = Math.max(1, ...flat.map(regretOf));
  return [
    `${having("within 25 %").length} of ${rows.length} crossovers are within 25 %`,
    `${having("same panels").length} lie between the same two compared batches`,
    `${flat.length} are flat, with a regret of ${(100 * (worst - 1)).toFixed(0)} % at most`,
    `${having("none").length} are predicted and measured not to cross`,
    `${having("differs").length} differ`,
  ].join("; ");
}

const explanation = [
  "compared batches: 1 to 16, then full panels of 16 tokens; flat: the two differ by less than 10 % from 0.7 to 1.45 times the prediction;",
  "regret: what the predicted choice takes over the better one on the worst rung; spread: widest distance between the quartiles of a ratio",
];

export function printCrossovers(rows: readonly CrossoverRow[]): string {
  const lines = rows.map((row) => {
    const ratio = ratioOf(row);
    return [
      row.title.padEnd(20),
      String(row.size).padStart(5),
      batchText(row.predicted).padStart(10),
      batchText(row.measured).padStart(10),
      batchText(row.undisturbed).padStart(12),
      (ratio === null ? "" : ratio.toFixed(2)).padStart(7),
      `${(100 * (regretOf(row) - 1)).toFixed(0)} %`.padStart(8),
      `${(100 * spreadOf(row)).toFixed(0)} %`.padStart(8),
      `  ${verdictOf(row).padEnd(12)}${row.earlier} → ${row.later}`,
    ].join("");
  });
  return [
    `${"weight".padEnd(20)}${"size".padStart(5)}${"predicted".padStart(10)}${"measured".padStart(10)}${"undisturbed".padStart(12)}${"ratio".padStart(7)}${"regret".padStart(8)}${"spread".padStart(8)}  ${"verdict".padEnd(12)}variants`,
    ...lines.flatMap((line, index) => [
      line,
      `    earlier over later: ${ladder(rows[index] as CrossoverRow)}`,
    ]),
    "",
    summary(rows),
    ...explanation,
  ].join("\n");
}
