/** What the mode of a mask changes: what a param under it stores, and how far its gradient reaches. */
import { describe, expect, it } from "vitest";
import { createTermFactory } from "../../compiler/algebra/algebra-graph.ts";
import { buildAlgebra } from "../../compiler/algebra/build-algebra.ts";
import { deriveGradients } from "../../compiler/algebra/derive-gradient.ts";
import { normalise } from "../../compiler/algebra/normalise.ts";
import { printAlgebra } from "../../compiler/algebra/print-algebra.ts";
import { zeroStructure } from "../../compiler/algebra/structure.ts";
import type {
  CheckedPattern,
  CheckedTensor,
  CheckedTransform,
  WeightExpression,
} from "../../compiler/check/checked-module.ts";
import { storeStructurally } from "../../compiler/check/structural-storage.ts";
import type { MaskMode } from "../../grammar/syntax/syntax-tree.ts";
import { printNumber, symbol } from "../../runtime/contract/number-expression.ts";
import { leaf, pattern, product, span, sum, tensor, times } from "./sample-transforms.ts";

const modes: readonly MaskMode[] = ["structural", "multiplicative", "straight_through"];
const T = tensor("T", "param", ["out", "in"]);
const W = tensor("W", "frozen", ["out", "in"]);
const B = tensor("B", "param", ["out", "r"]);
const A = tensor("A", "param", ["r", "in"]);
const [rows, columns] = [symbol("out"), symbol("in")];

const masked = (name: string, operand: WeightExpression): WeightExpression => ({
  kind: "mask",
  pattern: name,
  operand,
  rows,
  columns,
  span,
});
const maskOf = (mode: MaskMode, name = "M"): CheckedPattern => ({
  ...pattern(name, { kind: "nm", n: 2, m: 4, axis: "input" }, "out", "in", times("out", "in")),
  count: symbol("kept"),
  mode,
});
const stored = (weight: WeightExpression, patterns: readonly CheckedPattern[]): readonly CheckedTensor[] =>
  storeStructurally(weight, [T, W, B, A], patterns);
const storedT = (weight: WeightExpression, mode: MaskMode): CheckedTensor | undefined =>
  stored(weight, [maskOf(mode), maskOf(mode, "Q")]).find(({ name }) => name === "T");

describe("what a param under a mask stores", () => {
  it.each(modes)("%s", (mode) => {
    const found = storedT(masked("M", leaf(T)), mode);
    expect([found?.structure, found?.support, found?.drawn, printNumber(found?.count ?? rows)]).toEqual(
      mode === "structural" ? ["sparse", "M", "dense", "kept"] : ["dense", null, "stored", "out * in"],
    );
  });

  const hadamard = (...factors: WeightExpression[]): WeightExpression => ({
    kind: "hadamard",
    factors,
    rows,
    columns,
    span,
  });
  const transposed = (operand: WeightExpression): WeightExpression => ({
    kind: "transpose",
    operand,
    rows: columns,
    columns: rows,
    span,
  });
  it.each([
    ["under the same mask twice", sum(masked("M", leaf(T)), masked("M", hadamard(leaf(T), leaf(W)))), "M"],
    ["in a sum under it", masked("M", sum(leaf(T), leaf(W))), "M"],
    ["under the inner of two masks", masked("M", masked("Q", leaf(T))), "Q"],
    ["outside as well", sum(masked("M", leaf(T)), leaf(T)), null],
    ["under two masks side by side", sum(masked("M", leaf(T)), masked("Q", leaf(T))), null],
    ["in a product under it", masked("M", product(leaf(T), leaf(W))), null],
    ["transposed under it", masked("M", transposed(leaf(T))), null],
  ])("%s", (_title, weight, support) => {
    expect(storedT(weight, "structural")?.support).toBe(support);
  });

  it("never changes what is frozen", () => {
    expect(stored(masked("M", leaf(W)), [maskOf("structural")])).toEqual([T, W, B, A]);
  });
});

function gradientsOf(weight: WeightExpression, mode: MaskMode) {
  const patterns = [maskOf(mode)];
  const tensors = stored(weight, patterns);
  const transform = { name: "Sample", tensors, patterns, weight } as unknown as CheckedTransform;
  const factory = createTermFactory(tensors);
  const graph = normalise(buildAlgebra(transform, factory), factory);
  return { graph, gradients: deriveGradients(graph.root, factory) };
}

describe("how far a gradient reaches", () => {
  it.each([
    ["structural", null],
    ["multiplicative", "M"],
    ["straight_through", null],
  ] as const)("%s over a matrix is narrowed by %s", (mode, narrowed) => {
    const { gradients } = gradientsOf(masked("M", leaf(T)), mode);
    expect(gradients.intermediates.size).toBe(0);
    expect(gradients.leaves.map(({ pattern: found }) => found?.pattern.name ?? null)).toEqual([narrowed]);
  });

  it("the stored entries of a structural param keep the shape of their groups", () => {
    const { graph } = gradientsOf(masked("M", leaf(T)), "structural");
    expect(zeroStructure(graph.root)).toEqual({ kind: "nm", n: 2, m: 4, axis: "input" });
    expect(graph.root.kind).toBe("leaf");
  });

  it("a structural param in a sum under its mask is not narrowed twice", () => {
    const { gradients } = gradientsOf(masked("M", sum(leaf(T), leaf(W))), "structural");
    expect(gradients.leaves.map(({ pattern: found }) => found)).toEqual([null]);
  });

  it("straight through a product gives the gradients of the product", () => {
    const { gradients } = gradientsOf(masked("M", product(leaf(B), leaf(A))), "straight_through");
    expect(gradients.intermediates.size).toBe(0);
    expect(gradients.leaves.map(({ leaf: found }) => found.tensor.name)).toEqual(["B", "A"]);
  });

  it("the mode is printed", () => {
    const { graph } = gradientsOf(masked("M", leaf(T)), "straight_through");
    expect(printAlgebra(graph)).toContain("= mask straight_through M %1 [out, in]");
  });
});
