/** Storing the chosen lanes of a vector: one instruction where there are mask registers, a table of permutations where not. */
import type { LoopStatement } from "../../loop/loop-node.ts";
import { bufferStart, type EmitExpression } from "./generate-access.ts";
import { emitText, emitVoid, type IrFunction } from "./ir-function.ts";
import { laneList } from "./ir-types.ts";

export function emitCompress(
  target: IrFunction,
  statement: Extract<LoopStatement, { kind: "compress" }>,
  emitExpression: EmitExpression,
): void {
  const value = emitExpression(target, statement.value);
  const where = emitExpression(target, statement.where);
  const index = emitExpression(target, statement.index);
  const { address, metadata } = bufferStart(target, statement.buffer);
  const place = (at: string): string =>
    emitText(target, `getelementptr inbounds float, float* ${address}, i64 ${at}`);
  if (target.vectorBits === 512) compressWide(target, value.text, where.text, place(index.text), metadata);
  else compressHalves(target, value.text, where.text, index.text, place, metadata);
}

/** Into a register and stored whole: the instruction that stores by itself takes a hundred cycles on Zen. */
function compressWide(
  target: IrFunction,
  value: string,
  where: string,
  place: string,
  metadata: string,
): void {
  const name = "@llvm.x86.avx512.mask.compress.v16f32";
  target.module.declarations.add(`declare <16 x float> ${name}(<16 x float>, <16 x float>, <16 x i1>)`);
  const kept = emitText(
    target,
    `call <16 x float> ${name}(<16 x float> ${value}, <16 x float> zeroinitializer, <16 x i1> ${where})`,
  );
  const pointer = emitText(target, `bitcast float* ${place} to <16 x float>*`);
  emitVoid(target, `store <16 x float> ${kept}, <16 x float>* ${pointer}, align 4${metadata}`);
}

/** For each set of eight lanes the lanes in it, ascending. */
const tableName = "@spx.compressed_lanes";

function tableText(): string {
  const rows = Array.from({ length: 256 }, (_, set) => {
    const lanes = [0, 1, 2, 3, 4, 5, 6, 7].filter((lane) => ((set >> lane) & 1) === 1);
    return `<8 x i32> ${laneList(Array.from({ length: 8 }, (_, at) => lanes[at] ?? 0))}`;
  });
  return `${tableName} = private unnamed_addr constant [256 x <8 x i32>] [${rows.join(", ")}]`;
}

/** The lanes of the upper half begin where those of the lower half end. */
function compressHalves(
  target: IrFunction,
  value: string,
  where: string,
  index: string,
  place: (at: string) => string,
  metadata: string,
): void {
  const lookUp = "@llvm.x86.avx2.permps";
  const { declarations } = target.module;
  declarations.add(tableText());
  declarations.add(`declare <8 x float> ${lookUp}(<8 x float>, <8 x i32>)`);
  declarations.add("declare i64 @llvm.ctpop.i64(i64)");
  const bits = emitText(target, `bitcast <16 x i1> ${where} to i16`);
  const all = emitText(target, `zext i16 ${bits} to i64`);
  const sets = [emitText(target, `and i64 ${all}, 255`), emitText(target, `lshr i64 ${all}, 8`)];
  const below = emitText(target, `call i64 @llvm.ctpop.i64(i64 ${sets[0]})`);
  const starts = [index, emitText(target, `add nsw i64 ${index}, ${below}`)];
  for (const [half, set] of sets.entries()) {
    const row = emitText(
      target,
      `getelementptr inbounds [256 x <8 x i32>], [256 x <8 x i32>]* ${tableName}, i64 0, i64 ${set}`,
    );
    const lanes = emitText(target, `load <8 x i32>, <8 x i32>* ${row}, align 32`);
    const own = laneList(Array.from({ length: 8 }, (_, lane) => 8 * half + lane));
    const part = emitText(
      target,
      `shufflevector <16 x float> ${value}, <16 x float> poison, <8 x i32> ${own}`,
    );
    const kept = emitText(target, `call <8 x float> ${lookUp}(<8 x float> ${part}, <8 x i32> ${lanes})`);
    const pointer = emitText(target, `bitcast float* ${place(starts[half] ?? index)} to <8 x float>*`);
    emitVoid(target, `store <8 x float> ${kept}, <8 x float>* ${pointer}, align 4${metadata}`);
  }
}
