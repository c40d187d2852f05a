import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import {
  addressOf,
  type ForeignLibrary,
  openLibrary,
  readString,
  viewMemory,
} from "../../runtime/native/foreign-library.ts";
import { allocate } from "../../runtime/native/native-memory.ts";
import { codeOf } from "./thrown-error.ts";

const source = `
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#define KERNEL(name) int32_t name(void *frame, void *workspace, const float *x, float *y, int64_t batch, int32_t threads)
/* y = 2 x + threads; tells where x and y lay */
KERNEL(twice) {
  int64_t *seen = workspace;
  if (seen) { seen[0] = (int64_t)x; seen[1] = (int64_t)y; seen[2] = (int64_t)frame; }
  for (int64_t i = 0; i < batch; i++) y[i] = 2 * x[i] + threads;
  return 7;
}
KERNEL(twice_slowly) { usleep(60000); return twice(frame, workspace, x, y, batch, threads); }
KERNEL(deep_stack) {
  volatile char tile[1 << 20];
  for (int i = sizeof tile - 1; i >= 0; i -= 256) tile[i] = 1;
  return tile[sizeof tile - 1];
}
const char *greeting(void) { return "grüß"; }
double half(double x, const char *text, size_t n) { return n == strlen(text) ? x / 2 : -1; }
uint64_t large(void) { return UINT64_C(0xfedcba9876543210); }
`;

const folder = mkdtempSync(join(tmpdir(), "spx-foreign-"));
const libraryPath = join(folder, "kernels.so");
let library: ForeignLibrary;

beforeAll(() => {
  const text = join(folder, "kernels.c");
  writeFileSync(text, source);
  execFileSync("cc", ["-O1", "-shared", "-fPIC", "-o", libraryPath, text]);
  library = openLibrary(libraryPath);
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a kernel reads and writes the caller's memory itself, subarrays included", () => {
  const kernel = library.declareKernel("twice");
  const seen = new BigInt64Array(3);
  const x = Float32Array.from({ length: 10 }, (_, index) => index);
  const y = new Float32Array(12).fill(-1);
  const target = y.subarray(1, 11);
  expect(kernel.run(0x1234n, seen, x, target, 10, 3)).toBe(7);
  expect([...y]).toEqual([-1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, -1]);
  expect([...seen]).toEqual([addressOf(x), addressOf(y) + 4n, 0x1234n]);
});

test("memory may be a typed array, a buffer, an address or a block of native memory", () => {
  const kernel = library.declareKernel("twice");
  const block = allocate(64);
  const x = Float32Array.of(1, 2);
  kernel.run(null, null, x.buffer, block, 2, 0);
  expect([...block.float32(0, 3)]).toEqual([2, 4, 0]);
  kernel.run(null, null, block.address, block.float32(8, 2), 2, 1);
  expect([...block.float32(0, 4)]).toEqual([2, 4, 5, 9]);
});

test("an asynchronous call leaves the event loop free and writes the caller's memory", async () => {
  const kernel = library.declareKernel("twice_slowly");
  const y = new Float32Array(3);
  let ticks = 0;
  const timer = setInterval(() => {
    ticks += 1;
  }, 5);
  const status = kernel.runAsync(null, null, Float32Array.of(1, 2, 3), y, 3, 2);
  expect([...y]).toEqual([0, 0, 0]);
  expect(await status).toBe(7);
  clearInterval(timer);
  expect([...y]).toEqual([4, 6, 8]);
  expect(ticks).toBeGreaterThan(1);
});

test("the memory of an asynchronous call outlives a garbage collection", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const kernel = library.declareKernel("twice_slowly");
  const y = new Float32Array(100_000);
  const calls = [1, 2].map((threads) =>
    kernel.runAsync(
      null,
      null,
      new Float32Array(100_000).fill(21),
      y.subarray((threads - 1) * 50_000),
      50_000,
      threads,
    ),
  );
  for (let round = 0; round < 5; round += 1) {
    collect();
    // Freed memory would be given to these.
    Array.from({ length: 20 }, () => new Float32Array(100_000).fill(Number.NaN));
  }
  await Promise.all(calls);
  expect(new Set(y.subarray(0, 50_000))).toEqual(new Set([43]));
  expect(new Set(y.subarray(50_000))).toEqual(new Set([44]));
});

