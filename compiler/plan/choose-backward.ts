/** The backward pass of a plan: masked matrices stored dense or packed, whichever is cheaper at a usual size. */
import { type NumberExpression, number, symbol, symbolsOf } from "../../runtime/contract/number-expression.ts";
import type { Gradients } from "../algebra/derive-gradient.ts";
import type { CheckedTransform } from "../check/checked-module.ts";
import { gradientRates } from "../targets/cpu-rates.ts";
import { type BackwardDraft, draftBackward } from "./backward-plan.ts";
import { callCost } from "./cost-model.ts";
import { cheapestAt } from "./envelope.ts";
import { valuesAt } from "./keep-variants.ts";
import type { OperandTable } from "./operand-table.ts";
import { ceilOver, plus, times } from "./packed-size.ts";
import type { BackwardPlan, BackwardStep, GradientStep, Plan, RefusedBackward } from "./plan.ts";

/** The size at which storages are compared: a layer of a middling model, a short sequence. */
const usual = { size: 1024, batch: 128 } as const;

/** Operands that a backward pass reads, each once. */
export function backwardOperands({ steps }: Pick<BackwardPlan, "steps">): readonly string[] {
  return [...new Set(steps.flatMap((step) => (step.kind === "apply" ? step.step.terms.map(({ operand }) => operand) : gradientOperands(step))))];
}

function gradientOperands({ shape, scale }: GradientStep): readonly string[] {
  const own = shape.kind === "positions" ? shape.operand : shape.kind === "matrix" ? shape.weights : null;
  return [own, scale].filter((name) => name !== null);
}

/** Values of the gradient that a step computes. */
export function gradientValues({ shape }: GradientStep): NumberExpression {
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
export function gradientCost(step: GradientStep): NumberExpression {
  const { panelNanoseconds, valueNanoseconds } = gradientRates[step.shape.kind];
  const panels = times(step.copies, ceilOver(symbol("batch"), 16), number(panelNanoseconds));
  return times(gradientValues(step), plus(panels, number(valueNanoseconds)));
}

const isGradient = (step: BackwardStep): step is GradientStep => step.kind === "gradient";

function priced(draft: BackwardDraft, operands: OperandTable): BackwardPlan {
  const { notes: _, ...backward } = draft;
  const steps = draft.steps.flatMap((step) => (step.kind === "apply" ? [step.step] : []));
  const applying = callCost({ layout: "lane-token", activations: draft.activations, steps }, operands);
  return { ...backward, cost: plus(applying, ...draft.steps.filter(isGradient).map(gradientCost)) };
}

/** @throws Unplannable when an operand has no packed form. */
export function chooseBackward(
  gradients: Gradients,
  transform: CheckedTransform,
  operands: OperandTable,
): { readonly backward: Plan["backward"]; readonly notes: readonly string[] } {
  if (gradients.refused !== null) {
    const backward: RefusedBackward = { kind: "refused", ...gradients.refused };
    return { backward, notes: [`no gradient for ${backward.parameter}: ${backward.reason}`] };
  }
  const drafts = (["dense", "packed"] as const).map((masks) => draftBackward(gradients, transform.tensors, masks, operands));
  const candidates = drafts.map((draft) => ({ backward: priced(draft, operands), notes: draft.notes }));
  const symbols = candidates.flatMap(({ backward }) => symbolsOf(backward.cost)).filter((name) => name !== "batch");
  const values = valuesAt(transform, symbols, usual.size, null);
  const { backward, notes } = cheapestAt(
    candidates.map((candidate) => ({ ...candidate, cost: candidate.backward.cost })),
    values,
    usual.batch,
  );
  return { backward, notes };
}
