/** One mistake is one error, at the place where it was made. */
import { describe, expect, test } from "vitest";
import { checkModule } from "../../compiler/check/check-module.ts";
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import { textHost } from "./text-host.ts";

const problems = (text: string, files: Record<string, string> = {}): readonly Diagnostic[] =>
  checkModule("main.spx", textHost({ "main.spx": text, ...files })).diagnostics;

/** Code, file and text of the primary place. */
function told(text: string, files: Record<string, string> = {}): string[] {
  const texts: Record<string, string> = { "main.spx": text, ...files };
  return problems(text, files).map(({ code, primary }) => {
    const { file, start, end } = primary?.span ?? { file: "", start: 0, end: 0 };
    return `${code} ${file} ${(texts[file] ?? "").slice(start, end)}`;
  });
}

const twoUses = `
transform T(W: frozen [out, in], V: frozen [out, in]) {
  weight = W + f(W, V)
}

transform U(W: frozen [rows, columns]) {
  param D: [rows, columns] = f(W, W)
  weight = W + D
}
`;

describe("a function that is wrong by itself", () => {
  const wrong = "function f(A: [m, n], B: [m, n]) = A @ B\n";

  test("is told in its body, with both shapes and both ways out", () => {
    const [problem, ...more] = problems(wrong + twoUses);
    expect(more).toEqual([]);
    expect(told(wrong + twoUses)).toEqual(["SPX4002 main.spx B"]);
    expect(problem?.primary).toMatchObject({ span: { start: wrong.indexOf("@ B") + 2 }, text: "[m, n]" });
    expect(problem?.secondary).toMatchObject([{ span: { start: wrong.indexOf("A @") }, text: "[m, n]" }]);
    expect(problem?.help.map(({ text }) => text)).toEqual(["transpose it: `B.T`", "transpose it: `A.T`"]);
  });

  test("in a file beside is told there", () => {
    const main = `import { f } from "./other"\n${twoUses}`;
    expect(told(main, { "other.spx": wrong })).toEqual(["SPX4002 other.spx B"]);
  });

  test("is told once where other functions call it", () => {
    const chain =
      "function g(A: [m, n]) = f(A, A)\nfunction f(A: [m, n], B: [m, n]) = A @ B\nfunction h(A: [m, n]) = g(A) + f(A, A)\n";
    expect(told(chain)).toEqual(["SPX4002 main.spx B"]);
    expect(told("function f(x: real) = g(x)\nfunction g(x: real) = f(x)\n")).toHaveLength(1);
  });

  test("leaves what is wrong with a use to be told at the use", () => {
    const use = "\ntransform T(W: frozen [out, in], V: frozen [in, out]) {\n  weight = W + f(W, V)\n}\n";
    expect(told(wrong + use)).toEqual(["SPX4002 main.spx B", "SPX4003 main.spx V"]);
    expect(told(`${wrong}\ntransform T(W: frozen [out, in]) {\n  weight = W + f(W)\n}\n`)).toEqual([
      "SPX4002 main.spx B",
      "SPX3202 main.spx f",
    ]);
  });
});

test("what only a use of a right function reveals is told at the use", () => {
  const right = "function f(A: [m, n], B: [n, k]) = A @ B\n";
  const use = "\ntransform T(W: frozen [out, in]) {\n  weight = W + f(W, W)\n}\n";
  expect(told(right + use)).toEqual(["SPX4003 main.spx W"]);
});

describe("a constant that counts nothing", () => {
  const transform = (body: string): string =>
    `import { random } from "std/select"\n\ntransform T(W: frozen [out, in], n: const int = 0) {\n${body}\n}\n`;

  test("is one mistake, however often it is a side, a number of terms or of patterns", () => {
    const body =
      "  param A: [n, out, in] = 0\n  param B: [n, out] = 0\n  weight = W + sum(i < n, A[i]) + sum(i < n, A[i])";
    const [problem] = problems(transform(body));
    expect(told(transform(body))).toEqual(["SPX4008 main.spx n"]);
    expect(problem?.message).toBe("a size must be positive: `n > 0` cannot hold: `0 > 0` is false");
    expect(problem?.secondary.map(({ text }) => text)).toEqual(["`n` is 0"]);
    const family = "  mask M[i < n]: unstructured = random(0.5)\n  weight = W + sum(i < n, M[i] .* W)";
    expect(told(transform(family))).toEqual(["SPX3102 main.spx n"]);
  });

  test("hides no other", () => {
    const body = "  param A: [n, out, in] = 0\n  weight = W + sum(i < n, A[i]) + sum(i < 0, W)";
    expect(told(transform(body))).toEqual(["SPX4008 main.spx n", "SPX5011 main.spx 0"]);
  });
});

