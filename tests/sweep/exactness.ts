/** How large the numbers of a calculation may become in any order, and so whether float32 is exact and what rounding costs. */
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import { childrenOf } from "./expression-parts.ts";
import type { Expression } from "./program.ts";
import { type Loops, meaningOf, withLoops } from "./program-oracle.ts";
import { type Matrix, stored, type Values } from "./stored-values.ts";

/** Bits behind the point that a factor brings. */
function fractionBits(value: number): number {
  let bits = 0;
  while (!Number.isInteger(value * 2 ** bits) && bits < 60) bits++;
  return bits;
}

const largestSum = ({ rows, columns, values }: Matrix): number => {
  const sums = new Float64Array(rows + columns);
  values.forEach((value, at) => {
    const [row, column] = [Math.floor(at / columns), rows + (at % columns)];
    sums[row] = (sums[row] ?? 0) + Math.abs(value);
    sums[column] = (sums[column] ?? 0) + Math.abs(value);
  });
  return Math.max(1, ...sums);
};

interface Extent {
  /** At least 1, and at least every row and column sum of absolute values, however the expression is regrouped. */
  readonly sum: number;
  readonly fraction: number;
}

function extentOf(expression: Expression, values: Values, loops: Loops): Extent {
  if (expression.kind === "call")
    return extentOf(expression.function.body(expression.operands, expression.numbers), values, loops);
  if (expression.kind === "loop") {
    const count = evaluateNumber(expression.count, values.sizes);
    const all = Array.from({ length: count }, (_, index) =>
      extentOf(expression.body, values, new Map([...loops, [expression.variable, index]])),
    );
    return combine(all, (a, b) => (expression.operator === "product" ? a * b : a + b));
  }
  const inner = childrenOf(expression).map((child) => extentOf(child, values, loops));
  if (expression.kind === "square") {
    // As far as the norm of the inverted matrix may exceed that of its inverse.
    const [own, of] = [meaningOf(expression, values, loops), stored(expression.tensor, 0, values)].map(
      largestSum,
    );
    return { sum: 4 * (own ?? 1) * (of ?? 1), fraction: 0 };
  }
  if (inner.length === 0) return { sum: largestSum(meaningOf(expression, values, loops)), fraction: 0 };
  if (["sum", "blockdiag", "rows", "columns"].includes(expression.kind))
    return combine(inner, (a, b) => a + b);
  // Functions are Lipschitz with a constant of at most this on the operands that the generator gives them.
  const steepest = { map: 4, quotient: 40, normed: 8, entry: 2 } as const;
  if (expression.kind in steepest) {
    const own = largestSum(meaningOf(expression, values, loops));
    const { sum, fraction } = combine(inner, (a, b) => a * b);
    return { sum: sum * steepest[expression.kind as keyof typeof steepest] + own, fraction };
  }
  const extent = combine(inner, (a, b) => a * b);
  if (expression.kind !== "scale") return extent;
  const sizes = withLoops(values.sizes, loops);
  const factor = evaluateNumber(expression.factor, sizes);
  const used = expression.side === "divide" ? 1 / factor : factor;
  // A quotient of arguments may be taken apart by the compiler, so both parts count.
  const parts = expression.factor.kind === "apply" ? expression.factor.operands : [];
  const largest = Math.max(1, Math.abs(used), ...parts.map((part) => Math.abs(evaluateNumber(part, sizes))));
  return { sum: extent.sum * largest, fraction: extent.fraction + fractionBits(used) };
}

const combine = (parts: readonly Extent[], join: (a: number, b: number) => number): Extent =>
  parts.reduce((a, b) => ({ sum: join(a.sum, b.sum), fraction: a.fraction + b.fraction }));

/** Bits that the weight times entries up to `largest` may need in any order of calculation. */
export function bitsNeeded(weight: Expression, values: Values, largest: number): number {
  const { sum, fraction } = extentOf(weight, values, new Map());
  return Math.log2(sum * largest) + fraction;
}

/** How large the parts may be that the entries of the weight are rounded from. */
export const magnitudeOf = (weight: Expression, values: Values): number =>
  extentOf(weight, values, new Map()).sum;
