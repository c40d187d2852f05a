/** What cannot be compiled gives data with a code, never a dead process, and leaves no file behind. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compileIr, compileLibrary } from "../../compiler/backend/llvm/compile-library.ts";
import { generateLlvm } from "../../compiler/backend/llvm/generate-llvm.ts";
import { findToolchain, type Toolchain } from "../../compiler/backend/llvm/toolchain.ts";
import { denseProgram } from "./dense-program.ts";
import { forBothLevels } from "./loop-builders.ts";
import { foreign } from "./native-kernels.ts";

const programs = forBothLevels(denseProgram("dense", { outputs: 2, vectors: 1, unroll: 1 }));
let toolchain: Toolchain;
let folder = "";
beforeAll(async () => {
  toolchain = await findToolchain();
  folder = mkdtempSync(join(tmpdir(), "spx-failures-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("this machine has all it takes", () => {
  expect(toolchain.problems).toEqual([]);
});

test("an LLVM of the user's own comes first", async () => {
  const library = join(folder, "own", "lib", "libLLVM-14.so.1");
  mkdirSync(join(folder, "own", "lib", "cmake", "llvm"), { recursive: true });
  writeFileSync(library, "");
  const found = await findToolchain("", join(folder, "own", "lib", "cmake", "llvm"));
  expect(found.libLlvm).toBe(library);
});

test.each([
  ["does not parse", "define i32 @f() {\n  ret i64 %nothing\n}\n", /nothing|expected|type/],
  [
    "does not verify",
    "define i32 @f() {\nentry:\n  br label %next\nnext:\n  %a = add i32 %b, 1\n  %b = add i32 %a, 1\n  ret i32 %a\n}\n",
    /dominate/,
  ],
])("a module that %s is refused with LLVM's reason", async (_what, text, reason) => {
  for (const provider of ["libLLVM", "opt and llc"] as const) {
    const result = await compileIr([text], {
      folder,
      symbols: ["f"],
      toolchain,
      options: { foreign, provider },
    });
    if (result.kind !== "failure") throw new Error("the module was accepted");
    expect(result.problems.map((problem) => problem.code)).toEqual(["SPX7004"]);
    expect(result.problems[0]?.message).toMatch(reason);
  }
});

const missing: [string, (found: Toolchain) => Toolchain, string][] = [
  [
    "llvm-bindings",
    (found) => ({ ...found, problems: [{ code: "SPX7001", message: "", help: "" }] }),
    "SPX7001",
  ],
  [
    "libLLVM that opens",
    (found) => ({ ...found, libLlvm: "/nowhere/libLLVM-14.so.1", programs: null }),
    "SPX7002",
  ],
  ["LLVM in any form", (found) => ({ ...found, libLlvm: null, programs: null }), "SPX7002"],
  ["a linker", (found) => ({ ...found, linker: null }), "SPX7003"],
  ["a linker that works", (found) => ({ ...found, linker: { kind: "ld", path: "/bin/false" } }), "SPX7006"],
];

test.each(missing)("without %s", async (_what, without, code) => {
  const work = join(folder, code);
  const result = await compileLibrary(programs, { foreign, toolchain: without(toolchain), workFolder: work });
  if (result.kind !== "failure") throw new Error("it compiled");
  expect(result.problems.map((problem) => problem.code)).toEqual([code]);
  if (code !== "SPX7001") expect(readdirSync(work)).toEqual([]);
});

test("where libLLVM does not open, its programs are used and the result says so", async () => {
  const result = await compileLibrary(programs, {
    foreign,
    toolchain: { ...toolchain, libLlvm: "/nowhere/libLLVM-14.so.1" },
  });
  if (result.kind !== "library") throw new Error(result.problems[0]?.message);
  expect(result.provider.name).toBe("opt and llc");
});

test("a work folder that cannot be made", async () => {
  const file = join(folder, "a-file");
  writeFileSync(file, "");
  const result = await compileLibrary(programs, { foreign, toolchain, workFolder: join(file, "inside") });
  if (result.kind !== "failure") throw new Error("it compiled");
  expect(result.problems[0]?.code).toBe("SPX7007");
});

test("the search finds what is missing by itself", async () => {
  const empty = mkdtempSync(join(folder, "empty-"));
  const found = await findToolchain(empty);
  expect(found.linker).toBeNull();
  expect(found.problems.map((problem) => problem.code)).toContain("SPX7003");
  const cc = join(empty, "cc");
  writeFileSync(cc, "#!/bin/sh\n");
  chmodSync(cc, 0o755);
  expect((await findToolchain(empty)).linker).toEqual({ kind: "cc", path: cc });
});

test("linking through the C compiler gives the same exports", async () => {
  const linker = { kind: "cc", path: "/usr/bin/cc" } as const;
  const result = await compileLibrary(programs, { foreign, toolchain: { ...toolchain, linker } });
  if (result.kind !== "library") throw new Error(result.problems[0]?.message);
  const file = join(folder, "cc.so");
  writeFileSync(file, result.bytes);
  const library = foreign.openLibrary(file);
  expect(result.symbols.map((symbol) => library.has(symbol))).toEqual([true, true, true]);
  expect(library.has("spx_parallel")).toBe(false);
});

test("ill-typed programs are bugs of the compiler and throw", () => {
  const [program] = programs;
  if (program === undefined) throw new Error("no program");
  expect(() => generateLlvm([{ ...program, name: "not a name" }])).toThrow("not a C name");
  expect(() => generateLlvm([{ ...program, level: "x86-64-v9" }])).toThrow("unknown level");
  expect(() => generateLlvm([{ ...program, buffers: [] }])).toThrow("not a buffer");
  expect(() => generateLlvm([{ ...program, symbols: [] }])).toThrow("not bound");
});
