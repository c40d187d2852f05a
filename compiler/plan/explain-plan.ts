/**
 * What `spxc explain` says about a plan at given sizes: as data, and as one screen of text.
 * size: the screen is read beside the data that it shows.
 */
import {
  evaluateNumber,
  type NumberExpression,
  type SymbolValues,
} from "../../runtime/contract/number-expression.ts";
import type { CheckedTransform } from "../check/checked-module.ts";
import { defaultRates } from "../targets/cpu-rates.ts";
import type { RatesIdentity } from "../targets/rate-table.ts";
import { operandsOf, type PricedMachine, widestMachine } from "./cost-model.ts";
import { deciding, parts } from "./deciding-cost.ts";
import { costAt, lowerEnvelope } from "./envelope.ts";
import { type ExplainedBackward, explainBackward } from "./explain-backward.ts";
import { type ExplainedOperand, type ExplainedStep, explainOperand } from "./explain-operand.ts";
import { type ExplainedSearch, explainSearch, printExplainedSearch } from "./explain-search.ts";
import { describeEstimates, withEstimates } from "./measured-counts.ts";
import { lookupIn } from "./operand-table.ts";
import type { Plan, Variant } from "./plan.ts";
import { printIntermediate } from "./print-backward.ts";
import { printMerge } from "./print-plan.ts";
import { printBytes, printCount, printTime } from "./print-quantities.ts";
import { printStep } from "./print-step.ts";

export interface RejectedVariant {
  readonly name: string;
  readonly form: string;
  readonly nanoseconds: number;
  /** Its time over the chosen one's. */
  readonly ratio: number;
  /** The part of the cost that differs most, with both numbers. */
  readonly deciding: string;
}

export interface ExplainedInterval {
  readonly from: number;
  /** Null: without end. */
  readonly to: number | null;
  /** The batch for which times are given: the interval's first. */
  readonly batch: number;
  readonly variant: string;
  readonly form: string;
  readonly layout: Variant["layout"];
  readonly nanoseconds: number;
  readonly bytes: number;
  readonly multiplies: number;
  readonly operands: readonly ExplainedOperand[];
  readonly steps: readonly ExplainedStep[];
  /** The two best others, best first. */
  readonly rejected: readonly RejectedVariant[];
  readonly rules: readonly string[];
}

export interface Explanation {
  readonly transform: string;
  readonly rows: number;
  readonly columns: number;
  /** What prices were made of, and the level that they are for. */
  readonly rates: RatesIdentity;
  readonly level: string;
  readonly intervals: readonly ExplainedInterval[];
  readonly merge: string;
  readonly backward: ExplainedBackward;
  /** Checked once at load; `holds` says what they give at these sizes. */
  readonly obligations: readonly {
    readonly text: string;
    readonly reason: string;
    readonly holds: boolean;
  }[];
  /** What was priced; the nearest candidates without kernels. */
  readonly search: ExplainedSearch;
  readonly notes: readonly string[];
}

function explainInterval(
  plan: Plan,
  interval: { from: number; to: number | null; variant: Variant },
  values: SymbolValues,
  machine: PricedMachine,
): ExplainedInterval {
  const { variant, from: batch } = interval;
  const operands = operandsOf(variant, lookupIn(plan.operands)).map((operand) =>
    explainOperand(operand, values),
  );
  const { each } = parts(variant, plan, values, batch, machine);
  const nanoseconds = costAt(variant.cost, values, batch);
  const others = variantsOn(plan, machine)
    .filter((other) => other.name !== variant.name)
    .map((other) => ({ other, price: costAt(other.cost, values, batch) }))
    .sort((a, b) => a.price - b.price)
    .slice(0, 2);
  return {
    from: interval.from,
    to: interval.to,
    batch,
    variant: variant.name,
    form: variant.form,
    layout: variant.layout,
    nanoseconds,
    bytes: operands.reduce((sum, { bytes }) => sum + bytes, 0),
    multiplies: variant.steps.reduce(
      (sum, { terms }) =>
        sum +
        terms.reduce(
          (inner, term) => inner + (operands.find(({ name }) => name === term.operand)?.multiplies ?? 0),
          0,
        ),
      0,
    ),
    operands,
    steps: variant.steps.map((step, index) => ({ text: printStep(step), nanoseconds: each[index] ?? 0 })),
    rejected: others.map(({ other, price }) => ({
      name: other.name,
      form: other.form,
      nanoseconds: price,
      ratio: price / nanoseconds,
      deciding: deciding(variant, other, plan, values, batch, machine),
    })),
    rules: variant.rules,
  };
}

/**
 * @param given every dimension and number argument of the transform; measured counts are estimated where it lacks them.
 * @throws RangeError when one is missing.
 */
