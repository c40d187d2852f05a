/** Steps of optimizers by the kernels of an artefact, over the values of a parameter as they are stored. */
import { adamWNumbers, type KernelLibrary } from "../../contract/manifest.ts";
import { SpxError } from "../../errors.ts";
import { addressOf, type Kernel } from "../../native/foreign-library.ts";
import { kernelFailed } from "./kernel-failed.ts";
import type { KernelSource } from "./kernel-source.ts";

/** Arrays of one length; all but the gradient are changed in place. */
export interface AdamWArrays {
  readonly values: Float32Array;
  readonly gradient: Float32Array;
  readonly m: Float32Array;
  readonly v: Float32Array;
}

export type AdamWNumbers = Readonly<Record<(typeof adamWNumbers)[number], number>>;

export interface UpdateKernels {
  /** What the numbers mean stands in `adamWNumbers`. @throws SpxError SPX8102 without a kernel, SPX8309. */
  adamW(arrays: AdamWArrays, numbers: AdamWNumbers, threads: number): void;
}

export function openUpdates({ updates }: KernelLibrary, source: KernelSource, level: string): UpdateKernels {
  const kernelOf = (): Kernel => {
    const manifest = updates.find((update) => update.level === level && update.rule === "adamw");
    if (manifest === undefined)
      throw new SpxError("SPX8102", `the artefact has no kernel for AdamW on level \`${level}\``, {
        facts: { level },
        help: "build the artefact again; if it stays, report it with the .spx file",
      });
    return source.kernel(manifest.symbol);
  };
  return {
    adamW({ values, gradient, m, v }, numbers, threads) {
      const kernel = kernelOf();
      const bits = new Uint32Array(Float32Array.from(adamWNumbers, (name) => numbers[name]).buffer);
      const frame = BigInt64Array.from([...Array.from(bits, BigInt), addressOf(m), addressOf(v)]);
      const status = kernel.run(frame, null, gradient, values, values.length, threads);
      // Reading the arrays here keeps them reachable until the call has ended: the frame holds bare addresses.
      if (status === 0 && m.length === v.length) return;
      throw kernelFailed(kernel, status, {});
    },
  };
}
