/** One bad program a folder, with the whole text that its author reads. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { checkModule } from "../../compiler/check/check-module.ts";
import { renderDiagnostics } from "../../compiler/diagnostics/render-terminal.ts";
import { textHost } from "../check/text-host.ts";

const here = dirname(fileURLToPath(import.meta.url));
const folders = readdirSync(here).filter((name) => /^SPX\d{4}-/.test(name));

test.each(folders)("%s", async (folder) => {
  const files = Object.fromEntries(
    readdirSync(join(here, folder))
      .filter((file) => file.endsWith(".spx"))
      .map((file) => [file, readFileSync(join(here, folder, file), "utf8")]),
  );
  const result = checkModule("case.spx", textHost(files));
  expect([...new Set(result.diagnostics.map(({ code }) => code))]).toEqual([folder.slice(0, 7)]);
  const expected = join(here, folder, "case.expected.txt");
  expect(existsSync(expected) || !process.env.CI, "the expected text must be committed").toBe(true);
  await expect(renderDiagnostics(result.diagnostics, result.sources)).toMatchFileSnapshot(expected);
});
