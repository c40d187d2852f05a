/** Gives every expression its meaning: a number, a tensor, a pattern, a selection or initial values. */
import type { ExpressionSyntax } from "../../grammar/syntax/syntax-tree.ts";
import { apply, number, printNumber } from "../../runtime/contract/number-expression.ts";
import type { Recipe } from "../../runtime/contract/recipe.ts";
import { gradientName, isClock } from "../../runtime/contract/time.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { unknownName } from "../diagnostics/name-diagnostics.ts";
import { dimensionCount, indexOutOfRange } from "../diagnostics/shape-diagnostics.ts";
import { suggestion, suggestNames } from "../diagnostics/suggest-name.ts";
import { clockOutside } from "../diagnostics/time-diagnostics.ts";
import { sumTooLong } from "../diagnostics/training-diagnostics.ts";
import { expressionTooLarge, notAValue, wrongKind } from "../diagnostics/type-diagnostics.ts";
import { findDeclaration, visibleNames } from "../modules/module-scope.ts";
import { printShape } from "../types/dimension.ts";
import { foldNumber } from "../types/fold-number.ts";
import { callOverloads, checkCall } from "./check-call.ts";
import {
  addCountProblem,
  addProblem,
  addProblemOnce,
  type CheckContext,
  type Environment,
  extend,
} from "./check-context.ts";
import { asWholeConstant, combineNumbers, literalValue, numberValue } from "./check-numbers.ts";
import { isTensor, refuse, tensorOperators } from "./check-operators.ts";
import { memberName } from "./check-patterns.ts";
import { combineEntrywise, multiplyMatrices, scaleTensor, transposeTensor } from "./check-tensors.ts";
import type { WeightExpression } from "./checked-module.ts";
import { complementSelection, isPositions } from "./combine-patterns.ts";
import { largestExpression, mostSteps, sizeOfValue } from "./expression-size.ts";
import { namesInExpression } from "./names-in-expression.ts";
import { callRecipe, joinReadings, matrix } from "./readings.ts";
import { entryOfVector } from "./trained-numbers.ts";
import { type FamilyValue, isCondition, poison, type TensorValue, usedAt, type Value } from "./value.ts";

type Syntax<Kind extends ExpressionSyntax["kind"]> = ExpressionSyntax & { readonly kind: Kind };

/** A sum is written out term by term; more terms than this would make kernels that nobody wants. */
const longestSum = 256;

export function checkExpression(
  context: CheckContext,
  environment: Environment,
  syntax: ExpressionSyntax,
): Value {
  context.work.steps += 1;
  const value = context.work.steps > mostSteps ? null : meaningOf(context, environment, syntax);
  if (value !== null && sizeOfValue(value) <= largestExpression) return value;
  addProblemOnce(context, "", report(expressionTooLarge, syntax.span, { limit: largestExpression }));
  return poison;
}

function meaningOf(context: CheckContext, environment: Environment, syntax: ExpressionSyntax): Value {
  switch (syntax.kind) {
    case "number":
      return literalValue(syntax.value);
    case "name":
      return checkName(context, environment, syntax);
    case "call":
      return usedAt(checkCall(context, environment, syntax), syntax.span);
    case "index":
      return checkIndex(context, environment, syntax);
    case "sum":
    case "product":
      return checkSeries(context, environment, syntax);
    case "binary":
      return checkBinary(context, environment, syntax);
    case "unary":
      return checkUnary(context, environment, syntax);
    case "transpose": {
      const operand = context.check(environment, syntax.operand);
      if (isTensor(operand)) return transposeTensor(context, operand, syntax.span);
      return refuse(context, "a matrix", operand, syntax.operand);
    }
    case "broken":
      return poison;
  }
}

const truths: ReadonlyMap<string, number> = new Map([
  ["true", 1],
  ["false", 0],
]);

