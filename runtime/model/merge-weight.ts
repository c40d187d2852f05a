/** The dense weight [out, in] of a layer, row-major, computed by its kernels. */
import type { KernelCall } from "../device/cpu/kernel-call.ts";
import type { Allocate } from "../formats/packed-operand.ts";
import { readPanels } from "../formats/panel16.ts";

export interface MergeSize {
  readonly out: number;
  readonly inputs: number;
  readonly threads: number;
}

/** By a kernel whose result is a `panel16` buffer of the weight; it reads no input. */
export function mergeByKernel(call: KernelCall, size: MergeSize, allocate: Allocate): Float32Array {
  const { out, inputs, threads } = size;
  const length = Math.ceil(out / 16) * inputs * 16;
  if (length === 0) return new Float32Array(0);
  const block = allocate(length * 4);
  try {
    const panels = new Float32Array(block.view, 0, length);
    call.run(new Float32Array(0), panels, 1, threads);
    return readPanels(panels, out, inputs);
  } finally {
    block.free();
  }
}

/** Rows of the identity that go through at a time: enough to keep the kernel busy, little memory. */
const chunk = 256;

/** W e_i is column i: the forward kernel on the rows of the identity gives the transposed weight. */
export function mergeByIdentity(call: KernelCall, { out, inputs, threads }: MergeSize): Float32Array {
  const weight = new Float32Array(out * inputs);
  const rows = out === 0 ? 0 : Math.min(chunk, inputs);
  const x = new Float32Array(rows * inputs);
  const y = new Float32Array(rows * out);
  for (let first = 0; first < inputs && rows > 0; first += rows) {
    const count = Math.min(rows, inputs - first);
    x.fill(0);
    for (let row = 0; row < count; row++) x[row * inputs + first + row] = 1;
    call.run(x, y, count, threads);
    for (let row = 0; row < count; row++) {
      for (let output = 0; output < out; output++)
        weight[output * inputs + first + row] = y[row * out + output] ?? 0;
    }
  }
  return weight;
}
