/** docs/systems.md names every published system of the library, its transforms, its source and tests that exist. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";

const page = readFileSync("docs/systems.md", "utf8");
const published = page.slice(0, page.indexOf("## Systems without a file"));
const rows = published
  .split("\n")
  .filter((line) => /^\| .*`/.test(line))
  .map((line) => line.slice(2, -2).split(" | "));
const files = readdirSync("stdlib")
  .filter((name) => name.endsWith(".spx"))
  .map((name) => basename(name, ".spx"));
const quoted = (text = ""): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? "");
const words = (text: string): string => text.replace(/["\s/]+/g, " ");

test("sixty files, each with a row, in the order of their names", () => {
  expect(rows.map(([, file]) => quoted(file)[0])).toEqual(files.sort());
  expect(files.length).toBeGreaterThanOrEqual(60);
});

const testFile = (name: string): string => readFileSync(join("tests", `${name}.test.ts`), "utf8");
const countTests = ["stdlib/published-systems", "stdlib/sparse-systems"].map(testFile).join("\n");
const programTests = readdirSync("tests/programs")
  .filter((name) => name.endsWith(".ts"))
  .map((name) => readFileSync(join("tests/programs", name), "utf8"))
  .join("\n");

test.each(rows.map((row) => [quoted(row[1])[0] ?? "", row] as const))(
  "%s",
  (file, [source, , named, known]) => {
    const text = readFileSync(join("stdlib", `${file}.spx`), "utf8");
    const transforms = [...text.matchAll(/^transform (\w+)/gm)].map(([, name]) => name ?? "");
    expect(quoted(named)).toEqual(transforms);
    const [, title = "", year = ""] = /^.*?(?:, )?((?:[A-Z0-9S²F].*)), (\d{4})$/.exec(source ?? "") ?? [];
    if (year !== "") expect(words(text)).toContain(words(title).split(", ").at(-1));
    for (const transform of transforms) {
      expect(countTests, `${transform} has a count`).toMatch(new RegExp(`"${file}",\\s*"${transform}"`));
      expect(programTests, `${transform} is run`).toMatch(new RegExp(`\\b${transform}\\b`));
    }
    const tests = (known ?? "").split("; `").map((one, index) => (index === 0 ? one : `\`${one}`));
    expect(tests.length).toBeGreaterThan(0);
    for (const one of tests) {
      const [place = "", ...rest] = one.split(": ");
      expect(testFile(quoted(place)[0] ?? ""), one).toContain(rest.join(": "));
    }
  },
);
