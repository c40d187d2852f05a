/** The bad programs of this folder: one a folder, named by code and name of what is wrong in it. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const fixturesFolder = dirname(fileURLToPath(import.meta.url));

/** `SPXnnnn-name` of every bad program that can be checked. */
export const fixtures: readonly string[] = readdirSync(fixturesFolder).filter((name) =>
  /^SPX\d{4}-/.test(name),
);

/** Texts of a fixture by file name; `case.spx` is the one that is checked. */
export const fixtureFiles = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(join(fixturesFolder, folder))
      .filter((file) => file.endsWith(".spx"))
      .map((file) => [file, readFileSync(join(fixturesFolder, folder, file), "utf8")]),
  );
