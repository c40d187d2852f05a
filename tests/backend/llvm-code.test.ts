/** The shared object itself: inner loops as written, nothing needed but libc, the same bytes every time. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileLibrary } from "../../compiler/backend/llvm/compile-library.ts";
import { abiVersion } from "../../runtime/contract/manifest.ts";
import { type DenseShape, denseProgram } from "./dense-program.ts";
import { count, innermostLoops, type MachineLoop } from "./disassembly.ts";
import { forBothLevels } from "./loop-builders.ts";
import { compileOrThrow, foreign, loadKernels, runnableSuffixes, smallIntegers } from "./native-kernels.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spx-code-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The loop with the most fused multiply-adds of a dense kernel compiled alone for one level. */
async function hottestLoop(shape: DenseShape, suffix: "v3" | "v4"): Promise<MachineLoop> {
  const programs = forBothLevels(denseProgram("dense", shape)).filter(({ name }) => name.endsWith(suffix));
  const file = join(folder, `${suffix}-${shape.outputs}-${shape.vectors}-${shape.unroll}.so`);
  writeFileSync(file, (await compileOrThrow(programs)).bytes);
  const loops = innermostLoops(file).map((loop) => ({ loop, fmas: count(loop, /^vfmadd/) }));
  const hottest = loops.sort((a, b) => b.fmas - a.fmas)[0];
  if (hottest === undefined) throw new Error("the kernel has no loop");
  return hottest.loop;
}

const stack = /\((%rsp|%rbp)/;
const memoryBroadcast = /^vbroadcastss [^%]*\(|\{1to16\}/;
const registerBroadcast = /^vbroadcastss %|^v(shuf|perm)/;

describe("inner loops", () => {
  test("v4, 8 outputs x 3 vectors: 24 multiply-adds, 3 loads, 8 broadcasts from memory, no spill", async () => {
    const loop = await hottestLoop({ outputs: 8, vectors: 3, unroll: 1 }, "v4");
    expect(count(loop, /^vfmadd.*%zmm/)).toBe(24);
    expect(count(loop, /^vmovups .*\(.*,%zmm/)).toBe(3);
    expect(count(loop, memoryBroadcast)).toBe(8);
    expect(count(loop, registerBroadcast)).toBe(0);
    expect(count(loop, stack)).toBe(0);
    expect(loop.length).toBeLessThanOrEqual(24 + 3 + 8 + 4);
  });

  test("v4, 6 x 1: a splat that is used once is part of its multiply-add", async () => {
    const loop = await hottestLoop({ outputs: 6, vectors: 1, unroll: 1 }, "v4");
    expect(count(loop, /^vfmadd.*\{1to16\}/)).toBe(6);
    expect(count(loop, /^vbroadcast/)).toBe(0);
    expect(count(loop, stack)).toBe(0);
  });

  test("unrolling is what the loop program says", async () => {
    const loop = await hottestLoop({ outputs: 6, vectors: 1, unroll: 4 }, "v4");
    expect(count(loop, /^vfmadd/)).toBe(24);
    expect(count(loop, stack)).toBe(0);
  });

  test("v3, 4 x 1: two 256-bit registers a vector, no wider ones, no spill", async () => {
    const loop = await hottestLoop({ outputs: 4, vectors: 1, unroll: 1 }, "v3");
    expect(count(loop, /^vfmadd.*%ymm/)).toBe(8);
    expect(count(loop, /zmm|\{/)).toBe(0);
    expect(count(loop, memoryBroadcast)).toBe(4);
    expect(count(loop, stack)).toBe(0);
  });
});

describe("the shared object", () => {
  const programs = ["first", "second"].flatMap((name) =>
    forBothLevels(denseProgram(name, { outputs: 4, vectors: 1, unroll: 2 })),
  );

  test("exports its kernels and the ABI version, and needs nothing but functions of libc", async () => {
    const library = await compileOrThrow(programs);
    expect(library.symbols).toEqual(["first_v4", "first_v3", "second_v4", "second_v3", "spx_abi_version"]);
    const file = join(folder, "symbols.so");
    writeFileSync(file, library.bytes);
    const symbols = spawnSync("nm", ["-D", file], { encoding: "utf8" }).stdout.trim().split("\n");
    const named = (kind: string): string[] =>
      symbols.filter((line) => line.includes(` ${kind} `)).map((line) => line.split(" ").at(-1) ?? "");
    expect(named("T").sort()).toEqual([...library.symbols].sort());
    expect(named("U").sort()).toEqual(["pthread_create", "pthread_detach", "pthread_sigmask", "syscall"]);
    expect(symbols.length).toBe(named("T").length + named("U").length);
    const dynamic = spawnSync("readelf", ["-d", file], { encoding: "utf8" }).stdout;
    expect(dynamic).not.toContain("NEEDED");
    expect(dynamic).toContain("NODELETE");
  });

  test("the ABI version can be asked for", async () => {
    const file = join(folder, "abi.so");
    writeFileSync(file, (await compileOrThrow(programs.slice(0, 1))).bytes);
    const version = foreign
      .openLibrary(file)
      .declare({ name: "spx_abi_version", result: "int32", parameters: [] });
    expect(version()).toBe(abiVersion);
  });

  test("the same programs give the same bytes, wherever the intermediate files were", async () => {
    const compile = async (workFolder: string): Promise<Uint8Array> => {
      const compiled = await compileLibrary(programs, { foreign, workFolder: join(folder, workFolder) });
      if (compiled.kind === "failure") throw new Error(compiled.problems[0]?.message);
      expect(readdirSync(join(folder, workFolder))).toEqual([]);
      return compiled.bytes;
    };
    const first = await compile("a");
    const second = await compile("a-much-longer-name-of-a-folder");
    expect(Buffer.compare(first, second)).toBe(0);
  });

  test("the text of the module is returned only when asked for", async () => {
    const { ir } = await compileOrThrow(programs.slice(0, 1), { keepIr: true });
    expect(ir).toContain("define i32 @first_v4(");
    expect((await compileOrThrow(programs.slice(0, 1))).ir).toBe("");
  });
});

test.each(["libLLVM", "opt and llc"] as const)(
  "optimised by %s, the dense kernel is right",
  async (provider) => {
    const shape: DenseShape = { outputs: 8, vectors: 3, unroll: 4 };
    const kernels = await loadKernels(forBothLevels(denseProgram("dense", shape)), { provider });
    expect(kernels.library.provider.name).toBe(provider);
    for (const suffix of runnableSuffixes()) {
      for (const k of [0, 1, 3, 4, 5, 61]) {
        const tiles = 3;
        const w = smallIntegers(tiles * k * 8, k + 1);
        const x = smallIntegers(k * 48, k + 2);
        const y = new Float32Array(tiles * 8 * 48).fill(Number.NaN);
        kernels.run(`dense_${suffix}`, { constants: [w], symbols: [k, tiles], x, y, threads: 2 });
        const expected = Array.from(y, (_, i) => {
          const [t, o, m] = [Math.floor(i / 384), Math.floor(i / 48) % 8, i % 48];
          let sum = 0;
          for (let step = 0; step < k; step += 1)
            sum += (w[(t * k + step) * 8 + o] ?? 0) * (x[step * 48 + m] ?? 0);
          return sum;
        });
        expect([...y]).toEqual(expected);
      }
    }
    kernels.remove();
  },
);
