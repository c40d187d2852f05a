/**
 * Arithmetic of indices that are known while code is written, for every level whose expressions fold it. It stands apart
 * from the expressions of the loop and of the device level because both read it.
 */

export type IndexOperator = "add" | "sub" | "mul" | "div" | "rem" | "min" | "max";

/** Division rounds down. */
export const indexArithmetic: Readonly<Record<IndexOperator, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => Math.floor(a / b),
  rem: (a, b) => a % b,
  min: Math.min,
  max: Math.max,
};

export interface IndexIdentity {
  readonly operator: IndexOperator | "shl" | "shr" | "xor";
  readonly value: number;
  readonly gives: "left" | number;
}

/** `operator` with `value` on the right leaves the left side, or gives a number. */
export const indexIdentities: readonly IndexIdentity[] = [
  { operator: "add", value: 0, gives: "left" },
  { operator: "sub", value: 0, gives: "left" },
  { operator: "mul", value: 1, gives: "left" },
  { operator: "mul", value: 0, gives: 0 },
  { operator: "div", value: 1, gives: "left" },
  { operator: "rem", value: 1, gives: 0 },
  { operator: "shl", value: 0, gives: "left" },
  { operator: "shr", value: 0, gives: "left" },
  { operator: "xor", value: 0, gives: "left" },
];

export const comparisons: Readonly<
  Record<"eq" | "ne" | "lt" | "le" | "gt" | "ge", (a: number, b: number) => boolean>
> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
};
