/**
 * The inner loops of generated kernels, counted in the disassembly: a line of weights is decoded once for all tokens of a
 * tile, activations are broadcast from memory as a part of the multiply-add, and no vector goes to the stack.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lowerVariant } from "../../compiler/loop/lower-variant.ts";
import type { Layout } from "../../compiler/plan/plan.ts";
import { allTargets, type X86Target } from "../../compiler/targets/x86-targets.ts";
import { atomFamilies } from "../loop/atom-cases.ts";
import { count, innermostLoops, type MachineLoop } from "./disassembly.ts";
import { compileOrThrow } from "./native-kernels.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spx-loops-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The loops of the kernel of a family of weights that multiply. */
async function loopsOf(name: string, layout: Layout, suffix: X86Target["suffix"]): Promise<MachineLoop[]> {
  const family = atomFamilies.find((one) => one.name === name && one.layout === layout);
  const target = allTargets.find((one) => one.suffix === suffix);
  if (family === undefined || target === undefined) throw new Error(`no ${name} for ${suffix}`);
  const { plan, variant } = family.make(48, 48, 1);
  const { program } = lowerVariant(plan, variant, target, { name: `kernel_${suffix}`, constants: {} });
  const file = join(folder, `${name}-${layout}-${suffix}.so`.replaceAll(/[ :,]/g, "_"));
  writeFileSync(file, (await compileOrThrow([program])).bytes);
  return innermostLoops(file);
}

