/** What `frozen` and `let` statements make of given tensors at load, from their definition. */
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import { gridLevels } from "../../runtime/tensor/quantized-grid.ts";
import type { Grid, TensorDeclaration } from "./program.ts";
import { meaningOf } from "./program-oracle.ts";
import type { Values } from "./stored-values.ts";

/** Of a tensor with a formula: exact, because given tensors are, unless it is rounded to levels with a scale. */
export function computedValues(
  { formula, grid, rows, columns }: TensorDeclaration,
  values: Values,
): Float32Array {
  const [height, width] = [rows, columns].map((side) => evaluateNumber(side, values.sizes));
  if (formula === null || height === undefined || width === undefined)
    throw new TypeError("a tensor that is given");
  const exact =
    typeof formula === "number"
      ? new Float64Array(height * width).fill(formula)
      : meaningOf(formula, values).values;
  if (grid === undefined) return Float32Array.from(exact);
  return grid.kind === "bf16"
    ? Float32Array.from(exact, toEightBits)
    : onGrid(grid.kind, grid.block ?? width, exact);
}

/** The nearest number of 8 significant bits, the even one of two. */
function toEightBits(value: number): number {
  if (value === 0) return 0;
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(value))) - 7);
  const below = Math.floor(value / unit);
  const rest = value / unit - below;
  return (rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below) * unit;
}

/** The entry of largest magnitude of each run becomes the last level, the others the level next to them. */
function onGrid(kind: Exclude<Grid["kind"], "bf16">, run: number, values: ArrayLike<number>): Float32Array {
  const levels = [...gridLevels[kind]];
  const last = levels.at(-1) ?? 1;
  const rounded = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += run) {
    let largest = 0;
    for (let at = start; at < start + run; at++) largest = Math.max(largest, Math.abs(values[at] ?? 0));
    for (let at = start; at < start + run; at++) {
      const wanted = largest === 0 ? 0 : ((values[at] ?? 0) * last) / largest;
      const level = levels.reduce((a, b) => (Math.abs(b - wanted) <= Math.abs(a - wanted) ? b : a));
      rounded[at] = (level * largest) / last;
    }
  }
  return rounded;
}
