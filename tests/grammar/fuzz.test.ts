import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, it } from "vitest";
import { keywords } from "../../grammar/parser/keywords.ts";
import { parse } from "../../grammar/parser/parse.ts";
import { printSyntax } from "../../grammar/syntax/print-syntax.ts";
import { spansIn } from "./syntax-text.ts";

const example = readFileSync(new URL("golden/dsee.spx", import.meta.url), "utf8");
const pieces = [
  ...keywords.map(({ word }) => word),
  ..."{ } ( ) [ ] , : = == := -> .* @ * / % + - < <= .T . ; ' \" # // /// /* */ ⊙ · ≤ α 1 1. 0x1 1e 2.5 W A \n".split(
    " ",
  ),
  "\n",
];

/** Reads `text`; the tree and every diagnostic must point into it. */
function check(text: string): void {
  const { tree, diagnostics } = parse({ file: "fuzz.spx", text });
  for (const { start, end } of [...spansIn(tree), ...spansIn(diagnostics)]) {
    // Not `expect`, which costs more than reading the text.
    if (!(0 <= start && start <= end && end <= text.length))
      throw new RangeError(`${start}-${end} in ${JSON.stringify(text)}`);
  }
  if (diagnostics.some(({ primary }) => primary === null))
    throw new RangeError(`a diagnostic without a place in ${text}`);
  const printed = printSyntax(tree);
  if (diagnostics.length === 0 && parse({ file: "fuzz.spx", text: printed }).diagnostics.length > 0)
    throw new Error(printed);
}

describe("any text", () => {
  it("is read: characters", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 120 }), check), { numRuns: 150 });
  });

  it("is read: words and signs of the language", () => {
    const soup = fc.array(fc.constantFrom(...pieces), { maxLength: 60 }).map((words) => words.join(" "));
    fc.assert(fc.property(soup, check), { numRuns: 400 });
  });

  it("is read: the example with pieces cut out, put in and moved", () => {
    const change = fc.record({
      at: fc.nat(example.length),
      remove: fc.nat(30),
      insert: fc.oneof(fc.constantFrom("", ...pieces), fc.string({ maxLength: 5 })),
    });
    const mutated = fc
      .array(change, { minLength: 1, maxLength: 4 })
      .map((changes) =>
        changes.reduce(
          (text, { at, remove, insert }) => text.slice(0, at) + insert + text.slice(at + remove),
          example,
        ),
      );
    fc.assert(fc.property(mutated, check), { numRuns: 120 });
  });

  it("is read: hostile sizes", () => {
    for (const [open, close] of ["()", "[]", "{}", "(["])
      check(`transform T() { weight = ${(open ?? "").repeat(5000)}W${(close ?? "").repeat(5000)} }`);
    check(`transform T() { weight = ${"-".repeat(20000)}W }`);
    check(`transform T() { weight = ${"W + ".repeat(20000)}W }`);
    check(`transform T() { weight = W${".T".repeat(20000)} }`);
    check(`transform T() { weight = ${"f(".repeat(5000)} }`);
    check(`transform T() { require ${"not ".repeat(20000)} W }`);
    check("{".repeat(20000));
    check('"'.repeat(20001));
  });
});
