/** One bad program a folder, with the whole text that its author reads. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkModule } from "../../compiler/check/check-module.ts";
import { renderDiagnostics } from "../../compiler/diagnostics/render-terminal.ts";
import { textHost } from "../check/text-host.ts";
import { fixtureFiles, fixtures, fixturesFolder } from "./fixture-files.ts";

test.each(fixtures)("%s", async (folder) => {
  const result = checkModule("case.spx", textHost(fixtureFiles(folder)));
  expect([...new Set(result.diagnostics.map(({ code }) => code))]).toEqual([folder.slice(0, 7)]);
  const expected = join(fixturesFolder, folder, "case.expected.txt");
  expect(existsSync(expected) || !process.env.CI, "the expected text must be committed").toBe(true);
  await expect(renderDiagnostics(result.diagnostics, result.sources)).toMatchFileSnapshot(expected);
});
