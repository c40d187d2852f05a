/** Combined, measured, pooled and repeated patterns through the checker. */
import { describe, expect, test } from "vitest";
import { checkModule } from "../../compiler/check/check-module.ts";
import type { CheckedTransform } from "../../compiler/check/checked-module.ts";
import { withEstimates } from "../../compiler/plan/measured-counts.ts";
import { printNumber } from "../../runtime/contract/number-expression.ts";
import { textHost } from "./text-host.ts";

const imports = `import {
  above, all, below, diagonal, magnitude, nonzero, random, random_columns, row_sum, top_columns, top_rows, topk,
} from "std/select"
`;

const check = (body: string, parameters = "W: frozen [out, in], k: int = 4") =>
  checkModule("main.spx", textHost({ "main.spx": `${imports}transform T(${parameters}) {\n${body}\n}\n` }));

function transform(body: string, parameters?: string): CheckedTransform {
  const { module, diagnostics } = check(body, parameters);
  const [found] = module?.transforms ?? [];
  if (found === undefined)
    throw new Error(diagnostics.map(({ code, message }) => `${code} ${message}`).join("\n"));
  return found;
}

const problems = (body: string, parameters?: string): string[] =>
  check(body, parameters).diagnostics.map(({ code, message }) => `${code} ${message}`);

const counts = (body: string): Record<string, string> =>
  Object.fromEntries(transform(body).patterns.map(({ name, count }) => [name, printNumber(count)]));

describe("counts", () => {
  test("are exact where sizes and arguments say them", () => {
    const body = `
mask A: unstructured = topk(W, k)
mask B: unstructured = not A
mask C: unstructured = top_rows(row_sum(W), k)
mask D: unstructured = diagonal()
mask E: unstructured = not D
mask F: unstructured = topk(W, k, pool: row)
mask G: unstructured = all()
weight = A .* W + B .* W + C .* W + D .* W + E .* W + F .* W + G .* W`;
    expect(counts(body)).toEqual({
      A: "k",
      B: "out * in - k",
      C: "k * in",
      D: "min(out, in)",
      E: "out * in - min(out, in)",
      F: "out * k",
      G: "out * in",
    });
  });

  test("are measured where only data say them, and exact again for the complement", () => {
    const body = `
mask A: unstructured = nonzero(W)
mask B: unstructured = not A
mask C: unstructured = A and above(abs(W), 0.5) or not below(W, 0)
weight = A .* W + B .* W + C .* W`;
    expect(counts(body)).toEqual({ A: "count(A)", B: "out * in - count(A)", C: "count(C)" });
    const given = new Map([
      ["out", 10],
      ["in", 10],
      ["k", 4],
    ]);
    const estimates = withEstimates(transform(body), given);
    expect(estimates.get("count(A)")).toBe(50);
    expect(estimates.get("count(C)")).toBe(63);
    expect(withEstimates(transform(body), new Map([...given, ["count(A)", 100]])).get("count(C)")).toBe(75);
  });

  test("can be read, and come before what reads them", () => {
    const body = `
param S: sparse [out, in] on topk(abs(W), floor(count(M) / 2)) = 0
mask M: unstructured = nonzero(W)
require count(M) >= 2
weight = M .* W + S`;
    const { order, requirements } = transform(body);
    expect(order).toEqual(["M", "S.support", "S"]);
    expect(requirements.map(({ text }) => text)).toContain("count(M) >= 2");
    expect(requirements.map(({ text }) => text)).toContain("floor(count(M) / 2) <= out * in");
  });

  test("give a pattern the size of what it is combined with", () => {
    const body = `
mask R: unstructured = random(0.5)
mask N: unstructured = not R
weight = N .* W`;
    expect(
      transform(body).patterns.map(({ rows, columns }) => [printNumber(rows), printNumber(columns)]),
    ).toEqual([
      ["out", "in"],
      ["out", "in"],
    ]);
  });
});

describe("pools and families", () => {
  test("a budget for several layers is part of the pattern", () => {
    const [pattern] = transform(
      "mask M: unstructured = magnitude(W, 0.3, pool: model)\nweight = M .* W",
    ).patterns;
    expect(pattern?.pool).toEqual({ scope: "model", budget: "keep", amount: { kind: "number", value: 0.3 } });
    expect(pattern?.measured?.symbol).toBe("count(M)");
  });

  test("the words of a pool are names everywhere else", () => {
    const body = "mask M: unstructured = topk(W, group, pool: group)\nweight = row * (M .* W)";
    expect(problems(body, "W: frozen [out, in], group: int = 3, row: real = 2")).toEqual([]);
  });

  test("members are patterns of their own", () => {
    const body = "mask M[3]: unstructured = random(0.5)\nweight = M[0] .* W + M[2] .* W + M[1] .* W";
    expect(transform(body).patterns.map(({ name }) => name)).toEqual(["M[0]", "M[1]", "M[2]"]);
    // One use says how large all of them are.
    expect(transform("mask M[3]: block(1, 2) = random(0.5)\nweight = M[1] .* W").patterns).toHaveLength(3);
    expect(problems("mask M[2]: unstructured = nonzero(W)\nweight = M[2] .* W")).toEqual([
      expect.stringContaining("SPX4007"),
    ]);
    expect(problems("mask M[0]: unstructured = random(0.5)\nweight = W")).toEqual([
      expect.stringContaining("SPX3102"),
    ]);
    expect(problems("mask M[2]: unstructured = random(0.5)\nweight = M .* W").join()).toContain(
      "a family of 2 patterns",
    );
  });
});

describe("mistakes", () => {
  test.each([
    ["a matrix in a combination", "mask M: unstructured = nonzero(W) and W\nweight = M .* W", "SPX3001"],
    ["a number in one", "mask M: unstructured = nonzero(W) or k\nweight = M .* W", "SPX3001"],
    [
      "different shapes",
      "mask M: unstructured = nonzero(W) and nonzero(W @ W.T)\nweight = M .* W",
      "SPX4001",
    ],
    [
      "groups joined",
      "mask M: nm(2, 4) = magnitude(W) and nonzero(W)\nrequire in % 4 == 0\nweight = M .* W",
      "SPX5102",
    ],
    [
      "blocks of single entries",
      "mask M: block(2, 1) = nonzero(W)\nrequire out % 2 == 0\nweight = M .* W",
      "SPX5102",
    ],
    [
      "a pooled block",
      "mask M: block(2, 1) = magnitude(W, 0.5, pool: row)\nrequire out % 2 == 0\nweight = M .* W",
      "SPX5102",
    ],
    [
      "a selector of entries",
      "support C = topk(W, k)\nparam D: [out, k] = 0\nweight = D @ column_selector(C)",
      "SPX3001",
    ],
    ["an indicator of no pattern", "weight = W + indicator(W)", "SPX3001"],
    [
      "a selector of unknown size",
      "support C = random_columns(k)\nparam D: [out, k] = 0\nweight = W + D @ column_selector(C)",
      "SPX4006",
    ],
    ["a pool that is none", "mask M: unstructured = topk(W, k, pool: layer)\nweight = M .* W", "SPX3001"],
  ])("%s", (_title, body, code) => {
    expect(problems(body).map((problem) => problem.slice(0, 7))).toContain(code);
  });
});
