/**
 * Calls: arguments are matched with the declaration, an overload is chosen by the kinds of the arguments, functions
 * are expanded in place, intrinsics get their meaning.
 */

import type {
  ArgumentSyntax,
  ExpressionSyntax,
  Identifier,
  ParameterSyntax,
} from "../../grammar/syntax/syntax-tree.ts";
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import type { Span } from "../../grammar/text/source-text.ts";
import { replacing, report } from "../diagnostics/define-diagnostic.ts";
import { recursiveFunction, unknownName } from "../diagnostics/name-diagnostics.ts";
import { listNames, suggestion, suggestNames } from "../diagnostics/suggest-name.ts";
import {
  argumentTwice,
  missingArgument,
  notAValue,
  outOfRange,
  positionalAfterNamed,
  tooManyArguments,
  unknownArgument,
  wrongKind,
} from "../diagnostics/type-diagnostics.ts";
import { type Callable, type Declaration, findDeclaration, visibleNames } from "../modules/module-scope.ts";
import { bindArguments, type GivenArgument } from "./bind-arguments.ts";
import { addProblem, addProblemOnce, type CheckContext, type Environment } from "./check-context.ts";
import { asWholeConstant, isWholeExpression } from "./check-numbers.ts";
import { intrinsicValue, isVariadic } from "./intrinsic-meanings.ts";
import { describeValue, isCondition, poison, poolNamed, poolWords, type Value } from "./value.ts";

type CallSyntax = ExpressionSyntax & { readonly kind: "call" };
type CallableDeclaration = Declaration & { readonly kind: "callable" };

export function checkCall(context: CheckContext, environment: Environment, syntax: CallSyntax): Value {
  const { callee } = syntax;
  if (callee.name === "") return poison;
  const local = environment.lookup(callee.name, callee.span);
  if (local !== null) {
    if (local.kind !== "poison")
      addProblem(
        context,
        report(notAValue, callee.span, {
          name: callee.name,
          found: `${describeValue(local)}, not a function`,
        }),
      );
    return poison;
  }
  if (environment.module.broken.has(callee.name)) return poison;
  const declaration = findDeclaration(environment.module, callee.name);
  if (declaration?.kind === "callable")
    return callOverloads(context, environment, declaration, callee, syntax.arguments, syntax.span);
  if (declaration !== undefined) {
    addProblem(
      context,
      report(notAValue, callee.span, { name: callee.name, found: `a ${declaration.kind}, not a function` }),
    );
    return poison;
  }
  const near = suggestNames(callee.name, visibleNames(environment.module));
  const help = suggestion(callee.name, callee.span, near);
  addProblemOnce(context, callee.name, report(unknownName, callee.span, { name: callee.name }, { help }));
  return poison;
}

/** Calls the first overload that the arguments fit. */
export function callOverloads(
  context: CheckContext,
  environment: Environment,
  declaration: CallableDeclaration,
  callee: Identifier,
  argumentSyntax: readonly ArgumentSyntax[],
  span: Span,
): Value {
  const given: GivenArgument[] = argumentSyntax.map((argument, position) => ({
    name: argument.name,
    value:
      poolArgument(context, declaration, environment, argument, position) ??
      context.check(environment, argument.value),
    span: argument.value.span,
  }));
  const matches = declaration.overloads.map((overload) => ({
    overload,
    match: matchArguments(overload, given, callee),
  }));
  const fitting = matches.find(
    ({ match }) => match.kind === "matched" && match.pairs.every((pair) => kindFits(context, pair)),
  );
  const chosen = fitting ?? matches.find(({ match }) => match.kind === "matched") ?? matches[0];
  if (chosen === undefined || given.some(({ value }) => value.kind === "poison")) return poison;
  const { overload, match } = chosen;
  if (match.kind === "failed") {
    addProblem(context, match.diagnostic);
    return poison;
  }
  if (context.calls.some((call) => call.declaration === overload)) {
    addProblem(context, report(recursiveFunction, callee.span, { name: callee.name }));
    return poison;
  }
  context.calls.push({ declaration: overload, span });
  const value = expand(context, declaration, overload, match.pairs, span);
  context.calls.pop();
  return value;
}

/** `pool: row`, `pool: block(16, 16)`: the words of a pool have their meaning only where a pool is wanted. */
function poolArgument(
  context: CheckContext,
  { overloads }: CallableDeclaration,
  environment: Environment,
  { name, value }: ArgumentSyntax,
  position: number,
): Value | null {
  const isTile = value.kind === "call" && value.callee.name === "block" && value.arguments.length === 2;
  if (value.kind !== "name" && !isTile) return null;
  const wanted = overloads.some(({ parameters }) => {
    const parameter =
      name === null
        ? parameters[position]
        : parameters.find((candidate) => candidate.name.name === name.name);
    return parameter?.type.kind === "pool-type";
  });
  if (!wanted) return null;
  if (value.kind !== "name") return tilePool(context, environment, value.arguments);
  const pool = poolNamed(value.name);
  if (pool !== null) return pool;
  const local = environment.lookup(value.name, value.span);
  if (local !== null) return local.kind === "pool" ? local : null;
  const expected = `a pool: ${listNames(poolWords)}`;
  const help = suggestion(value.name, value.span, suggestNames(value.name, poolWords));
  const facts = { expected, found: `\`${value.name}\`` };
  addProblem(context, report(wrongKind, value.span, facts, help.length === 0 ? {} : { help }));
  return poison;
}

