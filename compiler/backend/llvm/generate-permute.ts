/** Looking lanes up in a table: the one expression whose instructions differ between the levels. */
import type { ValueType } from "../../loop/loop-node.ts";
import { emit, emitText, type IrFunction, type IrValue } from "./ir-function.ts";
import { laneList, literalText } from "./ir-types.ts";

/** out[l] = table[index[l] mod lanes of the table]. */
export function permuted(target: IrFunction, table: IrValue, index: IrValue): IrValue {
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

/**
 * Four lanes in each 128 bits of a register. LLVM knows that shuffles of such a register are single lanes of what it
 * was loaded from, and would load each of them instead, which costs what the one load was to spare: an empty piece of
 * assembly makes it forget.
 */
export function repeatQuarters(target: IrFunction, table: IrValue): IrValue {
  const lanes = target.vectorBits === 512 ? 16 : 8;
  const repeated = laneList(ascending(0, lanes).map((lane) => lane % 4));
  const register = emitText(
    target,
    `shufflevector <4 x float> ${table.text}, <4 x float> poison, <${lanes} x i32> ${repeated}`,
  );
  const type = `<${lanes} x float>`;
  const held = `call ${type} asm "", "=v,0"(${type} ${register})`;
  if (lanes === 16) return emit(target, { scalar: "f32", lanes }, held);
  const half = emitText(target, held);
  return joinHalves(target, half, half);
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

function ascending(start: number, count: number): number[] {
  return Array.from({ length: count }, (_, lane) => start + lane);
}
