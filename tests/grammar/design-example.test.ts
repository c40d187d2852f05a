import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parse } from "../../grammar/parser/parse.ts";
import { printSyntax } from "../../grammar/syntax/print-syntax.ts";
import { withoutSpans } from "./syntax-text.ts";

const text = readFileSync(new URL("golden/dsee.spx", import.meta.url), "utf8");
const { tree, diagnostics } = parse({ file: "dsee.spx", text });

it("reads the example without a complaint", () => expect(diagnostics).toEqual([]));

it("gives the expected tree", async () => {
  await expect(`${JSON.stringify(withoutSpans(tree), null, 1)}\n`).toMatchFileSnapshot(
    "golden/dsee.tree.expected.json",
  );
});

it("prints it in canonical form", async () => {
  await expect(printSyntax(tree)).toMatchFileSnapshot("golden/dsee.formatted.expected.spx");
});

it("points every name of the tree at its text", () => {
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
