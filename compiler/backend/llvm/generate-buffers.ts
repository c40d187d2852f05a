/**
 * Base addresses of a program's buffers inside a phase, and the metadata saying that no two of them overlap:
 * without it every store to one buffer would force indices and pointers loaded from another to be read again.
 */
import { knownInt } from "../../loop/loop-expression.ts";
import type { BufferDeclaration, LoopProgram } from "../../loop/loop-node.ts";
import { emitExpression } from "./generate-expression.ts";
import { type BufferBinding, emitText, emitVoid, type IrFunction } from "./ir-function.ts";
import { addMetadata, type IrModule } from "./ir-module.ts";
import { elementLayout } from "./ir-types.ts";

export interface PhaseBuffers {
  readonly bindings: ReadonlyMap<string, BufferBinding>;
  /** Emits the code that computes the addresses; needs the context's fields and the symbols bound. */
  readonly emitAddresses: (target: IrFunction) => void;
}

/** Start of each workspace buffer is rounded up to this many bytes. */
const workspaceAlignment = 64;

export function bindBuffers(module: IrModule, program: LoopProgram): PhaseBuffers {
  const domain = addMetadata(module, "!self", true);
  const scopes = program.buffers.map(() => addMetadata(module, `!self, ${domain}`, true));
  const bindings = new Map<string, BufferBinding>();
  program.buffers.forEach((buffer, number) => {
    const own = addMetadata(module, scopes[number] ?? "");
    const others = addMetadata(module, scopes.filter((_, other) => other !== number).join(", "));
    bindings.set(buffer.name, {
      element: buffer.element,
      address: `%buffer${number}`,
      accessMetadata: `, !alias.scope ${own}, !noalias ${others}`,
    });
  });
  return { bindings, emitAddresses: (target) => emitAddresses(target, program) };
}

function emitAddresses(target: IrFunction, { buffers, symbols }: LoopProgram): void {
  let slot = 0;
  let resultSlot = buffers.filter(({ space }) => space === "constant").length + symbols.length;
  let workspaceEnd = "0";
  for (const [number, buffer] of buffers.entries()) {
    const pointer = `${elementLayout[buffer.element].spelling}*`;
    const name = `%buffer${number}`;
    switch (buffer.space) {
      case "constant":
      case "result": {
        const place = buffer.space === "constant" ? slot++ : resultSlot++;
        const source = emitText(target, `getelementptr inbounds i64, i64* %frame, i64 ${place}`);
        const address = emitText(
          target,
          `load i64, i64* ${source}, !invariant.load ${addMetadata(target.module, "")}`,
        );
        emitVoid(target, `${name} = inttoptr i64 ${address} to ${pointer}`);
        break;
      }
      case "input":
        emitVoid(target, `${name} = bitcast float* %x to ${pointer}`);
        break;
      case "output":
      case "cotangent":
        emitVoid(target, `${name} = bitcast float* %y to ${pointer}`);
        break;
      case "local": {
        const length = knownInt(buffer.length);
        if (length === null) throw new Error(`the scratch ${buffer.name} has no known length`);
        const type = `[${length} x ${elementLayout[buffer.element].spelling}]`;
        target.entry.push(`  ${name}.scratch = alloca ${type}, align ${workspaceAlignment}`);
        emitVoid(target, `${name} = bitcast ${type}* ${name}.scratch to ${pointer}`);
        break;
      }
      case "workspace": {
        const address = emitText(target, `getelementptr inbounds i8, i8* %workspace, i64 ${workspaceEnd}`);
        emitVoid(target, `${name} = bitcast i8* ${address} to ${pointer}`);
        workspaceEnd = emitWorkspaceEnd(target, buffer, workspaceEnd);
        break;
      }
    }
  }
}

function emitWorkspaceEnd(target: IrFunction, buffer: BufferDeclaration, start: string): string {
  const length = emitExpression(target, buffer.length);
  const bytes = emitText(target, `mul nsw i64 ${length.text}, ${elementLayout[buffer.element].bytes}`);
  const padded = emitText(target, `add nsw i64 ${bytes}, ${workspaceAlignment - 1}`);
  const rounded = emitText(target, `and i64 ${padded}, -${workspaceAlignment}`);
  return emitText(target, `add nsw i64 ${start}, ${rounded}`);
}
