/** Phases that differ in names alone are one function, which reads what each of its callers hands it. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileUnits } from "../../compiler/backend/llvm/compile-units.ts";
import { generateLlvm } from "../../compiler/backend/llvm/generate-llvm.ts";
import type { LoopProgram } from "../../compiler/loop/loop-node.ts";
import { add, buffer, f32, forBothLevels, load, phase, store, symbol } from "./loop-builders.ts";
import {
  alignedBytes,
  loadKernels,
  type NativeKernels,
  runnableSuffixes,
  smallIntegers,
} from "./native-kernels.ts";

const batch = symbol("batch");
const tile = symbol("tile");

/** to[tile] = from[tile] + table[place] for every token. */
const shifted = (to: string, from: string, table: string, place: string) =>
  phase(to, batch, [store(to, tile, add(load(from, tile, f32), load(table, symbol(place), f32)))]);

/** Three phases of one shape, over other buffers and symbols each, and one that reads where it writes. */
const chain = (name: string, [first, second]: readonly [string, string]): Omit<LoopProgram, "level"> => ({
  name,
  symbols: [first, second],
  buffers: [
    buffer("near", "constant", symbol(first)),
    buffer("far", "constant", symbol(first)),
    buffer("x", "input", batch),
    buffer("one", "workspace", batch),
    buffer("two", "workspace", batch),
    buffer("y", "output", batch),
  ],
  phases: [
    shifted("one", "x", "near", first),
    shifted("two", "one", "far", second),
    shifted("y", "two", "near", second),
    shifted("y", "y", "far", first),
  ],
});

const programs = [chain("left", ["a", "b"]), chain("right", ["c", "d"])];
const functionsIn = (text: string): number => text.split("\ndefine internal void").length - 1;

test("one function for each shape and level, whatever the names", () => {
  expect(functionsIn(generateLlvm(programs.flatMap(forBothLevels)))).toBe(2 * 2);
});

test("programs with a phase in common are compiled in one unit", () => {
  const units = compileUnits(programs.flatMap(forBothLevels)).map((unit) =>
    unit.map(({ name }) => name).sort(),
  );
  expect(units).toContainEqual(["left_v4", "right_v4"]);
  expect(units).toContainEqual(["left_v3", "right_v3"]);
});

describe.each(runnableSuffixes())("level %s", (suffix) => {
  let kernels: NativeKernels | undefined;
  beforeAll(async () => {
    kernels = await loadKernels(programs.flatMap(forBothLevels));
  });
  afterAll(() => kernels?.remove());

  test.each(["left", "right"])("%s reads its own buffers and symbols", (name) => {
    for (const size of [0, 1, 37]) {
      const x = smallIntegers(size, 3);
      const [near, far] = [smallIntegers(8, 5), smallIntegers(8, 6)];
      const y = new Float32Array(size).fill(Number.NaN);
      const status = kernels?.run(`${name}_${suffix}`, {
        constants: [near, far],
        symbols: [2, 7],
        workspace: alignedBytes(2 * 256),
        x,
        y,
        batch: size,
        threads: 2,
      });
      expect(status).toBe(0);
      const [a = 0, b = 0, c = 0, d = 0] = [near[2], far[7], near[7], far[2]];
      expect([...y]).toEqual([...x].map((value) => value + a + b + c + d));
    }
  });
});
