/** Shares that the layers of a model get together: numbers whose value no layer knows alone. */
import { printNumber, symbol } from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { wrongKind } from "../diagnostics/type-diagnostics.ts";
import { addProblem } from "./check-context.ts";
import { numberValue } from "./check-numbers.ts";
import { type Meaning, numberOf } from "./intrinsic-call.ts";
import { poison, poolText } from "./value.ts";

/** A number that the layers of a model are given together; alone a layer has the whole density. */
export const erkMeaning: Meaning = (context, _syntax, call, span) => {
  const [density, rows, columns] = ["density", "rows", "columns"].map((name) => numberOf(call, name));
  const scope =
    call.arguments.flatMap(({ value }) => (value.kind === "pool" ? [value.pool] : []))[0] ?? "model";
  if (density == null || rows == null || columns == null) return poison;
  if (scope !== "group" && scope !== "model") {
    const facts = { expected: "the pool `group` or `model`", found: `\`${poolText(scope)}\`` };
    addProblem(context, report(wrongKind, span, facts));
    return poison;
  }
  const texts = [density, rows, columns].map((part) => printNumber(part));
  const name = `erk(${[...texts, ...(scope === "group" ? [scope] : [])].join(", ")})`;
  context.symbolTypes.set(name, "ratio");
  const allotment = { scope, rows, columns };
  context.allotments.set(name, {
    kind: "number",
    name,
    type: "ratio",
    defaultValue: density,
    allotment,
    span,
  });
  return numberValue(symbol(name), "ratio");
};
