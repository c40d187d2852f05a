/** Values for the dimensions and number arguments of a program, such that all its conditions hold. */
import {
  evaluateNumber,
  type NumberExpression,
  symbolsOf,
} from "../../runtime/contract/number-expression.ts";
import { nodesOf } from "./expression-parts.ts";
import { atClocks, clockChoices } from "./generate-time.ts";
import type { Condition, Program, Sizes } from "./program.ts";
import { conditionsOf, tensorsOf } from "./program-declarations.ts";
import type { Random } from "./random.ts";

/** Ones, primes, and both sides of the widths of panels. */
export const interestingSizes = [
  1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 15, 16, 17, 20, 24, 30, 31, 32, 33, 36, 40,
] as const;
const largestSide = 96;

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** What a dimension should be a multiple of, so that not every draw fails; conditions decide in the end. */
function usefulFactor(name: string, conditions: readonly Condition[]): number {
  return conditions.reduce((factor, { dividend, divisor }) => {
    if (divisor.kind !== "number" || !symbolsOf(dividend).includes(name)) return factor;
    return (factor * divisor.value) / gcd(factor, divisor.value);
  }, 1);
}

function sidesOf({ weight }: Program): NumberExpression[] {
  const tensors = tensorsOf(weight).flatMap(({ rows, columns, stack }) => [
    rows,
    columns,
    ...(stack === null ? [] : [stack]),
  ]);
  return [...tensors, ...[...nodesOf(weight)].flatMap((node) => [node.rows, node.columns])];
}

/** Whether every side is a whole number of a bearable size and every condition holds. */
export function meetsConditions(program: Program, sizes: Sizes): boolean {
  const known = (side: NumberExpression): boolean => symbolsOf(side).every((name) => sizes.has(name));
  return (
    conditionsOf(program.weight).every(
      ({ dividend, divisor }) =>
        !known(dividend) || evaluateNumber(dividend, sizes) % evaluateNumber(divisor, sizes) === 0,
    ) &&
    sidesOf(program).every((side) => {
      const value = evaluateNumber(side, sizes);
      return Number.isInteger(value) && value >= 1 && value <= largestSide;
    })
  );
}

/** Null when no draw meets the conditions. `small` prefers sizes below 8. */
export function chooseSizes(program: Program, random: Random, small = false): Sizes | null {
  const conditions = conditionsOf(program.weight);
  for (let attempt = 0; attempt < 60; attempt++) {
    const sizes = new Map<string, number>();
    for (const name of program.dimensions) {
      const factor = usefulFactor(name, conditions);
      const pool = interestingSizes.filter((size) => size % factor === 0 && (!small || size < 8));
      const beyond = [1, 2, 3, 5].map((count) => count * factor).filter((size) => size <= largestSide / 2);
      const choices = pool.length >= 3 ? pool : [...pool, ...beyond];
      if (choices.length === 0) return null;
      sizes.set(name, random.pick(choices));
    }
    for (const { name, values } of program.numbers) sizes.set(name, random.pick(values));
    const [step, progress] = [random.pick(clockChoices.step), random.pick(clockChoices.progress)];
    if (meetsConditions(program, sizes)) return atClocks(program.schedules, sizes, { step, progress });
  }
  return null;
}
