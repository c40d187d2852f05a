/**
 * The backward pass of every transform of the standard library, compiled and loaded for real, on every level that this
 * CPU runs, against gradients that the chain rule gives on dense float64 matrices.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { x86Targets } from "../../compiler/targets/x86-targets.ts";
import { detectCpu } from "../../runtime/native/cpu-features.ts";
import { checkBackward, loadCase } from "./backward-check.ts";
import { type BuiltProgram, openChanged } from "./built-program.ts";
import { buildStdlib, stdlibCases } from "./stdlib-cases.ts";

let programs: ReadonlyMap<string, BuiltProgram> = new Map();
const folder = mkdtempSync(join(tmpdir(), "spx-gradients-"));
const { features } = detectCpu();
const levels = x86Targets.filter(({ needs }) => needs.every((need) => features.has(need))).map(({ name }) => name);

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
