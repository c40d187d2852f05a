import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { setTimeout as after } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { openLibrary } from "../../runtime/native/foreign-library.ts";
import { allocate } from "../../runtime/native/native-memory.ts";
import { nativeBytesInUse, pageThreshold } from "../../runtime/native/system-memory.ts";
import { codeOf } from "./thrown-error.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

test.each([
  0,
  1,
  63,
  64,
  65,
  4096,
  pageThreshold - 1,
  pageThreshold,
  pageThreshold + 1,
  3 * pageThreshold + 4097,
])("%i bytes: aligned, zero even where memory was used before, whole", (bytes) => {
  const before = nativeBytesInUse();
  for (let round = 0; round < 3; round += 1) {
    const block = allocate(bytes);
    expect(block.address % (bytes >= pageThreshold ? 2n << 20n : 64n)).toBe(0n);
    expect(nativeBytesInUse()).toBe(before + bytes);
    const view = new Uint8Array(block.view);
    expect(view).toHaveLength(bytes);
    expect(Buffer.from(block.view).equals(Buffer.alloc(bytes))).toBe(true);
    view.fill(0xa5);
    block.free();
    block.free();
  }
  expect(nativeBytesInUse()).toBe(before);
});

test("pages around a large block are given back", () => {
  const mapped = (): number => Number(readFileSync("/proc/self/statm", "utf8").split(" ")[0]) * 4096;
  const before = mapped();
  for (let round = 0; round < 50; round += 1) allocate(16 << 20).free();
  expect(mapped() - before).toBeLessThan(16 << 20);
});

test("typed ranges lie in the block and see each other's writes", () => {
  const block = allocate(64);
  block.float32(4, 2).set([1.5, -2]);
  expect([...block.float32()].slice(0, 4)).toEqual([0, 1.5, -2, 0]);
  expect(block.uint32(4, 1)[0]).toBe(0x3fc00000);
  expect(block.uint16(62)).toHaveLength(1);
  expect(block.float64(56)).toHaveLength(1);
  block.int64(0, 1)[0] = -1n;
  expect([...block.uint8(0, 9)]).toEqual([255, 255, 255, 255, 255, 255, 255, 255, 0]);
  expect(block.int32(0, 1)[0]).toBe(-1);
  expect(block.float32(64)).toHaveLength(0);
});

test("ranges outside the block or between its entries are refused, and any use after free", () => {
  const block = allocate(64);
  for (const [offset, length] of [
    [0, 17],
    [64, 1],
    [2, 1],
    [-4, 1],
    [0, -1],
    [0, 1.5],
    [Number.NaN, 1],
    [68, undefined],
  ] as const) {
    expect(codeOf(() => block.float32(offset, length))).toBe("SPX8306");
  }
  block[Symbol.dispose]();
  expect(codeOf(() => block.float32(0, 1))).toBe("SPX8306");
  expect(codeOf(() => block.view)).toBe("SPX8306");
});

test.each([2 ** 60, 2 ** 53 - 1, totalmem() + 4096, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
  "a size of %d is refused before anything is asked of the system",
  (bytes) => {
    const before = nativeBytesInUse();
    expect(codeOf(() => allocate(bytes))).toBe("SPX8305");
    expect(nativeBytesInUse()).toBe(before);
  },
);

test("when the system has no memory left the process lives and is told", () => {
  const library = openLibrary(null);
  const limit = library.declare({
    name: "prlimit64",
    result: "int32",
    parameters: ["int32", "int32", "pointer", "pointer"],
  });
  const addressSpace = 9;
  const old = new BigUint64Array(2);
  expect(limit(0, addressSpace, null, old)).toBe(0);
  const pages = BigInt(readFileSync("/proc/self/statm", "utf8").split(" ")[0] ?? "0");
  const before = nativeBytesInUse();
  // Leaves 64 MiB of address space, then asks for more, from the pages and from the heap.
  limit(0, addressSpace, BigUint64Array.of(pages * 4096n + (64n << 20n), old[1] ?? 0n), null);
  const large = codeOf(() => allocate(256 << 20));
  const blocks: { free(): void }[] = [];
  const small = codeOf(() => {
    for (;;) blocks.push(allocate(pageThreshold - 1));
  });
  limit(0, addressSpace, old, null);
  for (const block of blocks) block.free();
  expect([large, small]).toEqual(["SPX8304", "SPX8304"]);
  expect(nativeBytesInUse()).toBe(before);
});

test("blocks that nobody can reach are freed, those under an array are not", async () => {
  const before = nativeBytesInUse();
  const keep = ((): Float32Array => {
    for (let round = 0; round < 20; round += 1)
      allocate(1 << 20)
        .float32()
        .fill(1);
    return allocate(1 << 20)
      .float32(0, 100)
      .fill(3)
      .subarray(10, 20);
  })();
  for (let round = 0; round < 20 && nativeBytesInUse() > before + (1 << 20); round += 1) {
    collect();
    await after(5);
  }
  // Blocks of earlier tests may have been freed as well.
  expect(nativeBytesInUse()).toBeLessThanOrEqual(before + (1 << 20));
  expect(nativeBytesInUse()).toBeGreaterThanOrEqual(1 << 20);
  expect([...keep]).toEqual(new Array(10).fill(3));
});
