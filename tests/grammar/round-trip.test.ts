import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "../../grammar/parser/parse.ts";
import { printExpression } from "../../grammar/syntax/print-expression.ts";
import { printSyntax } from "../../grammar/syntax/print-syntax.ts";
import { expression, moduleTree } from "./generated-trees.ts";
import { withoutSpans } from "./syntax-text.ts";

const read = (text: string) => parse({ file: "generated.spx", text });

describe("printing and reading", () => {
  it("give the same tree again", () => {
    fc.assert(
      fc.property(moduleTree, (tree) => {
        const again = read(printSyntax(tree));
        expect(again.diagnostics).toEqual([]);
        // Blank lines between declarations are the printer's choice, so only the nodes inside blocks keep theirs.
        expect(withoutSpans(again.tree, false)).toEqual(withoutSpans(tree, false));
      }),
      { numRuns: 200 },
    );
  });

  it("give the same text again", () => {
    fc.assert(
      fc.property(moduleTree, (tree) => {
        const text = printSyntax(tree);
        expect(printSyntax(read(text).tree)).toBe(text);
      }),
      { numRuns: 200 },
    );
  });

  it("do not depend on where lines end", () => {
    fc.assert(
      fc.property(moduleTree, fc.constantFrom("\n", " ", "\r\n\t"), (tree, space) => {
        const bare = JSON.parse(JSON.stringify(tree), withoutComments);
        const text = printSyntax(bare).replace(/\s+/g, space);
        const again = read(text);
        expect(again.diagnostics).toEqual([]);
        expect(withoutSpans(again.tree, false)).toEqual(withoutSpans(bare, false));
      }),
      { numRuns: 150 },
    );
  });

  it("keep blank lines between statements", () => {
    const text =
      "transform T() {\n  let a = 1\n\n  let b = 2\n  let c = 3\n\n  // note\n\n  // on d\n  let d = 4\n}\n";
    expect(printSyntax(read(text).tree)).toBe(text);
  });

  it("need every parenthesis that the printer writes", () => {
    fc.assert(
      fc.property(expression, (tree) => {
        const text = printExpression(tree);
        const whole = (inner: string) => withoutSpans(read(`function f() = ${inner}`).tree.declarations);
        const expected = whole(text);
        for (const [open, close] of groupingParentheses(text)) {
          const without = `${text.slice(0, open)} ${text.slice(open + 1, close)} ${text.slice(close + 1)}`;
          const result = read(`function f() = ${without}`);
          const isQuotientBeforeProduct =
            /^\s*(\*|@|\.\*|%)/.test(text.slice(close + 1)) && text.slice(open, close).includes("/");
          const isNeeded =
            result.diagnostics.length > 0 || JSON.stringify(whole(without)) !== JSON.stringify(expected);
          expect(isNeeded || isQuotientBeforeProduct, `${text}\n${without}`).toBe(true);
        }
      }),
      { numRuns: 150 },
    );
  });
});

/** Reviver of JSON that empties every list of comments. */
function withoutComments(key: string, value: unknown): unknown {
  if (key === "after") return null;
  return ["comments", "documentation", "trailingComments"].includes(key) ? [] : value;
}

/** Offsets of the parentheses in `text` that group, as opposed to those of calls. */
function groupingParentheses(text: string): [number, number][] {
  const pairs: [number, number][] = [];
  const open: number[] = [];
  for (const [index, character] of [...text].entries()) {
    if (character === "(") open.push(index);
    if (character !== ")") continue;
    const start = open.pop() ?? 0;
    const before = /(\w+)$/.exec(text.slice(0, start))?.[1];
    if (before === undefined || ["and", "or", "not"].includes(before)) pairs.push([start, index]);
  }
  return pairs;
}
