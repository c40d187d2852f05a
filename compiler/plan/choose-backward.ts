/**
 * The backward pass of a plan: of the ways to compute dx and the sides of the gradients (formats, products formed ahead,
 * orders of Kronecker products, terms of a sum formed as one) the cheapest at a usual size.
 */
import { type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import type { Gradients } from "../algebra/derive-gradient.ts";
import type { CheckedTransform } from "../check/checked-module.ts";
import { createNeeds } from "./backward-needs.ts";
import {
  type BackwardDraft,
  type BackwardWays,
  draftBackward,
  type PreparedGradient,
  prepareGradients,
} from "./backward-plan.ts";
import {
  type Choice,
  countChoices,
  deciding,
  everyChoice,
  improveChoice,
  singleWays,
  waySpace,
  waysOf,
} from "./backward-ways.ts";
import { cheapestUnion } from "./cheapest-union.ts";
import { callCost, costParts, type PricedMachine, type PricedVariant } from "./cost-model.ts";
import type { Budget } from "./enumerate-sums.ts";
import type { OperandLookup, OperandTable } from "./operand-table.ts";
import { ceilOver, plus, times } from "./packed-size.ts";
import type { BackwardPlan, GradientStep, Layout, Plan } from "./plan.ts";
import { createGridEvaluator, valuesAt } from "./price-grid.ts";

/** The size at which storages are compared: a layer of a middling model, a short sequence. */
const usual = { size: 1024, batch: 128 } as const;

/** Ways of dx, or of one side, which share what they compute step by step: nothing is stacked. */
const budget: Budget = { most: 16, allows: () => true, stacks: false };

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

/** Operands of a gradient step. */
export function gradientOperands({ shape, scale }: GradientStep): readonly string[] {
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
function gradientCost(step: GradientStep, { rates, threads }: PricedMachine): NumberExpression {
  const { panelNanoseconds, valueNanoseconds } = rates.gradients[step.shape.kind];
  const panels = times(step.copies, ceilOver(symbol("batch"), 16), number(panelNanoseconds / threads));
  return times(gradientValues(step), plus(panels, number(valueNanoseconds / threads)));
}

type Unpriced = Pick<BackwardPlan, "activations" | "steps">;

/** Its applied steps, priced like those of a variant. */
const asVariant = ({ activations, steps }: Unpriced): PricedVariant => ({
  layout: "lane-token",
  merged: false,
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

/** The cheapest of the drafts that are tried, by its price at a usual size; `cost` reads `batch`. */
export function cheapestDraft(
  gradients: Gradients,
  transform: CheckedTransform,
  operands: OperandTable,
  layout: Layout,
  cost: (draft: BackwardDraft) => NumberExpression,
): { readonly draft: BackwardDraft; readonly search: BackwardPlan["search"] } {
  const space = waySpace(gradients, budget);
  const prepared = prepareGradients(gradients, operands);
  const prices = createGridEvaluator([
    new Map(valuesAt(transform, usual.size, null)).set("batch", usual.batch),
  ]);
  const priced = (draft: BackwardDraft): number => prices.valuesOf(cost(draft))[0] ?? Number.NaN;
  const draftOf = (some: readonly PreparedGradient[], ways: BackwardWays): BackwardDraft =>
    draftBackward(gradients, some, transform.tensors, ways, operands, layout);
  const drafts = new Map<string, { readonly draft: BackwardDraft; readonly price: number }>();
  const drafted = (choice: Choice) => {
    const key = choice.join(",");
    const known = drafts.get(key);
    if (known !== undefined) return known;
    const draft = draftOf(prepared, waysOf(space, choice));
    const fresh = { draft, price: priced(draft) };
    drafts.set(key, fresh);
    return fresh;
  };
  const needs = createNeeds(space, prepared, draftOf, priced);
  const priceOf = (choice: Choice): number => drafted(choice).price;
  const all = everyChoice(space);
  let best: Choice;
  if (all !== null)
    best = all.reduce((cheapest, choice) => (priceOf(choice) < priceOf(cheapest) ? choice : cheapest));
  else {
    const singles = singleWays(space);
    const chosen = cheapestUnion(singles.map((group) => group.map(needs)));
    const decides = singles.flatMap((group, index) => group[chosen[index] ?? 0] ?? []);
    best = improveChoice(space, deciding(space, decides), priceOf);
  }
  return { draft: drafted(best).draft, search: { priced: drafts.size, total: countChoices(space) } };
}

export function chooseBackward(
  gradients: Gradients,
  transform: CheckedTransform,
  operands: OperandTable,
  machine: PricedMachine,
): { readonly backward: Plan["backward"]; readonly notes: readonly string[] } {
  const cost = (draft: BackwardDraft): NumberExpression => backwardCost(draft, operands, machine);
  const { draft, search } = cheapestDraft(gradients, transform, operands, "lane-token", cost);
  const { notes, ...backward } = draft;
  return { backward: { ...backward, cost: cost(draft), search }, notes };
}
