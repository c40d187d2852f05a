/**
 * Loop expressions to LLVM instructions. Operators are rows of tables; only the table permute knows the
 * instruction-set level.
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
import { emit, emitText, type IrFunction, type IrValue, lookUp, readBinding } from "./ir-function.ts";
import { literalText, mangledType, typeText } from "./ir-types.ts";

type Expression<Kind extends LoopExpression["kind"]> = Extract<LoopExpression, { kind: Kind }>;

export function emitExpression(target: IrFunction, expression: LoopExpression): IrValue {
  switch (expression.kind) {
    case "constant":
      return { type: expression.type, text: literalText(expression.type, expression.value) };
    case "symbol":
    case "read":
      return readBinding(target, lookUp(target, expression.name));
    case "binary":
      return emitBinary(target, expression);
    case "compare":
      return emitCompare(target, expression);
    case "select":
      return emitSelect(target, expression);
    case "fma":
      return emitFma(target, expression);
    case "load":
      return emitLoad(target, expression, emitExpression);
    case "splat":
      return emitSplat(target, emitExpression(target, expression.value), expression.lanes);
    case "convert":
      return emitConvert(target, expression);
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

function emitPermute(target: IrFunction, expression: Expression<"permute">): IrValue {
  const table = emitExpression(target, expression.table);
  const index = emitExpression(target, expression.index);
  if (table.type.lanes === 4) return permuteQuarters(target, table, index);
  return target.vectorBits === 512 ? permuteWide(target, table, index) : permuteHalves(target, table, index);
}

/** vpermilps looks up inside every 128 bits by the low two bits of an index: the table is broadcast to all of them. */
function permuteQuarters(target: IrFunction, table: IrValue, index: IrValue): IrValue {
  const wide = target.vectorBits === 512;
  const lanes = wide ? 16 : 8;
  const name = wide ? "@llvm.x86.avx512.vpermilvar.ps.512" : "@llvm.x86.avx.vpermilvar.ps.256";
  const [floats, integers] = [`<${lanes} x float>`, `<${lanes} x i32>`];
  target.module.declarations.add(`declare ${floats} ${name}(${floats}, ${integers})`);
  const repeated = laneList(ascending(0, lanes).map((lane) => lane % 4));
  const everywhere = emitText(
    target,
    `shufflevector <4 x float> ${table.text}, <4 x float> poison, ${integers} ${repeated}`,
  );
  const type: ValueType = { scalar: "f32", lanes: 16 };
  const call = (part: string): string =>
    `call ${floats} ${name}(${floats} ${everywhere}, ${integers} ${part})`;
  if (wide) return emit(target, type, call(index.text));
  const [first, second] = [0, 8].map((start) => emitText(target, call(halfOf(target, "i32", index, start))));
  return joinHalves(target, first, second);
}

/** vpermps on 512 bits reads the low four bits of each index, as the contract of `permute` does. */
function permuteWide(target: IrFunction, table: IrValue, index: IrValue): IrValue {
  const name = "@llvm.x86.avx512.permvar.sf.512";
  target.module.declarations.add(`declare <16 x float> ${name}(<16 x float>, <16 x i32>)`);
  return emit(
    target,
    table.type,
    `call <16 x float> ${name}(<16 x float> ${table.text}, <16 x i32> ${index.text})`,
  );
}

/**
 * Without AVX-512: each half of the index looks into both halves of the table (vpermps on 256 bits reads three
 * bits), and bit 3, moved to the sign, blends the two answers. The blend is an intrinsic because LLVM would turn
 * a select on that bit back into a mask and a comparison.
 */
function permuteHalves(target: IrFunction, table: IrValue, index: IrValue): IrValue {
  const lookUpName = "@llvm.x86.avx2.permps";
  const blendName = "@llvm.x86.avx.blendv.ps.256";
  target.module.declarations.add(`declare <8 x float> ${lookUpName}(<8 x float>, <8 x i32>)`);
  target.module.declarations.add(`declare <8 x float> ${blendName}(<8 x float>, <8 x float>, <8 x float>)`);
  const low = halfOf(target, "float", table, 0);
  const high = halfOf(target, "float", table, 8);
  const toSign = literalText({ scalar: "i32", lanes: 8 }, 28);
  const [first, second] = [0, 8].map((start) => {
    const lanes = halfOf(target, "i32", index, start);
    const lookUp = (half: string): string =>
      emitText(target, `call <8 x float> ${lookUpName}(<8 x float> ${half}, <8 x i32> ${lanes})`);
    const fromLow = lookUp(low);
    const fromHigh = lookUp(high);
    const sign = emitText(target, `shl <8 x i32> ${lanes}, ${toSign}`);
    const isHigh = emitText(target, `bitcast <8 x i32> ${sign} to <8 x float>`);
    return emitText(
      target,
      `call <8 x float> ${blendName}(<8 x float> ${fromLow}, <8 x float> ${fromHigh}, <8 x float> ${isHigh})`,
    );
  });
  return joinHalves(target, first, second);
}

const joinHalves = (target: IrFunction, first: string | undefined, second: string | undefined): IrValue =>
  emit(
    target,
    { scalar: "f32", lanes: 16 },
    `shufflevector <8 x float> ${first}, <8 x float> ${second}, <16 x i32> ${laneList(ascending(0, 16))}`,
  );

function halfOf(target: IrFunction, element: string, value: IrValue, start: number): string {
  const lanes = laneList(ascending(start, 8));
  return emitText(
    target,
    `shufflevector <16 x ${element}> ${value.text}, <16 x ${element}> poison, <8 x i32> ${lanes}`,
  );
}

function emitShuffle(target: IrFunction, expression: Expression<"shuffle">): IrValue {
  const left = emitExpression(target, expression.left);
  const right = emitExpression(target, expression.right);
  requireSameType(left, right, "shuffle");
  if (left.type.lanes === 1) throw new Error("a shuffle needs vectors");
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

function ascending(start: number, count: number): number[] {
  return Array.from({ length: count }, (_, lane) => start + lane);
}

function laneList(lanes: readonly number[]): string {
  return `<${lanes.map((lane) => `i32 ${lane}`).join(", ")}>`;
}
