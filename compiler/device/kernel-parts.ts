/**
 * What a kernel is called with, collected while its body is written: each buffer and number becomes a parameter of the
 * program and, at the same place, an argument of its launches.
 */
import type { CudaArgument, CudaElements, CudaPointer } from "../../runtime/contract/cuda.ts";
import {
  evaluateNumber,
  type NumberExpression,
  printNumber,
  symbol,
} from "../../runtime/contract/number-expression.ts";
import { symbolName } from "../loop/from-number-expression.ts";
import { type Code, createCode } from "./device-builder.ts";
import { int, type Value } from "./device-expression.ts";
import type {
  BlockMemory,
  DeviceBuffer,
  DeviceElement,
  DeviceParameter,
  DeviceProgram,
} from "./device-node.ts";

/** What a kernel is called, what it is for, and the number type of its activations. */
export interface KernelTitle {
  readonly name: string;
  readonly purpose: readonly string[];
  readonly elements: CudaElements;
}

export interface KernelParts {
  readonly code: Code;
  readonly parameters: () => readonly DeviceParameter[];
  readonly arguments: () => readonly CudaArgument[];
  readonly memories: BlockMemory[];
  /** The number as an i32: a constant when it is one. */
  readonly dimension: (expression: NumberExpression) => Value;
  /** The name of the memory that the pointer names; a memory that is read and written is one of both. */
  readonly buffer: (
    pointer: CudaPointer,
    hint: string,
    element: DeviceElement,
    access: DeviceBuffer["access"],
  ) => string;
  /** On-chip memory of the block. */
  readonly onChip: (hint: string, element: DeviceElement, length: number) => string;
}

/** Numbers without symbols are folded; all others are computed once a call, on the host. */
const folded = (expression: NumberExpression): number | null => {
  if (expression.kind === "number") return expression.value;
  if (expression.kind === "symbol") return null;
  const operands = expression.operands.map(folded);
  return operands.includes(null) ? null : evaluateNumber(expression, new Map());
};

export function createKernelParts(): KernelParts {
  const code = createCode(["batch"]);
  const entries: { parameter: DeviceParameter; argument: CudaArgument }[] = [];
  const byPointer = new Map<string, number>();
  const numbers = new Map<string, Value>();
  const memories: BlockMemory[] = [];
  return {
    code,
    memories,
    parameters: () => entries.map(({ parameter }) => parameter),
    arguments: () => entries.map(({ argument }) => argument),
    dimension(expression) {
      const value = folded(expression);
      if (value !== null) return int(value);
      const text = printNumber(expression);
      const before = numbers.get(text);
      if (before !== undefined) return before;
      const name = text === "batch" ? text : code.fresh(symbolName(text));
      entries.push({
        parameter: { kind: "number", name, type: "i32" },
        argument: { kind: "number", type: "i32", value: expression },
      });
      const given: Value = { kind: "parameter", name, type: "i32" };
      numbers.set(text, given);
      return given;
    },
    buffer(pointer, hint, element, access) {
      const key = JSON.stringify(pointer);
      const at = byPointer.get(key);
      const before = at === undefined ? undefined : entries[at];
      if (at !== undefined && before?.parameter.kind === "buffer") {
        const { parameter } = before;
        if (parameter.access !== access)
          entries[at] = { ...before, parameter: { ...parameter, access: "update" } };
        return parameter.name;
      }
      const name = code.fresh(hint);
      byPointer.set(key, entries.length);
      entries.push({ parameter: { kind: "buffer", name, element, access }, argument: pointer });
      return name;
    },
    onChip(hint, element, length) {
      const name = code.fresh(hint);
      memories.push({ name, element, length });
      return name;
    },
  };
}

/** Rows of x. */
export const batchOf = (parts: KernelParts): Value => parts.dimension(symbol("batch"));

/** The program whose body, parameters and memories `parts` has collected. Kernels compile for sm_80 and newer. */
export const kernelProgram = (
  { code, memories, parameters }: KernelParts,
  { name, purpose }: Pick<KernelTitle, "name" | "purpose">,
  block: Pick<DeviceProgram, "threads" | "blocksPerProcessor">,
): DeviceProgram => ({
  name,
  purpose,
  architecture: "sm_80",
  parameters: parameters(),
  memories,
  ...block,
  body: code.statements,
});
