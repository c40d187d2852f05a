/**
 * Construction of loop expressions: types are derived, and index arithmetic on known numbers is folded away,
 * so that a specialised dimension leaves literal trip counts behind.
 */
import { comparisons, indexArithmetic, indexIdentities } from "./index-arithmetic.ts";
import {
  type BinaryOperator,
  type CompareOperator,
  type LoopExpression,
  lanes,
  type Scalar,
  type UnaryOperator,
  type ValueType,
} from "./loop-node.ts";

export const i64: ValueType = { scalar: "i64", lanes: 1 };
export const f32: ValueType = { scalar: "f32", lanes: 1 };
export const i32: ValueType = { scalar: "i32", lanes: 1 };
export const f64: ValueType = { scalar: "f64", lanes: 1 };
export const f32x4: ValueType = { scalar: "f32", lanes: 4 };
export const f32x16: ValueType = { scalar: "f32", lanes: 16 };
export const i32x16: ValueType = { scalar: "i32", lanes: 16 };

/** The type of `expression`. */
export function typeOf(expression: LoopExpression): ValueType {
  switch (expression.kind) {
    case "constant":
    case "read":
    case "load":
      return expression.type;
    case "vector":
      return { scalar: expression.scalar, lanes: expression.values.length };
    case "symbol":
      return i64;
    case "mask":
      return i32;
    case "unary":
      return typeOf(expression.value);
    case "binary":
      return typeOf(expression.left);
    case "compare":
      return { scalar: "bool", lanes: typeOf(expression.left).lanes };
    case "select":
      return typeOf(expression.whenTrue);
    case "fma":
      return typeOf(expression.a);
    case "pair-dot":
      return f32x16;
    case "round-pairs":
      return i32x16;
    case "splat":
      return { scalar: typeOf(expression.value).scalar, lanes: expression.lanes };
    case "convert":
      return { scalar: expression.to, lanes: typeOf(expression.value).lanes };
    case "reinterpret":
      return { scalar: "f32", lanes: typeOf(expression.value).lanes };
    case "permute":
      return f32x16;
    case "shuffle":
      return { scalar: typeOf(expression.left).scalar, lanes: expression.lanes.length };
    case "extract":
      return { scalar: typeOf(expression.value).scalar, lanes: 1 };
  }
}

export const constant = (type: ValueType, value: number): LoopExpression => ({
  kind: "constant",
  type,
  value,
});
/** True for the scalars that are no integers and no truths. */
export const isFloat = (scalar: Scalar): scalar is "f32" | "f64" => scalar === "f32" || scalar === "f64";
/** An index or a count known at compile time. */
export const int = (value: number): LoopExpression => constant(i64, value);
export const symbol = (name: string): LoopExpression => ({ kind: "symbol", name });
/** The number of rows of `x`, an argument of every kernel. */
export const batch: LoopExpression = symbol("batch");

const integerOperations: Readonly<Record<BinaryOperator, (a: number, b: number) => number>> = {
  ...indexArithmetic,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  shl: (a, b) => a * 2 ** b,
  shr: (a, b) => Math.floor(a / 2 ** b),
};

const commutes = (operator: BinaryOperator): boolean => operator === "add" || operator === "mul";

/** The value of an index known at compile time, or null. */
export const knownInt = (expression: LoopExpression): number | null =>
  expression.kind === "constant" && expression.type.scalar === "i64" ? expression.value : null;

export function binary(
  operator: BinaryOperator,
  left: LoopExpression,
  right: LoopExpression,
): LoopExpression {
  const plain: LoopExpression = { kind: "binary", operator, left, right };
  if (typeOf(left).scalar !== "i64") return plain;
  const a = knownInt(left);
  const b = knownInt(right);
  if (a !== null && b !== null) {
    return b === 0 && (operator === "div" || operator === "rem")
      ? plain
      : int(integerOperations[operator](a, b));
  }
  if (a !== null && commutes(operator)) return binary(operator, right, left);
  const identity = indexIdentities.find((row) => row.operator === operator && row.value === b);
  if (identity !== undefined) return identity.gives === "left" ? left : int(identity.gives);
  if (b !== null && operator === "add" && left.kind === "binary" && left.operator === "add") {
    const inner = knownInt(left.right);
    if (inner !== null) return binary("add", left.left, int(inner + b));
  }
  // A constant goes outermost, where it becomes the displacement of an address.
  const offset = operator === "add" && right.kind === "binary" && right.operator === "add" ? right : null;
  const known = offset === null ? null : knownInt(offset.right);
  if (offset !== null && known !== null) return binary("add", binary("add", left, offset.left), int(known));
  return plain;
}

