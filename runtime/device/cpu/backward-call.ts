/** A backward kernel bound to packed operands. What it writes differs from call to call, so that each call has a frame of its own. */
import { type KernelManifest, wantsDx } from "../../contract/manifest.ts";
import type { SymbolValues } from "../../contract/number-expression.ts";
import type { MemoryBlock, PackedOperand } from "../../formats/packed-operand.ts";
import type { Pointer } from "../../native/foreign-library.ts";
import type { WorkspacePool } from "../workspace-pool.ts";
import { checkStatus, frameWords, workspaceSize } from "./kernel-call.ts";
import type { KernelSource } from "./kernel-source.ts";

/** What one call reads and writes: batches `V`, and `D` for dx. */
export interface BackwardBuffers<V = Pointer, D = MemoryBlock> {
  readonly x: V;
  readonly dy: V;
  /** Null when dx is not asked for. */
  readonly dx: D | null;
  /** In the order of the manifest's parameters, then of its intermediates. What is new holds zeros. */
  readonly gradients: readonly MemoryBlock[];
  /** Whether the gradients of parameters hold values of earlier calls, which this one adds to. */
  readonly adds: boolean;
}

/** `where`: the threads that share the call, or the stream that it is put on. */
export interface BackwardCall<V = Pointer, D = MemoryBlock, W = number> {
  run(buffers: BackwardBuffers<V, D>, batch: number, where: W): void;
  runAsync(buffers: BackwardBuffers<V, D>, batch: number, where: W): Promise<void>;
}

export function prepareBackward(
  manifest: KernelManifest,
  source: KernelSource,
  operands: ReadonlyMap<string, PackedOperand>,
  symbols: SymbolValues,
  workspaces: WorkspacePool<MemoryBlock>,
): BackwardCall {
  const kernel = source.kernel(manifest.symbol);
  const wordsFor = (wanted: boolean): BigInt64Array =>
    frameWords(manifest, operands, new Map(symbols).set(wantsDx, Number(wanted)));
  const words = { with: wordsFor(true), without: wordsFor(false) };
  const bytesFor = workspaceSize(manifest, symbols);
  const take = ({ dx, gradients }: BackwardBuffers, batch: number) => {
    const fixed = dx === null ? words.without : words.with;
    const slots = new BigInt64Array(fixed.length + 1 + gradients.length);
    slots.set(fixed);
    [dx, ...gradients].forEach((block, index) => {
      slots[fixed.length + index] = block?.address ?? 0n;
    });
    const frame = workspaces.take(8 * slots.length);
    new BigInt64Array(frame.block.view, 0, slots.length).set(slots);
    return { frame, workspace: workspaces.take(bytesFor(batch)) };
  };
  const give = ({ frame, workspace }: ReturnType<typeof take>): void => {
    workspaces.give(frame);
    workspaces.give(workspace);
  };
  return {
    run(buffers, batch, threads) {
      const taken = take(buffers, batch);
      const { x, dy } = buffers;
      try {
        const { frame, workspace } = taken;
        checkStatus(
          kernel,
          kernel.run(frame.block.address, workspace.block.address, x, dy, batch, threads),
          operands,
        );
      } finally {
        give(taken);
      }
    },
    async runAsync(buffers, batch, threads) {
      const taken = take(buffers, batch);
      const { x, dy } = buffers;
      try {
        const { frame, workspace } = taken;
        const status = await kernel.runAsync(
          frame.block.address,
          workspace.block.address,
          x,
          dy,
          batch,
          threads,
        );
        checkStatus(kernel, status, operands);
      } finally {
        give(taken);
      }
    },
  };
}