function checkName(context: CheckContext, environment: Environment, { name, span }: Syntax<"name">): Value {
  const local = environment.lookup(name, span);
  if (local !== null) return local;
  const truth = truths.get(name);
  if (truth !== undefined) return numberValue(number(truth), "bool");
  if (environment.module.broken.has(name)) return poison;
  const declaration = findDeclaration(environment.module, name);
  if (declaration?.kind === "callable") {
    const constant = declaration.overloads.some((overload) => overload.parameters.length === 0);
    if (constant) return callOverloads(context, environment, declaration, { name, span }, [], span);
    const help = [`call it: \`${name}(…)\``];
    addProblem(context, report(notAValue, span, { name, found: "a function, not a value" }, { help }));
    return poison;
  }
  if (declaration !== undefined) {
    addProblem(context, report(notAValue, span, { name, found: `a ${declaration.kind}, not a value` }));
    return poison;
  }
  if (isClock(name)) {
    addProblemOnce(context, name, report(clockOutside, span, { name }));
    return poison;
  }
  if (name === gradientName) {
    const help = ["only the selection of a `refresh` reads the gradient of the weight"];
    addProblemOnce(context, name, report(unknownName, span, { name }, { help }));
    return poison;
  }
  const near = suggestNames(name, [...environment.names(), ...visibleNames(environment.module)]);
  const help = suggestion(name, span, near);
  addProblemOnce(context, name, report(unknownName, span, { name }, { help }));
  return poison;
}

function checkIndex(context: CheckContext, environment: Environment, syntax: Syntax<"index">): Value {
  const target = context.check(environment, syntax.target);
  const index = asWholeConstant(
    context,
    context.check(environment, syntax.index),
    syntax.index.span,
    "an index",
  );
  if (target.kind === "family") return memberOf(context, target, index, syntax);
  if (target.kind !== "tensor")
    return refuse(context, "a stack of matrices [count, rows, columns]", target, syntax.target);
  const [count, rows, columns] = target.dimensions;
  const { leaf } = target;
  if (count !== undefined && rows === undefined && count.kind === "number" && index !== null)
    return checkEntry(context, target, index, count.value, syntax);
  if (count === undefined || rows === undefined || columns === undefined || leaf === null) {
    const facts = {
      expected: "a stack of matrices [count, rows, columns]",
      found: printShape(target.dimensions),
    };
    addProblem(context, report(dimensionCount, syntax.target.span, facts));
    return poison;
  }
  if (index === null) return poison;
  if (index < 0 || (count.kind === "number" && index >= count.value)) {
    addProblem(
      context,
      report(
        indexOutOfRange,
        syntax.index.span,
        { index, last: count.kind === "number" ? count.value - 1 : printNumber(count) },
        { label: `first dimension is ${printNumber(count)}` },
      ),
    );
    return poison;
  }
  if (count.kind !== "number") {
    const facts = { expected: "the number of stacked matrices", found: printNumber(count) };
    addProblem(
      context,
      report(wrongKind, syntax.target.span, {
        expected: "a stack whose first dimension is known at build time",
        found: `one of \`${facts.found}\``,
      }),
    );
    return poison;
  }
  const weight = joinReadings<WeightExpression, WeightExpression>([target.weight], () => ({
    kind: "leaf",
    name: leaf,
    slice: index,
    rows,
    columns,
    span: syntax.span,
  }));
  const recipe = joinReadings<Recipe, Recipe>([target.recipe], ([of]) =>
    callRecipe("slice", {
      ...(of === undefined ? {} : { of }),
      index: { kind: "number", value: number(index) },
    }),
  );
  return matrix(rows, columns, syntax.span, weight, recipe);
}

/** `M[i]` of a family of patterns. */
function memberOf(
  context: CheckContext,
  { name, count }: FamilyValue,
  index: number | null,
  { index: place }: Syntax<"index">,
): Value {
  if (index === null) return poison;
  if (index >= 0 && index < count) return { kind: "pattern", name: memberName(name, index) };
  const label = `\`${name}\` has ${count} patterns`;
  addProblem(context, report(indexOutOfRange, place.span, { index, last: count - 1 }, { label }));
  return poison;
}