export const add = (left: LoopExpression, right: LoopExpression): LoopExpression =>
  binary("add", left, right);
export const sub = (left: LoopExpression, right: LoopExpression): LoopExpression =>
  binary("sub", left, right);
export const mul = (left: LoopExpression, right: LoopExpression): LoopExpression =>
  binary("mul", left, right);
export const div = (left: LoopExpression, right: LoopExpression): LoopExpression =>
  binary("div", left, right);
export const rem = (left: LoopExpression, right: LoopExpression): LoopExpression =>
  binary("rem", left, right);
export const min = (left: LoopExpression, right: LoopExpression): LoopExpression =>
  binary("min", left, right);
export const max = (left: LoopExpression, right: LoopExpression): LoopExpression =>
  binary("max", left, right);

/** left / right rounded up. */
export function ceilDiv(left: LoopExpression, right: LoopExpression | number): LoopExpression {
  const divisor = typeof right === "number" ? int(right) : right;
  return div(add(left, sub(divisor, int(1))), divisor);
}

export function compare(
  operator: CompareOperator,
  left: LoopExpression,
  right: LoopExpression,
): LoopExpression {
  const a = knownInt(left);
  const b = knownInt(right);
  if (a !== null && b !== null)
    return constant({ scalar: "bool", lanes: 1 }, Number(comparisons[operator](a, b)));
  return { kind: "compare", operator, left, right };
}

/** Both conditions hold. */
export function both(left: LoopExpression, right: LoopExpression): LoopExpression {
  if (left.kind === "constant") return left.value === 0 ? left : right;
  if (right.kind === "constant") return right.value === 0 ? right : left;
  return { kind: "binary", operator: "and", left, right };
}

export function select(
  condition: LoopExpression,
  whenTrue: LoopExpression,
  whenFalse: LoopExpression,
): LoopExpression {
  if (condition.kind === "constant") return condition.value === 0 ? whenFalse : whenTrue;
  return { kind: "select", condition, whenTrue, whenFalse };
}

export const fma = (a: LoopExpression, b: LoopExpression, c: LoopExpression): LoopExpression => ({
  kind: "fma",
  a,
  b,
  c,
});

/** c + the two products of each lane of a and b; see the node. */
export const pairDot = (a: LoopExpression, b: LoopExpression, c: LoopExpression): LoopExpression => ({
  kind: "pair-dot",
  a,
  b,
  c,
});

/** 32 floats as 16 pairs of bfloat16. */
export const roundPairs = (low: LoopExpression, high: LoopExpression): LoopExpression => ({
  kind: "round-pairs",
  low,
  high,
});

export const load = (
  buffer: string,
  index: LoopExpression,
  type: ValueType,
  count: LoopExpression | null = null,
): LoopExpression => ({ kind: "load", buffer, index, type, count });

export const splat = (value: LoopExpression, lanes = 16): LoopExpression => ({ kind: "splat", value, lanes });
export const convert = (value: LoopExpression, to: Scalar): LoopExpression => ({
  kind: "convert",
  value,
  to,
});

export const reinterpret = (value: LoopExpression): LoopExpression => ({ kind: "reinterpret", value });

/** One element of an integer buffer, as an index. */
export const loadIndex = (buffer: string, index: LoopExpression): LoopExpression =>
  convert(load(buffer, index, i32), "i64");

export const unary = (operator: UnaryOperator, value: LoopExpression): LoopExpression => ({
  kind: "unary",
  operator,
  value,
});

/** The truths of all lanes as bits. */
export const mask = (value: LoopExpression): LoopExpression => ({ kind: "mask", value });

/** A literal for each lane. */
export const vector = (scalar: Scalar, values: readonly number[]): LoopExpression => ({
  kind: "vector",
  scalar,
  values,
});

export const permute = (table: LoopExpression, index: LoopExpression): LoopExpression => ({
  kind: "permute",
  table,
  index,
});

export const shuffle = (
  left: LoopExpression,
  right: LoopExpression,
  picked: readonly number[],
): LoopExpression => ({
  kind: "shuffle",
  left,
  right,
  lanes: picked,
});

/** Four lanes in each 128 bits of 16. */
export const inEachQuarter = (four: LoopExpression): LoopExpression =>
  shuffle(
    four,
    four,
    Array.from({ length: lanes }, (_, lane) => lane % 4),
  );

export const extract = (value: LoopExpression, lane: number): LoopExpression => ({
  kind: "extract",
  value,
  lane,
});

export const zeros: LoopExpression = constant(f32x16, 0);
