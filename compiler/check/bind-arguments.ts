/** The names inside a function or an intrinsic: its arguments, checked against their types, and the dimensions that they bind. */

import type { Identifier, ParameterSyntax, TypeSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Span } from "../../grammar/text/source-text.ts";
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { printNumber } from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { valueShape } from "../diagnostics/shape-diagnostics.ts";
import { listNames } from "../diagnostics/suggest-name.ts";
import { constNeeded, wrongKind } from "../diagnostics/type-diagnostics.ts";
import type { Callable, ModuleScope } from "../modules/module-scope.ts";
import { printShape, sameDimension } from "../types/dimension.ts";
import { addProblem, type CheckContext, type Environment } from "./check-context.ts";
import { asTyped, asWhole, numberValue, realValue } from "./check-numbers.ts";
import { asTensor } from "./check-tensors.ts";
import { describeValue, poolNamed, poolWords, type TensorValue, type Value } from "./value.ts";

export interface GivenArgument {
  readonly name: Identifier | null;
  readonly value: Value;
  readonly span: Span;
}

export interface BoundCall {
  readonly environment: Environment;
  /** In the order of the declaration; extra arguments of a variadic intrinsic follow the last. */
  readonly arguments: readonly { readonly name: string; readonly value: Value; readonly span: Span }[];
  readonly dimensions: ReadonlyMap<string, NumberExpression>;
}

type TensorType = TypeSyntax & { readonly kind: "tensor-type" };

export function bindArguments(
  context: CheckContext,
  module: ModuleScope,
  overload: Callable,
  pairs: readonly { readonly parameter: ParameterSyntax; readonly argument: GivenArgument }[],
): BoundCall | null {
  const values = new Map<string, Value>();
  const dimensions = new Map<string, NumberExpression>();
  const environment: Environment = {
    module,
    lookup: (name) => {
      const dimension = dimensions.get(name);
      return values.get(name) ?? (dimension === undefined ? null : numberValue(dimension, "int"));
    },
    names: () => [...values.keys(), ...dimensions.keys()],
  };
  const bound: { name: string; value: Value; span: Span }[] = [];
  const open = new Map<ParameterSyntax, readonly string[]>();
  // Numbers first: dimensions of tensors may be numbers that are arguments too.
  const order = [...pairs].sort(
    (a, b) =>
      Number(a.parameter.type.kind === "tensor-type") - Number(b.parameter.type.kind === "tensor-type"),
  );
  for (const { parameter, argument } of order) {
    // The last parameter of a variadic intrinsic stands for several arguments, each of a size of its own.
    for (const symbol of open.get(parameter) ?? []) dimensions.delete(symbol);
    const known = new Set(dimensions.keys());
    const value = bindOne(context, environment, dimensions, parameter, argument);
    if (value === null) return null;
    open.set(
      parameter,
      [...dimensions.keys()].filter((symbol) => !known.has(symbol)),
    );
    values.set(parameter.name.name, value);
    bound.push({ name: parameter.name.name, value, span: argument.span });
  }
  for (const parameter of overload.parameters) {
    if (values.has(parameter.name.name) || parameter.defaultValue === null) continue;
    const { defaultValue, type } = parameter;
    const pool =
      type.kind === "pool-type" && defaultValue.kind === "name" ? poolNamed(defaultValue.name) : null;
    const given = {
      name: null,
      value: pool ?? context.check(environment, defaultValue),
      span: defaultValue.span,
    };
    const value = bindOne(context, environment, dimensions, parameter, given);
    if (value === null) return null;
    values.set(parameter.name.name, value);
    bound.push({ name: parameter.name.name, value, span: given.span });
  }
  const rank = new Map(overload.parameters.map((parameter, index) => [parameter.name.name, index]));
  bound.sort((a, b) => (rank.get(a.name) ?? 0) - (rank.get(b.name) ?? 0));
  return { environment, arguments: bound, dimensions };
}

function bindOne(
  context: CheckContext,
  environment: Environment,
  dimensions: Map<string, NumberExpression>,
  parameter: ParameterSyntax,
  { value, span }: GivenArgument,
): Value | null {
  const { type } = parameter;
  if (type.kind === "number-type") {
    const expression = asTyped(context, value, type.name, span, parameter.name.name);
    if (expression === null) return null;
    if (type.isConst && expression.kind !== "number") {
      addProblem(
        context,
        report(constNeeded, span, { expected: `\`${parameter.name.name}\``, found: printNumber(expression) }),
      );
      return null;
    }
    const isReal = type.name === "real" || type.name === "ratio";
    return isReal ? realValue(expression, type.name) : numberValue(expression, type.name);
  }
  if (type.kind === "tensor-type") {
    const tensor = asTensor(context, value, span);
    return tensor !== null &&
      bindShape(context, environment, dimensions, parameter.name.name, type, tensor, span)
      ? tensor
      : null;
  }
  if (type.kind === "pool-type") {
    if (value.kind === "pool") return value;
    const expected = `a pool: ${listNames(poolWords)}`;
    if (value.kind !== "poison")
      addProblem(context, report(wrongKind, span, { expected, found: describeValue(value) }));
    return null;
  }
  if (value.kind === "pattern" || value.kind === "selection") return value;
  if (value.kind !== "poison")
    addProblem(context, report(wrongKind, span, { expected: "a pattern", found: describeValue(value) }));
  return null;
}

/** A bare symbol takes the size of its side the first time, and is compared afterwards. */
function bindShape(
  context: CheckContext,
  environment: Environment,
  dimensions: Map<string, NumberExpression>,
  name: string,
  type: TensorType,
  tensor: TensorValue,
  span: Span,
): boolean {
  const expected: NumberExpression[] = [];
  for (const [axis, side] of type.dimensions.entries()) {
    const found = tensor.dimensions[axis];
    if (side.kind === "name" && environment.lookup(side.name, side.span) === null && found !== undefined) {
      dimensions.set(side.name, found);
    }
    const size = asWhole(context, context.check(environment, side), side.span, "a dimension");
    if (size === null) return false;
    expected.push(size);
  }
  const fits =
    expected.length === tensor.dimensions.length &&
    expected.every((size, axis) => {
      const found = tensor.dimensions[axis];
      return found !== undefined && sameDimension(size, found);
    });
  if (fits) return true;
  addProblem(
    context,
    report(valueShape, span, { name, expected: printShape(expected), found: printShape(tensor.dimensions) }),
  );
  return false;
}
