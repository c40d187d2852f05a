/** Costs by cause, and which of them decides between two variants: what `spxc explain` gives as the reason. */
import type { NumberExpression, SymbolValues } from "../../runtime/contract/number-expression.ts";
import { costParts, type PricedMachine } from "./cost-model.ts";
import { costAt } from "./envelope.ts";
import { lookupIn } from "./operand-table.ts";
import type { Plan, Variant } from "./plan.ts";
import { printTime } from "./print-quantities.ts";

type Part = "reading operands" | "transposing" | "steps" | "forming" | "merging" | "format limits";

/** Nanoseconds by cause at one batch. */
export function parts(
  variant: Variant,
  plan: Plan,
  values: SymbolValues,
  batch: number,
  machine: PricedMachine,
): Readonly<Record<Part, number>> & { readonly each: readonly number[] } {
  const cost = costParts(variant, lookupIn(plan.operands), machine);
  const at = (expression: NumberExpression): number => costAt(expression, values, batch);
  const each = cost.steps.map(at);
  const steps = each.reduce((sum, value) => sum + value, 0);
  const [call, reading, transposing, forming, limits] = [
    at(cost.call),
    at(cost.reading),
    at(cost.transposing),
    at(cost.forming),
    at(cost.limits),
  ];
  const merging = Math.max(0, at(variant.cost) - call - reading - transposing - steps - forming - limits);
  return {
    "reading operands": reading,
    transposing,
    steps,
    forming,
    merging: variant.merged ? merging : 0,
    "format limits": limits,
    each,
  };
}

/** The part of the cost that speaks most against `other`, with both numbers. */
export function deciding(
  chosen: Variant,
  other: Variant,
  plan: Plan,
  values: SymbolValues,
  batch: number,
  machine: PricedMachine,
): string {
  const [ours, theirs] = [
    parts(chosen, plan, values, batch, machine),
    parts(other, plan, values, batch, machine),
  ];
  const names: readonly Part[] = [
    "steps",
    "reading operands",
    "transposing",
    "forming",
    "merging",
    "format limits",
  ];
  const [first = "steps", ...rest] = names;
  const most = rest.reduce(
    (best, name) => (theirs[name] - ours[name] > theirs[best] - ours[best] ? name : best),
    first,
  );
  return `${most}: ${printTime(theirs[most])} against ${printTime(ours[most])}`;
}
