/** The inner loops of sparse operands as machine code: how many instructions an entry takes, and none beside them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lowerVariant } from "../../compiler/loop/lower-variant.ts";
import { x86Targets } from "../../compiler/targets/x86-targets.ts";
import { count, innermostLoops, type MachineLoop } from "../backend/disassembly.ts";
import { compileOrThrow } from "../backend/native-kernels.ts";
import { atomFamilies } from "./atom-cases.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spx-sparse-code-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The inner loops of one operand's kernel, at the level of AVX-512 unless another is asked for. */
async function loopsOf(
  name: string,
  layout: "lane-output" | "lane-token",
  level: "v3" | "v4" = "v4",
): Promise<MachineLoop[]> {
  const family = atomFamilies.find((one) => one.name === name && one.layout === layout);
  const target = x86Targets.find(({ suffix }) => suffix === level);
  const plan = family?.make(33, 48, 1).plan;
  const [variant] = plan?.variants ?? [];
  if (target === undefined || plan === undefined || variant === undefined) throw new ReferenceError(name);
  const { program } = lowerVariant(plan, variant, target, { name: "kernel", constants: {} });
  const file = join(folder, `${layout}-${level}.so`);
  writeFileSync(file, (await compileOrThrow([program])).bytes);
  return innermostLoops(file);
}

const multiply = /^vfmadd.*%zmm/;
const stack = /\(%rsp/;

/** The loop with so many multiply-adds. */
function loopWith(loops: readonly MachineLoop[], multiplies: number): MachineLoop {
  const found = loops.find((loop) => count(loop, multiply) === multiplies);
  if (found === undefined) throw new Error(`no loop of ${multiplies} multiply-adds`);
  return found;
}

const broadcast = /^vbroadcastss [^%]*\(.*%zmm/;
const permute = /^vperm(d|ps|ilps) .*%zmm/;
const fromMemory = /^vfmadd[^{]*\(.*%zmm/;

describe("unstructured entries", () => {
  it("one token: two lines are two permutes and two multiply-adds, their window and values read from memory", async () => {
    const loop = loopWith(await loopsOf("sparse 60%", "lane-output"), 2);
    expect(count(loop, /^vperm(d|ps) [^%]*\(/)).toBe(2);
    expect(count(loop, fromMemory)).toBe(2);
    expect(count(loop, /^vpmovzxbd/)).toBe(1);
    expect(count(loop, /^vpsrld/)).toBe(1);
    expect(count(loop, stack)).toBe(0);
    expect(loop.length).toBeLessThanOrEqual(14);
  });

  it("one token, quads: four loads bring the inputs of four entries together for one multiply-add", async () => {
    const loops = await loopsOf("sparse 1%", "lane-output");
    const loop = loops.find((one) => count(one, /^vfmadd.*%xmm/) === 1 && count(one, multiply) === 0);
    if (loop === undefined) throw new Error("no loop over the lines of a quad");
    expect(count(loop, /^vinsertps [^%]*\(/)).toBe(3);
    expect(count(loop, /^movzwl/)).toBe(4);
    expect(count(loop, stack)).toBe(0);
    expect(loop.length).toBeLessThanOrEqual(17);
  });

  it("tokens in lanes: four entries share a load of their values, each is an index and a multiply-add from memory for each 16 tokens", async () => {
    const loops = (await loopsOf("sparse 60%", "lane-token")).filter(
      (loop) => count(loop, /^vbroadcastf32x4 [^%]*\(/) > 0,
    );
    // 16, 32, 48 and 64 tokens.
    expect(loops.map((loop) => count(loop, multiply)).sort((a, b) => a - b)).toEqual([4, 8, 12, 16]);
    for (const loop of loops) {
      expect(count(loop, /^vbroadcastf32x4/)).toBe(1);
      expect(count(loop, permute)).toBe(4);
      expect(count(loop, broadcast)).toBe(0);
      expect(count(loop, fromMemory)).toBe(count(loop, multiply));
      expect(count(loop, /^movzwl/)).toBe(4);
      expect(count(loop, stack)).toBe(0);
      // Beside those: a shift for each entry, a sum for each address, three instructions of the loop.
      expect(loop.length).toBeLessThanOrEqual(1 + 4 + 4 + 4 + 2 * count(loop, multiply) + 3);
    }
  });

  it("the same with half as wide registers: both halves of 16 tokens share what is loaded of the values", async () => {
    const loops = (await loopsOf("sparse 60%", "lane-token", "v3")).filter(
      (loop) => count(loop, /^vbroadcastf128 [^%]*\(/) > 0,
    );
    expect(loops.map((loop) => count(loop, /^vfmadd.*%ymm/)).sort((a, b) => a - b)).toEqual([8, 16]);
    for (const loop of loops) {
      expect(count(loop, /^vbroadcastf128/)).toBe(1);
      expect(count(loop, /^vpermilps .*%ymm/)).toBe(4);
      expect(count(loop, stack)).toBe(0);
    }
  });
});

describe("groups", () => {
  it("2:4: a window of four inputs is broadcast for two lines, a word of indices is loaded for sixteen", async () => {
    const loop = loopWith(await loopsOf("2:4", "lane-output"), 16);
    expect(count(loop, fromMemory)).toBe(16);
    expect(count(loop, permute)).toBe(16);
    expect(count(loop, /^vbroadcastf32x4 [^%]*\(/)).toBe(8);
    expect(count(loop, /^vmovups .*\(.*%zmm/)).toBe(1);
    expect(count(loop, stack)).toBe(0);
  });

  it("8:16: a window stays in a register for eight lines", async () => {
    const loop = loopWith(await loopsOf("8:16", "lane-output"), 8);
    expect(count(loop, fromMemory)).toBe(8);
    expect(count(loop, permute)).toBe(8);
    expect(count(loop, /^vmovups .*\(.*%zmm/)).toBe(2);
    expect(count(loop, stack)).toBe(0);
  });
});

describe("blocks", () => {
  it("4x1, 64 tokens: what is loaded of an input is used by four rows", async () => {
    const loop = loopWith(await loopsOf("blocks 4x1", "lane-token"), 16);
    expect(count(loop, /^vmovups .*\(.*%zmm/)).toBe(4);
    expect(count(loop, broadcast)).toBe(4);
    expect(count(loop, stack)).toBe(0);
    expect(loop.length).toBeLessThanOrEqual(34);
  });
});