describe("a condition that a value breaks", () => {
  const transform = (type: string, body: string): string =>
    `transform T(W: frozen [out, in], n: ${type}) {\n${body}\n}\n`;
  const body = (condition: string): string =>
    `  require ${condition}\n  param A: [out, 2 * n] = 0\n  param B: [n + n, in] = 0\n  weight = W + (1 / n) * (A @ B)`;

  test("is told instead of what the same constant breaks besides", () => {
    for (const condition of ["n > 0", "n >= 1", "n > 0 and n < 9", "n > 0\n  require n >= 2 * n + 1"])
      expect(told(transform("const int = 0", body(condition)))).toEqual([
        `SPX4501 main.spx ${condition.split(/ and |\n/)[0]}`,
      ]);
    expect(told(transform("const int = 0", body("in > 9")))).toEqual(["SPX4008 main.spx 2 * n"]);
  });

  test("is told instead of what follows from it, for the value of a default", () => {
    expect(told(transform("int = 0", body("n >= 1")))).toEqual(["SPX4501 main.spx n >= 1"]);
    const sides = "  param A: [out, n] = 0\n  param B: [n, in] = 0\n  weight = W + (1 / n) * (A @ B)";
    expect(told(transform("int = 0", sides))).toEqual(["SPX4008 main.spx n"]);
  });

  test("hides no other mistake", () => {
    const more = `${body("n > 0")}\n  param C: [out, m] = 0`;
    expect(told(transform("const int = 0", more))).toContain("SPX4301 main.spx m");
    const other = "  require n > 0\n  require k > 0\n  param A: [out, n] = 0\n  weight = W + A @ A.T @ W";
    expect(told(transform("int = 0, k: int = 0", other))).toEqual([
      "SPX4501 main.spx n > 0",
      "SPX4501 main.spx k > 0",
    ]);
  });
});

test("a mistake that shows inside the library is told at its use", () => {
  const imports = 'import { over } from "std/schedule"\n\n';
  const direct = `${imports}transform T(W: frozen [out, in]) {
  schedule s: real = over(step, 5, 5)
  weight = s * W
}
`;
  const [problem] = problems(direct);
  expect(told(direct)).toEqual(["SPX3102 main.spx over(step, 5, 5)"]);
  expect(problem?.primary?.text).toBe("in this use of `over`");
  expect(problem?.secondary).toMatchObject([
    { span: { file: "stdlib/std/schedule.spx" }, text: "this line of the library" },
  ]);
  expect(told(`${imports}function ramp(x: real) = over(x, 5, 5)\n`)).toEqual([
    "SPX3102 main.spx over(x, 5, 5)",
  ]);
  const default0 = `import { low_rank } from "std/lowrank"

transform T(W: frozen [out, in], k: int = 0) {
  param B: [out, 2] = 0
  param A: [2, in] = 0
  weight = W + low_rank(B, A, 1 / k)
}
`;
  expect(problems(default0).map(({ primary }) => primary?.span.file)).toEqual(["main.spx"]);
});

describe("a transform of the library with a constant that it cannot have", () => {
  const model = (uses: string): string =>
    `import { PHM } from "phm"\n\nmodel M {\n  for "a" use ${uses}\n  freeze "**"\n}\n`;

  test("is told at its use, with the line of the library beside it", () => {
    for (const value of ["0", "-2"]) {
      const [problem] = problems(model(`PHM(n: ${value})`));
      expect(told(model(`PHM(n: ${value})`))).toEqual(["SPX4008 main.spx PHM"]);
      expect(problem?.primary?.text).toBe("in this use of `PHM`");
      expect(problem?.secondary).toMatchObject([
        { span: { file: "stdlib/phm.spx" }, text: "this line of the library" },
        { span: { file: "stdlib/phm.spx" }, text: `\`n\` is ${value}` },
      ]);
    }
  });

  test("is told once for all rules that give the same", () => {
    expect(told(model('PHM(n: 0)\n  for "b" use PHM(n: 0)'))).toEqual(["SPX4008 main.spx PHM"]);
  });
});

describe("a range of numbers in a pattern of names", () => {
  const help = (glob: string) => problems(`model M {\n  freeze "${glob}"\n}\n`)[0]?.help;

  test("is written as the list that it means", () => {
    const listed = '"layers.{0,1,2,3,4,5,6,7,8,9,10,11}.weight"';
    expect(help("layers.{0..11}.weight")).toMatchObject([
      { text: `write \`${listed}\``, edits: [{ replacement: listed }], applicability: "likely" },
    ]);
    expect(problems(`model M {\n  freeze ${listed}\n}\n`)).toEqual([]);
    // What the language's page says of the same layers.
    const { module } = checkModule(
      "main.spx",
      textHost({ "main.spx": 'model M {\n  freeze "layers.{[0-9],10,11}"\n}\n' }),
    );
    const names = new RegExp(module?.models[0]?.rules[0]?.pattern ?? "");
    const layers = Array.from({ length: 30 }, (_, index) => index).filter((layer) =>
      names.test(`layers/${layer}`),
    );
    expect(layers).toEqual(Array.from({ length: 12 }, (_, index) => index));
  });

  test.each(["layers.{0..9999}", "layers.{a..f}", "layers.{0..8..2}", "layers.{0..3,7}", "layers.{3..0}"])(
    "%s gets words and no edit",
    (glob) => {
      const [only, ...more] = help(glob) ?? [];
      expect(more).toEqual([]);
      expect(only?.edits).toEqual([]);
      expect(only?.text).toContain("`[0-9]`");
    },
  );
});
