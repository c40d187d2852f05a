import { expect, it } from "vitest";
import { parse } from "../../grammar/parser/parse.ts";
import { printSyntax } from "../../grammar/syntax/print-syntax.ts";
import { syntaxProblems } from "../../grammar/parser/syntax-problems.ts";
import { readFileSync } from "node:fs";
it("x", () => {
  for (const row of Object.values(syntaxProblems)) {
    const bad = parse({ file: "a.spx", text: row.wrong }).diagnostics;
    const good = parse({ file: "a.spx", text: row.right }).diagnostics;
    if (good.length) console.log(row.code, "right:", good.map(d=>d.message));
    console.log(row.code, bad.map(d=>`${d.code} ${d.message} [${row.wrong.slice(d.primary!.span.start, d.primary!.span.end)}] ${d.primary!.text} => ${d.help.map(h=>h.text)}`));
  }
});
it("deletions", () => {
  const design = readFileSync("/work/shared/design.md", "utf8");
  const text = /```spx\n([^]*?)```/.exec(design)?.[1] ?? "";
  const words = [...text.matchAll(/\/\/.*|"[^"]*"|\w+|\.\*|\.T|<=|==|[^\s\w]/g)];
  const t0 = performance.now();
  let zero = 0, many = 0;
  for (const w of words) {
    if (w[0].startsWith("//")) continue;
    const mutated = text.slice(0, w.index) + text.slice(w.index + w[0].length);
    const ds = parse({ file: "a.spx", text: mutated }).diagnostics;
    if (ds.length === 0) zero++;
    const line = mutated.slice(mutated.lastIndexOf("\n", w.index-1)+1, mutated.indexOf("\n", w.index));
    console.log(`del ${w[0]}  | ${line}\n    ` + ds.map(d => `${d.code} ${d.message} @${mutated.slice(d.primary!.span.start-5, d.primary!.span.start)}⟦${mutated.slice(d.primary!.span.start, d.primary!.span.end)}⟧`).join("\n    "));
    if (ds.length > 1) many++;
  }
  console.log(words.length, zero, many, performance.now() - t0);
});
