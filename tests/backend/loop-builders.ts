/** Short names for loop-level nodes, so that hand-written programs of the tests can be read. */
import type {
  BinaryOperator,
  BufferDeclaration,
  BufferElement,
  BufferSpace,
  CompareOperator,
  LoopExpression,
  LoopPhase,
  LoopProgram,
  LoopStatement,
  Scalar,
  ValueType,
} from "../../compiler/loop/loop-node.ts";

export const f32x16: ValueType = { scalar: "f32", lanes: 16 };
export const i32x16: ValueType = { scalar: "i32", lanes: 16 };
export const f32: ValueType = { scalar: "f32", lanes: 1 };
export const i32: ValueType = { scalar: "i32", lanes: 1 };

export const long = (value: number): LoopExpression => constant({ scalar: "i64", lanes: 1 }, value);
export const constant = (type: ValueType, value: number): LoopExpression => ({
  kind: "constant",
  type,
  value,
});
export const symbol = (name: string): LoopExpression => ({ kind: "symbol", name });
export const read = (name: string, type: ValueType = f32x16): LoopExpression => ({
  kind: "read",
  name,
  type,
});

export function binary(
  operator: BinaryOperator,
  left: LoopExpression,
  right: LoopExpression,
): LoopExpression {
  return { kind: "binary", operator, left, right };
}
export const add = (left: LoopExpression, right: LoopExpression): LoopExpression =>
  binary("add", left, right);
export const sub = (left: LoopExpression, right: LoopExpression): LoopExpression =>
  binary("sub", left, right);
export const mul = (left: LoopExpression, right: LoopExpression): LoopExpression =>
  binary("mul", left, right);
export const div = (left: LoopExpression, right: LoopExpression): LoopExpression =>
  binary("div", left, right);

export function compare(
  operator: CompareOperator,
  left: LoopExpression,
  right: LoopExpression,
): LoopExpression {
  return { kind: "compare", operator, left, right };
}
export function select(
  condition: LoopExpression,
  whenTrue: LoopExpression,
  whenFalse: LoopExpression,
): LoopExpression {
  return { kind: "select", condition, whenTrue, whenFalse };
}
export function fma(a: LoopExpression, b: LoopExpression, c: LoopExpression): LoopExpression {
  return { kind: "fma", a, b, c };
}
export function load(
  buffer: string,
  index: LoopExpression,
  type: ValueType = f32x16,
  count: LoopExpression | null = null,
): LoopExpression {
  return { kind: "load", buffer, index, type, count };
}
export const splat = (value: LoopExpression, lanes = 16): LoopExpression => ({ kind: "splat", value, lanes });
export const convert = (value: LoopExpression, to: Scalar): LoopExpression => ({
  kind: "convert",
  value,
  to,
});
export const permute = (table: LoopExpression, index: LoopExpression): LoopExpression => ({
  kind: "permute",
  table,
  index,
});
export function shuffle(
  left: LoopExpression,
  right: LoopExpression,
  lanes: readonly number[],
): LoopExpression {
  return { kind: "shuffle", left, right, lanes };
}
export const extract = (value: LoopExpression, lane: number): LoopExpression => ({
  kind: "extract",
  value,
  lane,
});

export function forLoop(
  variable: string,
  to: LoopExpression,
  body: readonly LoopStatement[],
  options: { readonly from?: number; readonly step?: number; readonly unroll?: number } = {},
): LoopStatement {
  const { from = 0, step = 1, unroll = 1 } = options;
  return { kind: "for", variable, from: long(from), to, step: long(step), unroll, body };
}
export const letValue = (name: string, value: LoopExpression): LoopStatement => ({
  kind: "let",
  name,
  value,
});
export const register = (name: string, initial: LoopExpression): LoopStatement => ({
  kind: "register",
  name,
  initial,
});
export const set = (name: string, value: LoopExpression): LoopStatement => ({ kind: "set", name, value });
export function store(
  buffer: string,
  index: LoopExpression,
  value: LoopExpression,
  count: LoopExpression | null = null,
): LoopStatement {
  return { kind: "store", buffer, index, value, count };
}
export function when(
  condition: LoopExpression,
  then: readonly LoopStatement[],
  otherwise: readonly LoopStatement[] = [],
): LoopStatement {
  return { kind: "if", condition, then, otherwise };
}

export function buffer(
  name: string,
  space: BufferSpace,
  length: LoopExpression,
  element: BufferElement = "f32",
): BufferDeclaration {
  return { name, element, space, length };
}
export function phase(name: string, tiles: LoopExpression, body: readonly LoopStatement[]): LoopPhase {
  return { name, tile: "tile", tiles, body };
}

/** The same program for both levels: `NAME_v4` and `NAME_v3`. */
export function forBothLevels(program: Omit<LoopProgram, "level">): LoopProgram[] {
  return [
    { ...program, name: `${program.name}_v4`, level: "x86-64-v4" },
    { ...program, name: `${program.name}_v3`, level: "x86-64-v3" },
  ];
}
