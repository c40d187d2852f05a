/** What the explanation of a plan says of the clocks: which numbers follow them, and what is chosen and packed again. */
import { stackedParts } from "../../runtime/contract/matrix-source.ts";
import { type NumberExpression, printNumber, symbolsOf } from "../../runtime/contract/number-expression.ts";
import { isClock } from "../../runtime/contract/time.ts";
import type { CheckedTransform } from "../check/checked-module.ts";
import { movingNames, readsAny } from "./moving-sources.ts";
import type { Operand } from "./plan.ts";

const held = (condition: NumberExpression | null): string =>
  condition === null ? "" : ` while ${printNumber(condition)}`;

/** One line a schedule, phase and refresh, and one for what is packed at every step although nothing in it is trained. */
export function timeNotes(transform: CheckedTransform, operands: readonly Operand[]): readonly string[] {
  const { time } = transform;
  if (time === null) return [];
  const names = movingNames(transform);
  const packed = operands
    .filter(({ source }) => stackedParts(source).some((part) => readsAny(part, names)))
    .map(({ name }) => name);
  return [
    ...time.numbers.map(({ name, kind, value }) => {
      const clocks = symbolsOf(value).filter(isClock);
      const follows = clocks.length === 0 ? "other numbers" : clocks.join(", ");
      return `${kind} ${name} follows ${follows}: ${printNumber(value)}`;
    }),
    ...time.refreshes.map(
      ({ pattern, every, condition }) =>
        `${pattern} is chosen again every ${printNumber(every)} steps${held(condition)}`,
    ),
    ...(packed.length === 0 ? [] : [`packed again when the clocks move: ${packed.join(", ")}`]),
  ];
}
