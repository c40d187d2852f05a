/** The library is written the way the formatter writes. */
import { expect, test } from "vitest";
import { parse } from "../../grammar/parser/parse.ts";
import { printSyntax } from "../../grammar/syntax/print-syntax.ts";
import { textHost } from "../check/text-host.ts";

const host = textHost({});

test.each(host.standardModules())("%s", (module) => {
  const file = host.resolveStandard(module);
  const text = host.readFile(file) ?? "";
  expect(printSyntax(parse({ file, text }).tree)).toBe(text);
});
