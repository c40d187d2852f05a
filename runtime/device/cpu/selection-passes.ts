/** The passes of selections by the kernels of an artefact: what they are for stands with those who call them in turn. */
import { type KernelLibrary, type SelectionKernel, selectionRun } from "../../contract/manifest.ts";
import { addressOf, type Kernel } from "../../native/foreign-library.ts";
import { bitsOfFloat, infinityBits } from "../../tensor/float-bits.ts";
import { kernelFailed } from "./kernel-failed.ts";
import type { KernelSource } from "./kernel-source.ts";

type Order = SelectionKernel["order"];

/** The passes of runtime/select/select-by-passes, which says what each gives. */
export type SelectionPasses = ReturnType<typeof openSelections>;

/** Scores of an interval that a run has room for: a few, for brackets of a sample, and all where they do not fit. */
const rooms = [selectionRun / 8, selectionRun] as const;

/** Each gives null where the artefact has no such kernel. @throws SpxError SPX8309. */
export function openSelections(
  { selections }: KernelLibrary,
  source: KernelSource,
  level: string,
  threads: number,
) {
  const kernelOf = (pass: SelectionKernel["pass"], order: Order, m = 0): Kernel | null => {
    const manifest = selections.find(
      (kernel) => kernel.level === level && kernel.pass === pass && kernel.order === order && kernel.m === m,
    );
    if (manifest === undefined) return null;
    return source.kernel(manifest.symbol);
  };
  /** `counts` is the last slot; naming it here keeps it reachable until the call has ended. */
  const run = (
    kernel: Kernel,
    values: Float32Array,
    y: Float32Array | Uint32Array,
    numbers: readonly number[],
    counts: Uint32Array,
  ): void => {
    const frame = BigInt64Array.from([...numbers.map(BigInt), addressOf(counts)]);
    const status = kernel.run(frame, null, values, y, values.length, threads);
    if (status === 0) return;
    throw kernelFailed(kernel, status, { entries: values.length, counts: counts.length });
  };
  const countsFor = (values: Float32Array): Uint32Array =>
    new Uint32Array(4 * Math.max(1, Math.ceil(values.length / selectionRun)));
  // New memory costs as much as reading the tensor: what the last pass gathered into is used again while it is there.
  let scratch = new WeakRef(new Float32Array());
  const scratchOf = (length: number): Float32Array => {
    const last = scratch.deref();
    if (last !== undefined && last.length >= length) return last;
    const fresh = new Float32Array(length);
    scratch = new WeakRef(fresh);
    return fresh;
  };
  const bitsFor = (values: Float32Array): Uint32Array => new Uint32Array(Math.ceil(values.length / 32));
  return {
    bracket(values: Float32Array, order: Order, low: number, high: number) {
      const kernel = kernelOf("bracket", order);
      if (kernel === null) return null;
      for (const held of rooms) {
        const counts = countsFor(values);
        const scores = scratchOf((counts.length / 4) * (held + 16));
        run(kernel, values, scores, [bitsOfFloat(low), bitsOfFloat(high), held], counts);
        if (counts.some((count, at) => at % 4 === 1 && count > held)) continue;
        return { scores: gather(scores, held + 16, counts), run: selectionRun, counts };
      }
      throw new RangeError("a run holds no more than its entries");
    },
    mark(values: Float32Array, order: Order, threshold: number, cut: number) {
      const kernel = kernelOf("mark", order);
      if (kernel === null) return null;
      const bits = bitsFor(values);
      run(kernel, values, bits, [bitsOfFloat(threshold), cut], new Uint32Array(4));
      return bits;
    },
    groups(values: Float32Array, n: number, m: number) {
      const kernel = kernelOf("groups", "magnitude", m);
      if (kernel === null) return null;
      const [bits, counts] = [bitsFor(values), countsFor(values)];
      run(kernel, values, bits, [n], counts);
      return counts.some((largest) => largest >= infinityBits) ? null : bits;
    },
  };
}

/** The scores of all rooms, one after the other. */
function gather(whole: Float32Array, room: number, counts: Uint32Array): Float32Array {
  const held = (tile: number): number => counts[4 * tile + 1] ?? 0;
  const tiles = Array.from({ length: counts.length / 4 }, (_, tile) => tile);
  const scores = new Float32Array(tiles.reduce((total, tile) => total + held(tile), 0));
  let place = 0;
  for (const tile of tiles) {
    scores.set(whole.subarray(tile * room, tile * room + held(tile)), place);
    place += held(tile);
  }
  return scores;
}
