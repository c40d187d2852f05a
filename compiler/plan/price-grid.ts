/**
 * Prices of candidates on a grid of sizes, batches and arguments. An expression that several candidates share is
 * evaluated once: the caches go by object, and the cost model hands out the same object for the same part.
 */
import {
  applyOperator,
  evaluateNumber,
  type NumberExpression,
  type SymbolValues,
  symbolsOf,
} from "../../runtime/contract/number-expression.ts";
import type { CheckedTransform } from "../check/checked-module.ts";
import { isMeasured, symbolsOfEstimates, withEstimates } from "./measured-counts.ts";

const sizes = [256, 768, 2048, 4096] as const;
const batches = [1, 2, 4, 8, 16, 32, 64, 256, 1024] as const;
/** Values of a `ratio` argument beside its default. */
const ratios = [0.05, 0.2, 0.8] as const;

/** Every symbol that a price may read: the dimensions and counts of a transform. */
export function priceSymbols({ tensors, patterns, weight }: CheckedTransform): readonly string[] {
  const sizes = [
    weight.rows,
    weight.columns,
    ...tensors.flatMap(({ dimensions, count, blocks }) => [
      ...dimensions,
      count,
      ...(blocks === null ? [] : [blocks]),
    ]),
    ...patterns.flatMap(({ rows, columns, count }) => [rows, columns, count]),
  ];
  return [...new Set(sizes.flatMap(symbolsOf))];
}

/** Symbols, `batch` among them. */
export type GridPoint = SymbolValues;

/** Dimensions are `size`; arguments have their defaults, ratios the given value instead if there is one. */
export function valuesAt(
  transform: CheckedTransform,
  size: number,
  ratio: number | null,
  symbols = priceSymbols(transform),
): SymbolValues {
  const values = new Map<string, number>();
  for (const name of [...symbols, ...symbolsOfEstimates(transform)])
    if (!isMeasured(transform, name) && !transform.arguments.some((argument) => argument.name === name))
      values.set(name, size);
  for (const argument of transform.arguments) {
    if (argument.kind !== "number") continue;
    const fallback = { int: 16, real: 1, ratio: 0.5, bool: 0 }[argument.type];
    const { defaultValue } = argument;
    const readable = defaultValue !== null && symbolsOf(defaultValue).every((name) => values.has(name));
    const ordinary = readable && defaultValue !== null ? evaluateNumber(defaultValue, values) : fallback;
    values.set(argument.name, argument.type === "ratio" && ratio !== null ? ratio : ordinary);
  }
  return withEstimates(transform, values);
}

export function gridOf(transform: CheckedTransform): readonly GridPoint[] {
  const symbols = priceSymbols(transform);
  const hasRatio = transform.arguments.some(
    (argument) => argument.kind === "number" && argument.type === "ratio",
  );
  const tried = hasRatio ? [null, ...ratios] : [null];
  return sizes.flatMap((size) =>
    tried.flatMap((ratio) => {
      const values = valuesAt(transform, size, ratio, symbols);
      return batches.map((batch) => new Map(values).set("batch", batch));
    }),
  );
}

export interface GridEvaluator {
  readonly points: readonly GridPoint[];
  /** One number for each point. */
  valuesOf(expression: NumberExpression): Float64Array;
}

export function createGridEvaluator(points: readonly GridPoint[]): GridEvaluator {
  const known = new WeakMap<NumberExpression, Float64Array>();
  const computed = (expression: NumberExpression): Float64Array => {
    if (expression.kind === "number") return new Float64Array(points.length).fill(expression.value);
    if (expression.kind === "symbol")
      return Float64Array.from(points, (point) => evaluateNumber(expression, point));
    const operands = expression.operands.map(valuesOf);
    const { operator } = expression;
    if (operator === "+" || operator === "*") return reduced(operands, operator === "+");
    return Float64Array.from(points, (_, at) =>
      applyOperator(
        operator,
        operands.map((values) => values[at] ?? Number.NaN),
      ),
    );
  };
  const valuesOf = (expression: NumberExpression): Float64Array => {
    const before = known.get(expression);
    if (before !== undefined) return before;
    const values = computed(expression);
    known.set(expression, values);
    return values;
  };
  return { points, valuesOf };
}

/** Sums and products are most of a price. */
function reduced([first, ...rest]: readonly Float64Array[], isSum: boolean): Float64Array {
  const result = Float64Array.from(first ?? []);
  for (const values of rest) {
    for (let at = 0; at < result.length; at++) {
      const [before, next] = [result[at] ?? Number.NaN, values[at] ?? Number.NaN];
      result[at] = isSum ? before + next : before * next;
    }
  }
  return result;
}
