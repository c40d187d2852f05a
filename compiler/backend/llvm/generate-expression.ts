/**
 * Loop expressions to LLVM instructions. Operators are rows of tables.
 */
import { isFloat } from "../../loop/loop-expression.ts";
import type {
  BinaryOperator,
  CompareOperator,
  LoopExpression,
  Scalar,
  ValueType,
} from "../../loop/loop-node.ts";
import { emitLoad } from "./generate-access.ts";
import { permuted, repeatQuarters } from "./generate-permute.ts";
import { emit, emitText, type IrFunction, type IrValue, lookUp, readBinding } from "./ir-function.ts";
import { laneList, lanesText, literalText, mangledType, typeText } from "./ir-types.ts";

type Expression<Kind extends LoopExpression["kind"]> = Extract<LoopExpression, { kind: Kind }>;

export function emitExpression(target: IrFunction, expression: LoopExpression): IrValue {
  switch (expression.kind) {
    case "constant":
      return { type: expression.type, text: literalText(expression.type, expression.value) };
    case "vector":
      return {
        type: { scalar: expression.scalar, lanes: expression.values.length },
        text: lanesText(expression.scalar, expression.values),
      };
    case "symbol":
    case "read":
      return readBinding(target, lookUp(target, expression.name));
    case "binary":
      return emitBinary(target, expression);
    case "unary":
      return emitUnary(target, expression);
    case "compare":
      return emitCompare(target, expression);
    case "select":
      return emitSelect(target, expression);
    case "fma":
      return emitFma(target, expression);
    case "pair-dot":
      return emitPairDot(target, expression);
    case "round-pairs":
      return emitRoundPairs(target, expression);
    case "load":
      return emitLoad(target, expression, emitExpression);
    case "splat":
      return emitSplat(target, emitExpression(target, expression.value), expression.lanes);
    case "convert":
      return emitConvert(target, expression);
    case "reinterpret":
      return emitReinterpret(target, emitExpression(target, expression.value));
    case "mask":
      return emitMask(target, emitExpression(target, expression.value));
    case "permute":
      return emitPermute(target, expression);
    case "shuffle":
      return emitShuffle(target, expression);
    case "extract":
      return emitExtract(target, expression);
  }
}

/** Integers are never negative, so that division and right shift are the unsigned ones. */
const integerOpcodes: Readonly<Record<Exclude<BinaryOperator, "min" | "max">, string>> = {
  add: "add",
  sub: "sub",
  mul: "mul",
  div: "udiv",
  rem: "urem",
  and: "and",
  or: "or",
  shl: "shl",
  shr: "lshr",
};

const floatOpcodes: Readonly<Partial<Record<BinaryOperator, string>>> = {
  add: "fadd",
  sub: "fsub",
  mul: "fmul",
  div: "fdiv",
};

/** `a OP b ? a : b`: for floats this is exactly what the machine's minimum and maximum compute. */
const extremumPredicates = {
  min: { float: "fcmp olt", integer: "icmp slt" },
  max: { float: "fcmp ogt", integer: "icmp sgt" },
} as const;

function emitBinary(target: IrFunction, expression: Expression<"binary">): IrValue {
  const left = emitExpression(target, expression.left);
  const right = emitExpression(target, expression.right);
  requireSameType(left, right, expression.operator);
  const type = typeText(left.type);
  const inFloats = isFloat(left.type.scalar);
  if (expression.operator === "min" || expression.operator === "max") {
    const predicate = extremumPredicates[expression.operator][inFloats ? "float" : "integer"];
    const chosen = emit(target, boolOf(left.type), `${predicate} ${type} ${left.text}, ${right.text}`);
    return choose(target, chosen, left, right);
  }
  const opcode = inFloats ? floatOpcodes[expression.operator] : integerOpcodes[expression.operator];
  if (opcode === undefined) throw new Error(`floats have no operator ${expression.operator}`);
  return emit(
    target,
    left.type,
    `${opcode}${overflowFlag(opcode, left.type)} ${type} ${left.text}, ${right.text}`,
  );
}

const unaryIntrinsics = { popcount: "ctpop", sqrt: "sqrt" } as const;

