/** What `spxc explain` says about the backward pass of a plan, as data. */
import type { NumberExpression, SymbolValues } from "../../runtime/contract/number-expression.ts";
import { backwardStepCosts } from "./choose-backward.ts";
import type { PricedMachine } from "./cost-model.ts";
import { costAt } from "./envelope.ts";
import { type ExplainedOperand, type ExplainedStep, explainOperand } from "./explain-operand.ts";
import { lookupIn } from "./operand-table.ts";
import type { Plan } from "./plan.ts";
import { isBackwardOnly, printBackwardStep } from "./print-backward.ts";

/** The backward pass at one batch, or why there is none. */
export type ExplainedBackward = { readonly kind: "refused"; readonly reason: string } | ExplainedGradients;

export interface ExplainedGradients {
  readonly kind: "steps";
  readonly batch: number;
  /** With dx. */
  readonly nanoseconds: number;
  readonly steps: readonly (ExplainedStep & { readonly dxOnly: boolean })[];
  /** Those that the forward variants do not read. */
  readonly operands: readonly ExplainedOperand[];
}

/** Batch for which the backward pass is explained: a short sequence, or a few. */
const backwardBatch = 128;

export function explainBackward(plan: Plan, values: SymbolValues, machine: PricedMachine): ExplainedBackward {
  const { backward, operands } = plan;
  if (backward.kind === "refused")
    return { kind: "refused", reason: `no gradient for ${backward.parameter}: ${backward.reason}` };
  const at = (expression: NumberExpression): number => costAt(expression, values, backwardBatch);
  const priced = backwardStepCosts(backward, lookupIn(operands), machine);
  return {
    kind: "steps",
    batch: backwardBatch,
    nanoseconds: at(backward.cost),
    steps: backward.steps.map((step, index) => ({
      text: printBackwardStep(step, operands),
      nanoseconds: at(priced[index] ?? backward.cost),
      dxOnly: step.kind === "apply" && step.dxOnly,
    })),
    operands: operands
      .filter(({ name }) => isBackwardOnly(plan, name))
      .map((operand) => explainOperand(operand, values)),
  };
}
