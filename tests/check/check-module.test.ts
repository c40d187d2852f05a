/** Whole files through the checker: what comes out, and in which order. */
import { describe, expect, test } from "vitest";
import { type CheckResult, checkModule } from "../../compiler/check/check-module.ts";
import type { CheckedModule } from "../../compiler/check/checked-module.ts";
import { printChecked, printWeight } from "../../compiler/check/print-checked.ts";
import { evaluateNumber, printNumber } from "../../runtime/contract/number-expression.ts";
import { textHost } from "./text-host.ts";

const check = (text: string, files: Record<string, string> = {}): CheckResult =>
  checkModule("main.spx", textHost({ "main.spx": text, ...files }));

function checked(text: string, files: Record<string, string> = {}): CheckedModule {
  const { module, diagnostics } = check(text, files);
  if (module === null)
    throw new Error(diagnostics.map(({ code, message }) => `${code} ${message}`).join("\n"));
  return module;
}

const codes = (text: string, files: Record<string, string> = {}): string[] =>
  check(text, files).diagnostics.map(({ code }) => code);
const weightOf = (text: string): string => {
  const [transform] = checked(text).transforms;
  return transform === undefined ? "" : printWeight(transform.weight);
};
const matrix = (body: string, parameters = "W: frozen [out, in]"): string =>
  `transform T(${parameters}) {\n${body}\n}\n`;

test("the example of the language's introduction", async () => {
  const text = `
import { magnitude, topk, sparse_part } from "std/select"

/// W ⊙ M + (alpha/r)·(B·A + S), S on a fixed support of nnz entries.
transform DSEE(W: frozen [out, in], r: int = 16, nnz: int = 64, alpha: real = 32, keep: ratio = 0.5) {
  require r <= min(out, in)

  mask  M: unstructured       = magnitude(W, keep)
  param B: [out, r]           = 0
  param A: [r, in]            = normal(std: 0.02)
  param S: sparse [out, in] on topk(abs(sparse_part(W)), nnz) = 0

  weight = M .* W + (alpha / r) * (B @ A + S)
}

transform SemiStructured(W: frozen [out, in]) {
  require in % 4 == 0
  mask M: nm(2, 4) along in = magnitude(W)
  weight = M .* W
}

transform Monarch(W: [n, n], b: int = isqrt(n)) {
  param L: blockdiag [n, n] blocks b
  param R: blockdiag [n, n] blocks n / b
  weight = P(b) @ L @ P(b).T @ R          // P(b): the stride permutation
  init L, R = monarch_projection(W)
}

model Encoder {
  for "encoder.layer.*.attention.self.{query,value}.weight" use DSEE(r: 8)
  for "encoder.layer.*.{intermediate,output}.dense.weight"  use SemiStructured
  freeze "**"
}
`;
  const module = checked(text);
  expect(module.transforms.map(({ name }) => name)).toEqual(["DSEE", "SemiStructured", "Monarch"]);
  await expect(printChecked(module)).toMatchFileSnapshot("checked/introduction.txt");
  const [attention, dense, rest] = module.models[0]?.rules.map(({ pattern }) => new RegExp(pattern)) ?? [];
  expect(attention?.test("encoder/layer/11/attention/self/query/weight")).toBe(true);
  expect(attention?.test("encoder/layer/1/1/attention/self/query/weight")).toBe(false);
  expect(attention?.test("encoder/layer/0/attention/self/key/weight")).toBe(false);
  expect(dense?.test("encoder/layer/0/output/dense/weight")).toBe(true);
  expect(rest?.test("embeddings/word_embeddings/weight")).toBe(true);
});

