/** Lowers a case, runs it with the reference back end and compares with plain loops in float64. */
import { expect } from "vitest";
import { type BufferData, interpretLoop } from "../../compiler/backend/reference/interpret-loop.ts";
import { type LoweredKernel, lowerVariant } from "../../compiler/loop/lower-variant.ts";
import { verifyLoop } from "../../compiler/loop/verify-loop.ts";
import type { X86Target } from "../../compiler/targets/x86-targets.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import { packHalfPanels } from "../../runtime/formats/bf16-panels.ts";
import { packOperand } from "../../runtime/formats/pack-operand.ts";
import {
  type Allocate,
  floatsOf,
  integersOf,
  type PackedOperand,
} from "../../runtime/formats/packed-operand.ts";
import { packQuantizedPanels } from "../../runtime/formats/quantized-panels.ts";
import { roundToHalf } from "../../runtime/tensor/half-matrix.ts";
import { createTestMemory } from "../runtime/formats-memory.ts";
import { type CaseOperand, createRandom, entry, matrixValue, type WeightCase } from "./weight-cases.ts";

export function packedBuffer(operand: PackedOperand, name: string): BufferData {
  const element = operand.buffers.find((buffer) => buffer.name === name)?.element;
  return element === "f32" ? floatsOf(operand, name) : (integersOf(operand, name) as BufferData);
}

export function packHalfCase({ name, matrix }: CaseOperand, allocate: Allocate): PackedOperand {
  const { rows, columns, values } = matrix;
  return packHalfPanels(roundToHalf({ name, rows, columns, values: Float32Array.from(values) }), allocate);
}

/** The packed buffers of a kernel's frame, in order. */
export function constantBuffers(weight: WeightCase, kernel: LoweredKernel): BufferData[] {
  const memory = createTestMemory();
  const packed = new Map<string, PackedOperand>();
  for (const operand of weight.operands) {
    const { format, quantized } = operand;
    if (quantized !== undefined && (format.name === "table4-panel16" || format.name === "int8-panel16")) {
      packed.set(operand.name, packQuantizedPanels(format.name, quantized, 1, memory.allocate));
      continue;
    }
    if (format.name === "bf16-panel16") {
      packed.set(operand.name, packHalfCase(operand, memory.allocate));
      continue;
    }
    const blocks = format.name === "blockdiag16" ? evaluateNumber(format.blocks, weight.symbols) : 1;
    packed.set(
      operand.name,
      packOperand(format, matrixValue(operand, blocks), weight.symbols, memory.allocate),
    );
  }
  return kernel.buffers.map(({ operand, buffer }) => {
    const found = packed.get(operand);
    if (found === undefined) throw new Error(`no operand ${operand}`);
    return packedBuffer(found, buffer);
  });
}

export const inputOf = (weight: WeightCase, batch: number, seed: number): Float32Array => {
  const random = createRandom(seed + 77);
  return Float32Array.from({ length: batch * weight.weight.columns }, () => random(9) - 4);
};

/** y = x Wᵀ, plus `before` where the variant accumulates. */
export function expectedOutput(
  { weight }: WeightCase,
  x: Float32Array,
  batch: number,
  before: number,
): Float32Array {
  const y = new Float32Array(batch * weight.rows);
  for (let token = 0; token < batch; token++) {
    for (let row = 0; row < weight.rows; row++) {
      let sum = before;
      for (let k = 0; k < weight.columns; k++)
        sum += entry(weight, row, k) * (x[token * weight.columns + k] ?? 0);
      y[token * weight.rows + row] = sum;
    }
  }
  return y;
}

/** A variant whose steps all add to y reads what y holds before the call. */
export const startOf = (weight: WeightCase): number =>
  weight.variant.steps.some((step) => step.output === "y" && !step.accumulate) ? Number.NaN : 3;

export interface ReferenceRun {
  readonly target: X86Target;
  readonly batch: number;
  readonly seed: number;
  readonly constants?: Readonly<Record<string, number>>;
}

export function checkAgainstPlainLoops(weight: WeightCase, run: ReferenceRun): void {
  const { target, batch, seed, constants = {} } = run;
  const kernel = lowerVariant(weight.plan, weight.variant, target, { name: "kernel", constants });
  expect(verifyLoop(kernel.program)).toEqual([]);
  const x = inputOf(weight, batch, seed);
  const start = startOf(weight);
  // The arrays are exactly as long as they have to be: the interpreter refuses every access beyond them.
  const y = new Float32Array(batch * weight.weight.rows).fill(start);
  const buffers = new Map<string, BufferData>([
    ["x", x],
    ["y", y],
  ]);
  const constantData = constantBuffers(weight, kernel);
  kernel.program.buffers
    .filter(({ space }) => space === "constant")
    .forEach(({ name }, index) => {
      const data = constantData[index];
      if (data !== undefined) buffers.set(name, data);
    });
  const random = createRandom(seed);
  interpretLoop(kernel.program, {
    buffers,
    symbols: new Map(kernel.symbols.map(({ name, value }) => [name, evaluateNumber(value, weight.symbols)])),
    batch,
    tileOrder: (count) => {
      const order = Array.from({ length: count }, (_, tile) => tile);
      for (let last = count - 1; last > 0; last--) {
        const other = random(last + 1);
        [order[last], order[other]] = [order[other] ?? 0, order[last] ?? 0];
      }
      return order;
    },
  });
  expect(y).toEqual(expectedOutput(weight, x, batch, Number.isNaN(start) ? 0 : start));
}
