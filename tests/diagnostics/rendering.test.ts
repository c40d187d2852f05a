/** Frames, limits, order and the machine form, apart from any program. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { diagnosticsToJson } from "../../compiler/diagnostics/render-json.ts";
import { plainPainter, renderDiagnostics } from "../../compiler/diagnostics/render-terminal.ts";
import { sortDiagnostics } from "../../compiler/diagnostics/sort-diagnostics.ts";
import { suggestNames } from "../../compiler/diagnostics/suggest-name.ts";
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import { editDistance } from "../../runtime/contract/edit-distance.ts";

const at = (file: string, start: number, message: string, end = start + 1): Diagnostic => ({
  code: "SPX2001",
  severity: "error",
  message,
  primary: { span: { file, start, end }, text: "" },
  secondary: [],
  facts: {},
  because: [],
  help: [],
});

test("a label in another file gets a frame of its own", () => {
  const sources = [
    { file: "a.spx", text: "first\nsecond line\n" },
    { file: "b.spx", text: "\tother" },
  ];
  const diagnostic = {
    ...at("a.spx", 6, "message", 12),
    secondary: [{ span: { file: "b.spx", start: 1, end: 6 }, text: "from here" }],
  };
  expect(renderDiagnostics([diagnostic], sources)).toBe(
    [
      "error[SPX2001]: message",
      "  ┌─ a.spx:2:1",
      "  │",
      " 2│ second line",
      "  │ ^^^^^^",
      "  ┌─ b.spx:1:2",
      "  │",
      " 1│  other",
      "  │  ----- from here",
      "  explain: spxc explain SPX2001",
      "",
      "1 error",
      "",
    ].join("\n"),
  );
});

test("a span at the end of the file, or in no known file, still renders", () => {
  const sources = [{ file: "a.spx", text: "ab" }];
  expect(renderDiagnostics([at("a.spx", 2, "end", 2)], sources)).toContain("  ┌─ a.spx:1:3");
  expect(renderDiagnostics([at("gone.spx", 9, "gone")], sources)).toContain("  ┌─ gone.spx");
});

test("only the first 20 are shown, and all are counted", () => {
  const many = Array.from({ length: 23 }, (_, index) => at("a.spx", index, `number ${index}`));
  const text = renderDiagnostics(many, [{ file: "a.spx", text: "x".repeat(30) }]);
  expect(text).toContain("number 19");
  expect(text).not.toContain("number 20");
  expect(text.endsWith("23 errors (3 not shown)\n")).toBe(true);
});

test("the painter colours, and plain text has no escapes", () => {
  const painter = { ...plainPainter, error: (text: string) => `<${text}>` };
  expect(renderDiagnostics([at("a.spx", 0, "m")], [{ file: "a.spx", text: "x" }], { painter })).toContain(
    "<error[SPX2001]>: m",
  );
});

test("order is by file as read, then by offset; repeats go", () => {
  const mixed = [
    at("b.spx", 0, "b"),
    at("a.spx", 9, "late"),
    at("a.spx", 1, "early"),
    at("a.spx", 1, "early"),
  ];
  expect(sortDiagnostics(mixed, ["a.spx", "b.spx"]).map(({ message }) => message)).toEqual([
    "early",
    "late",
    "b",
  ]);
});

test("the machine form has lines and columns", () => {
  const [diagnostic] = diagnosticsToJson([at("a.spx", 4, "m", 6)], [{ file: "a.spx", text: "abc\ndef" }]);
  expect(diagnostic?.primary?.span).toEqual({
    file: "a.spx",
    start: 4,
    end: 6,
    from: { line: 2, column: 1 },
    to: { line: 2, column: 3 },
  });
  expect(JSON.parse(JSON.stringify(diagnostic))).toEqual(diagnostic);
});

test("edit distance is a symmetric premetric that knows swaps", () => {
  expect(editDistance("topk", "tpok", 9)).toBe(1);
  expect(editDistance("", "abc", 9)).toBe(3);
  const word = fc.string({ maxLength: 8, unit: fc.constantFrom("a", "b", "c") });
  fc.assert(
    fc.property(word, word, (a, b) => {
      expect(editDistance(a, b, 99)).toBe(editDistance(b, a, 99));
      expect(editDistance(a, b, 99) === 0).toBe(a === b);
      expect(editDistance(a, b, 99)).toBeLessThanOrEqual(Math.max(a.length, b.length));
    }),
  );
});

test("suggestions are near, nearest first, and never wild", () => {
  expect(suggestNames("magnitud", ["magnitude", "topk", "altitude"])).toEqual(["magnitude"]);
  expect(suggestNames("lora", ["LoRA", "lore"])).toEqual(["LoRA", "lore"]);
  expect(suggestNames("q", ["r", "nnz"])).toEqual([]);
});