describe("expressions", () => {
  test.each([
    ["weight = W - 2 * W", "W + -2 * W"],
    ["weight = -(W + W) / 4", "-0.25 * (W + W)"],
    ["weight = W @ W.T @ W", "W @ W.T @ W"],
    ["weight = W @ (identity + W.T @ W)", "W @ (identity + W.T @ W)"],
    ["let half = W / 2\nweight = half + half", "0.5 * W + 0.5 * W"],
    ["param d: [in] = 1\nweight = W @ diag(d)", "W @ diag(d)"],
    ["param D: diag [in] = 1\nweight = W @ D", "W @ diag(D)"],
    ["weight = W .* W", "W .* W"],
    ["param A: [3, out, in] = 0\nweight = sum(i < 3, (i + 1) * A[i]) + W", "A[0] + 2 * A[1] + 3 * A[2] + W"],
  ])("%s", (body, printed) => {
    expect(weightOf(matrix(body))).toBe(printed.replace(/^A\[0\]/, "1 * A[0]"));
  });

  test("shapes of kron, blockdiag and transposes", () => {
    const [transform] = checked(
      "transform T(A: frozen [a, b], B: frozen [c, d]) {\n  weight = blockdiag(kron(A, B), B.T)\n}\n",
    ).transforms;
    expect(printNumber(transform?.weight.rows ?? { kind: "number", value: 0 })).toBe("a * c + d");
    expect(printNumber(transform?.weight.columns ?? { kind: "number", value: 0 })).toBe("b * d + c");
  });

  test("functions are written out, also from a file beside", () => {
    const files = {
      "lib/parts.spx":
        "function twice(W: [rows, columns]) = 2 * W\nfunction both(W: [rows, columns]) = twice(W) + columns * W\n",
    };
    const text = `import { both as add } from "./lib/parts"\n${matrix("weight = add(W)")}`;
    const [transform] = checked(text, files).transforms;
    expect(transform && printWeight(transform.weight)).toBe("2 * W + in * W");
  });
});

