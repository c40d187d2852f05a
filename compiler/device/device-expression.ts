/** Construction of device expressions: types are derived and arithmetic on known numbers is folded away. */
import { indexArithmetic, indexIdentities } from "../loop/index-arithmetic.ts";
import type {
  DeviceComparison,
  DeviceExpression,
  DeviceOperator,
  DeviceScalar,
  HalfElement,
} from "./device-node.ts";

export type Value = DeviceExpression;

/** The type of `expression`. */
export function scalarOf(expression: Value): DeviceScalar {
  switch (expression.kind) {
    case "constant":
    case "parameter":
    case "read":
    case "load":
      return expression.type;
    case "position":
    case "popcount":
      return "i32";
    case "binary":
      return scalarOf(expression.left);
    case "compare":
      return "bool";
    case "select":
      return scalarOf(expression.whenTrue);
    case "fma":
    case "unpack":
    case "reinterpret":
      return "f32";
    case "convert":
      return expression.to;
    case "pack":
    case "round-tf32":
    case "permute-bytes":
      return "u32";
  }
}

export const constant = (type: DeviceScalar, value: number): Value => ({ kind: "constant", type, value });
export const int = (value: number): Value => constant("i32", value);
export const bits = (value: number): Value => constant("u32", value);
export const zero: Value = constant("f32", 0);
export const thread: Value = { kind: "position", of: "thread" };
export const blockNumber: Value = { kind: "position", of: "block" };

const integers: Readonly<Record<DeviceOperator, (a: number, b: number) => number>> = {
  ...indexArithmetic,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  shr: (a, b) => a >>> b,
};

/** The value of an integer that is known, or null. */
export const known = (value: Value): number | null =>
  value.kind === "constant" && (value.type === "i32" || value.type === "i64") ? value.value : null;

/** Both sides of one type: an i32 is widened where the other side is i64. */
function balanced(left: Value, right: Value): readonly [Value, Value] {
  const [a, b] = [scalarOf(left), scalarOf(right)];
  if (a === "i64" && b === "i32") return [left, convert(right, "i64")];
  if (a === "i32" && b === "i64") return [convert(left, "i64"), right];
  return [left, right];
}

export function binary(operator: DeviceOperator, first: Value, second: Value): Value {
  const [left, right] = balanced(first, second);
  const plain: Value = { kind: "binary", operator, left, right };
  const type = scalarOf(left);
  if (type !== "i32" && type !== "i64") return plain;
  const [a, b] = [known(left), known(right)];
  if (a !== null && b !== null)
    return b === 0 && (operator === "div" || operator === "rem")
      ? plain
      : constant(type, integers[operator](a, b));
  if (a !== null && (operator === "add" || operator === "mul")) return binary(operator, right, left);
  const identity = indexIdentities.find((row) => row.operator === operator && row.value === b);
  if (identity === undefined) return plain;
  return identity.gives === "left" ? left : constant(type, identity.gives);
}

export const add = (...terms: Value[]): Value => terms.reduce((a, b) => binary("add", a, b));
export const sub = (a: Value, b: Value): Value => binary("sub", a, b);
export const mul = (...factors: Value[]): Value => factors.reduce((a, b) => binary("mul", a, b));
export const div = (a: Value, b: Value): Value => binary("div", a, b);
export const rem = (a: Value, b: Value): Value => binary("rem", a, b);
export const min = (a: Value, b: Value): Value => binary("min", a, b);
export const max = (a: Value, b: Value): Value => binary("max", a, b);
/** a / b rounded up. */
export const ceilDiv = (a: Value, b: number): Value => div(add(a, int(b - 1)), int(b));

export function compare(operator: DeviceComparison, first: Value, second: Value): Value {
  const [left, right] = balanced(first, second);
  return { kind: "compare", operator, left, right };
}

export const both = (left: Value, right: Value): Value => ({ kind: "binary", operator: "and", left, right });

export const select = (condition: Value, whenTrue: Value, whenFalse: Value): Value => ({
  kind: "select",
  condition,
  whenTrue,
  whenFalse,
});

export const fma = (a: Value, b: Value, c: Value): Value => ({ kind: "fma", a, b, c });

export function convert(value: Value, to: DeviceScalar): Value {
  if (scalarOf(value) === to) return value;
  return value.kind === "constant" ? constant(to, value.value) : { kind: "convert", value, to };
}

export const load = (memory: string, index: Value, type: DeviceScalar): Value => ({
  kind: "load",
  memory,
  index,
  type,
});
/** Ones of a u32. */
export const popcount = (value: Value): Value => ({ kind: "popcount", value });
/** The f32 whose bits these are. */
export const reinterpret = (value: Value): Value => ({ kind: "reinterpret", value });
/** Four of the eight bytes of two u32, named by the low four half bytes of a selector, each below 8. */
export const permuteBytes = (low: Value, high: Value, selector: Value): Value => ({
  kind: "permute-bytes",
  low,
  high,
  selector,
});
export const unpack = (element: HalfElement, half: "low" | "high", value: Value): Value => ({
  kind: "unpack",
  element,
  half,
  value,
});
export const pack = (element: HalfElement, low: Value, high: Value): Value => ({
  kind: "pack",
  element,
  low,
  high,
});