function tilePool(context: CheckContext, environment: Environment, sides: readonly ArgumentSyntax[]): Value {
  const [height, width] = sides.map(({ value }) => {
    const found = context.check(environment, value);
    const side = asWholeConstant(context, found, value.span, "a side of a block");
    if (side === null || side >= 1) return side;
    const facts = { name: "a side of a block", expected: "at least 1", found: String(side) };
    addProblem(context, report(outOfRange, value.span, facts));
    return null;
  });
  return height == null || width == null ? poison : { kind: "pool", pool: { height, width } };
}

function expand(
  context: CheckContext,
  declaration: CallableDeclaration,
  overload: Callable,
  pairs: readonly Pair[],
  span: Span,
): Value {
  const bound = bindArguments(context, declaration.module, overload, pairs);
  if (bound === null) return poison;
  if (context.isFaulty(declaration.module, overload)) return poison;
  if (overload.kind === "function") return context.check(bound.environment, overload.body);
  return intrinsicValue(context, overload, bound, span);
}

export interface Pair {
  readonly parameter: ParameterSyntax;
  readonly argument: GivenArgument;
}

type Match =
  | { readonly kind: "matched"; readonly pairs: readonly Pair[] }
  | { readonly kind: "failed"; readonly diagnostic: Diagnostic };

function matchArguments(overload: Callable, given: readonly GivenArgument[], callee: Identifier): Match {
  const { parameters } = overload;
  const name = callee.name;
  const fail = (diagnostic: Diagnostic): Match => ({ kind: "failed", diagnostic });
  const pairs: Pair[] = [];
  let sawName = false;
  for (const [position, argument] of given.entries()) {
    sawName ||= argument.name !== null;
    if (argument.name === null && sawName)
      return fail(positionalProblem(name, argument, parameters, pairs, given));
    const last = isVariadic(overload) ? parameters.at(-1) : undefined;
    const wanted = argument.name;
    const parameter =
      wanted === null
        ? (parameters[position] ?? last)
        : parameters.find((candidate) => candidate.name.name === wanted.name);
    if (parameter === undefined) {
      if (wanted === null)
        return fail(
          report(tooManyArguments, argument.span, { name, expected: parameters.length, found: given.length }),
        );
      return fail(unknownArgumentProblem(name, wanted, parameters));
    }
    const before = pairs.some((pair) => pair.parameter === parameter);
    if (before && parameter !== last)
      return fail(report(argumentTwice, argument.span, { argument: parameter.name.name }));
    pairs.push({ parameter, argument });
  }
  for (const parameter of parameters) {
    if (parameter.defaultValue !== null || pairs.some((pair) => pair.parameter === parameter)) continue;
    return fail(report(missingArgument, callee.span, { name, argument: parameter.name.name }));
  }
  return { kind: "matched", pairs };
}

/** The one parameter that is left is the one that was meant. */
function positionalProblem(
  name: string,
  argument: GivenArgument,
  parameters: readonly ParameterSyntax[],
  pairs: readonly Pair[],
  given: readonly GivenArgument[],
): Diagnostic {
  const named = new Set(given.map((one) => one.name?.name));
  const free = parameters.filter(
    (parameter) => !named.has(parameter.name.name) && !pairs.some((pair) => pair.parameter === parameter),
  );
  const [only] = free;
  if (only === undefined || free.length > 1) return report(positionalAfterNamed, argument.span, { name });
  const place = { ...argument.span, end: argument.span.start };
  const label = `${only.name.name}: `;
  const help = [replacing(place, label, `name it: \`${only.name.name}\` is the one left`, "likely")];
  return report(positionalAfterNamed, argument.span, { name }, { help });
}

export function unknownArgumentProblem(
  name: string,
  wanted: Identifier,
  parameters: readonly ParameterSyntax[],
): Diagnostic {
  const names = parameters.map((parameter) => parameter.name.name);
  const near = suggestNames(wanted.name, names);
  const help =
    near.length > 0
      ? suggestion(wanted.name, wanted.span, near)
      : [names.length === 0 ? "it takes no arguments" : `it takes ${listNames(names, "and")}`];
  return report(unknownArgument, wanted.span, { name, argument: wanted.name }, { help });
}

function kindFits(context: CheckContext, { parameter, argument }: Pair): boolean {
  const { type } = parameter;
  const { value } = argument;
  if (value.kind === "poison") return true;
  if (type.kind === "tensor-type") {
    return (
      value.kind === "flexible" ||
      (value.kind === "tensor" && value.dimensions.length === type.dimensions.length)
    );
  }
  if (type.kind === "pool-type") return value.kind === "pool";
  if (type.kind === "pattern-type") return value.kind === "pattern" || value.kind === "selection";
  if (value.kind !== "number") return false;
  if (type.name === "bool" || value.type === "bool") return type.name === "bool" && isCondition(value);
  return type.name !== "int" || (value.isReal !== true && isWholeExpression(context, value.expression));
}