const multiplies = /^vfmadd/;
const vectorOnStack = /^v\S+ .*\((%rsp|%rbp).*%[yz]mm|^v\S+ .*%[yz]mm.*\((%rsp|%rbp)/;
const embedded = /^vfmadd.*\{1to16\}/;
const broadcast = /^vbroadcastss [^%]*\(/;

/** Loops of so many multiply-adds, each with one broadcast in it, that move no vector to or from the stack. */
const multiplyLoops = (loops: readonly MachineLoop[], fmas: number): readonly MachineLoop[] =>
  loops.filter(
    (loop) =>
      count(loop, multiplies) === fmas && count(loop, embedded) === fmas && count(loop, vectorOnStack) === 0,
  );

/** Instructions that decode lines of 16 weights, on 512-bit registers. */
const decodingOf = (loop: MachineLoop) => ({
  lookUps: count(loop, /^vperm/),
  shifts: count(loop, /^v(psrld|pslld|pandd|pandq|andps|pand) /),
  conversions: count(loop, /^v(pmovsxbd|cvtdq2ps) /),
});

describe("v4, lane = output", () => {
  test.each([
    ["int4, runs of a row", { lookUps: 8, shifts: 7, conversions: 0 }],
    ["int8, runs of a row", { lookUps: 0, shifts: 0, conversions: 16 }],
    ["bf16", { lookUps: 0, shifts: 8, conversions: 0 }],
  ] as const)("%s: eight lines are decoded once, whatever the number of tokens", async (name, expected) => {
    const loops = await loopsOf(name, "lane-output", "v4");
    for (const tokens of [1, 2, 3, 4, 8])
      expect(multiplyLoops(loops, 8 * tokens).map(decodingOf), `${tokens} tokens`).toContainEqual(expected);
  });

  test.each([
    ["int4, runs of a row", 1],
    ["bf16", 4],
    ["int8, runs of a row", 0],
    ["dense", 0],
  ] as const)("%s: lines of 64 bytes of codes are asked for ahead, each once", async (name, prefetches) => {
    const loops = multiplyLoops(await loopsOf(name, "lane-output", "v4"), name === "dense" ? 4 : 8);
    const counted = loops.map((loop) => count(loop, /^prefetcht0 /));
    expect(counted).toContain(prefetches);
    // `bf16` asks only where the weight is larger than what a cache keeps.
    if (name === "bf16") expect(counted).toContain(0);
  });

  test("unstructured: both lines of a pair are asked for ahead in one of two loops", async () => {
    const loops = await loopsOf("sparse 60%", "lane-output", "v4");
    const counted = loops
      .filter((loop) => count(loop, multiplies) === 2 && count(loop, /^vperm/) === 2)
      .map((loop) => count(loop, /^prefetcht0 /));
    expect(counted).toContain(2);
    expect(counted).toContain(0);
  });

  test("dense, first tokens: four lines a turn for each group of up to eight tokens, with what is to come", async () => {
    const loops = await loopsOf("dense", "lane-output", "v4");
    // Tokens of a group, and lines that one of so many groups asks for.
    for (const [tokens, asked] of [
      [5, 4],
      [6, 4],
      [7, 4],
      [8, 4],
      [8, 2],
      [8, 1],
      [4, 2],
    ] as const) {
      const found = multiplyLoops(loops, 4 * tokens).map((loop) => ({
        loads: count(loop, /^vmovu?a?ps .*,%zmm/),
        asked: count(loop, /^prefetch/),
      }));
      expect(found, `${tokens} tokens`).toContainEqual({ loads: 4, asked });
    }
  });

  test("dense: a line is loaded once for all tokens", async () => {
    const loops = await loopsOf("dense", "lane-output", "v4");
    // Tokens, and lines of a turn: as many chains of sums as make eight sums, and at most four.
    for (const [tokens, lines] of [
      [1, 4],
      [2, 4],
      [3, 2],
      [4, 2],
    ] as const) {
      const loads = multiplyLoops(loops, tokens * lines).map((loop) => count(loop, /^vmovu?a?ps .*,%zmm/));
      expect(loads, `${tokens} tokens`).toContain(lines);
    }
  });
});

describe("v4 with bf16, lane = output", () => {
  const products = /^vdpbf16ps/;
  test.each([
    [1, 8],
    [2, 4],
    [4, 4],
    [8, 4],
    [24, 4],
  ])(
    "%i tokens: %i lines a turn, each loaded once, activations broadcast within the product",
    async (tokens, lines) => {
      const loops = (await loopsOf("bf16", "lane-output", "v4bf16")).filter(
        (loop) => count(loop, products) === tokens * lines,
      );
      expect(loops.map((loop) => count(loop, /^vdpbf16ps \S*\{1to16\}/))).toContain(tokens * lines);
      expect(loops.map((loop) => count(loop, /^vmov\S+ .*\(.*,%zmm/))).toContain(lines);
      for (const loop of loops) expect(count(loop, /^v.*\(%rsp/)).toBe(0);
    },
  );
});

describe("lane = token", () => {
  const names = ["dense", "int4, runs of 8", "int8, runs of 24", "bf16"];
  const loopWith = (loops: readonly MachineLoop[], fmas: number): MachineLoop =>
    loops.find((loop) => count(loop, multiplies) === fmas) ?? expect.fail(`no loop of ${fmas}`);
  const uses = names.flatMap((name) => (name === "dense" ? [name] : [name, `${name}, transposed`]));
  test.each(uses)(
    "v4, %s: 8 x 3 sums, 3 loads, 8 broadcasts, nothing else that moves a vector",
    async (name) => {
      const loop = loopWith(await loopsOf(name, "lane-token", "v4"), 24);
      expect(count(loop, /^vmovup?s? .*\(.*,%zmm|^vmova?u?ps .*\(.*,%zmm/)).toBe(3);
      expect(count(loop, broadcast)).toBe(8);
      expect(count(loop, /^v/)).toBe(24 + 3 + 8);
    },
  );

  test.each(names)("v3, %s: 4 x 1 sums of two registers each", async (name) => {
    const loop = loopWith(await loopsOf(name, "lane-token", "v3"), 8);
    expect(count(loop, /zmm|\{/)).toBe(0);
    expect(count(loop, broadcast)).toBe(4);
    expect(count(loop, vectorOnStack)).toBe(0);
  });
});
