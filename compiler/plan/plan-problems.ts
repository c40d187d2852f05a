/** Why there is no plan: what `choosePlan` reports. */
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import type { CheckedTransform } from "../check/checked-module.ts";

export function pinsImpossible(transform: CheckedTransform): Diagnostic {
  const [first, ...rest] = transform.pins ?? [];
  return {
    code: "SPX6302",
    severity: "error",
    message: `no way to apply the weight of \`${transform.name}\` meets all its pins`,
    primary: first === undefined ? null : { span: first.span, text: "pinned here" },
    secondary: [
      ...rest.map(({ span }) => ({ span, text: "and here" })),
      { span: transform.weight.span, text: "the weight" },
    ],
    facts: {},
    because: [],
    help: [],
  };
}

export function weightIsZero(transform: CheckedTransform): Diagnostic {
  const message = `the weight of \`${transform.name}\` is zero for all parameters`;
  const primary = { span: transform.weight.span, text: "this weight" };
  return {
    code: "SPX6001",
    severity: "error",
    message,
    primary,
    secondary: [],
    facts: {},
    because: [],
    help: [],
  };
}
