/**
 * The backward pass of a plan: of the ways to compute dx and the sides of the gradients (formats, products formed ahead,
 * terms of a sum formed as one) the cheapest at a usual size.
 */
import { type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import type { Term } from "../algebra/algebra-node.ts";
import type { Gradients } from "../algebra/derive-gradient.ts";
import type { CheckedTransform } from "../check/checked-module.ts";
import { type BackwardDraft, type BackwardWays, draftBackward, prepareGradients } from "./backward-plan.ts";
import { callCost, costParts, type PricedMachine, type PricedVariant } from "./cost-model.ts";
import { type Budget, enumerateSum, enumerateTerm } from "./enumerate-sums.ts";
import { combinations } from "./formed-ways.ts";
import type { AppliedSum, AppliedTerm } from "./linear-factors.ts";
import type { OperandLookup, OperandTable } from "./operand-table.ts";
import { ceilOver, plus, times } from "./packed-size.ts";
import type { BackwardPlan, GradientStep, Layout, Plan } from "./plan.ts";
import { createGridEvaluator, valuesAt } from "./price-grid.ts";

/** The size at which storages are compared: a layer of a middling model, a short sequence. */
const usual = { size: 1024, batch: 128 } as const;

/** Ways of dx, or of one side, which share what they compute step by step: nothing is stacked. */
const budget: Budget = { most: 16, allows: () => true, stacks: false };
/** Choices of ways for dx and for the sides that are drafted and priced; `search` of the plan says how many there are. */
const mostTried = 48;

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

/** Every choice: one way for dx, one for each side that is more than x or dy. */
interface WaySpace {
  readonly dx: readonly AppliedSum[];
  readonly sides: readonly { readonly term: Term; readonly ways: readonly AppliedTerm[] }[];
}

function waySpace({ transposed, leaves }: Gradients): WaySpace {
  const terms = new Set(leaves.flatMap(({ left, right }) => [left.term, right.term]));
  return {
    dx: enumerateSum(transposed, budget).sums,
    sides: [...terms].flatMap((term) => (term === null ? [] : [{ term, ways: enumerateTerm(term, budget) }])),
  };
}

/** Positions in the lists of a space: that of dx, then those of the sides. */
type Choice = readonly number[];

const waysOf = ({ dx, sides }: WaySpace, [first = 0, ...rest]: Choice): BackwardWays => {
  const sum = dx[first];
  if (sum === undefined) throw new RangeError("a way that does not exist");
  const chosen = sides.flatMap(({ term, ways }, index) => {
    const way = ways[rest[index] ?? 0];
    return way === undefined ? [] : [[term, way] as const];
  });
  return { dx: sum, sides: new Map(chosen) };
};

/** All choices when they are few; else, from the plainest on, the best way of one list after the other, up to a limit. */
function cheapestChoice(sizes: readonly number[], priceOf: (choice: Choice) => number): Choice {
  const plainest: Choice = sizes.map(() => 0);
  const total = sizes.reduce((product, size) => product * size, 1);
  const positions = (size: number): number[] => Array.from({ length: size }, (_, at) => at);
  let best = { choice: plainest, price: priceOf(plainest) };
  let tried = 1;
  const offer = (choice: Choice): void => {
    if (tried >= mostTried) return;
    tried += 1;
    const price = priceOf(choice);
    if (price < best.price) best = { choice, price };
  };
  if (total <= mostTried) combinations(sizes.map(positions)).slice(1).forEach(offer);
  else
    sizes.forEach((size, list) => {
      for (const at of positions(size).slice(1)) offer(best.choice.with(list, at));
    });
  return best.choice;
}

/** The cheapest of the drafts that are tried, by its price at a usual size; `cost` reads `batch`. */
export function cheapestDraft(
  gradients: Gradients,
  transform: CheckedTransform,
  operands: OperandTable,
  layout: Layout,
  cost: (draft: BackwardDraft) => NumberExpression,
): { readonly draft: BackwardDraft; readonly search: BackwardPlan["search"] } {
  const space = waySpace(gradients);
  const prepared = prepareGradients(gradients, operands);
  const sizes = [space.dx.length, ...space.sides.map(({ ways }) => ways.length)];
  const prices = createGridEvaluator([
    new Map(valuesAt(transform, usual.size, null)).set("batch", usual.batch),
  ]);
  const drafts = new Map<string, { readonly draft: BackwardDraft; readonly price: number }>();
  const drafted = (choice: Choice) => {
    const key = choice.join(",");
    const known = drafts.get(key);
    if (known !== undefined) return known;
    const ways = waysOf(space, choice);
    const draft = draftBackward(gradients, prepared, transform.tensors, ways, operands, layout);
    const [price = Number.NaN] = prices.valuesOf(cost(draft));
    const fresh = { draft, price };
    drafts.set(key, fresh);
    return fresh;
  };
  const best = cheapestChoice(sizes, (choice) => drafted(choice).price);
  const search = { priced: drafts.size, total: sizes.reduce((product, size) => product * size, 1) };
  return { draft: drafted(best).draft, search };
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
