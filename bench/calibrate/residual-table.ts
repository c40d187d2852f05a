/** Measured against predicted times of the probes as text, and how good the choices are that follow from the prices. */
import type { MeasuredTask } from "../../compiler/calibrate/measure-probes.ts";
import { priceRows } from "../../compiler/calibrate/price-rows.ts";
import { ratesOf } from "../../compiler/calibrate/rate-vector.ts";
import { median } from "../../compiler/calibrate/sample-statistics.ts";
import type { RateTable } from "../../compiler/targets/rate-table.ts";

export interface Residual {
  readonly transform: string;
  readonly numbers: Readonly<Record<string, number>>;
  readonly kind: "calls" | "merge" | "gradients";
  readonly out: number;
  readonly inputs: number;
  readonly batch: number;
  readonly threads: number;
  readonly variant: string;
  /** Nanoseconds. */
  readonly measured: number;
  readonly predicted: number;
}

/** The price of what each probe timed, with the rates of the table. */
export function residualsOf(tasks: readonly MeasuredTask[], { levels }: RateTable): Residual[] {
  return tasks.flatMap(({ target, threads, probe, plan, times }) => {
    const rates = levels[target.base];
    const values = ratesOf(rates).map(({ value }) => value);
    const rows = priceRows(plan, times, { target, rates, threads });
    return times.map(({ variant, batch, nanoseconds }, index): Residual => {
      const features = rows[index]?.features ?? [];
      const { transform, numbers, kind, size } = probe;
      return {
        transform,
        numbers,
        kind,
        out: size[0],
        inputs: size[1],
        batch,
        threads,
        variant,
        measured: nanoseconds,
        predicted: features.reduce((sum, feature, place) => sum + feature * (values[place] ?? 0), 0),
      };
    });
  });
}

const pointOf = ({ transform, numbers, out, inputs, batch, threads }: Residual): string => {
  const named = Object.entries(numbers).map(([name, value]) => `${name}=${value}`);
  return `${[transform, ...named].join(" ")} ${out}x${inputs} @${batch} ${threads}T`;
};

const micro = (nanoseconds: number): string => (nanoseconds / 1000).toFixed(1).padStart(9);

/** The variant of the point with the smallest number. */
function least(rows: readonly Residual[], of: (row: Residual) => number): Residual | undefined {
  return rows.toSorted((a, b) => of(a) - of(b))[0];
}

export interface ChoiceQuality {
  readonly point: string;
  readonly chosen: string;
  readonly best: string;
  /** Measured time of the chosen variant over that of the best one. */
  readonly loss: number;
}

export function choiceQualities(rows: readonly Residual[]): ChoiceQuality[] {
  const points = new Map<string, Residual[]>();
  for (const row of rows.filter(({ kind }) => kind === "calls"))
    points.set(pointOf(row), [...(points.get(pointOf(row)) ?? []), row]);
  return [...points].flatMap(([point, variants]) => {
    const chosen = least(variants, ({ predicted }) => predicted);
    const best = least(variants, ({ measured }) => measured);
    if (chosen === undefined || best === undefined) return [];
    return [{ point, chosen: chosen.variant, best: best.variant, loss: chosen.measured / best.measured }];
  });
}

export function printResiduals(rows: readonly Residual[]): string {
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
