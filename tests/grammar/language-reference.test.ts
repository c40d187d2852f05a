import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { keywords } from "../../grammar/parser/keywords.ts";
import { parse } from "../../grammar/parser/parse.ts";
import { operatorLevels } from "../../grammar/syntax/operators.ts";

const page = readFileSync(new URL("../../docs/language.md", import.meta.url), "utf8");
const examples = [...page.matchAll(/```spx\n([\s\S]*?)```/g)].map(([, text]) => text ?? "");

describe("the language reference", () => {
  it.each(examples.map((text, index) => [index + 1, text] as const))("example %i parses", (_, text) => {
    expect(parse({ file: "language.md", text }).diagnostics).toEqual([]);
  });

  it("lists the reserved words, and the others apart", () => {
    const listed = (heading: string) => {
      const paragraph = page.slice(page.indexOf(heading)).split("\n\n")[0] ?? "";
      return [...paragraph.slice(paragraph.indexOf(":")).matchAll(/`(\w+)`/g)].map(([, word]) => word).sort();
    };
    const words = (reserved: boolean) =>
      keywords
        .filter((keyword) => keyword.reserved === reserved)
        .map(({ word }) => word)
        .sort();
    expect(listed("**Reserved**")).toEqual(words(true));
    expect(listed("**Words with a meaning in one place**")).toEqual(words(false));
  });

  it("shows every operator", () => {
    const section = page.slice(page.indexOf("## Expressions"), page.indexOf("## Functions"));
    for (const operator of operatorLevels.flatMap(({ operators }): readonly string[] => operators))
      expect(section).toContain(operator);
  });
});
