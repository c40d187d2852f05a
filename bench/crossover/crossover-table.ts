/** Predicted beside measured crossovers, as text. */
import type { MeasuredCrossover } from "./measure-crossover.ts";

export interface CrossoverRow extends MeasuredCrossover {
  readonly title: string;
}

/** Predicted over measured, or null where one of them is not there. */
export const ratioOf = ({ predicted, measured }: MeasuredCrossover): number | null =>
  predicted === null || measured === null ? null : predicted / measured;

/** Within a quarter; two that both find no crossing agree. */
export const agrees = (row: MeasuredCrossover): boolean => {
  const ratio = ratioOf(row);
  return ratio === null ? row.predicted === row.measured : ratio >= 0.75 && ratio <= 1.25;
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

export function printCrossovers(rows: readonly CrossoverRow[]): string {
  const lines = rows.map((row) => {
    const ratio = ratioOf(row);
    return [
      row.title.padEnd(20),
      String(row.size).padStart(5),
      batchText(row.predicted).padStart(10),
      batchText(row.measured).padStart(10),
      batchText(row.undisturbed).padStart(12),
      (ratio === null ? (agrees(row) ? "agree" : "differ") : ratio.toFixed(2)).padStart(7),
      `${(100 * (regretOf(row) - 1)).toFixed(0)} %`.padStart(8),
      `${(100 * spreadOf(row)).toFixed(0)} %`.padStart(8),
      `  ${row.earlier} → ${row.later}`,
    ].join("");
  });
  const inside = rows.filter(agrees).length;
  return [
    `${"weight".padEnd(20)}${"size".padStart(5)}${"predicted".padStart(10)}${"measured".padStart(10)}${"undisturbed".padStart(12)}${"ratio".padStart(7)}${"regret".padStart(8)}${"spread".padStart(8)}  variants`,
    ...lines.flatMap((line, index) => [
      line,
      `    earlier over later: ${ladder(rows[index] as CrossoverRow)}`,
    ]),
    "",
    `${inside} of ${rows.length} crossovers are within 25 % (spread: widest distance between the quartiles of a ratio)`,
  ].join("\n");
}
