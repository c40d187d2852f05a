/** The explanation of one transform at given sizes: what was chosen, what it costs, and what was not chosen and why. */
import { sampledBatches } from "../../runtime/contract/batch-intervals.ts";
import {
  evaluateNumber,
  type NumberExpression,
  type SymbolValues,
} from "../../runtime/contract/number-expression.ts";
import { printSource } from "../../runtime/contract/print-source.ts";
import type { AlgebraGraph } from "../algebra/algebra-node.ts";
import { printTerm } from "../algebra/print-algebra.ts";
import type { CheckedTransform } from "../check/checked-module.ts";
import { operandsOf, type PricedMachine, tiledMachine } from "../plan/cost-model.ts";
import { costAt, lowerEnvelope } from "../plan/envelope.ts";
import { describeEstimates, withEstimates } from "../plan/measured-counts.ts";
import { lookupIn } from "../plan/operand-table.ts";
import { costOn, type LevelCosts, type Plan, type Variant } from "../plan/plan.ts";
import { keepingCost, keptBytes, repeatedSteps } from "../plan/repeated-steps.ts";
import { explainStructure } from "./describe-structure.ts";
import {
  backwardKernels,
  costShares,
  explainMerge,
  forwardKernels,
  type PlanAtSizes,
} from "./explain-kernels.ts";
import type {
  CostCurve,
  CostShares,
  ExplainedBackward,
  ExplainedVariant,
  Explanation,
  RejectedCandidate,
} from "./explanation.ts";
import { printTime } from "./print-quantity.ts";

/** What the driver has of a transform. */
export interface ExplainedStages {
  readonly checked: CheckedTransform;
  readonly normal: AlgebraGraph;
  readonly plan: Plan;
}

/** Batch for which the backward pass is explained: a short sequence, or a few. */
export const backwardBatch = 128;
/** Candidates without kernels whose curves are drawn. */
const drawnCandidates = 2;
const shownRejections = 2;
/** Batches of the curves: those at which prices are compared, up to here. */
const largestDrawn = 4096;

/** A candidate that is not chosen at a batch: another variant of the plan, or one without kernels. */
interface Candidate {
  readonly name: string;
  readonly form: string;
  readonly costs: LevelCosts;
  readonly variant: Variant | null;
}

const candidatesOf = ({ variants, search }: Plan): readonly Candidate[] => [
  ...variants.map((variant) => ({ name: variant.name, form: variant.form, costs: variant.costs, variant })),
  ...search.rejected.map(({ name, form, costs }) => ({ name, form, costs, variant: null })),
];

const causes: Readonly<Record<keyof CostShares, string>> = {
  steps: "multiplying",
  reading: "reading operands",
  transposing: "transposing activations",
  merging: "merging",
  call: "the call",
};

/** The cause that differs most, with both numbers. */
function deciding(ours: CostShares, theirs: CostShares): string {
  const names = Object.keys(causes) as (keyof CostShares)[];
  const most = names.reduce((best, name) =>
    theirs[name] - ours[name] > theirs[best] - ours[best] ? name : best,
  );
  return `${causes[most]} ${printTime(theirs[most])} against ${printTime(ours[most])}`;
}

/** The two best others at a batch, best first. */
export function rejectedAt(
  chosen: Variant,
  at: PlanAtSizes,
  batch: number,
  count = shownRejections,
): readonly RejectedCandidate[] {
  const { target } = at.machine;
  const price = costAt(costOn(chosen.costs, target), at.values, batch);
  const ours = costShares(chosen, at, batch);
  return candidatesOf(at.plan)
    .filter(({ name }) => name !== chosen.name)
    .map((candidate) => ({
      candidate,
      nanoseconds: costAt(costOn(candidate.costs, target), at.values, batch),
    }))
    .sort((a, b) => a.nanoseconds - b.nanoseconds)
    .slice(0, count)
    .map(({ candidate: { name, form, variant }, nanoseconds }) => ({
      name,
      form,
      nanoseconds,
      ratio: nanoseconds / price,
      deciding:
        variant === null
          ? `in all ${printTime(nanoseconds)} against ${printTime(price)}`
          : deciding(ours, costShares(variant, at, batch)),
      built: variant !== null,
    }));
}

function explainVariant(
  variant: Variant,
  intervals: ExplainedVariant["intervals"],
  at: PlanAtSizes,
): ExplainedVariant {
  const batch = intervals[0]?.from ?? 1;
  const kernels = forwardKernels(variant, at, batch);
  const bytes = operandsOf(variant, lookupIn(at.plan.operands)).map((operand) =>
    evaluateNumber(operand.bytes, at.values),
  );
  const terms = kernels.flatMap((kernel) => kernel.terms);
  return {
    name: variant.name,
    form: variant.form,
    layout: variant.layout,
    merged: variant.merged,
    intervals,
    batch,
    nanoseconds: costAt(costOn(variant.costs, at.machine.target), at.values, batch),
    bytes: Math.round(bytes.reduce((sum, each) => sum + each, 0)),
    multiplies: terms.reduce((sum, { multiplies }) => sum + multiplies, 0),
    parts: costShares(variant, at, batch),
    kernels,
    rejected: rejectedAt(variant, at, batch),
    rules: variant.rules,
  };
}

