/** Measured times as combinations of rates: the cost model asked with one rate at a time. Pure. */

import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { backwardCost } from "../plan/choose-backward.ts";
import { callCost, type PricedMachine } from "../plan/cost-model.ts";
import { costAt } from "../plan/envelope.ts";
import { mergeCost } from "../plan/merge-cost.ts";
import { lookupIn } from "../plan/operand-table.ts";
import type { Plan } from "../plan/plan.ts";
import type { LevelRates } from "../targets/rate-table.ts";
import type { X86Target } from "../targets/x86-targets.ts";
import type { FitRow } from "./fit-rates.ts";
import { mergeVariant } from "./forced-variant.ts";
import { ratesOf, withRates } from "./rate-vector.ts";
import type { ProbeTime } from "./run-probes.ts";

/** The price of what was timed, with the rates of `machine`. @throws ReferenceError without such a variant. */
function priceOf(plan: Plan, variant: string, machine: PricedMachine): NumberExpression {
  const operands = lookupIn(plan.operands);
  if (variant === "backward") return backwardCost(plan.backward, operands, machine);
  const [first] = plan.variants;
  const found = variant === mergeVariant ? first : plan.variants.find(({ name }) => name === variant);
  if (found === undefined) throw new ReferenceError(variant);
  return variant === mergeVariant
    ? mergeCost(plan.merge, found, operands, machine)
    : callCost(found, operands, machine);
}

/** Calls are timed again and again with parameters as they are: what is computed after a change is not among it. */
export const untimedRate = "calls.formingNanoseconds";

/** One row for each time, its features in the order of `ratesOf`. */
export function priceRows(
  plan: Plan,
  times: readonly ProbeTime[],
  level: { readonly target: X86Target; readonly rates: LevelRates; readonly threads: number },
): readonly FitRow[] {
  const { target, rates, threads } = level;
  const paths = ratesOf(rates).map(({ path }) => path);
  const variants = [...new Set(times.map(({ variant }) => variant))];
  const columns = new Map(
    variants.map((variant) => [
      variant,
      paths.map((path) =>
        priceOf(plan, variant, {
          target,
          threads,
          rates: withRates(rates, (other) => (other === path && path !== untimedRate ? 1 : 0)),
        }),
      ),
    ]),
  );
  return times.map(({ variant, batch, symbols, nanoseconds }) => {
    const values = new Map(Object.entries(symbols));
    const features = (columns.get(variant) ?? []).map((cost) => costAt(cost, values, batch));
    return { features, measured: nanoseconds };
  });
}
