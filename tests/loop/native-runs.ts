/** Runs cases natively: programs that print alike are compiled once, all of them into one library. */
import { expect } from "vitest";
import type { BufferData } from "../../compiler/backend/reference/interpret-loop.ts";
import type { LoopProgram } from "../../compiler/loop/loop-node.ts";
import { type LoweredKernel, lowerVariant } from "../../compiler/loop/lower-variant.ts";
import { printLoop } from "../../compiler/loop/print-loop.ts";
import type { X86Target } from "../../compiler/targets/x86-targets.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import { addressOf } from "../../runtime/native/foreign-library.ts";
import { alignedBytes, loadKernels, type NativeKernels } from "../backend/native-kernels.ts";
import { constantBuffers, expectedOutput, inputOf, startOf } from "./run-reference.ts";
import type { WeightCase } from "./weight-cases.ts";

export interface NativeRun {
  readonly label: string;
  readonly weight: WeightCase;
  readonly target: X86Target;
  readonly batch: number;
  readonly seed: number;
  readonly constants?: Readonly<Record<string, number>>;
}

export interface PreparedRun extends NativeRun {
  readonly kernel: LoweredKernel;
}

export async function prepareRuns(
  runs: readonly NativeRun[],
): Promise<{ readonly kernels: NativeKernels; readonly prepared: readonly PreparedRun[] }> {
  const programs = new Map<string, LoopProgram>();
  const prepared = runs.map((run) => {
    const options = { name: "kernel", constants: run.constants ?? {} };
    const kernel = lowerVariant(run.weight.plan, run.weight.variant, run.target, options);
    const text = printLoop(kernel.program);
    const program = programs.get(text) ?? {
      ...kernel.program,
      name: `kernel_${programs.size}_${run.target.suffix}`,
    };
    programs.set(text, program);
    return { ...run, kernel: { ...kernel, program } };
  });
  return { kernels: await loadKernels([...programs.values()]), prepared };
}

/** A copy that starts on a cache line, as packed operands do. */
function aligned<Data extends BufferData>(data: Data): Data {
  const bytes = alignedBytes(data.byteLength);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const Type = data.constructor as new (buffer: ArrayBufferLike, offset: number, length: number) => Data;
  return new Type(bytes.buffer, bytes.byteOffset, data.length);
}

const guard = 32;

export interface BoundCall {
  readonly constants: readonly BufferData[];
  readonly symbols: readonly number[];
  readonly workspace: Uint8Array;
}

export function bindCall(weight: WeightCase, kernel: LoweredKernel, batch: number): BoundCall {
  const values = new Map([...weight.symbols, ["batch", batch] as const]);
  return {
    constants: constantBuffers(weight, kernel).map(aligned),
    symbols: kernel.symbols.map(({ value }) => evaluateNumber(value, values)),
    workspace: alignedBytes(evaluateNumber(kernel.workspace, values) + 64),
  };
}

/** Poisoned output between guard elements; the workspace is poisoned by its allocation. */
export function checkNativeRun(kernels: NativeKernels, run: PreparedRun): void {
  const { weight, kernel, batch, seed } = run;
  const bound = bindCall(weight, kernel, batch);
  const start = startOf(weight);
  const x = inputOf(weight, batch, seed);
  const memory = new Float32Array(batch * weight.weight.rows + 2 * guard).fill(1234.5);
  const y = memory.subarray(guard, memory.length - guard).fill(start);
  expect(addressOf(y)).toBe(addressOf(memory) + BigInt(4 * guard));
  const workspaceEnd = bound.workspace.subarray(bound.workspace.length - 64);
  const status = kernels.run(kernel.program.name, { ...bound, x, y, batch, threads: 1 + (seed % 2) });
  expect(status, run.label).toBe(0);
  const before = Number.isNaN(start) ? 0 : start;
  const expected = expectedOutput(weight, x, batch, before);
  const wrong = y.findIndex((value, index) => value !== expected[index]);
  if (wrong >= 0) {
    throw new Error(`${run.label}: y[${wrong}] of ${y.length} is ${y[wrong]}, not ${expected[wrong]}`);
  }
  const around = [...memory.subarray(0, guard), ...memory.subarray(memory.length - guard)];
  expect(
    around.every((value) => value === 1234.5),
    `${run.label}: wrote around y`,
  ).toBe(true);
  expect(
    workspaceEnd.every((byte) => byte === 0xff),
    `${run.label}: wrote beyond the workspace`,
  ).toBe(true);
}
