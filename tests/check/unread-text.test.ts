/** Files that cannot be read whole: every mistake that stands by itself is told, and none that follows from another. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkModule } from "../../compiler/check/check-module.ts";
import { parse } from "../../grammar/parser/parse.ts";
import { libraryFolder, textHost } from "./text-host.ts";

const codesOf = (text: string, files: Record<string, string> = {}): string[] =>
  checkModule("main.spx", textHost({ "main.spx": text, ...files })).diagnostics.map(({ code }) => code);

describe("mistakes that have nothing to do with each other", () => {
  it("are all told, those of syntax and those of meaning", () => {
    expect(
      codesOf(`transform A(W: frozen [out, in], r: int = 4) {
  require r < out < in
  param B: [out, r] = 0
  param C: [r, in] = normal(sdt: 0.02)
  weight = W + C @ B
}

transform Sound(W: frozen [out, in]) {
  weight = W + 1
}

model M {
  for "a.*" used A
  for "b..c" use Sound
}
`),
    ).toEqual(["SPX1302", "SPX3203", "SPX4002", "SPX3004", "SPX1201", "SPX2401"]);
  });

  it("are told in the other statements of a broken transform", () => {
    expect(
      codesOf(`transform A(W: frozen [out, in]) {
  let s = = 2
  param D: [in, out] = 0
  weight = W + D
}
`),
    ).toEqual(["SPX1301", "SPX4001"]);
  });

  it("are told of files beside", () => {
    const other = "function half(x: real) = x / / 2\nfunction third(x: real) = y / 3\n";
    expect(
      codesOf('import { half, third } from "./other"\n\nfunction both(x: real) = half(x) + thrid(x)\n', {
        "other.spx": other,
      }),
    ).toEqual(["SPX2001", "SPX1301"]);
  });
});

describe("nothing is said about", () => {
  const silent: readonly (readonly [what: string, text: string])[] = [
    [
      "names that a broken statement declares",
      "transform T(W: frozen [n, n]) {\n  let s = 2 +\n  param B [n, n] = s\n  weight = s * W + B\n}\n",
    ],
    [
      "names that a dropped statement declares",
      "transform T(W: frozen [n, n]) {\n  quux zork = 3\n  weight = zork * W\n}\n",
    ],
    ["a weight that cannot be read", "transform T(W: frozen [n, n]) {\n  weight = W +\n}\n"],
    [
      "what only the broken weight uses",
      "transform T(W: frozen [n, n], V: frozen [n, n]) {\n  param D: [n, n] = 0\n  weight = W + V + (D +\n}\n",
    ],
    [
      "initial values that stand in a broken `init`",
      "transform T(W: frozen [n, n], r: int = 2) {\n  param B: [n, r]\n  param A: [r, n]\n  init B, A truncated_svd(W, r)\n  weight = W + B @ A\n}\n",
    ],
    [
      "a prelude name that a broken statement hides",
      "transform T(W: frozen [n, n]) {\n  param kron [n, n] = 0\n  weight = W + kron\n}\n",
    ],
    [
      "a transform without its header",
      'transform (W: frozen [n, n]) {\n  weight = X\n}\n\nmodel M {\n  for "a" use T\n}\n',
    ],
    [
      "a function that cannot be read",
      "function f(A: [m, n]) = A +\n\ntransform T(W: frozen [n, n]) {\n  weight = f(W)\n}\n",
    ],
    [
      "names of a broken import",
      'import { topk, magnitude "std/select"\n\ntransform T(W: frozen [n, n]) {\n  mask M: unstructured = magnitude(W, 0.5)\n  weight = M .* W\n}\n',
    ],
  ];
  it.each(silent)("%s", (_, text) => {
    const read = parse({ file: "main.spx", text }).diagnostics.map(({ code }) => code);
    expect(read.length).toBeGreaterThan(0);
    expect(codesOf(text)).toEqual(read);
  });
});

const samples = ["dsee", "monarch"].flatMap((name) => {
  const file = join(libraryFolder, `${name}.spx`);
  return readdirSync(libraryFolder).includes(`${name}.spx`) ? [readFileSync(file, "utf8")] : [];
});

describe("a slip of the pen", () => {
  it("brings no message beside those of the syntax", () => {
    let broken = 0;
    for (const text of samples) {
      const words = [...text.matchAll(/\/\/.*|"[^"]*"|\w+|\.\*|\.T|<=|==|[^\s\w]/g)].filter(
        ([word]) => !word.startsWith("//"),
      );
      for (const { 0: word, index } of words) {
        for (const slip of ["", `${word} ${word}`, `${word} )`]) {
          const slipped = text.slice(0, index) + slip + text.slice(index + word.length);
          const read = parse({ file: "main.spx", text: slipped }).diagnostics.map(({ code }) => code);
          if (read.length === 0) continue;
          broken += 1;
          expect(codesOf(slipped), `${word} → ${slip} at ${index} of\n${slipped}`).toEqual(read);
        }
      }
    }
    expect(broken).toBeGreaterThan(400);
  }, 120_000);
});
