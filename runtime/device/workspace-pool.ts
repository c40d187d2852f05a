/**
 * Workspaces of running calls, on any device. A block goes back when its call has ended, so calls in flight never meet
 * in one, and repeated calls allocate nothing. A few blocks are kept; larger needs replace smaller blocks.
 */

export interface WorkspacePool<B> {
  /** A block of at least `bytes` bytes; its contents are whatever the last call left. */
  take(bytes: number): Workspace<B>;
  give(workspace: Workspace<B>): void;
  /** Gives the blocks back that no call uses. */
  trim(): void;
}

export interface Workspace<B> {
  readonly block: B;
  readonly bytes: number;
}

/** What a pool needs of a block. */
interface Freeable {
  free(): void;
}

const kept = 4;

export function createWorkspacePool<B extends Freeable>(allocate: (bytes: number) => B): WorkspacePool<B> {
  const free: Workspace<B>[] = [];
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
    trim() {
      for (const { block } of free.splice(0)) block.free();
    },
  };
}
