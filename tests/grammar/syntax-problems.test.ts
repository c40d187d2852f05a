import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "../../grammar/parser/parse.ts";
import { syntaxProblems } from "../../grammar/parser/syntax-problems.ts";
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import { applyEdits, describeDiagnostic } from "./syntax-text.ts";

const problemsOf = (text: string): readonly Diagnostic[] => parse({ file: "wrong.spx", text }).diagnostics;

/** Bad files that need more than one line or show more than one mistake; the name says what is wrong. */
const badFiles: Readonly<Record<string, string>> = {
  "a missing `:`":
    "transform T(W: frozen [n, n]) {\n  mask M unstructured = magnitude(W)\n  weight = M .* W\n}\n",
  "a missing `=`": "transform T(W: frozen [n, n]) {\n  mask M: unstructured\n  weight = M .* W\n}\n",
  "`:` for `=`": "transform T(W: frozen [n, n]) {\n  let s: 2\n  weight: s * W\n}\n",
  "`=` for `:`": "transform T(W = frozen [n, n]) {\n  weight = W\n}\n",
  "a `{` that is never closed":
    "transform A(W: frozen [n, n]) {\n  weight = W\n\ntransform B(W: frozen [n, n]) {\n  weight = W\n}\n",
  "a `{` that is never opened": "transform A(W: frozen [n, n])\n  require n > 1\n  weight = W\n}\n",
  "two brackets never closed":
    "transform A(W: frozen [n, n]) {\n  weight = f(g(W, W\n  init L, R = h(W)\n}\n",
  "a `(` closed by `]`": "transform A(W: frozen [n, n]) {\n  weight = (W + W]\n}\n",
  "a parameter list never closed": "transform A(W: frozen [n, n], r: int = 4 {\n  weight = W\n}\n",
  "words of other languages":
    "def T(W: frozen [n, n]) {\n  assert n > 2\n  parameter B: [n, n] = 0\n  return = W + B\n}\n",
  "a word that nothing resembles": "transform T(W: frozen [n, n]) {\n  quux zork = 3\n  weight = W\n}\n",
  "a misspelt `use` and `except`": 'model M {\n  for "a.*" exept "b.*" ues T(r: 8)\n  freez "**"\n}\n',
  "a reserved word as a parameter": "transform T(weight: frozen [n, n]) {\n  weight = weight + 1\n}\n",
  "a reserved word as a function": "function mask(A: [m, n]) = A\n",
  "no type": "transform T(W, r: int) {\n  weight = W\n}\n",
  "an unknown type": "transform T(W: frozen [n, n], r: integer) {\n  weight = W\n}\n",
  "a mask without a pattern":
    "transform T(W: frozen [n, n]) {\n  mask M = magnitude(W)\n  weight = M .* W\n}\n",
  "a let with a type": "transform T(W: frozen [n, n]) {\n  let s: real = 2\n  weight = s * W\n}\n",
  "a percentage": "transform T(W: frozen [n, n], keep: ratio = 50%) {\n  weight = W\n}\n",
  "hexadecimal and open numbers":
    "transform T(W: frozen [n, n]) {\n  let a = 0x1F\n  let b = 1e\n  let c = .5\n  let d = 1.2.3\n  let e = 1e999\n  weight = W\n}\n",
  "signs of mathematics":
    "transform T(W: frozen [n, n]) {\n  require n ≥ 1 && n ≠ 3\n  weight = W ⊙ W − W·Wᵀ + 2 × W ∗ W\n}\n",
  "a transposing quote": "transform T(A: [n, r]) {\n  weight = A @ A'\n}\n",
  "a member": "transform T(A: [n, r]) {\n  weight = A @ A.transpose + A.shape\n}\n",
  "two values side by side": "transform T(W: frozen [n, n]) {\n  weight = 2 W\n}\n",
  "a call of a call": "transform T(W: frozen [n, n]) {\n  weight = f(W)(W)\n}\n",
  "an argument that is missing": "transform T(W: frozen [n, n]) {\n  weight = f(W, , W) + g(,)\n}\n",
  "a bad sum": "transform T(A: [n, n]) {\n  weight = sum(i in n, A)\n}\n",
  "a rule in a transform": 'transform T(W: frozen [n, n]) {\n  for "a" use T\n  weight = W\n}\n',
  "a statement in a model": "model M {\n  let a = 3\n}\n",
  "an import after a declaration": 'function f(A: [m, n]) = A\n\nimport { topk } from "std/select"\n',
  "an import without braces": 'import topk from "std/select"\n',
  "a rule without quotes": "model M {\n  for encoder.layer use T\n}\n",
  "a shared mask":
    "transform T(W: frozen [n, n]) {\n  shared mask M: unstructured = f(W)\n  weight = M .* W\n}\n",
  "a scale for numbers that need none":
    "transform T(W: [n, n]) {\n  frozen H: bf16 [n, n] block 32 = W\n  weight = H\n}\n",
  "a frozen tensor without a value": "transform T(W: [n, n]) {\n  frozen Q: int8 [n, n]\n  weight = Q\n}\n",
  "a block without a format": "transform T(W: [n, n]) {\n  frozen Q: [n, n] block 64 = W\n  weight = Q\n}\n",
  "an unknown format": "transform T(W: [n, n]) {\n  frozen Q: int5 [n, n] = W\n  weight = Q\n}\n",
  "an unknown mode":
    "transform T(W: [n, n]) {\n  mask M: multiplied unstructured = f(W)\n  weight = M .* W\n}\n",
  "a schedule without a type": "transform T(W: [n, n]) {\n  schedule s = linear(0, 1)\n  weight = s * W\n}\n",
  "a refresh without `every`": "transform T(W: [n, n]) {\n  refresh M 10\n  weight = W\n}\n",
  "a refresh that compares with `=`":
    "transform T(W: [n, n]) {\n  refresh M every 10 while (step = 4) = f(W)\n  weight = W\n}\n",
  "an unknown pin": "transform T(W: [n, n]) {\n  pin mrege W\n  weight = W\n}\n",
  "a pin without its claim": "transform T(W: [n, n]) {\n  pin format W\n  weight = W\n}\n",
  "new words as names":
    "transform T(W: [n, n], phase: int) {\n  let shared = 2\n  param pin: [n, n] = 0\n  weight = W\n}\n",
  "a quotient in the signs of mathematics": "transform T(W: [n, n]) {\n  weight = W ⊘ W\n}\n",
  "four mistakes in four statements":
    "transform T(W: frozen [n, n], r: int = 4) {\n  require r < n < 9\n  parm B: [n, r] = 0\n  param A: [r n] = 0\n  weight = W + B @ (A\n}\n",
};

