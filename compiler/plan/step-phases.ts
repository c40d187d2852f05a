/**
 * The phases that lowering makes of a step: with a lane a token, unstructured terms have tiles of their own and hand
 * their sums to the phase of the other terms. compiler/loop/lower-variant decides; tests/plan/tile-geometry.test.ts
 * holds the two against each other.
 */
import { type OutputOrder, outputOrder } from "../types/output-order.ts";
import type { OperandLookup } from "./operand-table.ts";
import type { Layout, Step, StepTerm } from "./plan.ts";

export interface StepPhase {
  readonly terms: readonly StepTerm[];
  /** Unstructured terms with a lane a token: their sums go through memory. */
  readonly sparse: boolean;
  /** `lines` where a lane is a token: panels take outputs row by row, wherever they lie. */
  readonly order: OutputOrder;
}

/** Of what a step writes with a lane an output. */
export const orderOf = (
  { terms: [first], outputPermutation }: Pick<Step, "terms" | "outputPermutation">,
  operands: OperandLookup,
): OutputOrder =>
  outputOrder(outputPermutation, first === undefined ? undefined : operands.find(first.operand));

export function stepPhases(
  step: Pick<Step, "terms" | "outputPermutation">,
  layout: Layout,
  operands: OperandLookup,
): readonly StepPhase[] {
  const { terms } = step;
  const isSparse = ({ operand }: StepTerm): boolean =>
    layout === "lane-token" && operands.find(operand).format.name === "csr";
  const order = layout === "lane-output" ? orderOf(step, operands) : "lines";
  const sparse = terms.filter(isSparse);
  if (sparse.length === 0) return [{ terms, sparse: false, order }];
  const others = terms.filter((term) => !isSparse(term));
  const first: StepPhase = { terms: sparse, sparse: true, order };
  return others.length === 0 ? [first] : [first, { terms: others, sparse: false, order }];
}
