/** Loads and stores of buffers: addresses, counted (masked) accesses and widening of narrow integers. */
import { isFloat, knownInt } from "../../loop/loop-expression.ts";
import type { LoopExpression, ValueType } from "../../loop/loop-node.ts";
import {
  type BufferBinding,
  emit,
  emitText,
  emitVoid,
  type IrFunction,
  type IrValue,
} from "./ir-function.ts";
import { elementLayout, mangledType, typeText, vectorLiteral, vectorOf } from "./ir-types.ts";

/** Emits an expression; handed in because expressions contain loads. */
export type EmitExpression = (target: IrFunction, expression: LoopExpression) => IrValue;

interface AccessRequest {
  readonly buffer: string;
  readonly index: LoopExpression;
  readonly count: LoopExpression | null;
}

export function emitLoad(
  target: IrFunction,
  request: AccessRequest & { readonly type: ValueType },
  emitExpression: EmitExpression,
): IrValue {
  const { type } = request;
  const access = prepareAccess(target, request, type.lanes, emitExpression);
  const loaded =
    access.mask === null
      ? emitText(
          target,
          `load ${access.memory}, ${access.memory}* ${access.address}, align ${access.bytes}${access.metadata}`,
        )
      : maskedLoad(target, access);
  return widen(target, access, loaded, type);
}

export function emitStore(
  target: IrFunction,
  request: AccessRequest & { readonly value: LoopExpression },
  emitExpression: EmitExpression,
): void {
  const value = emitExpression(target, request.value);
  const access = prepareAccess(target, request, value.type.lanes, emitExpression);
  const stored = narrow(target, access.element, value);
  if (access.mask === null) {
    emitVoid(
      target,
      `store ${access.memory} ${stored}, ${access.memory}* ${access.address}, align ${access.bytes}${access.metadata}`,
    );
  } else maskedStore(target, access, stored);
}

/** Into every level of the cache, for reading; the address is computed without the promise to lie in the buffer. */
export function emitPrefetch(
  target: IrFunction,
  request: Pick<AccessRequest, "buffer" | "index">,
  emitExpression: EmitExpression,
): void {
  const buffer = bufferOf(target, request.buffer);
  const { spelling: element } = elementLayout[buffer.element];
  const { index: variable, offset } = splitOffset(request.index);
  const index = indexText(target, emitExpression(target, variable));
  const place = emitText(target, `getelementptr ${element}, ${element}* ${buffer.address}, i64 ${index}`);
  const start = emitText(target, `getelementptr ${element}, ${element}* ${place}, i64 ${offset}`);
  const address = emitText(target, `bitcast ${element}* ${start} to i8*`);
  target.module.declarations.add("declare void @llvm.prefetch.p0i8(i8*, i32 immarg, i32 immarg, i32 immarg)");
  emitVoid(target, `call void @llvm.prefetch.p0i8(i8* ${address}, i32 0, i32 3, i32 1)`);
}

interface Access {
  readonly element: string;
  /** Widened by its sign. */
  readonly signed: boolean;
  readonly bytes: number;
  readonly lanes: number;
  readonly memory: string;
  readonly address: string;
  /** `<lanes x i1>`, or null when every lane is touched. */
  readonly mask: string | null;
  readonly metadata: string;
}

function prepareAccess(
  target: IrFunction,
  request: AccessRequest,
  lanes: number,
  emitExpression: EmitExpression,
): Access {
  const buffer = bufferOf(target, request.buffer);
  const { spelling: element, bytes } = elementLayout[buffer.element];
  const { index: variable, offset } = splitOffset(request.index);
  const index = indexText(target, emitExpression(target, variable));
  const masked = request.count !== null && !touchesAllLanes(request.count, lanes);
  // Where no lane is on, the address may lie outside the buffer.
  const addressing = masked ? "getelementptr" : "getelementptr inbounds";
  const place = emitText(target, `${addressing} ${element}, ${element}* ${buffer.address}, i64 ${index}`);
  const start =
    offset === 0 ? place : emitText(target, `${addressing} ${element}, ${element}* ${place}, i64 ${offset}`);
  const memory = masked ? `<${lanes} x ${element}>` : vectorOf(element, lanes);
  const address = memory === element ? start : emitText(target, `bitcast ${element}* ${start} to ${memory}*`);
  const mask =
    masked && request.count !== null ? countMask(target, emitExpression(target, request.count), lanes) : null;
  const signed = buffer.element === "i8";
  return { element, signed, bytes, lanes, memory, address, mask, metadata: buffer.accessMetadata };
}

/**
 * A known offset is a step of its own, so that it stays the displacement of the address: LLVM would turn an addition
 * that carries nothing into an `or`, which no address holds.
 */
function splitOffset(index: LoopExpression): { readonly index: LoopExpression; readonly offset: number } {
  const offset = index.kind === "binary" && index.operator === "add" ? knownInt(index.right) : null;
  return offset === null || index.kind !== "binary" ? { index, offset: 0 } : { index: index.left, offset };
}

