/**
 * Functions on their own: each is checked once with arguments of which only the types are known, so that a mistake
 * in one that nothing calls is found too.
 */

import type { FunctionSyntax, ParameterSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import { number, symbol } from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { recursiveFunction } from "../diagnostics/name-diagnostics.ts";
import { constNeeded } from "../diagnostics/type-diagnostics.ts";
import type { ModuleScope } from "../modules/module-scope.ts";
import type { CheckContext, Environment } from "./check-context.ts";
import { asWhole, numberValue } from "./check-numbers.ts";
import { newContext } from "./check-transform.ts";
import { poison, type Value } from "./value.ts";

export function checkUncalledFunctions(module: ModuleScope): Diagnostic[] {
  const functions = [...module.own.values()].flatMap((declaration) =>
    declaration.kind === "callable"
      ? declaration.overloads.filter((overload): overload is FunctionSyntax => overload.kind === "function")
      : [],
  );
  const work = { steps: 0 };
  return functions.flatMap((syntax) => checkFunction(module, syntax, work));
}

/** Codes that depend on values, which stand in for themselves here: only a call can raise them rightly. */
const needsValues: ReadonlySet<string> = new Set([constNeeded.code]);

function checkFunction(
  module: ModuleScope,
  syntax: FunctionSyntax,
  work: CheckContext["work"],
): Diagnostic[] {
  const context = newContext(work);
  const values = new Map<string, Value>();
  const environment: Environment = {
    module,
    lookup: (name) => values.get(name) ?? null,
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
  context.calls.push({ declaration: syntax, span: syntax.name.span });
  context.check(environment, syntax.body);
  return context.diagnostics
    .filter(({ code }) => !needsValues.has(code))
    .map((diagnostic) =>
      diagnostic.code === recursiveFunction.code
        ? report(recursiveFunction, diagnostic.primary?.span ?? null, { name: syntax.name.name })
        : withoutCall(diagnostic, syntax),
    );
}

/** The call shown is the declaration itself, which says nothing. */
const withoutCall = (diagnostic: Diagnostic, syntax: FunctionSyntax): Diagnostic => ({
  ...diagnostic,
  secondary: diagnostic.secondary.filter(({ span }) => span !== syntax.name.span),
});

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
