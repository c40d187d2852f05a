/** Predicted nanoseconds of forming the dense weight. Stands beside the cost of a call, which it shares its terms with. */
import { type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import { callsPerStep } from "../targets/cpu-rates.ts";
import { substitute } from "../types/fold-number.ts";
import {
  byteNanoseconds,
  callCost,
  formingCost,
  type PricedMachine,
  type PricedVariant,
} from "./cost-model.ts";
import type { OperandLookup } from "./operand-table.ts";
import { plus, times } from "./packed-size.ts";
import type { MergePlan } from "./plan.ts";
import { paddedRows, walkedValues } from "./walked-values.ts";

/** Nanoseconds of forming the dense weight once, divided by the calls that share it. */
export function mergeCost(
  plan: MergePlan,
  identityVariant: PricedVariant,
  operands: OperandLookup,
  machine: PricedMachine,
): NumberExpression {
  const share = number(1 / callsPerStep);
  const [x, y] = identityVariant.activations;
  const columns = x?.width ?? number(0);
  if (plan.method === "identity") {
    const once = callCost(identityVariant, operands, machine);
    return times(share, substitute(once, new Map([["batch", columns]])));
  }
  const { rates, threads } = machine;
  const bytes = times(y?.width ?? number(0), columns, number(4));
  const multiply = number(rates.calls.mergeMultiplyNanoseconds / threads);
  const scatter = number(rates.calls.mergeScatterNanoseconds / threads);
  const parts = plan.terms.map((term) => {
    if (term.kind === "operand") {
      const operand = operands.find(term.operand);
      const each = term.atom === "dense" ? multiply : scatter;
      return plus(times(walkedValues(operand, number(16)), each), formingCost(operand, machine));
    }
    const [left, right] = [operands.find(term.left), operands.find(term.right)];
    const product = times(paddedRows(left.rows, number(16)), left.columns, right.columns, multiply);
    return plus(product, formingCost(left, machine), formingCost(right, machine));
  });
  const written = times(bytes, byteNanoseconds(bytes, machine));
  return times(share, plus(number(rates.calls.callNanoseconds), written, ...parts));
}