/** Where a buffer of the program begins, and what its accesses tell alias analysis. */
export function bufferStart(target: IrFunction, name: string): { address: string; metadata: string } {
  const { address, accessMetadata } = bufferOf(target, name);
  return { address, metadata: accessMetadata };
}

function bufferOf(target: IrFunction, name: string): BufferBinding {
  const buffer = target.buffers.get(name);
  if (buffer === undefined) throw new Error(`the loop program touches ${name}, which is not a buffer of it`);
  return buffer;
}

function indexText(target: IrFunction, index: IrValue): string {
  return index.type.scalar === "i32" ? emitText(target, `zext i32 ${index.text} to i64`) : index.text;
}

function touchesAllLanes(count: LoopExpression, lanes: number): boolean {
  return count.kind === "constant" && count.value >= lanes;
}

/** Lane l is on where l < count. The count is clamped first: a negative one must not read as a huge one. */
function countMask(target: IrFunction, count: IrValue, lanes: number): string {
  const { declarations } = target.module;
  declarations.add("declare i64 @llvm.smax.i64(i64, i64)");
  declarations.add("declare i64 @llvm.smin.i64(i64, i64)");
  const positive = emitText(target, `call i64 @llvm.smax.i64(i64 ${count.text}, i64 0)`);
  const clamped = emitText(target, `call i64 @llvm.smin.i64(i64 ${positive}, i64 ${lanes})`);
  const narrowed = emitText(target, `trunc i64 ${clamped} to i32`);
  const vector = `<${lanes} x i32>`;
  const first = emitText(target, `insertelement ${vector} poison, i32 ${narrowed}, i32 0`);
  const all = emitText(
    target,
    `shufflevector ${vector} ${first}, ${vector} poison, ${vector} zeroinitializer`,
  );
  const numbers = vectorLiteral(
    "i32",
    Array.from({ length: lanes }, (_, lane) => String(lane)),
  );
  return emitText(target, `icmp ult ${vector} ${numbers}, ${all}`);
}

function maskedLoad(target: IrFunction, access: Access): string {
  const { memory, lanes, element } = access;
  const suffix = `${vectorMangled(element, lanes)}.p0${vectorMangled(element, lanes)}`;
  const name = `@llvm.masked.load.${suffix}`;
  target.module.declarations.add(
    `declare ${memory} ${name}(${memory}*, i32 immarg, <${lanes} x i1>, ${memory})`,
  );
  const loaded = emitText(
    target,
    `call ${memory} ${name}(${memory}* ${access.address}, i32 ${access.bytes}, <${lanes} x i1> ${access.mask}, ` +
      `${memory} zeroinitializer)${access.metadata}`,
  );
  return lanes === 1 ? emitText(target, `extractelement ${memory} ${loaded}, i32 0`) : loaded;
}

function maskedStore(target: IrFunction, access: Access, value: string): void {
  const { memory, lanes, element } = access;
  const suffix = `${vectorMangled(element, lanes)}.p0${vectorMangled(element, lanes)}`;
  const name = `@llvm.masked.store.${suffix}`;
  target.module.declarations.add(`declare void ${name}(${memory}, ${memory}*, i32 immarg, <${lanes} x i1>)`);
  const vector =
    lanes === 1 ? emitText(target, `insertelement ${memory} poison, ${element} ${value}, i32 0`) : value;
  emitVoid(
    target,
    `call void ${name}(${memory} ${vector}, ${memory}* ${access.address}, i32 ${access.bytes}, ` +
      `<${lanes} x i1> ${access.mask})${access.metadata}`,
  );
}

/** Masked intrinsics exist for vectors only, so that one lane is `v1` here. */
function vectorMangled(element: string, lanes: number): string {
  return lanes === 1 ? `v1${mangledType(element, 1)}` : mangledType(element, lanes);
}

const isFloatElement = (element: string): boolean => element === "float" || element === "double";

function widen(target: IrFunction, { element, signed }: Access, loaded: string, type: ValueType): IrValue {
  const memory = vectorOf(element, type.lanes);
  const wanted = typeText(type);
  if (memory === wanted) return { type, text: loaded };
  if (isFloatElement(element) || isFloat(type.scalar) || type.scalar === "bool") {
    throw new Error(`a load of ${memory} cannot give ${wanted}`);
  }
  return emit(target, type, `${signed ? "sext" : "zext"} ${memory} ${loaded} to ${wanted}`);
}

function narrow(target: IrFunction, element: string, value: IrValue): string {
  const memory = vectorOf(element, value.type.lanes);
  const given = typeText(value.type);
  if (memory === given) return value.text;
  if (isFloatElement(element) || isFloat(value.type.scalar) || value.type.scalar === "bool") {
    throw new Error(`a store of ${given} cannot go to ${memory}`);
  }
  return emitText(target, `trunc ${given} ${value.text} to ${memory}`);
}
