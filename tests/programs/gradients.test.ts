/**
 * The backward pass of every transform of the standard library, compiled and loaded for real, on every level that this
 * CPU runs, against gradients that the chain rule gives on dense float64 matrices.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { x86Targets } from "../../compiler/targets/x86-targets.ts";
import type { DenseParameter } from "../../runtime/index.ts";
import { detectCpu } from "../../runtime/native/cpu-features.ts";
import { checkBackward, loadCase } from "./backward-check.ts";
import { type BuiltProgram, openChanged } from "./built-program.ts";
import { buildStdlib, stdlibCases } from "./stdlib-cases.ts";

type Gradients = Readonly<Record<"A" | "B", DenseParameter>>;

let programs: ReadonlyMap<string, BuiltProgram> = new Map();
const folder = mkdtempSync(join(tmpdir(), "spx-gradients-"));
const { features } = detectCpu();
const levels = x86Targets
  .filter(({ needs }) => needs.every((need) => features.has(need)))
  .map(({ name }) => name);

beforeAll(async () => {
  programs = await buildStdlib();
}, 240_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("there is a level to run on", () => expect(levels.length).toBeGreaterThan(0));

describe.each(levels)("on %s", (level) => {
  describe.each(stdlibCases)("$file $transform $numbers", ({ file, transform, sizes, numbers }) => {
    test.each(sizes)("[%i, %i]", async (out, inputs) => {
      const program = programs.get(file);
      if (program === undefined) throw new Error(`no ${file}`);
      const place = join(folder, file);
      mkdirSync(place, { recursive: true });
      const artefact = openChanged(program, { folder: place, name: level, level }, (manifest) => manifest);
      const loaded = await loadCase(program, transform, out, inputs, numbers ?? {}, artefact);
      await checkBackward(loaded);
      loaded.layer.dispose();
    });
  });
});

test("gradients of another layer, or of another batch, are refused", async () => {
  const program = programs.get("lora");
  if (program === undefined) throw new Error("no lora");
  const { layer } = await loadCase(program, "LoRA", 17, 13, { r: 2 });
  const other = await loadCase(program, "LoRA", 17, 13, { r: 2 });
  const [x, dy] = [new Float32Array(26), new Float32Array(34)];
  const { grads } = other.layer.backward(x, dy);
  const own = layer.backward(x, dy).grads as Gradients;
  for (const into of [
    { ...own, A: (grads as Gradients).A },
    { ...own, A: structuredClone(own.A) },
  ])
    expect(() => layer.backward(x, dy, { into })).toThrow(/SPX8407.*no gradient of `A` that this layer/);
  expect(() => layer.backward(x, dy, { into: grads })).toThrow(/SPX8407.*no gradient of `B` that this layer/);
  expect(() => layer.backward(x, new Float32Array(17))).toThrow(
    /SPX8405.*`dy` of `LoRA` has 1 rows, `x` has 2/,
  );
  expect(() => layer.backward(x, new Float32Array(18))).toThrow(
    /SPX8405.*`dy` of `LoRA` is 18 values, expected \[batch, 17\]/,
  );
  layer.dispose();
  expect(() => layer.backward(x, dy)).toThrow(/SPX8306/);
});

test("a gradient of another parameter with as many values is refused", async () => {
  const program = programs.get("lora");
  if (program === undefined) throw new Error("no lora");
  const { layer } = await loadCase(program, "LoRA", 13, 13, { r: 2 });
  const [x, dy] = [new Float32Array(26), new Float32Array(26)];
  const { A, B } = layer.backward(x, dy).grads as Gradients;
  expect(() => layer.backward(x, dy, { into: { A: B, B: A } })).toThrow(/SPX8407.*no gradient of `[AB]`/);
  expect(() => layer.backward(x, dy, { into: { A, B } })).not.toThrow();
  layer.dispose();
});
