/** Every edit that is offered as safe or likely mends what it is about, and breaks nothing. */
import { describe, expect, test } from "vitest";
import { checkModule } from "../../compiler/check/check-module.ts";
import { applyEdits, applyFixes, type Trust } from "../../compiler/fixes/apply-fixes.ts";
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import { textHost } from "../check/text-host.ts";
import { fixtureFiles, fixtures } from "./fixture-files.ts";

type Files = Readonly<Record<string, string>>;

const programs: Readonly<Record<string, Files>> = Object.fromEntries(
  fixtures.map((folder) => [folder, fixtureFiles(folder)]),
);

const problemsOf = (files: Files): readonly Diagnostic[] =>
  checkModule("case.spx", textHost(files)).diagnostics;
const codesOf = (problems: readonly Diagnostic[]): string[] => problems.map(({ code }) => code);

const cases = Object.entries(programs).flatMap(([name, files]) =>
  problemsOf(files).flatMap((problem) =>
    problem.help
      .filter(({ edits, applicability }) => edits.length > 0 && applicability !== "sketch")
      .map((help) => ({ name, files, problem, help, what: `${name}: ${help.applicability}: ${help.text}` })),
  ),
);

describe("a fix takes its diagnostic away and brings no other:", () => {
  test.each(cases)("$what", ({ files, problem, help }) => {
    const text = applyEdits(files["case.spx"] ?? "", help.edits);
    const [before, after] = [codesOf(problemsOf(files)), codesOf(problemsOf({ ...files, "case.spx": text }))];
    const count = (codes: readonly string[]): number => codes.filter((code) => code === problem.code).length;
    expect(count(after), text).toBeLessThan(count(before));
    expect(
      after.filter((code) => !before.includes(code)),
      text,
    ).toEqual([]);
  });
});

test("most mistakes have a fix, and many of the fixes are safe", () => {
  expect(new Set(cases.map(({ name }) => name)).size).toBeGreaterThan(50);
  expect(cases.filter(({ help }) => help.applicability === "safe").length).toBeGreaterThan(15);
});

/** Rounds until nothing changes, as `spxc check --fix` does. */
function mended(files: Files, trust: Trust): string {
  let text = files["case.spx"] ?? "";
  for (let round = 0; round < 20; round += 1) {
    const source = { file: "case.spx", text };
    const result = applyFixes(source, problemsOf({ ...files, "case.spx": text }), trust);
    if (result.applied === 0) return text;
    text = result.text;
  }
  throw new Error(`fixes go on for ever:\n${text}`);
}

test.each(Object.entries(programs))("rounds of fixes end, and leave no less: %s", (_, files) => {
  for (const trust of ["safe", "likely"] as const) {
    const text = mended(files, trust);
    expect(mended({ ...files, "case.spx": text }, trust)).toBe(text);
    expect(problemsOf({ ...files, "case.spx": text }).length).toBeLessThanOrEqual(problemsOf(files).length);
  }
});

test("edits keep to their place, however many there are", () => {
  const file = "case.spx";
  const text = `transform T(W: frozen [n, n], weird: real = 2) {
  let s = wierd + wierd
  let u = wierd
  weight = (s * u) * (W ⊙ W) + W'
}
`;
  expect(mended({ [file]: text }, "safe")).toBe(`transform T(W: frozen [n, n], weird: real = 2) {
  let s = weird + weird
  let u = weird
  weight = (s * u) * (W .* W) + W.T
}
`);
});