function emitUnary(target: IrFunction, expression: Expression<"unary">): IrValue {
  const { type, text } = emitExpression(target, expression.value);
  const spelled = typeText(type);
  const mangled = mangledType(typeText({ ...type, lanes: 1 }), type.lanes);
  const name = `@llvm.${unaryIntrinsics[expression.operator]}.${mangled}`;
  target.module.declarations.add(`declare ${spelled} ${name}(${spelled})`);
  return emit(target, type, `call ${spelled} ${name}(${spelled} ${text})`);
}

/** Index arithmetic stays far below 2^63; saying so lets LLVM strength-reduce addresses. */
function overflowFlag(opcode: string, type: ValueType): string {
  return type.scalar === "i64" && ["add", "sub", "mul"].includes(opcode) ? " nsw" : "";
}

const comparePredicates: Readonly<
  Record<CompareOperator, { readonly float: string; readonly integer: string }>
> = {
  eq: { float: "oeq", integer: "eq" },
  ne: { float: "une", integer: "ne" },
  lt: { float: "olt", integer: "slt" },
  le: { float: "ole", integer: "sle" },
  gt: { float: "ogt", integer: "sgt" },
  ge: { float: "oge", integer: "sge" },
};

function emitCompare(target: IrFunction, expression: Expression<"compare">): IrValue {
  const left = emitExpression(target, expression.left);
  const right = emitExpression(target, expression.right);
  requireSameType(left, right, expression.operator);
  const predicate = comparePredicates[expression.operator];
  const instruction = isFloat(left.type.scalar) ? `fcmp ${predicate.float}` : `icmp ${predicate.integer}`;
  return emit(target, boolOf(left.type), `${instruction} ${typeText(left.type)} ${left.text}, ${right.text}`);
}

function emitSelect(target: IrFunction, expression: Expression<"select">): IrValue {
  const condition = emitExpression(target, expression.condition);
  const whenTrue = emitExpression(target, expression.whenTrue);
  const whenFalse = emitExpression(target, expression.whenFalse);
  requireSameType(whenTrue, whenFalse, "select");
  return choose(target, condition, whenTrue, whenFalse);
}

function choose(target: IrFunction, condition: IrValue, whenTrue: IrValue, whenFalse: IrValue): IrValue {
  const type = typeText(whenTrue.type);
  return emit(
    target,
    whenTrue.type,
    `select ${typeText(condition.type)} ${condition.text}, ${type} ${whenTrue.text}, ${type} ${whenFalse.text}`,
  );
}

function emitFma(target: IrFunction, expression: Expression<"fma">): IrValue {
  const a = emitExpression(target, expression.a);
  const b = emitExpression(target, expression.b);
  const c = emitExpression(target, expression.c);
  requireSameType(a, b, "fma");
  requireSameType(a, c, "fma");
  const type = typeText(a.type);
  const name = `@llvm.fma.${mangledType(typeText({ ...a.type, lanes: 1 }), a.type.lanes)}`;
  target.module.declarations.add(`declare ${type} ${name}(${type}, ${type}, ${type})`);
  return emit(
    target,
    a.type,
    `call ${type} ${name}(${type} ${a.text}, ${type} ${b.text}, ${type} ${c.text})`,
  );
}

const pairIntrinsics = "@llvm.x86.avx512bf16";

function emitPairDot(target: IrFunction, expression: Expression<"pair-dot">): IrValue {
  const a = emitExpression(target, expression.a);
  const b = emitExpression(target, expression.b);
  const c = emitExpression(target, expression.c);
  const [sums, pairs] = [typeText(c.type), typeText(a.type)];
  const name = `${pairIntrinsics}.dpbf16ps.512`;
  target.module.declarations.add(`declare ${sums} ${name}(${sums}, ${pairs}, ${pairs})`);
  return emit(
    target,
    c.type,
    `call ${sums} ${name}(${sums} ${c.text}, ${pairs} ${a.text}, ${pairs} ${b.text})`,
  );
}

/** The intrinsic takes the upper half first. */
function emitRoundPairs(target: IrFunction, expression: Expression<"round-pairs">): IrValue {
  const low = emitExpression(target, expression.low);
  const high = emitExpression(target, expression.high);
  const floats = typeText(low.type);
  const name = `${pairIntrinsics}.cvtne2ps2bf16.512`;
  target.module.declarations.add(`declare <32 x i16> ${name}(${floats}, ${floats})`);
  const halves = emitText(target, `call <32 x i16> ${name}(${floats} ${high.text}, ${floats} ${low.text})`);
  const type: ValueType = { scalar: "i32", lanes: low.type.lanes };
  return emit(target, type, `bitcast <32 x i16> ${halves} to ${typeText(type)}`);
}

