/**
 * Base addresses of buffers: a program's entry computes them once, a phase reads those that it uses from its slots. And
 * the metadata saying that no two buffers of a phase overlap: without it every store to one of them would force indices
 * and pointers loaded from another to be read again.
 */
import { knownInt } from "../../loop/loop-expression.ts";
import type { BufferDeclaration, LoopProgram } from "../../loop/loop-node.ts";
import { emitExpression } from "./generate-expression.ts";
import { type BufferBinding, emitText, emitVoid, type IrFunction } from "./ir-function.ts";
import { addMetadata, type IrModule } from "./ir-module.ts";
import { elementLayout } from "./ir-types.ts";

/** Start of each workspace buffer is rounded up to this many bytes. */
const workspaceAlignment = 64;

/** Buffers of one phase, named by their places among them, so that equal phases are equal texts. */
export function bindBuffers(
  module: IrModule,
  buffers: readonly BufferDeclaration[],
): ReadonlyMap<string, BufferBinding> {
  const domain = addMetadata(module, "!self", true);
  const scopes = buffers.map(() => addMetadata(module, `!self, ${domain}`, true));
  const bindings = new Map<string, BufferBinding>();
  buffers.forEach((buffer, number) => {
    const own = addMetadata(module, scopes[number] ?? "");
    const others = addMetadata(module, scopes.filter((_, other) => other !== number).join(", "));
    bindings.set(buffer.name, {
      element: buffer.element,
      address: `%buffer${number}`,
      accessMetadata: `, !alias.scope ${own}, !noalias ${others}`,
    });
  });
  return bindings;
}

/** In a phase: memory of its own for what is local, and the addresses of the others from its slots, in order. */
export function emitPhaseAddresses(target: IrFunction, buffers: readonly BufferDeclaration[]): void {
  let slot = 0;
  for (const [number, { name, element, space, length }] of buffers.entries()) {
    const { spelling } = elementLayout[element];
    const address = `%buffer${number}`;
    if (space !== "local") {
      const source = emitText(target, `getelementptr inbounds i64, i64* %slots, i64 ${slot++}`);
      const typed = emitText(target, `bitcast i64* ${source} to ${spelling}**`);
      const invariant = addMetadata(target.module, "");
      emitVoid(
        target,
        `${address} = load ${spelling}*, ${spelling}** ${typed}, !invariant.load ${invariant}`,
      );
      continue;
    }
    const known = knownInt(length);
    if (known === null) throw new Error(`the scratch ${name} has no known length`);
    const type = `[${known} x ${spelling}]`;
    target.entry.push(`  ${address}.scratch = alloca ${type}, align ${workspaceAlignment}`);
    emitVoid(target, `${address} = bitcast ${type}* ${address}.scratch to ${spelling}*`);
  }
}

/** In the entry: the address of every buffer that is not local, as `i8*`. */
export function emitAddresses(
  target: IrFunction,
  { buffers, symbols }: LoopProgram,
): ReadonlyMap<string, string> {
  const addresses = new Map<string, string>();
  let slot = 0;
  let resultSlot = buffers.filter(({ space }) => space === "constant").length + symbols.length;
  let workspaceEnd = "0";
  for (const buffer of buffers) {
    switch (buffer.space) {
      case "constant":
      case "result": {
        const place = buffer.space === "constant" ? slot++ : resultSlot++;
        const source = emitText(target, `getelementptr inbounds i64, i64* %frame, i64 ${place}`);
        const typed = emitText(target, `bitcast i64* ${source} to i8**`);
        addresses.set(buffer.name, emitText(target, `load i8*, i8** ${typed}`));
        break;
      }
      case "input":
        addresses.set(buffer.name, emitText(target, "bitcast float* %x to i8*"));
        break;
      case "output":
      case "cotangent":
        addresses.set(buffer.name, emitText(target, "bitcast float* %y to i8*"));
        break;
      case "local":
        break;
      case "workspace":
        addresses.set(
          buffer.name,
          emitText(target, `getelementptr inbounds i8, i8* %workspace, i64 ${workspaceEnd}`),
        );
        workspaceEnd = emitWorkspaceEnd(target, buffer, workspaceEnd);
        break;
    }
  }
  return addresses;
}

function emitWorkspaceEnd(target: IrFunction, buffer: BufferDeclaration, start: string): string {
  const length = emitExpression(target, buffer.length);
  const bytes = emitText(target, `mul nsw i64 ${length.text}, ${elementLayout[buffer.element].bytes}`);
  const padded = emitText(target, `add nsw i64 ${bytes}, ${workspaceAlignment - 1}`);
  const rounded = emitText(target, `and i64 ${padded}, -${workspaceAlignment}`);
  return emitText(target, `add nsw i64 ${start}, ${rounded}`);
}
