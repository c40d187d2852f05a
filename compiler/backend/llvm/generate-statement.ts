/** Loop statements to LLVM blocks. */
import type { LoopStatement } from "../../loop/loop-node.ts";
import { emitPrefetch, emitStore } from "./generate-access.ts";
import { emitCompress } from "./generate-compress.ts";
import { emitExpression } from "./generate-expression.ts";
import {
  bind,
  createSlot,
  emitText,
  emitVoid,
  freshLabel,
  type IrFunction,
  type IrValue,
  lookUp,
  readBinding,
  startBlock,
  writeSlot,
} from "./ir-function.ts";
import { addMetadata } from "./ir-module.ts";

/** Emits a block in a scope of its own. */
export function emitStatements(target: IrFunction, statements: readonly LoopStatement[]): void {
  target.scopes.push(new Map());
  for (const statement of statements) emitStatement(target, statement);
  target.scopes.pop();
}

function emitStatement(target: IrFunction, statement: LoopStatement): void {
  switch (statement.kind) {
    case "for":
      emitFor(target, statement);
      break;
    case "let":
      bind(target, statement.name, { kind: "value", value: emitExpression(target, statement.value) });
      break;
    case "register":
      bind(target, statement.name, createSlot(target, emitExpression(target, statement.initial)));
      break;
    case "set":
      emitSet(target, statement.name, emitExpression(target, statement.value));
      break;
    case "store":
      emitStore(target, statement, emitExpression);
      break;
    case "compress":
      emitCompress(target, statement, emitExpression);
      break;
    case "prefetch":
      emitPrefetch(target, statement, emitExpression);
      break;
    case "if":
      emitIf(target, statement);
      break;
  }
}

function emitSet(target: IrFunction, name: string, value: IrValue): void {
  const binding = lookUp(target, name);
  if (binding.kind !== "slot") throw new Error(`the loop program sets ${name}, which is not a register`);
  writeSlot(target, binding.address, value);
}

/** Bounds and step are read once, before the first turn. */
function emitFor(target: IrFunction, statement: Extract<LoopStatement, { kind: "for" }>): void {
  const variable = createSlot(target, emitExpression(target, statement.from));
  const to = emitExpression(target, statement.to);
  const step = emitExpression(target, statement.step);
  const [head, body, exit] = ["head", "body", "exit"].map((purpose) => freshLabel(target, purpose));
  emitVoid(target, `br label %${head}`);
  startBlock(target, `${head}`);
  const present = readBinding(target, variable);
  const goesOn = emitText(target, `icmp slt i64 ${present.text}, ${to.text}`);
  emitVoid(target, `br i1 ${goesOn}, label %${body}, label %${exit}`);
  startBlock(target, `${body}`);
  target.scopes.push(new Map([[statement.variable, { kind: "value", value: present }]]));
  emitStatements(target, statement.body);
  target.scopes.pop();
  const next = emitText(target, `add nsw i64 ${present.text}, ${step.text}`);
  writeSlot(target, variable.address, { type: present.type, text: next });
  emitVoid(target, `br label %${head}, !llvm.loop ${loopMetadata(target, statement.unroll)}`);
  startBlock(target, `${exit}`);
}

/** The loop level has already chosen vectors and unrolling: LLVM is told not to choose again. */
function loopMetadata(target: IrFunction, unroll: number): string {
  const { module } = target;
  const unrolling =
    unroll > 1
      ? addMetadata(module, `!"llvm.loop.unroll.count", i32 ${unroll}`)
      : addMetadata(module, `!"llvm.loop.unroll.disable"`);
  const vectorizing = addMetadata(module, `!"llvm.loop.vectorize.enable", i1 false`);
  return addMetadata(module, `!self, ${unrolling}, ${vectorizing}`, true);
}

function emitIf(target: IrFunction, statement: Extract<LoopStatement, { kind: "if" }>): void {
  const condition = emitExpression(target, statement.condition);
  const [then, otherwise, after] = ["then", "else", "after"].map((purpose) => freshLabel(target, purpose));
  emitVoid(target, `br i1 ${condition.text}, label %${then}, label %${otherwise}`);
  startBlock(target, `${then}`);
  emitStatements(target, statement.then);
  emitVoid(target, `br label %${after}`);
  startBlock(target, `${otherwise}`);
  emitStatements(target, statement.otherwise);
  emitVoid(target, `br label %${after}`);
  startBlock(target, `${after}`);
}
