/** Variants, kernels and operands of an explanation: the plan's data with sizes and prices filled in. */
import {
  evaluateNumber,
  type NumberExpression,
  type SymbolValues,
} from "../../runtime/contract/number-expression.ts";
import { backwardStepCosts } from "../plan/choose-backward.ts";
import { costParts, type PricedMachine } from "../plan/cost-model.ts";
import { costAt } from "../plan/envelope.ts";
import { enclose } from "../plan/matrix-operand.ts";
import { lookupIn } from "../plan/operand-table.ts";
import {
  type BackwardPlan,
  costOn,
  type GradientStep,
  type MergePlan,
  type Operand,
  type Plan,
  type Step,
  type Variant,
} from "../plan/plan.ts";
import { printBackwardStep } from "../plan/print-backward.ts";
import { printFormat } from "../plan/print-plan.ts";
import { permuted, printStep } from "../plan/print-step.ts";
import type { CostShares, ExplainedKernel, ExplainedOperand, ExplainedTerm } from "./explanation.ts";

/** A plan at sizes, on a machine. */
export interface PlanAtSizes {
  readonly plan: Plan;
  readonly values: SymbolValues;
  readonly machine: PricedMachine;
}

export function explainOperand(operand: Operand, values: SymbolValues): ExplainedOperand {
  const at = (expression: NumberExpression): number => Math.round(evaluateNumber(expression, values));
  return {
    operand: operand.name,
    expression: operand.description,
    format: printFormat(operand.format),
    stage: operand.stage,
    bytes: at(operand.bytes),
    multiplies: at(operand.multiplies),
  };
}

const explainTerms = (step: Step, { plan, values }: PlanAtSizes): readonly ExplainedTerm[] => {
  const operands = lookupIn(plan.operands);
  return step.terms.map(({ operand, transposed, input, inputPermutation }) => {
    const explained = explainOperand(operands.find(operand), values);
    const { expression } = explained;
    return {
      ...explained,
      expression: transposed === true ? `${enclose(expression)}.T` : expression,
      input: permuted(inputPermutation, input),
    };
  });
};

/** Nanoseconds by cause at one batch; their sum is the price of the variant. */
export function costShares(variant: Variant, at: PlanAtSizes, batch: number): CostShares {
  const cost = costParts(variant, lookupIn(at.plan.operands), at.machine);
  const value = (expression: NumberExpression): number => costAt(expression, at.values, batch);
  const steps = cost.steps.reduce((sum, step) => sum + value(step), 0);
  const [call, reading, transposing] = [value(cost.call), value(cost.reading), value(cost.transposing)];
  const all = value(costOn(variant.costs, at.machine.target));
  return {
    call,
    reading,
    transposing,
    steps,
    merging: Math.max(0, all - call - reading - transposing - steps),
  };
}

export function forwardKernels(variant: Variant, at: PlanAtSizes, batch: number): readonly ExplainedKernel[] {
  const { steps } = costParts(variant, lookupIn(at.plan.operands), at.machine);
  return variant.steps.map((step, index) => {
    const price = steps[index];
    return {
      output: step.output,
      text: printStep(step),
      nanoseconds: price === undefined ? 0 : costAt(price, at.values, batch),
      terms: explainTerms(step, at),
      dxOnly: false,
    };
  });
}

function gradientOperands(
  { shape, scale }: GradientStep,
  { plan, values }: PlanAtSizes,
): readonly ExplainedTerm[] {
  const own = shape.kind === "positions" ? shape.operand : shape.kind === "matrix" ? shape.weights : null;
  const operands = lookupIn(plan.operands);
  return [own, scale].flatMap((name) =>
    name === null ? [] : [{ ...explainOperand(operands.find(name), values), input: "" }],
  );
}

export function backwardKernels(
  backward: BackwardPlan,
  at: PlanAtSizes,
  batch: number,
): readonly ExplainedKernel[] {
  const prices = backwardStepCosts(backward, lookupIn(at.plan.operands), at.machine);
  return backward.steps.map((step, index) => {
    const price = prices[index];
    return {
      output: step.kind === "apply" ? step.step.output : `d${step.parameter}`,
      text: printBackwardStep(step, at.plan.operands),
      nanoseconds: price === undefined ? 0 : costAt(price, at.values, batch),
      terms: step.kind === "apply" ? explainTerms(step.step, at) : gradientOperands(step, at),
      dxOnly: step.kind === "apply" && step.dxOnly,
    };
  });
}

/** The merge as an expression over its operands, and those operands. */
export function explainMerge(
  merge: MergePlan,
  { plan, values }: PlanAtSizes,
): { readonly text: string; readonly operands: readonly ExplainedOperand[] } {
  if (merge.method === "identity") return { text: `${merge.variant} applied to the identity`, operands: [] };
  const operands = lookupIn(plan.operands);
  const names = merge.terms.flatMap((term) =>
    term.kind === "operand" ? [term.operand] : [term.left, term.right],
  );
  return {
    text: `one kernel: ${merge.terms.map((term) => (term.kind === "operand" ? term.operand : `${term.left} @ ${term.right}`)).join(" + ")}`,
    operands: names.map((name) => explainOperand(operands.find(name), values)),
  };
}