describe("the table of syntax problems", () => {
  it.each(Object.values(syntaxProblems).map((row) => [row.code, row] as const))(
    "%s is what its example shows",
    (code, row) => {
      expect(problemsOf(row.wrong).map((diagnostic) => diagnostic.code)).toEqual([code]);
      expect(problemsOf(row.right)).toEqual([]);
    },
  );

  it("has unique codes of the front end", () => {
    const codes = Object.values(syntaxProblems).map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) expect(code).toMatch(/^SPX1[0-4]\d\d$/);
  });
});

const wholeText = Object.entries(badFiles)
  .map(
    ([name, text]) =>
      `══ ${name}\n${text}──\n${problemsOf(text)
        .map((problem) => describeDiagnostic(text, problem))
        .join("\n")}\n`,
  )
  .join("\n");

describe("diagnostics of bad files", () => {
  it("read as written", () => expect(wholeText).toMatchFileSnapshot("golden/syntax-mistakes.expected.txt"));

  it("are reported one for each mistake", () => {
    const counts = Object.fromEntries(
      Object.entries(badFiles).map(([name, text]) => [name, problemsOf(text).length]),
    );
    const several = {
      "`:` for `=`": 2,
      "words of other languages": 4,
      "a misspelt `use` and `except`": 3,
      "hexadecimal and open numbers": 5,
      "signs of mathematics": 9,
      "a member": 2,
      "new words as names": 3,
      "four mistakes in four statements": 4,
    };
    expect(counts).toEqual(
      Object.fromEntries(
        Object.keys(badFiles).map((name) => [name, several[name as keyof typeof several] ?? 1]),
      ),
    );
  });

  const everyFile = [...Object.values(badFiles), ...Object.values(syntaxProblems).map(({ wrong }) => wrong)];
  const all = everyFile.flatMap((text) => problemsOf(text).map((problem) => ({ text, problem })));

  it("follow the rules of style", () => {
    for (const { problem } of all) {
      expect(problem.message.length, problem.message).toBeLessThanOrEqual(90);
      expect(problem.message).toMatch(/^[`a-z].*[^.]$/s);
      expect(problem.help.length + problem.because.length, problem.message).toBeGreaterThan(0);
      for (const { text } of [...(problem.primary ? [problem.primary] : []), ...problem.secondary]) {
        expect(text.split(" ").length, text).toBeLessThanOrEqual(8);
      }
    }
  });

  it("offer edits that mend what they are about", () => {
    let tried = 0;
    for (const { text, problem } of all) {
      const [help] = problem.help;
      if (help === undefined || help.edits.length === 0) continue;
      tried += 1;
      const mended = applyEdits(text, help.edits);
      const same = ({ code, message }: Diagnostic) => code === problem.code && message === problem.message;
      expect(problemsOf(mended).filter(same).length, `${text}\n${problem.message}\n${mended}`).toBeLessThan(
        problemsOf(text).filter(same).length,
      );
      expect(problemsOf(mended).length, `${text}\n${problem.message}\n${mended}`).toBeLessThan(
        problemsOf(text).length,
      );
    }
    expect(tried).toBeGreaterThan(30);
  });
});

describe.each(["dsee", "training"])("one mistake in the example %s", (name) => {
  const example = readFileSync(new URL(`golden/${name}.spx`, import.meta.url), "utf8");
  const words = [...example.matchAll(/\/\/.*|"[^"]*"|\w+|\.[*/]|\.T|<=|==|[^\s\w]/g)].filter(
    ([word]) => !word.startsWith("//"),
  );

  it("gives at most one message: any word left out", () => {
    for (const { 0: word, index } of words) {
      const problems = problemsOf(example.slice(0, index) + example.slice(index + word.length));
      expect(
        problems.length,
        `without ${word} at ${index}: ${problems.map(({ message }) => message).join("; ")}`,
      ).toBeLessThanOrEqual(1);
    }
  });

  it("gives at most one message: any sign written twice", () => {
    for (const { 0: word, index } of words.filter(([sign]) => /^[^\w".]|^\.[*/T]/.test(sign))) {
      const problems = problemsOf(`${example.slice(0, index)}${word} ${example.slice(index)}`);
      expect(
        problems.length,
        `${word} twice at ${index}: ${problems.map(({ message }) => message).join("; ")}`,
      ).toBeLessThanOrEqual(1);
    }
  });
});