test("hundreds of asynchronous calls at once all come back", async () => {
  const kernel = library.declareKernel("twice");
  const results = Array.from({ length: 600 }, () => new Float32Array(1));
  await Promise.all(results.map((y, index) => kernel.runAsync(null, null, Float32Array.of(index), y, 1, 1)));
  expect(results.map((y) => y[0])).toEqual(results.map((_, index) => 2 * index + 1));
});

test("a kernel may use a megabyte of stack, on a worker thread too", async () => {
  const kernel = library.declareKernel("deep_stack");
  expect(kernel.run(null, null, null, null, 0, 1)).toBe(1);
  expect(await kernel.runAsync(null, null, null, null, 0, 1)).toBe(1);
});

test("two copies of the runtime live in one process, both with large stacks", async () => {
  vi.resetModules();
  const copy: typeof import("../../runtime/native/foreign-library.ts") = await import(
    "../../runtime/native/foreign-library.ts"
  );
  expect(copy.openLibrary).not.toBe(openLibrary);
  const kernel = copy.openLibrary(libraryPath).declareKernel("deep_stack");
  expect(await kernel.runAsync(null, null, null, null, 0, 1)).toBe(1);
});

test("other signatures: texts, doubles, sizes, large results", async () => {
  const half = library.declare({
    name: "half",
    result: "float64",
    parameters: ["float64", "string", "size"],
  });
  expect(half(3, "été", 5)).toBe(1.5);
  expect(await half.async(5, "abc", 3)).toBe(2.5);
  expect(library.declare({ name: "large", result: "uint64", parameters: [] })()).toBe(0xfedcba9876543210n);
  expect(library.declare({ name: "greeting", result: "string", parameters: [] })()).toBe("grüß");
  const address = library.declare({ name: "greeting", result: "pointer", parameters: [] })();
  expect(typeof address === "bigint" && readString(address)).toBe("grüß");
  expect(typeof address === "bigint" && new Uint8Array(viewMemory(address, 2))).toEqual(
    Uint8Array.of(0x67, 0x72),
  );
});

test("what is missing or damaged is said", () => {
  const garbage = join(folder, "garbage.so");
  writeFileSync(garbage, "no library");
  expect(codeOf(() => openLibrary(join(folder, "none.so")))).toBe("SPX8301");
  expect(codeOf(() => openLibrary("libthere-is-no-such-thing.so.7"))).toBe("SPX8301");
  expect(codeOf(() => openLibrary(garbage))).toBe("SPX8302");
  expect(codeOf(() => openLibrary(folder))).toBe("SPX8302");
  expect(codeOf(() => library.declareKernel("thrice"))).toBe("SPX8303");
  expect([library.has("twice"), library.has("thrice")]).toEqual([true, false]);
});

test("a closed library is not called any more, and its path can be loaded anew", () => {
  const path = join(folder, "again.so");
  const build = (value: number): void => {
    const text = join(folder, "again.c");
    writeFileSync(text, `int answer(void) { return ${value}; }`);
    rmSync(path, { force: true });
    execFileSync("cc", ["-shared", "-fPIC", "-o", path, text]);
  };
  const signature = { name: "answer", result: "int32", parameters: [] } as const;
  build(1);
  const first = openLibrary(path);
  const answer = first.declare(signature);
  expect(answer()).toBe(1);
  first.close();
  first.close();
  expect(codeOf(() => answer())).toBe("SPX8310");
  expect(codeOf(() => first.declare(signature))).toBe("SPX8310");
  build(2);
  const second = openLibrary(path);
  expect(second.declare(signature)()).toBe(2);
  second.close();
});
