/** Measured against predicted times as text, and how good the choices are that follow from the prices. */
import { median } from "../../compiler/calibrate/interleaved-timing.ts";
import type { MeasuredVariant } from "./measure-variants.ts";

const pointOf = ({ transform, numbers, out, inputs, batch }: MeasuredVariant): string => {
  const named = Object.entries(numbers).map(([name, value]) => `${name}=${value}`);
  return `${[transform, ...named].join(" ")} ${out}x${inputs} @${batch}`;
};

const micro = (nanoseconds: number): string => (nanoseconds / 1000).toFixed(1).padStart(9);

/** The variant of the point with the smallest number. */
function least(
  rows: readonly MeasuredVariant[],
  of: (row: MeasuredVariant) => number,
): MeasuredVariant | undefined {
  return rows.toSorted((a, b) => of(a) - of(b))[0];
}

export interface ChoiceQuality {
  readonly point: string;
  readonly chosen: string;
  readonly best: string;
  /** Measured time of the chosen variant over that of the best one. */
  readonly loss: number;
}

export function choiceQualities(rows: readonly MeasuredVariant[]): ChoiceQuality[] {
  const points = new Map<string, MeasuredVariant[]>();
  for (const row of rows) points.set(pointOf(row), [...(points.get(pointOf(row)) ?? []), row]);
  return [...points].flatMap(([point, variants]) => {
    const chosen = least(variants, ({ predicted }) => predicted);
    const best = least(variants, ({ measured }) => measured);
    if (chosen === undefined || best === undefined) return [];
    return [{ point, chosen: chosen.variant, best: best.variant, loss: chosen.measured / best.measured }];
  });
}

export function printCalibration(rows: readonly MeasuredVariant[]): string {
  const lines = rows.map((row) => {
    const ratio = (row.predicted / row.measured).toFixed(2).padStart(7);
    return `${pointOf(row).padEnd(48)} ${row.variant.padEnd(24)}${micro(row.measured)}${micro(row.predicted)}${ratio}`;
  });
  const inside = rows.filter(({ measured, predicted }) => Math.abs(predicted / measured - 1) <= 0.3).length;
  const errors = rows.map(({ measured, predicted }) => Math.abs(Math.log(predicted / measured)));
  const losses = choiceQualities(rows);
  const bad = losses.filter(({ loss }) => loss > 1.1).toSorted((a, b) => b.loss - a.loss);
  return [
    `${"".padEnd(73)}measured predicted  ratio   (microseconds)`,
    ...lines,
    "",
    `${inside} of ${rows.length} predictions are within 30 %; median factor ${Math.exp(median(errors)).toFixed(2)}`,
    `${losses.length - bad.length} of ${losses.length} choices are within 10 % of the best variant`,
    ...bad.map(({ point, chosen, best, loss }) => `  ${loss.toFixed(2)} ${point}: ${chosen}, best ${best}`),
  ].join("\n");
}
