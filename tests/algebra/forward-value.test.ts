// A straight-through mask that keeps nothing is worth nothing and still has a gradient.
import { describe, expect, it } from "vitest";
import { createTermFactory } from "../../compiler/algebra/algebra-graph.ts";
import { buildAlgebra } from "../../compiler/algebra/build-algebra.ts";
import { deriveGradients } from "../../compiler/algebra/derive-gradient.ts";
import { forwardValue } from "../../compiler/algebra/forward-value.ts";
import { normalise } from "../../compiler/algebra/normalise.ts";
import { printTerm } from "../../compiler/algebra/print-algebra.ts";
import { checkModule } from "../../compiler/check/check-module.ts";
import { textHost } from "../check/text-host.ts";

function algebraOf(mode: string, selection: string) {
  const text = `import { all, random } from "std/select"

transform T(W: frozen [out, in]) {
  mask Never: ${mode} unstructured = ${selection}
  param S: [out, in] = 0
  weight = W + Never .* S
}
`;
  const { module } = checkModule("case.spx", textHost({ "case.spx": text }));
  const [transform] = module?.transforms ?? [];
  if (transform === undefined) throw new Error("the program checks");
  const factory = createTermFactory(transform.tensors);
  const normal = normalise(buildAlgebra(transform, factory), factory);
  return { normal, forward: forwardValue(normal, factory), gradients: deriveGradients(normal.root, factory) };
}

describe("the value that is planned forward", () => {
  it("has no term under a straight-through mask that keeps nothing, whose gradient stays", () => {
    const { forward, gradients } = algebraOf("straight_through", "not all()");
    expect(printTerm(forward.root)).toBe("W");
    expect(forward.rules).toContain("nothing-kept");
    expect(printTerm(gradients.transposed)).toBe("W.T");
    expect(gradients.leaves.map(({ leaf }) => leaf.tensor.name)).toEqual(["S"]);
  });

  it.each([
    ["straight_through", "random(0.5)"],
    ["multiplicative", "not all()"],
  ])("is the weight itself under a %s mask of %s", (mode, selection) => {
    const { normal, forward } = algebraOf(mode, selection);
    expect(forward).toBe(normal);
  });
});
