import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { editorGrammar } from "../../grammar/editor/editor-grammar.ts";
import { keywords } from "../../grammar/parser/keywords.ts";
import { operatorLevels } from "../../grammar/syntax/operators.ts";

const folder = new URL("../../grammar/editor/", import.meta.url);
const made = editorGrammar();

interface Pattern {
  readonly name?: string;
  readonly match?: string;
}

/** Scope of the pattern that colours the beginning of `text`, the earliest in the list. */
const scopeOf = (text: string): string | undefined =>
  (made.patterns as readonly Pattern[]).find(
    ({ match }) => match !== undefined && new RegExp(`^(?:${match})$`).test(text),
  )?.name;

describe("the editor grammar", () => {
  it("is the printed form of the tables", async () => {
    await expect(`${JSON.stringify(made, null, 2)}\n`).toMatchFileSnapshot(
      "../../grammar/editor/spx.tmLanguage.json",
    );
  });

  it.each(keywords.map(({ word }) => word))("colours the word `%s`", (word) => {
    expect(scopeOf(word)).toMatch(/^(keyword|storage)\./);
  });

  it("colours every operator", () => {
    const signs = operatorLevels
      .flatMap(({ operators }): readonly string[] => operators)
      .filter((sign) => sign !== "[i]");
    for (const sign of signs) expect(scopeOf(sign), sign).toMatch(/^keyword\.operator/);
  });

  it("tells comments, numbers and names apart", () => {
    expect(scopeOf("/// what it is")).toBe("comment.line.documentation.spx");
    expect(scopeOf("// why")).toBe("comment.line.double-slash.spx");
    expect(scopeOf("1e-4")).toBe("constant.numeric.spx");
    expect(scopeOf("alpha")).toBeUndefined();
  });

  it("has a language configuration with the brackets of the language", () => {
    const configuration = JSON.parse(readFileSync(new URL("language-configuration.json", folder), "utf8"));
    expect(configuration.brackets.flat().join("")).toBe("{}[]()");
    expect(configuration.comments.lineComment).toBe("//");
  });
});
