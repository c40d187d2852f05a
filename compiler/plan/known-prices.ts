/**
 * Prices of steps that were made before, by operand table: candidates share their steps, and each is priced on every
 * level. Ensures that equal steps get one object, which is evaluated once. Stands beside the cost model, which says what
 * a price depends on.
 */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { LevelRates } from "../targets/rate-table.ts";
import type { OperandLookup } from "./operand-table.ts";
import type { Step } from "./plan.ts";

interface KnownPrices {
  /** What the price of a step depends on but for the machine. */
  readonly keys: Map<Step, string>;
  readonly prices: WeakMap<LevelRates, Map<string, NumberExpression>>;
}

const tables = new WeakMap<OperandLookup, KnownPrices>();

/** The price of `step` on a machine, which `rates` and `level` name: a known one, or `price()`. */
export function knownPrice(
  operands: OperandLookup,
  step: Step,
  machine: { readonly rates: LevelRates; readonly level: string },
  make: { readonly key: () => string; readonly price: () => NumberExpression },
): NumberExpression {
  const { keys, prices } = tables.get(operands) ?? { keys: new Map(), prices: new WeakMap() };
  tables.set(operands, { keys, prices });
  const known = prices.get(machine.rates) ?? new Map<string, NumberExpression>();
  prices.set(machine.rates, known);
  const what = keys.get(step) ?? make.key();
  keys.set(step, what);
  const key = `${what} ${machine.level}`;
  const price = known.get(key) ?? make.price();
  known.set(key, price);
  return price;
}
