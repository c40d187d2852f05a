/** A function of a C library as a contestant: called in this process, like spx's kernels. */
import { timeCalls } from "../../../compiler/calibrate/interleaved-timing.ts";
import { allocate } from "../../../runtime/native/native-memory.ts";
import type { Contestant } from "../contestant.ts";
import type { Problem } from "../problem.ts";

/** What a library needs to run one problem; `call` uses one of the copies of the weights. */
export interface NativeProduct {
  readonly name: string;
  readonly kind: Contestant["kind"];
  readonly copies: number;
  /** Where results go, when the library has its own place for them. */
  readonly y?: Float32Array;
  readonly call: (copy: number, y: Float32Array) => void;
  /** Around a sample, outside its time: wakes the library's threads and sends them to sleep. */
  readonly begin?: () => void;
  readonly end?: () => void;
  /** Copies the result of copy 0 to y, for a library that keeps it to itself. */
  readonly finish?: (y: Float32Array) => void;
  readonly free: () => void;
}

export function nativeContestant({ batch, out }: Problem, product: NativeProduct): Contestant {
  const y = (product.y ?? new Float32Array(batch * out)).fill(Number.NaN);
  let next = 0;
  return {
    name: product.name,
    kind: product.kind,
    sample: (calls) => {
      product.begin?.();
      const seconds = timeCalls(calls, () => {
        product.call(next, y);
        next = (next + 1) % product.copies;
      });
      product.end?.();
      return seconds;
    },
    output: async () => {
      product.finish?.(y);
      return y;
    },
    close: async () => product.free(),
  };
}

/** Copies of the weight in memory of their own. */
export function copiesOf(weight: Float32Array, copies: number) {
  const blocks = Array.from({ length: copies }, () => allocate(weight.byteLength));
  for (const block of blocks) block.float32().set(weight);
  return {
    addresses: blocks.map(({ address }) => address),
    free: () => {
      for (const block of blocks) block.free();
    },
  };
}
