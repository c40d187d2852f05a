import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { structureProblems } from "../../compiler/algebra/structure-problems.ts";
import { checkModule } from "../../compiler/check/check-module.ts";
import { renderDiagnostics } from "../../compiler/diagnostics/render-terminal.ts";
import * as kinds from "../../compiler/diagnostics/structure-diagnostics.ts";
import { textHost } from "../check/text-host.ts";

const pageOf = (code: string): string =>
  readFileSync(new URL(`../../compiler/diagnostics/explanations/${code}.md`, import.meta.url), "utf8");

/** The example of a page under `heading`. */
function exampleOf(code: string, heading: "Fails" | "Works"): string {
  const section = pageOf(code)
    .split(/^## /m)
    .find((part) => part.startsWith(heading));
  return /```spx\n([\s\S]*?)```/.exec(section ?? "")?.[1] ?? "";
}

function problemsIn(text: string) {
  const { module, diagnostics, sources } = checkModule("case.spx", textHost({ "case.spx": text }));
  expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  return { found: (module?.transforms ?? []).flatMap(structureProblems), sources };
}

const complementary = `import { topk } from "std/select"

transform T(W: frozen [n, n]) {
  support E = topk(abs(W), 4)
  mask M: unstructured = not E
  param S: sparse [n, n] on E = 0
  param R: [n, n] = 0
  weight = W + PART
}
`;

describe("a mask and what it lies over", () => {
  it("never meet when one is the complement of the other", () => {
    const { found } = problemsIn(complementary.replace("PART", "M .* S"));
    expect(found.map(({ code, because }) => ({ code, because }))).toEqual([
      { code: "SPX6103", because: ["no position is in both `M` and `E`"] },
    ]);
  });

  it("meet otherwise", () => {
    expect(problemsIn(complementary.replace("PART", "S + M .* R")).found).toEqual([]);
    expect(problemsIn(complementary.replace("PART", "S.T + M .* R")).found).toEqual([]);
  });
});

describe("a decomposition", () => {
  const split = (rank: number): string => `import { truncated_svd } from "std/lowrank"

transform T(U: [out, 4], V: [4, in]) {
  require out > 8 and in > 8
  param B: [out, ${rank}]
  param A: [${rank}, in]
  init B, A = truncated_svd(U @ V, ${rank})
  weight = B @ A
}
`;
  it("may ask for the rank that its matrix can have, and for no more", () => {
    expect(problemsIn(split(4)).found).toEqual([]);
    expect(problemsIn(split(5)).found.map(({ code }) => code)).toEqual(["SPX6104"]);
  });
});

describe("an N:M mask", () => {
  const masked = (operand: string): string => `import { magnitude } from "std/select"

transform T(W: frozen [n, n]) {
  require n % 4 == 0
  mask M: nm(2, 4) along input = magnitude(W)
  mask K: nm(1, 4) along output = magnitude(W)
  param d: [n] = 1
  weight = W + M .* (${operand})
}
`;
  it.each([
    ["P(4)", ["SPX6101"]],
    ["3 * identity(n)", ["SPX6101"]],
    ["diag(d) @ diag(d)", ["SPX6101"]],
    ["diag(d) @ W", []],
    ["diag(d) + W", []],
    ["K .* W", []],
    ["(K .* W.T).T", ["SPX6102"]],
    ["diag(d) @ (K .* W.T).T", ["SPX6102"]],
  ])("over %s: %s", (operand, codes) => {
    expect(problemsIn(masked(operand)).found.map(({ code }) => code)).toEqual(codes);
  });
});

describe.each(Object.values(kinds))("$code, $name", ({ code, name }) => {
  it("is what the page says", async () => {
    const { found, sources } = problemsIn(exampleOf(code, "Fails"));
    expect(found.map((problem) => problem.code)).toEqual([code]);
    expect(problemsIn(exampleOf(code, "Works")).found).toEqual([]);
    await expect(renderDiagnostics(found, sources)).toMatchFileSnapshot(
      `golden/${code}-${name}.expected.txt`,
    );
  });
});
