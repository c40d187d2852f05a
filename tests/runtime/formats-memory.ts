/** Memory for tests that need no native library: blocks with made-up addresses that can be found again. */
import type { MemoryBlock } from "../../runtime/formats/packed-operand.ts";

export interface TestMemory {
  allocate(bytes: number): MemoryBlock;
  /** The block that contains `address`, and the offset inside it. */
  find(address: bigint): { readonly view: ArrayBuffer; readonly offset: number };
  readonly blocks: readonly MemoryBlock[];
}

export function createTestMemory(): TestMemory {
  const blocks: MemoryBlock[] = [];
  let next = 0x10000n;
  return {
    blocks,
    allocate(bytes) {
      const block = { address: next, view: new ArrayBuffer(bytes), free: () => undefined };
      next += BigInt(Math.ceil(bytes / 64) * 64 + 4096);
      blocks.push(block);
      return block;
    },
    find(address) {
      const block = blocks.find(
        (candidate) =>
          address >= candidate.address && address < candidate.address + BigInt(candidate.view.byteLength),
      );
      if (block === undefined) throw new RangeError(`no block at ${address}`);
      return { view: block.view, offset: Number(address - block.address) };
    },
  };
}
