import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "../../grammar/parser/parse.ts";
import { printSyntax } from "../../grammar/syntax/print-syntax.ts";
import { withoutSpans } from "./syntax-text.ts";

const textOf = (name: string): string => readFileSync(new URL(`golden/${name}.spx`, import.meta.url), "utf8");

describe.each(["dsee", "training"])("the example %s", (name) => {
  const { tree, diagnostics } = parse({ file: `${name}.spx`, text: textOf(name) });

  it("is read without a complaint", () => expect(diagnostics).toEqual([]));

  it("gives the expected tree", async () => {
    await expect(`${JSON.stringify(withoutSpans(tree), null, 1)}\n`).toMatchFileSnapshot(
      `golden/${name}.tree.expected.json`,
    );
  });

  it("prints it in canonical form", async () => {
    await expect(printSyntax(tree)).toMatchFileSnapshot(`golden/${name}.formatted.expected.spx`);
  });
});

it("points every name of the tree at its text", () => {
  const text = textOf("dsee");
  const { tree } = parse({ file: "dsee.spx", text });
  const transforms = tree.declarations.filter(({ kind }) => kind === "transform");
  expect(transforms.map(({ name }) => text.slice(name.span.start, name.span.end))).toEqual([
    "DSEE",
    "SemiStructured",
    "Monarch",
  ]);
  const statements = transforms.flatMap((declaration) =>
    declaration.kind === "transform" ? declaration.statements : [],
  );
  expect(
    statements
      .map(({ span }) => text.slice(span.start, span.end))
      .filter((part) => part.startsWith("weight")),
  ).toEqual([
    "weight = M .* W + (alpha / r) * (B @ A + S)",
    "weight = M .* W",
    "weight = P(b) @ L @ P(b).T @ R",
  ]);
});