/** Variants with the batches that each serves, in the order of their first one. */
export function servingVariants(
  at: PlanAtSizes,
): readonly { readonly variant: Variant; readonly intervals: ExplainedVariant["intervals"] }[] {
  const { target } = at.machine;
  const priced = at.plan.variants.map((variant) => ({ variant, cost: costOn(variant.costs, target) }));
  const serving = new Map<Variant, { from: number; to: number | null }[]>();
  for (const { from, to, variant } of lowerEnvelope(priced, at.values))
    serving.set(variant.variant, [...(serving.get(variant.variant) ?? []), { from, to }]);
  return [...serving].map(([variant, intervals]) => ({ variant, intervals }));
}

/** What is computed again, at what price, and what keeping it would take. */
function explainRepeated(
  { plan, values, machine }: PlanAtSizes,
  kernels: ExplainedBackward["kernels"],
  whole: number,
  serving: Variant | undefined,
): ExplainedBackward["repeated"] {
  return repeatedSteps(plan, lookupIn(plan.operands)).map((step) => {
    const nanoseconds = kernels[step.index]?.nanoseconds ?? 0;
    return {
      output: step.output,
      nanoseconds,
      share: nanoseconds / whole,
      kept: {
        bytes: costAt(keptBytes(step), values, backwardBatch),
        nanoseconds: costAt(keepingCost(step, machine), values, backwardBatch),
      },
      formed: serving !== undefined && step.formedBy.includes(serving.name),
    };
  });
}

function explainBackward(at: PlanAtSizes): ExplainedBackward {
  const { backward } = at.plan;
  const nanoseconds = costAt(backward.cost, at.values, backwardBatch);
  const kernels = backwardKernels(backward, at, backwardBatch);
  const serving = servingVariants(at).find(({ intervals }) =>
    intervals.some(({ from, to }) => from <= backwardBatch && backwardBatch <= (to ?? backwardBatch)),
  );
  return {
    batch: backwardBatch,
    nanoseconds,
    kernels,
    repeated: explainRepeated(at, kernels, nanoseconds, serving?.variant),
    pulledBack: backward.intermediates.map(({ name, text, parameters }) => ({ name, text, parameters })),
    rules: backward.rules,
  };
}

function curves({ plan, values, machine }: PlanAtSizes): readonly CostCurve[] {
  const candidates = candidatesOf(plan);
  const built = candidates.filter(({ variant }) => variant !== null);
  const others = candidates.filter(({ variant }) => variant === null).slice(0, drawnCandidates);
  return [...built, ...others].map(({ name, form, costs, variant }) => ({
    name,
    form,
    built: variant !== null,
    points: sampledBatches
      .filter((batch) => batch <= largestDrawn)
      .map((batch) => [batch, costAt(costOn(costs, machine.target), values, batch)] as const),
  }));
}

/**
 * @param given every dimension and number argument of the transform; what only data or the clocks know is estimated
 * where it is not among them, and a note says with what.
 * @throws RangeError when one is missing.
 */
export function explainTransform(
  { checked, normal, plan }: ExplainedStages,
  given: SymbolValues,
  level: PricedMachine,
): Explanation {
  const values = withEstimates(checked, given);
  const machine = tiledMachine(level, plan.tile);
  const at: PlanAtSizes = { plan, values, machine };
  const value = (expression: NumberExpression): number => evaluateNumber(expression, values);
  const numbers = checked.arguments.flatMap(({ kind, name }) =>
    kind === "number" ? [[name, values.get(name) ?? Number.NaN] as const] : [],
  );
  const variants = servingVariants(at).map(({ variant, intervals }) =>
    explainVariant(variant, intervals, at),
  );
  return {
    format: 1,
    transform: plan.transform,
    formula: printTerm(normal.root),
    rows: value(plan.rows),
    columns: value(plan.columns),
    arguments: Object.fromEntries(numbers),
    rates: plan.rates,
    level: machine.target.name,
    structure: explainStructure(normal.root, values),
    variants,
    merge: explainMerge(plan.merge, at),
    // A tile is pinned for what `forward` calls.
    backward: explainBackward({ ...at, machine: level }),
    derived: plan.derived.flatMap(({ name, dimensions, derivation }) => {
      if (derivation === undefined) return [];
      const { formula, stage } = derivation;
      return [{ name, text: printSource(formula), sides: dimensions.map(value), stage }];
    }),
    search: { priced: plan.search.priced, total: plan.search.total },
    obligations: checked.requirements.map(({ text, reason, condition }) => ({
      text,
      reason,
      holds: value(condition) !== 0,
    })),
    proven: checked.proven.map(({ text }) => text),
    pins: (checked.pins ?? []).map(({ text }) => text),
    notes: [...plan.notes, ...describeEstimates(checked, given)],
    rules: [...new Set([...(normal.rules ?? []), ...variants.flatMap(({ rules }) => rules)])],
    curves: curves(at),
  };
}
