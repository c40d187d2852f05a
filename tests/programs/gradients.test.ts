/**
 * The backward pass of every transform of the standard library, compiled and loaded for real, against gradients that
 * the chain rule gives on dense float64 matrices.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { stdlibCases, buildStdlib } from "./stdlib-cases.ts";
import type { BuiltProgram } from "./built-program.ts";
import { checkBackward, loadCase } from "./backward-check.ts";

let programs: ReadonlyMap<string, BuiltProgram> = new Map();

beforeAll(async () => {
  programs = await buildStdlib();
}, 240_000);

describe.each(stdlibCases)("$file $transform $numbers", ({ file, transform, sizes, numbers }) => {
  test.each(sizes)("[%i, %i]", async (out, inputs) => {
    const program = programs.get(file);
    if (program === undefined) throw new Error(`no ${file}`);
    const loaded = await loadCase(program, transform, out, inputs, numbers ?? {});
    await checkBackward(loaded);
    loaded.layer.dispose();
  });
});
