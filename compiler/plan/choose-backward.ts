/** The backward pass of a plan: masked matrices stored dense or packed, whichever is cheaper at a usual size. */
import {
  type NumberExpression,
  number,
  symbol,
  symbolsOf,
} from "../../runtime/contract/number-expression.ts";
import type { Gradients } from "../algebra/derive-gradient.ts";
import type { CheckedTransform } from "../check/checked-module.ts";
import { type BackwardDraft, draftBackward } from "./backward-plan.ts";
import { callCost, costParts, type PricedMachine, type PricedVariant } from "./cost-model.ts";
import { cheapestAt } from "./envelope.ts";
import { valuesAt } from "./keep-variants.ts";
import type { OperandLookup, OperandTable } from "./operand-table.ts";
import { ceilOver, plus, times } from "./packed-size.ts";
import type { BackwardPlan, GradientStep, Plan } from "./plan.ts";

/** The size at which storages are compared: a layer of a middling model, a short sequence. */
const usual = { size: 1024, batch: 128 } as const;

/** Operands that a backward pass reads, each once. */
export function backwardOperands({ steps }: Pick<BackwardPlan, "steps">): readonly string[] {
  return [
    ...new Set(
      steps.flatMap((step) =>
        step.kind === "apply" ? step.step.terms.map(({ operand }) => operand) : gradientOperands(step),
      ),
    ),
  ];
}

function gradientOperands({ shape, scale }: GradientStep): readonly string[] {
  const own = shape.kind === "positions" ? shape.operand : shape.kind === "matrix" ? shape.weights : null;
  return [own, scale].filter((name) => name !== null);
}

/** Values of the gradient that a step computes. */
function gradientValues({ shape }: GradientStep): NumberExpression {
  switch (shape.kind) {
    case "matrix":
      return times(shape.blocks, shape.rows, shape.columns);
    case "positions":
      return shape.entries;
    case "diagonal":
      return shape.size;
  }
}

/** Predicted nanoseconds of a gradient step; reads `batch`. */
function gradientCost(step: GradientStep, { rates, threads }: PricedMachine): NumberExpression {
  const { panelNanoseconds, valueNanoseconds } = rates.gradients[step.shape.kind];
  const panels = times(step.copies, ceilOver(symbol("batch"), 16), number(panelNanoseconds / threads));
  return times(gradientValues(step), plus(panels, number(valueNanoseconds / threads)));
}

type Unpriced = Pick<BackwardPlan, "activations" | "steps">;

/** Its applied steps, priced like those of a variant. */
const asVariant = ({ activations, steps }: Unpriced): PricedVariant => ({
  layout: "lane-token",
  activations,
  steps: steps.flatMap((step) => (step.kind === "apply" ? [step.step] : [])),
});

/** Predicted nanoseconds of each step, in order. */
export function backwardStepCosts(
  backward: Unpriced,
  operands: OperandLookup,
  machine: PricedMachine,
): readonly NumberExpression[] {
  const applied = [...costParts(asVariant(backward), operands, machine).steps];
  return backward.steps.map((step) =>
    step.kind === "gradient" ? gradientCost(step, machine) : (applied.shift() ?? number(0)),
  );
}

/** Predicted nanoseconds of a call with dx; reads `batch`. */
export function backwardCost(
  backward: Unpriced,
  operands: OperandLookup,
  machine: PricedMachine,
): NumberExpression {
  const gradients = backward.steps.filter((step) => step.kind === "gradient");
  const own = gradients.map((step) => gradientCost(step, machine));
  return plus(callCost(asVariant(backward), operands, machine), ...own);
}

function priced(draft: BackwardDraft, operands: OperandTable, machine: PricedMachine): BackwardPlan {
  const { notes: _, ...backward } = draft;
  return { ...backward, cost: backwardCost(draft, operands, machine) };
}

export function chooseBackward(
  gradients: Gradients,
  transform: CheckedTransform,
  operands: OperandTable,
  machine: PricedMachine,
): { readonly backward: Plan["backward"]; readonly notes: readonly string[] } {
  const storages = ["dense", "packed"] as const;
  const drafts = storages.map((masks) => draftBackward(gradients, transform.tensors, masks, operands));
  const candidates = drafts.map((draft) => ({
    backward: priced(draft, operands, machine),
    notes: draft.notes,
  }));
  const symbols = candidates
    .flatMap(({ backward }) => symbolsOf(backward.cost))
    .filter((name) => name !== "batch");
  const values = valuesAt(transform, symbols, usual.size, null);
  const { backward, notes } = cheapestAt(
    candidates.map((candidate) => ({ ...candidate, cost: candidate.backward.cost })),
    values,
    usual.batch,
  );
  return { backward, notes };
}