export function explainPlan(
  plan: Plan,
  transform: CheckedTransform,
  given: SymbolValues,
  machine: PricedMachine = widestMachine(defaultRates),
): Explanation {
  const values = withEstimates(transform, given);
  const at = (expression: NumberExpression): number => evaluateNumber(expression, values);
  return {
    transform: plan.transform,
    rows: at(plan.rows),
    columns: at(plan.columns),
    rates: plan.rates,
    level: machine.target.name,
    intervals: lowerEnvelope(variantsOn(plan, machine), values).map((interval) =>
      explainInterval(plan, interval, values, machine),
    ),
    merge: printMerge(plan.merge),
    backward: explainBackward(plan, values, machine),
    obligations: transform.requirements.map(({ text, reason, condition }) => ({
      text,
      reason,
      holds: at(condition) !== 0,
    })),
    search: explainSearch(plan, values, machine.target.name),
    notes: [...plan.notes, ...describeEstimates(transform, given)],
  };
}

/** The variants with the prices of one level. */
const variantsOn = ({ variants }: Plan, { target }: PricedMachine): readonly Variant[] =>
  variants.map((variant) => ({ ...variant, cost: variant.costs[target.name] }));

const printRange = ({ from, to }: ExplainedInterval): string =>
  to === null ? `${from} and more` : from === to ? `${from}` : `${from} to ${to}`;

/** A variant with all of its intervals; its first one in detail. */
function printVariant([interval, ...others]: readonly [
  ExplainedInterval,
  ...ExplainedInterval[],
]): readonly string[] {
  const { batch } = interval;
  const range = `batch ${[interval, ...others].map(printRange).join(", ")}`;
  const total = `${printTime(interval.nanoseconds)} at ${batch}, ${printBytes(interval.bytes)}, ${printCount(interval.multiplies)} multiplies a token`;
  return [
    `${range}: ${interval.variant}, ${total}`,
    `  ${interval.form}`,
    ...interval.steps.map((step) => `    ${step.text}  (${printTime(step.nanoseconds)})`),
    ...interval.rejected.map(
      ({ name, ratio, deciding: why }) => `  not ${name}: ${ratio.toFixed(2)} times the time (${why})`,
    ),
  ];
}

/** In the order in which variants come first. */
function byVariant(
  intervals: readonly ExplainedInterval[],
): readonly (readonly [ExplainedInterval, ...ExplainedInterval[]])[] {
  const groups = new Map<string, [ExplainedInterval, ...ExplainedInterval[]]>();
  for (const interval of intervals) {
    const group = groups.get(interval.variant);
    if (group === undefined) groups.set(interval.variant, [interval]);
    else group.push(interval);
  }
  return [...groups.values()];
}

function printExplainedBackward(backward: Explanation["backward"]): readonly string[] {
  return [
    `backward: ${printTime(backward.nanoseconds)} at ${backward.batch}`,
    ...backward.steps.map(
      ({ text, nanoseconds: time, dxOnly }) =>
        `    ${text}  (${printTime(time)}${dxOnly ? ", for dx only" : ""})`,
    ),
    ...backward.intermediates.map((one) => `    ${printIntermediate(one)}  (${printBytes(one.bytes)})`),
  ];
}

/** Each operand once, whatever reads it. */
function printOperands({ intervals, backward }: Explanation): readonly string[] {
  const operands = new Map(
    [...intervals, backward].flatMap((reader) =>
      reader.operands.map((operand) => [operand.name, operand] as const),
    ),
  );
  const width = Math.max(...[...operands.keys()].map((name) => name.length));
  return [...operands.values()].map(
    ({ name, format, stage, bytes, description }) =>
      `  ${name.padEnd(width)}  ${format}, ${printBytes(bytes)}, at ${stage}: ${description}`,
  );
}

/** About one screen; times are predictions of the cost table, for two threads. */
export function printExplanation(explanation: Explanation): string {
  const { transform, rows, columns, obligations, rates } = explanation;
  return [
    `${transform} [${rows}, ${columns}], predicted with ${rates.name} rates ${rates.id} for ${rates.threads} threads, ${explanation.level}`,
    "",
    ...byVariant(explanation.intervals).flatMap((intervals) => [...printVariant(intervals), ""]),
    ...printExplainedBackward(explanation.backward),
    "",
    "operands",
    ...printOperands(explanation),
    `merge: ${explanation.merge}`,
    ...obligations.map(
      ({ text, reason, holds }) =>
        `checked at load: ${text} (${reason})${holds ? "" : ", fails at these sizes"}`,
    ),
    printExplainedSearch(explanation.search),
    ...explanation.notes.map((note) => `note: ${note}`),
    `rules: ${[...new Set(explanation.intervals.flatMap(({ rules }) => rules))].join(", ") || "none"}`,
    "",
  ].join("\n");
}