describe("conditions", () => {
  test("what follows from a stated condition is proven, the rest is left to load", () => {
    const text = `import { magnitude } from "std/select"\n${matrix("require in % 8 == 0\nmask M: nm(2, 4) along in = magnitude(W)\nweight = M .* W")}`;
    const [transform] = checked(text).transforms;
    expect(transform?.requirements.map(({ text: condition }) => condition)).toEqual(["in % 8 == 0"]);
    expect(transform?.proven.map(({ text: condition }) => condition)).toEqual(["in % 4 == 0"]);
  });

  test("groups along the output divide the rows", () => {
    const text = `import { magnitude } from "std/select"\n${matrix("mask M: nm(3, 7) along out = magnitude(W)\nweight = M .* W")}`;
    const [transform] = checked(text).transforms;
    expect(transform?.patterns[0]?.shape).toEqual({ kind: "nm", n: 3, m: 7, axis: "output" });
    expect(transform?.requirements).toMatchObject([
      { text: "out % 7 == 0", code: "SPX4102", reason: "3:7 groups along the output" },
    ]);
  });

  test("requirements hold at good sizes and fail at bad ones", () => {
    const [transform] = checked(
      `import { Monarch } from "monarch"\nmodel M {\n  for "a" use Monarch\n}\n`,
    ).transforms;
    const holds = (n: number, b: number): boolean =>
      transform?.requirements.every(
        ({ condition }) =>
          evaluateNumber(
            condition,
            new Map([
              ["n", n],
              ["b", b],
            ]),
          ) === 1,
      ) ?? false;
    expect([holds(64, 8), holds(64, 4), holds(64, 5), holds(64, 0), holds(64, 65)]).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  test("the numbers of a rule are held against the conditions", () => {
    const text = 'import { LoRA } from "lora"\nmodel M {\n  for "a" use LoRA(r: -1)\n}\n';
    expect(codes(text)).toEqual(["SPX4008"]);
  });
});

describe("const arguments", () => {
  test("each set of values is built once", () => {
    const text = `import { PHM } from "phm"
model M {
  for "a" use PHM
  for "b" use PHM(n: 2)
  for "c" use PHM(n: 2)
  for "d" use PHM(4)
}
`;
    const module = checked(text);
    expect(module.transforms.map(({ name, constants }) => [name, constants.n])).toEqual([
      ["PHM", 4],
      ["PHM_n2", 2],
    ]);
    expect(module.models[0]?.rules.map(({ transform }) => transform)).toEqual([
      "PHM",
      "PHM_n2",
      "PHM_n2",
      "PHM",
    ]);
  });

  test("rule arguments may read the sizes of the tensor", () => {
    const [model] = checked(
      'import { LoRA } from "lora"\nmodel M {\n  for "a" use LoRA(r: max(1, floor(min(out, in) / 8)))\n}\n',
    ).models;
    const rank = model?.rules[0]?.arguments.r;
    expect(
      rank &&
        evaluateNumber(
          rank,
          new Map([
            ["out", 64],
            ["in", 100],
          ]),
        ),
    ).toBe(8);
  });
});

describe("initial values", () => {
  test("the order puts what is read first", () => {
    const text = `import { topk } from "std/select"
import { truncated_svd } from "std/lowrank"
transform T(W: frozen [out, in], r: int = 2, k: int = 8) {
  require r <= min(out, in)
  param S: sparse [out, in] on topk(abs(W - B @ A), k) = W - B @ A
  param B: [out, r]
  param A: [r, in]
  init B, A = truncated_svd(W, r)
  weight = W + B @ A + S
}
`;
    const [transform] = checked(text).transforms;
    const order = transform?.order ?? [];
    expect([...order].sort()).toEqual(["A", "B", "S", "S.support"]);
    expect(order.indexOf("B")).toBeLessThan(order.indexOf("S.support"));
    expect(order.indexOf("S.support")).toBeLessThan(order.indexOf("S"));
  });

  test("a mask that chooses from itself is a circle", () => {
    const text = `import { magnitude } from "std/select"\n${matrix("mask M: unstructured = magnitude(M .* W, 0.5)\nweight = M .* W")}`;
    expect(codes(text)).toEqual(["SPX5005"]);
  });

  test("a support without a size of its own takes that of its first use", () => {
    const text = `import { random_support } from "std/select"\n${matrix("support omega = random_support(5)\nparam S: sparse [out, in] on omega = 0\nweight = W + S")}`;
    const [transform] = checked(text).transforms;
    expect(transform?.patterns.map(({ name, rows }) => [name, printNumber(rows)])).toEqual([
      ["omega", "out"],
    ]);
  });
});

describe("several mistakes", () => {
  test("each is reported once, in the order of the file", () => {
    const text = matrix(
      "let a = nope * 2\nlet b = a + nope\nparam B: [out, rank] = 0\nparam A: [rank, in] = norml(0.1)\nweight = W + b * (B @ A)",
    );
    expect(codes(text)).toEqual(["SPX2001", "SPX4301", "SPX2001"]);
  });

  test("a failed import silences the uses of its names", () => {
    expect(codes(`import { nothing } from "std/select"\n${matrix("weight = nothing(W)")}`)).toEqual([
      "SPX2202",
    ]);
    expect(codes(`import { nothing } from "std/nowhere"\n${matrix("weight = nothing(W)")}`)).toEqual([
      "SPX2201",
    ]);
  });

  test("a file that does not parse is not checked further", () => {
    expect(
      codes("transform T(W: frozen [out, in]) {\n  weight = nope +\n}\n").every((code) =>
        code.startsWith("SPX1"),
      ),
    ).toBe(true);
  });

  test("an unreadable entry is one message without a place", () => {
    const { module, diagnostics } = checkModule("gone.spx", textHost({}));
    expect([module, diagnostics.map(({ code, primary }) => [code, primary])]).toEqual([
      null,
      [["SPX2201", null]],
    ]);
  });
});

test("an uncalled function is checked too", () => {
  expect(codes("function wrong(A: [m, n]) = A @ A\n")).toEqual(["SPX4002"]);
  expect(codes("function right(A: [m, n]) = A @ A.T\n")).toEqual([]);
});

test("a pattern without a size is one mistake, however it is used", () => {
  const text = `import { diagonal } from "std/select"

transform T(W: frozen [n, n]) {
  support E = diagonal()
  weight = W + indicator(E) + 2 * indicator(E)
}
`;
  expect(codes(text)).toEqual(["SPX4006"]);
});
