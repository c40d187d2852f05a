/** A kernel with its frame built: ready to be called with any batch. */
import type { KernelManifest } from "../../contract/manifest.ts";
import { evaluateNumber, type SymbolValues } from "../../contract/number-expression.ts";
import { SpxError } from "../../errors.ts";
import {
  type Allocate,
  bufferOf,
  type MemoryBlock,
  type PackedOperand,
} from "../../formats/packed-operand.ts";
import type { Kernel, Pointer } from "../../native/foreign-library.ts";
import type { WorkspacePool } from "../workspace-pool.ts";
import { kernelFailed } from "./kernel-failed.ts";
import type { KernelSource } from "./kernel-source.ts";

export interface KernelCall {
  run(x: Pointer, y: Pointer, batch: number, threads: number): void;
  runAsync(x: Pointer, y: Pointer, batch: number, threads: number): Promise<void>;
}

/**
 * The first kernel of `level` whose guard holds, or null.
 * A guard reads dimensions and arguments only, so the choice is good for every batch.
 */
export function selectKernel(
  kernels: readonly KernelManifest[],
  level: string,
  symbols: SymbolValues,
): KernelManifest | null {
  const fits = ({ guard }: KernelManifest): boolean => guard === null || evaluateNumber(guard, symbols) !== 0;
  return kernels.find((kernel) => kernel.level === level && fits(kernel)) ?? null;
}

/** Binds `manifest` to packed operands. The call keeps the operands' memory reachable. */
export function prepareKernel(
  manifest: KernelManifest,
  source: KernelSource,
  operands: ReadonlyMap<string, PackedOperand>,
  symbols: SymbolValues,
  allocate: Allocate,
  workspaces: WorkspacePool<MemoryBlock>,
): KernelCall {
  const kernel = source.kernel(manifest.symbol);
  const frame = buildFrame(manifest, operands, symbols, allocate);
  const bytesFor = workspaceSize(manifest, symbols);
  // Reading `operands` here also keeps their memory reachable while a call runs: the frame holds bare addresses.
  const checked = (status: number): void => checkStatus(kernel, status, operands);
  return {
    run(x, y, batch, threads) {
      const workspace = workspaces.take(bytesFor(batch));
      try {
        checked(kernel.run(frame.address, workspace.block.address, x, y, batch, threads));
      } finally {
        workspaces.give(workspace);
      }
    },
    async runAsync(x, y, batch, threads) {
      const workspace = workspaces.take(bytesFor(batch));
      try {
        checked(await kernel.runAsync(frame.address, workspace.block.address, x, y, batch, threads));
      } finally {
        workspaces.give(workspace);
      }
    },
  };
}

/** 8-byte slots: the address of each buffer, then each symbol as int64. */
function buildFrame(
  { symbol, buffers, symbols: slots }: KernelManifest,
  operands: ReadonlyMap<string, PackedOperand>,
  symbols: SymbolValues,
  allocate: Allocate,
): MemoryBlock {
  const words = frameWords({ symbol, buffers, symbols: slots }, operands, symbols);
  const block = allocate(Math.max(64, 8 * words.length));
  new BigInt64Array(block.view, 0, words.length).set(words);
  return block;
}

/** The slots of a frame: addresses of packed buffers, then symbols. @throws SpxError SPX8102. */
export function frameWords(
  { symbol, buffers, symbols: slots }: Pick<KernelManifest, "symbol" | "buffers" | "symbols">,
  operands: ReadonlyMap<string, PackedOperand>,
  symbols: SymbolValues,
): BigInt64Array {
  const words = new BigInt64Array(buffers.length + slots.length);
  buffers.forEach(({ operand, buffer }, index) => {
    const packed = operands.get(operand);
    if (packed === undefined) throw brokenFrame(symbol, `operand \`${operand}\` is not among the operands`);
    words[index] = bufferOf(packed, buffer).address;
  });
  slots.forEach(({ name, value }, index) => {
    const number = evaluateNumber(value, symbols);
    if (!Number.isSafeInteger(number))
      throw brokenFrame(symbol, `\`${name}\` is ${number}, not a whole number`);
    words[buffers.length + index] = BigInt(number);
  });
  return words;
}

/** Bytes of workspace by batch. */
export function workspaceSize(
  { symbol, workspace }: KernelManifest,
  symbols: SymbolValues,
): (batch: number) => number {
  let lastBatch = -1;
  let lastBytes = 0;
  const values = new Map(symbols);
  return (batch) => {
    if (batch === lastBatch) return lastBytes;
    values.set("batch", batch);
    const bytes = Math.ceil(evaluateNumber(workspace, values));
    if (!(bytes >= 0)) throw brokenFrame(symbol, `its workspace for batch ${batch} is ${bytes} bytes`);
    lastBatch = batch;
    lastBytes = bytes;
    return bytes;
  };
}

function brokenFrame(kernel: string, reason: string): SpxError {
  return new SpxError("SPX8102", `kernel \`${kernel}\` cannot be called: ${reason}`, {
    facts: { kernel },
    help: "build the artefact again; if it stays, report it with the .spx file",
  });
}

/** Reading `operands` here keeps their memory reachable until the call has ended. @throws SpxError SPX8309. */
export function checkStatus(
  kernel: Kernel,
  status: number,
  operands: ReadonlyMap<string, PackedOperand>,
): void {
  if (status === 0) return;
  throw kernelFailed(kernel, status, { operands: [...operands.keys()] });
}
