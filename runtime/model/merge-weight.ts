/** The dense weight [out, in] of a layer, row-major, computed by its kernels. */
import type { CpuDevice } from "../device/cpu/cpu-device.ts";
import type { KernelCall } from "../device/cpu/kernel-call.ts";
import { readPanels } from "../formats/panel16.ts";

/** By a kernel whose result is a `panel16` buffer of the weight; it reads no input. */
export function mergeByKernel(call: KernelCall, device: CpuDevice, out: number, inputs: number, threads: number): Float32Array {
  const length = Math.ceil(out / 16) * inputs * 16;
  const block = device.allocate(length * 4);
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
export function mergeByIdentity(call: KernelCall, out: number, inputs: number, threads: number): Float32Array {
  const weight = new Float32Array(out * inputs);
  const rows = Math.min(chunk, inputs);
  const x = new Float32Array(rows * inputs);
  const y = new Float32Array(rows * out);
  for (let first = 0; first < inputs; first += rows) {
    const count = Math.min(rows, inputs - first);
    x.fill(0);
    for (let row = 0; row < count; row++) x[row * inputs + first + row] = 1;
    call.run(x, y, count, threads);
    for (let row = 0; row < count; row++) {
      for (let output = 0; output < out; output++) weight[output * inputs + first + row] = y[row * out + output] ?? 0;
    }
  }
  return weight;
}
