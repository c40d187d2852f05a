/**
 * Functions on their own: each is checked once with arguments of which only the types are known, so that a mistake
 * in one that nothing calls is found too, and one in a function that much calls is told once, where it stands.
 */

import type { FunctionSyntax, ParameterSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import { number, symbol } from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { recursiveFunction } from "../diagnostics/name-diagnostics.ts";
import { constNeeded } from "../diagnostics/type-diagnostics.ts";
import type { Callable, ModuleScope } from "../modules/module-scope.ts";
import type { CheckContext, Environment } from "./check-context.ts";
import { asWhole, numberValue } from "./check-numbers.ts";
import { newContext } from "./check-transform.ts";
import { poison, usedAt, type Value } from "./value.ts";

/**
 * Says which functions are wrong by themselves. Each is checked when it is first asked for, and what is wrong goes to
 * `diagnostics`. The library's own functions are held to their declarations by its tests.
 */
export function checkFunctionsOnce(entry: ModuleScope, diagnostics: Diagnostic[]): CheckContext["isFaulty"] {
  const checked = new Map<Callable, boolean>();
  const work = { steps: 0 };
  const isFaulty: CheckContext["isFaulty"] = (module, overload) => {
    if (overload.kind !== "function" || (module.standard && module !== entry)) return false;
    const known = checked.get(overload);
    if (known !== undefined) return known;
    // While it is checked: a function that calls itself meets its own call.
    checked.set(overload, false);
    const found = checkFunction(module, overload, isFaulty, work);
    diagnostics.push(...found);
    const faulty = found.some(({ severity }) => severity === "error");
    checked.set(overload, faulty);
    return faulty;
  };
  return isFaulty;
}

/** Those of the file that is checked, whether something calls them or not. */
export function checkUncalledFunctions(entry: ModuleScope, isFaulty: CheckContext["isFaulty"]): void {
  for (const declaration of entry.own.values()) {
    if (declaration.kind !== "callable") continue;
    for (const overload of declaration.overloads) isFaulty(entry, overload);
  }
}

/** Codes that depend on values, which stand in for themselves here: only a call can raise them rightly. */
const needsValues: ReadonlySet<string> = new Set([constNeeded.code]);

function checkFunction(
  module: ModuleScope,
  syntax: FunctionSyntax,
  isFaulty: CheckContext["isFaulty"],
  work: CheckContext["work"],
): Diagnostic[] {
  const context = newContext(isFaulty, work);
  const values = new Map<string, Value>();
  const environment: Environment = {
    module,
    lookup: (name, span) => {
      const value = values.get(name);
      return value === undefined ? null : usedAt(value, span);
    },
    names: () => [...values.keys()],
  };
  for (const { name, type } of syntax.parameters) {
    if (type.kind !== "number-type") continue;
    context.symbolTypes.set(name.name, type.name);
    values.set(name.name, numberValue(symbol(name.name), type.name));
  }
  for (const { name, type } of syntax.parameters) {
    if (type.kind === "tensor-type")
      values.set(name.name, tensorOf(context, environment, values, name, type));
    if (type.kind === "pattern-type") values.set(name.name, poison);
    if (type.kind === "pool-type") values.set(name.name, { kind: "pool", pool: "matrix" });
  }
  context.calls.push({ declaration: syntax, span: null });
  context.check(environment, syntax.body);
  return context.diagnostics
    .filter(({ code }) => !needsValues.has(code))
    .map((diagnostic) =>
      diagnostic.code === recursiveFunction.code
        ? report(recursiveFunction, diagnostic.primary?.span ?? null, { name: syntax.name.name })
        : diagnostic,
    );
}

function tensorOf(
  context: CheckContext,
  environment: Environment,
  values: Map<string, Value>,
  name: ParameterSyntax["name"],
  type: ParameterSyntax["type"] & { readonly kind: "tensor-type" },
): Value {
  const dimensions = type.dimensions.flatMap((side) => {
    if (side.kind === "name" && !values.has(side.name)) {
      context.symbolTypes.set(side.name, "int");
      values.set(side.name, numberValue(symbol(side.name), "int"));
    }
    return asWhole(context, context.check(environment, side), side.span, "a dimension") ?? [];
  });
  const [rows, columns = number(1)] = dimensions;
  if (rows === undefined || columns === undefined || dimensions.length !== type.dimensions.length)
    return poison;
  return {
    kind: "tensor",
    dimensions,
    weight: { kind: "leaf", name: name.name, slice: null, rows, columns, span: name.span },
    recipe: { kind: "tensor", name: name.name },
    leaf: name.name,
    span: name.span,
  };
}