/** Insert and zero shuffle: the form which LLVM folds into a broadcast from memory. */
function emitSplat(target: IrFunction, value: IrValue, lanes: number): IrValue {
  if (lanes === 1) return value;
  const vector: ValueType = { scalar: value.type.scalar, lanes };
  const type = typeText(vector);
  const first = emitText(
    target,
    `insertelement ${type} poison, ${typeText(value.type)} ${value.text}, i32 0`,
  );
  return emit(
    target,
    vector,
    `shufflevector ${type} ${first}, ${type} poison, <${lanes} x i32> zeroinitializer`,
  );
}

const conversions: Readonly<Partial<Record<`${Scalar} to ${Scalar}`, string>>> = {
  "i32 to i64": "zext",
  "i64 to i32": "trunc",
  "i32 to f32": "sitofp",
};

function emitConvert(target: IrFunction, expression: Expression<"convert">): IrValue {
  const value = emitExpression(target, expression.value);
  if (value.type.scalar === expression.to) return value;
  const opcode = conversions[`${value.type.scalar} to ${expression.to}`];
  if (opcode === undefined) throw new Error(`no conversion from ${value.type.scalar} to ${expression.to}`);
  const type: ValueType = { scalar: expression.to, lanes: value.type.lanes };
  return emit(target, type, `${opcode} ${typeText(value.type)} ${value.text} to ${typeText(type)}`);
}

function emitReinterpret(target: IrFunction, value: IrValue): IrValue {
  const type: ValueType = { scalar: "f32", lanes: value.type.lanes };
  return emit(target, type, `bitcast ${typeText(value.type)} ${value.text} to ${typeText(type)}`);
}

function emitMask(target: IrFunction, { type, text }: IrValue): IrValue {
  const { lanes } = type;
  const i32: ValueType = { scalar: "i32", lanes: 1 };
  if (lanes === 1) return emit(target, i32, `zext i1 ${text} to i32`);
  const bits = emitText(target, `bitcast ${typeText(type)} ${text} to i${lanes}`);
  return emit(target, i32, `zext i${lanes} ${bits} to i32`);
}

function emitPermute(target: IrFunction, expression: Expression<"permute">): IrValue {
  const table = emitExpression(target, expression.table);
  return permuted(target, table, emitExpression(target, expression.index));
}

/** Four floats over and over. */
const isRepeat = ({ scalar, lanes }: ValueType, picked: readonly number[]): boolean =>
  scalar === "f32" && lanes === 4 && picked.length === 16 && picked.every((from, lane) => from === lane % 4);

function emitShuffle(target: IrFunction, expression: Expression<"shuffle">): IrValue {
  const left = emitExpression(target, expression.left);
  const right = emitExpression(target, expression.right);
  requireSameType(left, right, "shuffle");
  if (left.type.lanes === 1) throw new Error("a shuffle needs vectors");
  if (isRepeat(left.type, expression.lanes)) return repeatQuarters(target, left);
  const type: ValueType = { scalar: left.type.scalar, lanes: expression.lanes.length };
  const source = typeText(left.type);
  const instruction = `shufflevector ${source} ${left.text}, ${source} ${right.text}`;
  if (type.lanes > 1)
    return emit(target, type, `${instruction}, <${type.lanes} x i32> ${laneList(expression.lanes)}`);
  const single = emitText(target, `${instruction}, <1 x i32> ${laneList(expression.lanes)}`);
  return emit(target, type, `extractelement <1 x ${typeText(type)}> ${single}, i32 0`);
}

function emitExtract(target: IrFunction, expression: Expression<"extract">): IrValue {
  const value = emitExpression(target, expression.value);
  if (value.type.lanes === 1) return value;
  const type: ValueType = { scalar: value.type.scalar, lanes: 1 };
  return emit(target, type, `extractelement ${typeText(value.type)} ${value.text}, i32 ${expression.lane}`);
}

function boolOf(type: ValueType): ValueType {
  return { scalar: "bool", lanes: type.lanes };
}

function requireSameType(left: IrValue, right: IrValue, operation: string): void {
  if (left.type.scalar !== right.type.scalar || left.type.lanes !== right.type.lanes) {
    throw new Error(`${operation} of ${typeText(left.type)} and ${typeText(right.type)}`);
  }
}
