/**
 * Prices of candidates on a grid of sizes, batches and arguments. An expression that several candidates share is
 * evaluated once: the caches go by object, and the cost model hands out the same object for the same part.
 */
import {
  apply,
  applyOperator,
  evaluateNumber,
  type NumberExpression,
  type NumberOperator,
  type SymbolValues,
  symbolsOf,
} from "../../runtime/contract/number-expression.ts";
import type { CheckedTransform } from "../check/checked-module.ts";
import { isMeasured, symbolsOfEstimates, withEstimates } from "./measured-counts.ts";

const sizes = [256, 768, 2048, 4096] as const;
const batches = [1, 2, 4, 8, 16, 32, 64, 256, 1024] as const;
/** Values of a `ratio` argument beside its default. */
const ratios = [0.05, 0.2, 0.8] as const;
/** Shares of its area of a pattern whose count is an argument, where no argument is a ratio: such entries are few. */
const counts = [0.005, 0.025, 0.1] as const;

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

/** Arguments that count the entries of a pattern, with the area that they are a part of. */
const countedAreas = ({
  arguments: given,
  patterns,
}: CheckedTransform): ReadonlyMap<string, NumberExpression> =>
  new Map(
    patterns.flatMap(({ count, rows, columns }) =>
      count.kind === "symbol" && given.some(({ kind, name }) => kind === "number" && name === count.name)
        ? [[count.name, apply("*", rows, columns)] as const]
        : [],
    ),
  );

export function gridOf(transform: CheckedTransform): readonly GridPoint[] {
  const symbols = priceSymbols(transform);
  const hasRatio = transform.arguments.some(
    (argument) => argument.kind === "number" && argument.type === "ratio",
  );
  const tried = hasRatio ? [null, ...ratios] : [null];
  const areas = hasRatio ? [] : [...countedAreas(transform)];
  const filled = areas.length > 0 ? counts : [];
  const given = sizes.flatMap((size) => [
    ...tried.map((ratio) => valuesAt(transform, size, ratio, symbols)),
    ...filled.map((share) => {
      const values = valuesAt(transform, size, null, symbols);
      const counted = areas.map(
        ([name, area]) => [name, Math.round(share * evaluateNumber(area, values))] as const,
      );
      return new Map([...values, ...counted]);
    }),
  ]);
  // A weight of fixed dimensions is the same at all sizes.
  const different = new Map(given.map((values) => [JSON.stringify([...values]), values]));
  return [...different.values()].flatMap((values) =>
    batches.map((batch) => new Map(values).set("batch", batch)),
  );
}

export interface GridEvaluator {
  readonly points: readonly GridPoint[];
  /** One number for each point. */
  valuesOf(expression: NumberExpression): Float64Array;
}

/** One number for all points, or one for each: most of a price is the same everywhere. */
type Column = number | readonly number[];

const at = (column: Column, point: number): number =>
  typeof column === "number" ? column : (column[point] ?? Number.NaN);

/** Binary operators that prices are made of, without a list of operands for every point. */
const pairs: Readonly<Partial<Record<NumberOperator, (a: number, b: number) => number>>> = {
  "+": (a, b) => a + b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
  ">": (a, b) => Number(a > b),
  "<": (a, b) => Number(a < b),
};

/** Operators that fold from the left. */
const folding: ReadonlySet<NumberOperator> = new Set(["+", "*", "min", "max"]);

function paired(of: (a: number, b: number) => number, a: Column, b: Column, count: number): Column {
  if (typeof a === "number" && typeof b === "number") return of(a, b);
  const result: number[] = [];
  for (let point = 0; point < count; point++) result.push(of(at(a, point), at(b, point)));
  return result;
}

function applied(operator: NumberOperator, operands: readonly Column[], count: number): Column {
  const pair = pairs[operator];
  const [first, second, ...rest] = operands;
  if (pair !== undefined && first !== undefined && second !== undefined) {
    const both = paired(pair, first, second, count);
    if (rest.length === 0) return both;
    if (folding.has(operator)) return rest.reduce((before, next) => paired(pair, before, next, count), both);
  }
  const pointwise = (point: number): number =>
    applyOperator(
      operator,
      operands.map((operand) => at(operand, point)),
    );
  if (operands.every((operand) => typeof operand === "number")) return pointwise(0);
  return Array.from({ length: count }, (_, point) => pointwise(point));
}

export function createGridEvaluator(points: readonly GridPoint[]): GridEvaluator {
  const known = new Map<NumberExpression, Column>();
  const symbols = new Map<string, Column>();
  const columnOf = (expression: NumberExpression): Column => {
    if (expression.kind === "number") return expression.value;
    if (expression.kind === "symbol") {
      const column = symbols.get(expression.name) ?? points.map((point) => evaluateNumber(expression, point));
      symbols.set(expression.name, column);
      return column;
    }
    const before = known.get(expression);
    if (before !== undefined) return before;
    const column = applied(expression.operator, expression.operands.map(columnOf), points.length);
    known.set(expression, column);
    return column;
  };
  const valuesOf = (expression: NumberExpression): Float64Array => {
    const column = columnOf(expression);
    return Float64Array.from(points, (_, point) => at(column, point));
  };
  return { points, valuesOf };
}
