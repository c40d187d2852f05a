/** The CPU as a layer sees it: memory, kernels of one level, workspaces. */
import { dirname, join } from "node:path";
import type { Manifest } from "../../contract/manifest.ts";
import { SpxError } from "../../errors.ts";
import type { Allocate, MemoryBlock } from "../../formats/packed-operand.ts";
import { detectCpu } from "../../native/cpu-features.ts";
import { allocate } from "../../native/native-memory.ts";
import { createWorkspacePool, type WorkspacePool } from "../workspace-pool.ts";
import { chooseLevel } from "./choose-level.ts";
import { type KernelSource, openKernels } from "./kernel-source.ts";
import { openProducts, type ProductKernels } from "./product-kernels.ts";
import { openSelections, type SelectionPasses } from "./selection-passes.ts";
import { openUpdates, type UpdateKernels } from "./update-kernels.ts";

export interface CpuDevice {
  /** Name of the level in use. */
  readonly level: string;
  /** Name of a level over it that rounds activations to bf16, for layers that may; null where there is none. */
  readonly rounding: string | null;
  readonly kernels: KernelSource;
  readonly products: ProductKernels;
  readonly selections: SelectionPasses;
  readonly updates: UpdateKernels;
  readonly allocate: Allocate;
  readonly workspaces: WorkspacePool<MemoryBlock>;
  /** Threads of a call unless the caller says otherwise. */
  readonly threads: number;
}

/** More threads than this gain nothing for one layer: the memory bus is full before. */
const mostThreads = 8;

/**
 * The device for an artefact whose manifest is at `manifestPath`; `SPX_LEVEL` or `wanted` force a lower level.
 * @throws SpxError SPX8307, SPX8308 for the level, SPX8103, SPX8201, SPX8301, SPX8302 for the library.
 */
export function openCpuDevice(
  manifestPath: string,
  manifest: Manifest,
  wanted: string | null = null,
): CpuDevice {
  const cpu = detectCpu();
  const forced = wanted ?? (process.env.SPX_LEVEL || null);
  const chosen = chooseLevel(manifest.kernels.levels, cpu.features, forced);
  const level = chosen.base ?? chosen.name;
  const file = join(dirname(manifestPath), manifest.kernels.file);
  const kernels = openKernels(file, manifest.kernels, manifest.abi);
  const threads = Math.min(cpu.cores, mostThreads);
  return {
    level,
    rounding: chosen.base === undefined ? null : chosen.name,
    kernels,
    products: openProducts(manifest.kernels, kernels, level, threads),
    updates: openUpdates(manifest.kernels, kernels, level),
    selections: openSelections(manifest.kernels, kernels, level, threads),
    allocate,
    workspaces: createWorkspacePool(allocate),
    threads,
  };
}

/** @throws SpxError SPX8407 unless `threads` is a whole number from 1 to 1024. */
export function checkThreads(threads: number): number {
  if (Number.isInteger(threads) && threads >= 1 && threads <= 1024) return threads;
  throw new SpxError("SPX8407", `\`threads\` is ${threads}, expected a whole number from 1 to 1024`, {
    facts: { found: String(threads) },
    help: "leave it out to use the cores of this machine",
  });
}
