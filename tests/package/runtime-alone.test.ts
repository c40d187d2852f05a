// What is published: the right files, and a runtime that works with koffi alone, far from the compiler and from LLVM.

import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Installation, installPacked, reachablePackages, root, runAlone } from "./pack-project.ts";

let installation: Installation = { folder: "", packed: [] };
beforeAll(() => {
  installation = installPacked();
});
afterAll(() => rmSync(installation.folder, { recursive: true, force: true }));

describe("the tarball", () => {
  it("holds the licence, the entries that package.json names, and only what is meant to be published", () => {
    const { packed } = installation;
    expect(packed).toContain("LICENSE");
    const allowed =
      /^(?:package\.json|LICENSE|NOTICE|README\.md|dist\/.*\.(?:js|d\.ts)|dist\/grammar\/parser\/chevrotain\.min\.mjs|stdlib\/.*\.(?:spx|md)|grammar\/editor\/.*|compiler\/diagnostics\/explanations\/SPX\d{4}\.md)$/;
    expect(packed.filter((path) => !allowed.test(path))).toEqual([]);
    const { exports, bin } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const named = [
      ...Object.values(bin),
      ...Object.values(exports).flatMap((entry) =>
        typeof entry === "string" ? entry : Object.values(entry as object),
      ),
    ];
    expect(
      named.map((path) => String(path).replace(/^\.\//, "")).filter((path) => !packed.includes(path)),
    ).toEqual([]);
  });

  it("holds no output whose source is gone", () => {
    const outputs = installation.packed.filter((path) => /^dist\/.*\.js$/.test(path));
    const orphans = outputs.filter(
      (path) => !existsSync(join(root, path.replace(/^dist\//, "").replace(/\.js$/, ".ts"))),
    );
    expect(orphans).toEqual([]);
  });
});

describe("the runtime in an empty folder", () => {
  it("has koffi and nothing else within reach", () => {
    expect([...reachablePackages(installation.folder)].sort()).toEqual(
      [`@koromix/koffi-${process.platform}-${process.arch}`, "koffi", "spx"].sort(),
    );
  });

  it("is imported, writes a checkpoint and reads it back, with neither compiler nor LLVM in the process", () => {
    const { result, mapped } = runAlone(
      installation.folder,
      `import * as runtime from "spx/runtime";
       import "spx/runtime/contract";
       async function run() {
         const name = "w";
         const written = runtime.tensor("f32", [2, 2], Float32Array.of(1, 2, 3, 4));
         await runtime.writeSafetensors("out.safetensors", [runtime.namedTensor(name, written)]);
         const checkpoint = await runtime.openCheckpoint("out.safetensors");
         const read = await checkpoint.read(name);
         return [...read.data];
       }`,
    );
    expect(result).toEqual([1, 2, 3, 4]);
    expect(mapped.filter((path) => /llvm/i.test(path))).toEqual([]);
  });

  it("cannot import the compiler's packages, as the test means it to be", () => {
    const { result } = runAlone(
      installation.folder,
      `async function run() {
         const names = ["chevrotain", "ts-morph", "llvm-bindings", "commander", "picomatch", "cli-progress"];
         const found = await Promise.all(names.map((name) => import(name).then(() => name, () => null)));
         return found.filter((name) => name !== null);
       }`,
    );
    expect(result).toEqual([]);
  });
});
