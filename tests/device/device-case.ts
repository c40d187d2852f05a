/** Weight cases of the loop tests on the device level: packed like for the CPU, run by the device interpreter. */
import { expect } from "vitest";
import { activationElement, lowerDeviceVariant } from "../../compiler/device/lower-device-call.ts";
import type { CudaKernelKind } from "../../compiler/targets/cuda-rates.ts";
import type { CudaElements } from "../../runtime/contract/cuda.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import type { OperandFormat } from "../../runtime/contract/operand-format.ts";
import { packCodeTiles } from "../../runtime/formats/code-tiles.ts";
import { packOperand } from "../../runtime/formats/pack-operand.ts";
import { bufferOf, type PackedOperand } from "../../runtime/formats/packed-operand.ts";
import { packQuantizedPanels } from "../../runtime/formats/quantized-panels.ts";
import { narrowToHalves, widenHalves } from "../../runtime/tensor/half-precision.ts";
import { expectedOutput, inputOf, packHalfCase, startOf } from "../loop/run-reference.ts";
import { matrixValue, type WeightCase } from "../loop/weight-cases.ts";
import { createTestMemory } from "../runtime/formats-memory.ts";
import { poisoned, runSequence } from "./run-device.ts";

const bytesOf = (view: ArrayBufferView<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

/** f32 values in the number type of a call. */
export function encode(values: Float32Array<ArrayBuffer>, elements: CudaElements): Uint8Array<ArrayBuffer> {
  const element = activationElement[elements];
  if (element === "f32") return bytesOf(values);
  return bytesOf(narrowToHalves(element, values) as Uint16Array<ArrayBuffer>);
}

export function decode(bytes: Uint8Array<ArrayBuffer>, elements: CudaElements): Float32Array {
  const element = activationElement[elements];
  if (element === "f32") return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
  return widenHalves(element, halves);
}

/** The case with entries in windows alone, as devices hold them. */
function onDevice(weight: WeightCase): WeightCase {
  const held = <T extends { readonly format: OperandFormat }>(operand: T): T =>
    operand.format.name === "mixed-ell" ? { ...operand, format: { name: "window-ell" } } : operand;
  const plan = { ...weight.plan, operands: weight.plan.operands.map(held) };
  return { ...weight, plan, operands: weight.operands.map(held) };
}

export function packCase(weight: WeightCase): ReadonlyMap<string, PackedOperand> {
  const { allocate } = createTestMemory();
  return new Map(
    weight.operands.map((operand) => {
      const { name, format, quantized } = operand;
      if (quantized !== undefined && (format.name === "table4-panel16" || format.name === "int8-panel16"))
        return [name, packQuantizedPanels(format.name, quantized, 1, allocate)];
      if (quantized !== undefined && format.name === "code-tiles")
        return [name, packCodeTiles(format, quantized, 1, allocate)];
      if (format.name === "bf16-panel16") return [name, packHalfCase(operand, allocate)];
      const blocks = format.name === "blockdiag16" ? evaluateNumber(format.blocks, weight.symbols) : 1;
      return [name, packOperand(format, matrixValue(operand, blocks), weight.symbols, allocate)];
    }),
  );
}

/** The bytes of a packed buffer. */
export function packedBytes(
  packed: ReadonlyMap<string, PackedOperand>,
  operand: string,
  buffer: string,
): Uint8Array<ArrayBuffer> {
  const found = packed.get(operand);
  if (found === undefined) throw new Error(`no operand ${operand}`);
  const { offset, length, element } = bufferOf(found, buffer);
  const size = { f32: 4, i32: 4, u32: 4, u16: 2, u8: 1, i8: 1 }[element];
  return new Uint8Array(found.block.view as ArrayBuffer, offset, length * size);
}

export interface DeviceCaseRun {
  readonly batch: number;
  readonly seed: number;
  readonly elements: CudaElements;
  /** Of every step. */
  readonly kernel?: CudaKernelKind;
}

/** Runs a case on the device level and compares with plain loops: exactly, because its numbers are small integers. */
export function checkDeviceCase(
  given: WeightCase,
  { batch, seed, elements, kernel = "lanes" }: DeviceCaseRun,
): readonly string[] {
  const weight = onDevice(given);
  const { activations, steps } = weight.variant;
  const planned = steps.map((step) => ({ kernel, step }));
  const call = lowerDeviceVariant(weight.plan, { activations, elements, steps: planned }, "case");
  const packed = packCase(weight);
  const x = inputOf(weight, batch, seed) as Float32Array<ArrayBuffer>;
  const input = encode(x, elements);
  const start = startOf(weight);
  const rows = weight.weight.rows;
  const accumulates = !Number.isNaN(start);
  const before = accumulates ? start : 0;
  const output = accumulates
    ? encode(new Float32Array(batch * rows).fill(before), elements).slice()
    : poisoned(batch * rows * (activationElement[elements] === "f32" ? 4 : 2));
  const symbols = new Map([...weight.symbols, ["batch", batch] as const]);
  const launched = runSequence(call, symbols, (pointer) => {
    if (pointer.kind === "input") return { data: input, initialised: true };
    if (pointer.kind === "output") return { data: output, initialised: accumulates };
    if (pointer.kind === "operand")
      return { data: packedBytes(packed, pointer.operand, pointer.buffer), initialised: true };
    throw new TypeError(`a forward call has no ${pointer.kind}`);
  });
  const expected = expectedOutput(weight, x, batch, before) as Float32Array<ArrayBuffer>;
  expect(decode(output, elements)).toEqual(decode(encode(expected, elements), elements));
  return launched;
}
