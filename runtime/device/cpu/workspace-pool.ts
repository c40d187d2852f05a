/**
 * Workspaces of running calls. A block goes back when its call has ended, so calls in flight never meet in one,
 * and repeated calls allocate nothing. A few blocks are kept; larger needs replace smaller blocks.
 */
import type { Allocate, MemoryBlock } from "../../formats/packed-operand.ts";

export interface WorkspacePool {
  /** A block of at least `bytes` bytes; its contents are whatever the last call left. */
  take(bytes: number): Workspace;
  give(workspace: Workspace): void;
}

export interface Workspace {
  readonly block: MemoryBlock;
  readonly bytes: number;
}

const kept = 4;

export function createWorkspacePool(allocate: Allocate): WorkspacePool {
  const free: Workspace[] = [];
  return {
    take(bytes) {
      const fitting = free.findIndex((workspace) => workspace.bytes >= bytes);
      const found = fitting >= 0 ? free.splice(fitting, 1)[0] : undefined;
      if (found !== undefined) return found;
      // Rounded up, so that batches of slowly growing size do not each need a block of their own.
      const step = Math.max(64, 2 ** (Math.floor(Math.log2(Math.max(bytes, 1))) - 2));
      const rounded = Math.ceil(Math.max(bytes, 1) / step) * step;
      const size = rounded > 1 << 26 ? bytes : rounded;
      return { block: allocate(size), bytes: size };
    },
    give(workspace) {
      free.push(workspace);
      free.sort((a, b) => a.bytes - b.bytes);
      // Nothing runs in a block of this list, so the smallest can be given back at once.
      if (free.length > kept) free.shift()?.block.free();
    },
  };
}
