/** Every code that the sources can raise is in the catalogue, once, and has what the catalogue says it has. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { catalogue } from "../../compiler/diagnostics/catalogue.ts";
import { syntaxProblems } from "../../grammar/parser/syntax-problems.ts";
import { runSpxc } from "./spxc-in-process.ts";
import { repositoryRoot } from "./spxc-process.ts";

const files = (folder: string, ending: string): string[] =>
  readdirSync(join(repositoryRoot, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(ending))
    .map((path) => join(folder, path));
const textOf = (path: string): string => readFileSync(join(repositoryRoot, path), "utf8");

/** Codes that no test can raise from outside, and why. */
const outOfReach: Readonly<Record<string, string>> = {
  SPX7005: "a module that LLVM verifies and cannot compile would be a fault of the compiler",
  SPX8309: "kernels cannot fail by themselves; the code is for what a future device reports",
  SPX9001: "a plan that a verifier refuses would be a fault of the compiler",
};

describe("catalogue", () => {
  it("has every code of the sources", () => {
    const written = new Set(
      ["compiler", "grammar", "runtime"].flatMap((folder) =>
        files(folder, ".ts").flatMap((path) => textOf(path).match(/\bSPX\d{4}\b/g) ?? []),
      ),
    );
    expect(written.size).toBeGreaterThan(100);
    const known = new Set(catalogue.map(({ code }) => code));
    expect([...written].filter((code) => !known.has(code))).toEqual([]);
  });

  it("has each code and each name once, in order, with a summary that stands alone", () => {
    const codes = catalogue.map(({ code }) => code);
    expect(codes).toEqual([...new Set(codes)].sort());
    const names = catalogue.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    for (const { code, name, summary } of catalogue) {
      expect(name, code).toMatch(/^[a-z0-9]+(?:-[a-z0-9]+)*$/);
      expect(summary, code).toMatch(/^\S.*[^.\s]$/);
    }
  });

  it("has a page for every code that promises one, and no other page", () => {
    const promised = catalogue.filter(({ explanation }) => explanation === "file").map(({ code }) => code);
    const pages = files("compiler/diagnostics/explanations", ".md").map((path) => basename(path, ".md"));
    expect(pages.sort()).toEqual(promised.sort());
  });

  it("is reached, code by code: by a bad program, or by a test that names it", () => {
    const folders = readdirSync(join(repositoryRoot, "tests/diagnostics")).join(" ");
    const named = files("tests", ".test.ts")
      .filter((path) => !path.endsWith("diagnostic-codes.test.ts"))
      .map(textOf)
      .join("\n");
    const unreached = catalogue.filter(
      ({ code }) => !folders.includes(code) && !named.includes(code) && !(code in outOfReach),
    );
    expect(unreached).toEqual([]);
    for (const code of Object.keys(outOfReach)) expect(named).not.toContain(code);
  });

  it("opens a page for every code", async () => {
    const syntax = new Set<string>(Object.values(syntaxProblems).map(({ code }) => code));
    for (const { code } of catalogue) {
      const { status, stdout } = await runSpxc(["explain", code]);
      expect({ code, status, title: stdout.startsWith(`# ${code}: `) }).toEqual({
        code,
        status: 0,
        title: true,
      });
      if (syntax.has(code)) expect(stdout).toMatch(/## Fails.*## Why.*## Works/s);
    }
  });
});
