import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { structureProblems } from "../../compiler/algebra/structure-problems.ts";
import { checkModule } from "../../compiler/check/check-module.ts";
import { renderDiagnostics } from "../../compiler/diagnostics/render-terminal.ts";
import * as kinds from "../../compiler/diagnostics/structure-diagnostics.ts";
import { textHost } from "../check/text-host.ts";

const pageOf = (code: string): string =>
  readFileSync(new URL(`../../compiler/diagnostics/explanations/${code}.md`, import.meta.url), "utf8");

/** The example of a page under `heading`. */
function exampleOf(code: string, heading: "Fails" | "Works"): string {
  const section = pageOf(code)
    .split(/^## /m)
    .find((part) => part.startsWith(heading));
  return /```spx\n([\s\S]*?)```/.exec(section ?? "")?.[1] ?? "";
}

function problemsIn(text: string) {
  const { module, diagnostics, sources } = checkModule("case.spx", textHost({ "case.spx": text }));
  expect(diagnostics).toEqual([]);
  return { found: (module?.transforms ?? []).flatMap(structureProblems), sources };
}

describe.each(Object.values(kinds))("$code, $name", ({ code, name }) => {
  it("is what the page says", async () => {
    const { found, sources } = problemsIn(exampleOf(code, "Fails"));
    expect(found.map((problem) => problem.code)).toEqual([code]);
    expect(problemsIn(exampleOf(code, "Works")).found).toEqual([]);
    await expect(renderDiagnostics(found, sources)).toMatchFileSnapshot(
      `golden/${code}-${name}.expected.txt`,
    );
  });
});
