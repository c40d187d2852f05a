/** The catalogue holds every code once, and every explanation is true. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkModule } from "../../compiler/check/check-module.ts";
import { catalogue } from "../../compiler/diagnostics/catalogue.ts";
import { syntaxProblems } from "../../grammar/parser/syntax-problems.ts";
import { textHost } from "../check/text-host.ts";
import { fixtureFiles, fixtures, fixturesFolder } from "./fixture-files.ts";

const explanations = join(fixturesFolder, "../../compiler/diagnostics/explanations");
const pages = catalogue.filter(({ explanation }) => explanation === "file");
/** Phases 2 to 5 speak of programs; the pages of other phases speak of machines and options. */
const explained = pages.filter(({ code }) => /^SPX[2-5]/.test(code));

/** Examples of one part of an explanation; those after "with `name`" are files beside it. */
function examplesOf(code: string, part: "Fails" | "Works"): Record<string, string> {
  const text = readFileSync(join(explanations, `${code}.md`), "utf8");
  const section = text.split(/^## /m).find((candidate) => candidate.startsWith(part)) ?? "";
  const files: Record<string, string> = {};
  for (const match of section.matchAll(/(?:with `([^`]+)`:\n\n)?```spx\n([\s\S]*?)```/g))
    files[match[1] ?? "case.spx"] = match[2] ?? "";
  return files;
}

const codesOf = (files: Record<string, string>): string[] => [
  ...new Set(checkModule("case.spx", textHost(files)).diagnostics.map(({ code }) => code)),
];

describe("catalogue", () => {
  test("codes and names are unique and well formed", () => {
    expect(new Set(catalogue.map(({ code }) => code)).size).toBe(catalogue.length);
    expect(new Set(catalogue.map(({ name }) => name)).size).toBe(catalogue.length);
    for (const { code, name, summary } of catalogue) {
      expect(code).toMatch(/^SPX\d{4}$/);
      expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(summary).not.toMatch(/\.$/);
    }
  });

  test("no explanation is without a code, no fixture either", () => {
    const codes = new Set(pages.map(({ code }) => code));
    for (const { code } of pages) expect(existsSync(join(explanations, `${code}.md`)), code).toBe(true);
    for (const file of readdirSync(explanations)) expect(codes).toContain(file.replace(/\.md$/, ""));
    const folders = new Set(catalogue.map(({ code, name }) => `${code}-${name}`));
    for (const folder of fixtures) expect(folders).toContain(folder);
  });

  test.each(explained)("$code is explained, and reached by a fixture", ({ code, name }) => {
    expect(existsSync(join(fixturesFolder, `${code}-${name}`, "case.spx"))).toBe(true);
    expect(codesOf(examplesOf(code, "Fails"))).toEqual([code]);
    expect(codesOf(examplesOf(code, "Works"))).toEqual([]);
  });

  test.each(Object.entries(syntaxProblems))("%s has a page whose examples are true", (_, row) => {
    expect(codesOf({ "case.spx": row.wrong })).toEqual([row.code]);
    expect(codesOf({ "case.spx": row.right })).toEqual([]);
  });

  test("every code of the text of a program is reached by a fixture", () => {
    const reached = new Set(fixtures.map((folder) => folder.slice(0, 7)));
    const unreached = catalogue.filter(({ code }) => /^SPX[1-5]/.test(code) && !reached.has(code));
    expect(unreached).toEqual([]);
  });

  test("texts keep to the rules of style", () => {
    for (const folder of fixtures) {
      for (const problem of checkModule("case.spx", textHost(fixtureFiles(folder))).diagnostics) {
        const { message, primary, secondary, because, help } = problem;
        expect(message, folder).toMatch(/^[`a-z[].*[^.]$/s);
        expect(message, folder).not.toMatch(/\b(?:illegal|invalid)\b/);
        expect(help.length + because.length, `${folder} says what to do or why`).toBeGreaterThan(0);
        for (const { text } of [...(primary === null ? [] : [primary]), ...secondary])
          expect(text.split(" ").length, `${folder}: ${text}`).toBeLessThanOrEqual(8);
      }
    }
  });
});
