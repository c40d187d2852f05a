/**
 * The phases that lowering makes of a step: with a lane a token, unstructured terms have tiles of their own and hand
 * their sums to the phase of the other terms. compiler/loop/lower-variant decides; tests/plan/tile-geometry.test.ts
 * holds the two against each other.
 */
import type { OperandLookup } from "./operand-table.ts";
import type { Layout, Step, StepTerm } from "./plan.ts";

export interface StepPhase {
  readonly terms: readonly StepTerm[];
  /** Unstructured terms with a lane a token: their sums go through memory. */
  readonly sparse: boolean;
  /** Outputs with a lane an output that go to other places one by one. */
  readonly scattered: boolean;
}

export function stepPhases(
  { terms, outputPermutation }: Pick<Step, "terms" | "outputPermutation">,
  layout: Layout,
  operands: OperandLookup,
): readonly StepPhase[] {
  const isSparse = ({ operand }: StepTerm): boolean =>
    layout === "lane-token" && operands.find(operand).format.name === "csr";
  const scattered = layout === "lane-output" && outputPermutation !== null;
  const sparse = terms.filter(isSparse);
  if (sparse.length === 0) return [{ terms, sparse: false, scattered }];
  const others = terms.filter((term) => !isSparse(term));
  const first: StepPhase = { terms: sparse, sparse: true, scattered };
  return others.length === 0 ? [first] : [first, { terms: others, sparse: false, scattered }];
}
