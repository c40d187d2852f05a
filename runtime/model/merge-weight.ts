/**
 * The dense weight [out, in] of a layer as its kernels compute it, in `panel16`: what merged variants read, and
 * what `merge` unpacks. No value passes through JavaScript arithmetic.
 */
import type { MergeManifest } from "../contract/manifest.ts";
import type { KernelCall } from "../device/cpu/kernel-call.ts";
import { type Allocate, allocateOperand, floatsOf, type PackedOperand } from "../formats/packed-operand.ts";
import { writePanelRows } from "../formats/panel16.ts";

export interface MergeSize {
  readonly out: number;
  readonly inputs: number;
  readonly threads: number;
}

/**
 * The weight as it is now, in memory of its own, or in that of an earlier merge of the same weight, which nobody may
 * read any more: new pages cost more than half of a merge. `call` is that of the merge's kernel, or of its variant.
 */
export function mergeWeight(
  method: MergeManifest["method"],
  call: KernelCall,
  size: MergeSize,
  allocate: Allocate,
  earlier: PackedOperand | null = null,
): PackedOperand {
  const { out, inputs } = size;
  const length = Math.ceil(out / 16) * inputs * 16;
  const operand = earlier ?? allocateOperand("panel16", out, inputs, { values: length }, allocate);
  if (length === 0) return operand;
  try {
    const fill = method === "kernel" ? fillByKernel : fillByIdentity;
    fill(call, size, floatsOf(operand, "values"));
    return operand;
  } catch (thrown) {
    operand.block.free();
    throw thrown;
  }
}

/** A kernel whose result is the `panel16` buffer; it reads no input. */
function fillByKernel(call: KernelCall, { threads }: MergeSize, panels: Float32Array): void {
  call.run(new Float32Array(0), panels, 1, threads);
}

/** Rows of the identity that go through at a time: enough to keep the kernel busy, little memory. */
const chunk = 256;

/** W e_i is column i: the forward kernel on the rows of the identity gives the transposed weight. */
function fillByIdentity(call: KernelCall, { out, inputs, threads }: MergeSize, panels: Float32Array): void {
  const rows = Math.min(chunk, inputs);
  const x = new Float32Array(rows * inputs);
  const y = new Float32Array(rows * out);
  for (let first = 0; first < inputs; first += rows) {
    const count = Math.min(rows, inputs - first);
    x.fill(0);
    for (let row = 0; row < count; row++) x[row * inputs + first + row] = 1;
    call.run(x, y, count, threads);
    writePanelRows(y, { first, count, rows: out, columns: inputs }, panels);
  }
}