/** `v[i]`, a trained number if v is trained. */
function checkEntry(
  context: CheckContext,
  vector: TensorValue,
  index: number,
  count: number,
  syntax: Syntax<"index">,
): Value {
  if (index >= 0 && index < count) return entryOfVector(context, vector, index, syntax.span);
  const parts = { label: `the vector has ${count} entries` };
  addProblem(context, report(indexOutOfRange, syntax.index.span, { index, last: count - 1 }, parts));
  return poison;
}

type Series = Syntax<"sum" | "product">;

function checkSeries(context: CheckContext, environment: Environment, syntax: Series): Value {
  const count = asWholeConstant(
    context,
    context.check(environment, syntax.count),
    syntax.count.span,
    "the number of terms",
  );
  if (count === null) return poison;
  if (count < 1 || count > longestSum) {
    const problem = report(sumTooLong, syntax.count.span, { found: count, limit: longestSum });
    addCountProblem(context, namesInExpression(syntax.count), problem);
    return poison;
  }
  let whole: Value | null = null;
  const join = syntax.kind === "sum" ? add : multiply;
  for (let index = 0; index < count; index += 1) {
    const term = context.check(extend(environment, syntax.variable.name, literalValue(index)), syntax.term);
    if (term.kind === "poison") return poison;
    whole = whole === null ? term : join(context, whole, term, syntax);
  }
  return whole ?? poison;
}

type Join = (context: CheckContext, left: Value, right: Value, syntax: Series) => Value;

const add: Join = (context, left, right, syntax) =>
  isTensor(left) && isTensor(right)
    ? combineEntrywise(context, "+", left, right, syntax.span)
    : joinNumbers("+", context, left, right, syntax);

/** The factors stand from left to right. */
const multiply: Join = (context, left, right, syntax) =>
  isTensor(left) && isTensor(right)
    ? multiplyMatrices(context, left, right, syntax.span)
    : joinNumbers("*", context, left, right, syntax);

function joinNumbers(
  operator: "+" | "*",
  context: CheckContext,
  left: Value,
  right: Value,
  syntax: Series,
): Value {
  if (left.kind === "poison" || right.kind === "poison") return poison;
  if (left.kind === "number" && right.kind === "number") {
    return combineNumbers(context, operator, left, right, { left: syntax.term, right: syntax.term });
  }
  return refuse(context, "a matrix or a number", isTensor(left) ? right : left, syntax.term);
}

function checkUnary(context: CheckContext, environment: Environment, syntax: Syntax<"unary">): Value {
  const operand = context.check(environment, syntax.operand);
  if (operand.kind === "poison") return poison;
  if (syntax.operator === "-") {
    if (isTensor(operand)) return scaleTensor(context, number(-1), operand, syntax.span);
    if (operand.kind === "number" && operand.type !== "bool") {
      return numberValue(
        foldNumber(apply("neg", operand.expression)),
        operand.type === "int" ? "int" : "real",
      );
    }
    return refuse(context, "a number or a matrix", operand, syntax.operand);
  }
  if (isPositions(operand)) return complementSelection(context, operand, syntax.span);
  if (isCondition(operand)) return numberValue(apply("not", operand.expression), "bool");
  return refuse(context, "a condition", operand, syntax.operand);
}

function checkBinary(context: CheckContext, environment: Environment, syntax: Syntax<"binary">): Value {
  const left = context.check(environment, syntax.left);
  const right = context.check(environment, syntax.right);
  if (left.kind === "poison" || right.kind === "poison") return poison;
  if (left.kind === "number" && right.kind === "number")
    return combineNumbers(context, syntax.operator, left, right, syntax);
  return tensorOperators[syntax.operator](context, left, right, syntax);
}
