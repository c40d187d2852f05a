/**
 * Levels that round activations to bf16 as prices see them: which variants have something to round, and what that costs.
 * Stands beside the cost model, which knows every other level alike.
 */
import { type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import { roundingRates } from "../targets/cpu-rates.ts";
import type { RateTable } from "../targets/rate-table.ts";
import { roundingTargets } from "../targets/x86-targets.ts";
import type { PricedMachine, PricedVariant } from "./cost-model.ts";
import type { OperandLookup } from "./operand-table.ts";
import { plus, times } from "./packed-size.ts";
import type { StepTerm } from "./plan.ts";
import { sharing, sweepCost } from "./thread-cost.ts";

/** One for each level that rounds activations. */
export const roundingMachines = ({ levels, threads }: RateTable): readonly PricedMachine[] =>
  roundingTargets.map((target) => ({ target, rates: roundingRates(levels[target.base]), threads }));

/** Rounding what terms of pairs read to bf16, each activation once, in a phase of its own (compiler/loop/paired-inputs). */
export function roundingCost(
  { layout, activations, steps }: PricedVariant,
  operands: OperandLookup,
  machine: PricedMachine,
): NumberExpression {
  const { target, rates, threads } = machine;
  if (layout !== "lane-output" || target.pairedOutputTokens === null) return number(0);
  const rounded = new Set(
    steps.flatMap(({ terms }) => terms.filter((term) => isPaired(term, operands)).map(({ input }) => input)),
  );
  const tokens: NumberExpression = { kind: "symbol", name: "batch" };
  const { stepNanoseconds, storeNanoseconds } = rates.calls;
  return plus(
    ...activations
      .filter(({ name }) => rounded.has(name))
      .flatMap(({ width }) => [
        number(stepNanoseconds),
        sweepCost(tokens, machine),
        times(tokens, width, number(storeNanoseconds[layout]), sharing(tokens, threads)),
      ]),
  );
}

/** Whether a level that rounds has a kernel of its own for a variant. */
export const multipliesPairs = (
  { layout, steps }: Pick<PricedVariant, "layout" | "steps">,
  operands: OperandLookup,
): boolean =>
  layout === "lane-output" && steps.some(({ terms }) => terms.some((term) => isPaired(term, operands)));

/** Whether such a level multiplies pairs in this term. */
const isPaired = ({ operand, transposed }: StepTerm, operands: OperandLookup): boolean =>
  operands.find(operand).format.name === "bf16-panel16" && transposed !== true;
