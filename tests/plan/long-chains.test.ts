/** Chains whose factors are sums: their ways multiply, and choosing a plan stays a matter of moments. */
import { describe, expect, test } from "vitest";
import { createTermFactory } from "../../compiler/algebra/algebra-graph.ts";
import { buildAlgebra } from "../../compiler/algebra/build-algebra.ts";
import { deriveGradients } from "../../compiler/algebra/derive-gradient.ts";
import { normalise } from "../../compiler/algebra/normalise.ts";
import { checkModule } from "../../compiler/check/check-module.ts";
import { nodeHost } from "../../compiler/driver/node-host.ts";
import { choosePlan } from "../../compiler/plan/choose-plan.ts";
import { firstCombinations } from "../../compiler/plan/formed-ways.ts";
import { verifyPlan } from "../../compiler/plan/verify-plan.ts";

/** W1 @ (A1 + B1 + C1) @ W2 @ (A2 + B2 + C2) @ … */
function chainOf(sums: number): string {
  const given = Array.from({ length: sums }, (_, at) => `W${at}: frozen [n, n]`).join(", ");
  const params = Array.from({ length: sums }, (_, at) =>
    ["A", "B", "C"].map((name) => `  param ${name}${at}: [n, n] = 0`).join("\n"),
  ).join("\n");
  const factors = Array.from({ length: sums }, (_, at) => `W${at} @ (A${at} + B${at} + C${at})`).join(" @ ");
  return `transform Long(${given}) {\n${params}\n  weight = ${factors}\n}\n`;
}

describe("a chain of sums", () => {
  test.each([1, 2, 4])(
    "of %i is planned",
    (sums) => {
      const host = nodeHost();
      const text = chainOf(sums);
      const { module } = checkModule("long.spx", {
        ...host,
        readFile: (path) => (path === "long.spx" ? text : host.readFile(path)),
      });
      const [checked] = module?.transforms ?? [];
      if (checked === undefined) throw new Error("does not check");
      const factory = createTermFactory(checked.tensors);
      const normal = normalise(buildAlgebra(checked, factory), factory);
      const { plan } = choosePlan(normal, checked, deriveGradients(normal.root, factory), "covering");
      if (plan === null) throw new Error("no plan");
      expect(verifyPlan(plan)).toEqual([]);
      expect(plan.search.priced).toBeLessThanOrEqual(512);
    },
    60_000,
  );
});

test("the first combinations are those of all of them", () => {
  const lists = [
    ["a", "b"],
    ["c", "d", "e"],
    ["f", "g"],
  ];
  const all = firstCombinations(lists, 100);
  expect(all.map((one) => one.join(""))).toEqual([
    ...["acf", "acg", "adf", "adg", "aef", "aeg"],
    ...["bcf", "bcg", "bdf", "bdg", "bef", "beg"],
  ]);
  for (let most = 0; most < 13; most++) expect(firstCombinations(lists, most)).toEqual(all.slice(0, most));
  expect(firstCombinations([], 5)).toEqual([[]]);
});
