/** Whatever the text, the checker ends, never throws, and points only into the text. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkModule } from "../../compiler/check/check-module.ts";
import { renderDiagnostics } from "../../compiler/diagnostics/render-terminal.ts";
import { libraryFolder, textHost } from "./text-host.ts";

const seeds = ["dsee", "monarch", "phm", "nm", "sltrain", "block_sparse"].map((name) =>
  readFileSync(join(libraryFolder, `${name}.spx`), "utf8"),
);
const words = seeds.join("\n").match(/[A-Za-z_]\w*|\d+(?:\.\d+)?|[^\s\w]/g) ?? [];

/** A library file with a few of its words replaced by words of any other. */
const mutated = fc
  .tuple(
    fc.constantFrom(...seeds),
    fc.array(fc.tuple(fc.nat(), fc.constantFrom(...words)), { minLength: 1, maxLength: 4 }),
  )
  .map(([text, changes]) => {
    const parts = text.split(/(\b\w+\b)/);
    for (const [place, word] of changes) parts[(place % Math.floor(parts.length / 2)) * 2 + 1] = word;
    return parts.join("");
  });

test("mutated programs", () => {
  let checked = 0;
  fc.assert(
    fc.property(mutated, (text) => {
      const { diagnostics, sources, module } = checkModule("main.spx", textHost({ "main.spx": text }));
      if (!diagnostics.some(({ code }) => code.startsWith("SPX1"))) checked += 1;
      expect(module === null).toBe(diagnostics.some(({ severity }) => severity === "error"));
      for (const { primary, secondary } of diagnostics) {
        for (const { span } of [...(primary === null ? [] : [primary]), ...secondary]) {
          const source = sources.find(({ file }) => file === span.file);
          expect(source).toBeDefined();
          expect(span.start).toBeLessThanOrEqual(span.end);
          expect(span.end).toBeLessThanOrEqual(source?.text.length ?? -1);
        }
      }
      expect(renderDiagnostics(diagnostics, sources)).not.toContain("undefined");
    }),
    { numRuns: 400 },
  );
  // The property would say little if nearly every mutant stopped at its syntax.
  expect(checked).toBeGreaterThan(50);
}, 120_000);

const doubling = (first: string, next: (name: string) => string): string => {
  const steps = Array.from({ length: 60 }, (_, index) => `  let t${index + 1} = ${next(`t${index}`)}`);
  return `transform T(W: frozen [n, n]) {\n  let t0 = ${first}\n${steps.join("\n")}\n  weight = t60 * W\n}\n`;
};

test.each([
  ["sums", doubling("W", (name) => `${name} + ${name}`)],
  ["products", doubling("W", (name) => `${name} @ ${name}`)],
  ["Kronecker products", doubling("W", (name) => `kron(${name}, ${name})`)],
  ["numbers", doubling("n", (name) => `${name} * ${name}`)],
  ["minima", doubling("n", (name) => `min(${name} + 1, ${name} * 2)`)],
])("%s that double sixty times are refused at once", (_name, text) => {
  const { diagnostics } = checkModule("main.spx", textHost({ "main.spx": text }));
  expect(diagnostics.map(({ code }) => code)).toContain("SPX3005");
});

test("functions that call each other twice sixty times are refused too", () => {
  const functions = Array.from(
    { length: 60 },
    (_, index) => `function f${index + 1}(x: real) = f${index}(x) - f${index}(x)`,
  );
  const text = `function f0(x: real) = x\n${functions.join("\n")}\ntransform T(W: frozen [n, n]) {\n  weight = f60(n) * W\n}\n`;
  const { diagnostics } = checkModule("main.spx", textHost({ "main.spx": text }));
  expect(diagnostics.map(({ code }) => code)).toContain("SPX3005");
});

test("recipes that double are refused too", () => {
  const steps = Array.from({ length: 60 }, (_, index) => `  let t${index + 1} = t${index} + abs(t${index})`);
  const text = `transform T(W: frozen [n, n]) {\n  let t0 = abs(W)\n${steps.join("\n")}\n  param D: [n, n] = t60\n  weight = W + D\n}\n`;
  const { diagnostics } = checkModule("main.spx", textHost({ "main.spx": text }));
  expect(diagnostics.map(({ code }) => code)).toContain("SPX3005");
});
