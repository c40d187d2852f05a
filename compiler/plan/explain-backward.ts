/** What `spxc explain` says about the backward pass of a plan, as data. */
import {
  evaluateNumber,
  type NumberExpression,
  type SymbolValues,
} from "../../runtime/contract/number-expression.ts";
import { backwardStepCosts } from "./choose-backward.ts";
import type { PricedMachine } from "./cost-model.ts";
import { costAt } from "./envelope.ts";
import { type ExplainedOperand, type ExplainedStep, explainOperand } from "./explain-operand.ts";
import { lookupIn } from "./operand-table.ts";
import type { Plan } from "./plan.ts";
import { isBackwardOnly, printBackwardStep } from "./print-backward.ts";

/** The backward pass at one batch. */
export interface ExplainedBackward {
  readonly batch: number;
  /** With dx. */
  readonly nanoseconds: number;
  readonly steps: readonly (ExplainedStep & { readonly dxOnly: boolean })[];
  /** Gradients that the runtime takes on to parameters after the steps. */
  readonly intermediates: readonly ExplainedIntermediate[];
  /** Those that the forward variants do not read. */
  readonly operands: readonly ExplainedOperand[];
}

export interface ExplainedIntermediate {
  readonly name: string;
  /** Its formula. */
  readonly text: string;
  /** Of its gradient. */
  readonly bytes: number;
  readonly parameters: readonly string[];
}

/** Batch for which the backward pass is explained: a short sequence, or a few. */
const backwardBatch = 128;

export function explainBackward(plan: Plan, values: SymbolValues, machine: PricedMachine): ExplainedBackward {
  const { backward, operands } = plan;
  const at = (expression: NumberExpression): number => costAt(expression, values, backwardBatch);
  const priced = backwardStepCosts(backward, lookupIn(operands), machine);
  return {
    batch: backwardBatch,
    nanoseconds: at(backward.cost),
    steps: backward.steps.map((step, index) => ({
      text: printBackwardStep(step, operands),
      nanoseconds: at(priced[index] ?? backward.cost),
      dxOnly: step.kind === "apply" && step.dxOnly,
    })),
    intermediates: backward.intermediates.map(({ name, text, count, parameters }) => ({
      name,
      text,
      bytes: 4 * Math.round(evaluateNumber(count, values)),
      parameters,
    })),
    operands: operands
      .filter(({ name }) => isBackwardOnly(plan, name))
      .map((operand) => explainOperand(operand, values)),
  };
}
