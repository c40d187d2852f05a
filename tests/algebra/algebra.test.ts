import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTermFactory } from "../../compiler/algebra/algebra-graph.ts";
import type { Term } from "../../compiler/algebra/algebra-node.ts";
import { buildAlgebra } from "../../compiler/algebra/build-algebra.ts";
import { applyDense, densify } from "../../compiler/algebra/evaluate-algebra.ts";
import { normalise } from "../../compiler/algebra/normalise.ts";
import { printAlgebra, printTerm } from "../../compiler/algebra/print-algebra.ts";
import { isTrainable, zeroStructure } from "../../compiler/algebra/structure.ts";
import { verifyAlgebra } from "../../compiler/algebra/verify-algebra.ts";
import { evaluateNumber, number, symbol } from "../../runtime/contract/number-expression.ts";
import { anyTerm, generatedValues, newFactory } from "./generated-terms.ts";
import { leaf, product, samples, scale, sum, tensor, transformOf } from "./sample-transforms.ts";

const sample = (name: string) => {
  const found = samples.find(({ transform }) => transform.name === name);
  if (found === undefined) throw new ReferenceError(name);
  return found.transform;
};
const normalOf = (name: string) => {
  const transform = sample(name);
  const factory = createTermFactory(transform.tensors);
  return normalise(buildAlgebra(transform, factory), factory);
};

describe("the oracle", () => {
  const matrix = (name: string, values: readonly number[]) =>
    [name, { values: Float64Array.from(values), positions: null }] as const;
  const none = new Map<string, (row: number, column: number) => boolean>();

  it("multiplies, adds and scales as on paper", () => {
    const [b, a] = [tensor("B", "param", [2, 1]), tensor("A", "param", [1, 3])];
    const w = tensor("W", "frozen", [2, 3]);
    const { root } = buildAlgebra(
      transformOf("T", sum(leaf(w), scale("alpha", product(leaf(b), leaf(a)))), [w, b, a]),
    );
    const tensors = new Map([matrix("W", [1, 2, 3, 4, 5, 6]), matrix("B", [1, 10]), matrix("A", [1, 2, 3])]);
    const weight = densify(root, { tensors, patterns: none, numbers: new Map([["alpha", 2]]) });
    expect([...weight.values]).toEqual([3, 6, 9, 24, 45, 66]);
    expect([...applyDense(weight, Float64Array.from([1, 0, 0, 1, 1, 1]))]).toEqual([3, 24, 18, 135]);
  });

  it("knows Kronecker products, stacked slices, blocks, diagonals and stride permutations", () => {
    const f = tensor("F", "param", [2, 1, 2]);
    const d = tensor("D", "param", [4, 2], { structure: "blockdiag", blocks: number(2) });
    const v = tensor("v", "param", [2], { structure: "diag" });
    const factory = createTermFactory([f, d, v]);
    const tensors = new Map([matrix("F", [1, 2, 3, 4]), matrix("D", [1, 2, 3, 4]), matrix("v", [5, 6])]);
    const dense = (term: Term): number[] => [
      ...densify(term, { tensors, patterns: none, numbers: new Map() }).values,
    ];
    const slices = [factory.leaf(f, 0), factory.leaf(f, 1)] as const;
    expect(dense(factory.kron(slices))).toEqual([3, 4, 6, 8]);
    expect(dense(factory.blockdiag(slices))).toEqual([1, 2, 0, 0, 0, 0, 3, 4]);
    expect(dense(factory.leaf(d, null))).toEqual([1, 0, 2, 0, 0, 3, 0, 4]);
    expect(dense(factory.leaf(v, null))).toEqual([5, 0, 0, 6]);
    // v = [0 … 5] seen as 2 rows of 3, read by columns.
    const weight = densify(factory.permutation(number(6), number(2)), {
      tensors,
      patterns: none,
      numbers: new Map(),
    });
    expect([...applyDense(weight, Float64Array.from([0, 1, 2, 3, 4, 5]))]).toEqual([0, 3, 1, 4, 2, 5]);
  });

  it("puts sparse values at their positions and says what is missing", () => {
    const s = tensor("S", "param", [2, 3], { structure: "sparse", support: "P", count: number(2) });
    const { root } = buildAlgebra(transformOf("T", leaf(s), [s]));
    const values = {
      tensors: new Map([["S", { values: Float64Array.of(7, 8), positions: [1, 5] }]]),
      patterns: none,
      numbers: new Map<string, number>(),
    };
    expect([...densify(root, values).values]).toEqual([0, 7, 0, 0, 0, 8]);
    expect(() => densify(root, { ...values, tensors: new Map() })).toThrow("no values for `S`");
  });
});

describe("printing", () => {
  it("writes the weight as the language does", () => {
    expect(printTerm(normalOf("DSEE").root)).toBe("M .* W + (alpha / r) * (B @ A + S)");
    expect(printTerm(normalOf("MonarchTransposed").root)).toBe("R.T @ P(b) @ L.T @ P(n / b)");
    expect(printTerm(normalOf("PHM").root)).toBe("kron(A[0], B[0]) + kron(A[1], B[1])");
    expect(printTerm(normalOf("SumInChain").root)).toBe("(V + B @ A) @ C");
    expect(printTerm(normalOf("BlockSparseTransposed").root)).toBe("(M .* W).T");
    expect(printTerm(normalOf("OnlyPermutation").root)).toBe("5 * P(b)");
  });

  it("lists terms with numbers, operands first", () => {
    expect(printAlgebra(normalOf("LoRA"))).toMatchInlineSnapshot(`
      "algebra LoRA: W + (alpha / r) * (B @ A)
        %1 = leaf W frozen [out, in]
        %2 = leaf B param [out, r]
        %3 = leaf A param [r, in]
        %4 = chain %2 %3 [out, in]  # rank <= r
        %5 = scale (alpha / r) %4 [out, in]  # rank <= r
        %6 = sum %1 %5 [out, in]
      "
    `);
  });
});

describe("the verifier", () => {
  it("names each broken law", () => {
    const factory = newFactory();
    const [a, b] = [tensor("a", "param", [2, 3]), tensor("b", "param", [2, 3])];
    const graph = (root: Term) => ({ transform: "T", root, tensors: [], patterns: [] });
    const misfit = factory.chain([factory.leaf(a, null), factory.leaf(b, null)]);
    expect(verifyAlgebra(graph(misfit), "built").join()).toContain("multiplies matrices that fit");
    const late = factory.transpose(factory.sum([factory.leaf(a, null), factory.leaf(b, null)]));
    expect(verifyAlgebra(graph(late), "built")).toEqual([]);
    const sentence = "stands on a leaf, a window, an indicator or a mask";
    expect(verifyAlgebra(graph(late), "normal").join()).toContain(sentence);
    const nested = factory.chain([
      factory.scale(symbol("s"), factory.leaf(a, null)),
      factory.identity(number(3)),
    ]);
    expect(verifyAlgebra(graph(nested), "normal").map((text) => text.split('"')[1])).toEqual([
      "holds no scale",
      "holds no identity",
    ]);
  });
});

describe("structure", () => {
  it("counts the entries of generated masks and sparse tensors", () => {
    const values = generatedValues(5);
    fc.assert(
      fc.property(anyTerm(3), (recipe) => {
        const term = recipe(newFactory());
        const matrix = densify(term, values);
        const structure = zeroStructure(term);
        if (structure.kind === "masked" || structure.kind === "sparse") {
          expect(matrix.values.filter((value) => value !== 0).length).toBeLessThanOrEqual(
            evaluateNumber(structure.count, values.numbers),
          );
        }
      }),
      { numRuns: 300, seed: 9 },
    );
  });

  it("knows what is trained", () => {
    const { root } = normalOf("DSEE");
    expect(isTrainable(root)).toBe(true);
    if (root.kind !== "sum") throw new Error("a sum");
    expect(root.terms.map(isTrainable)).toEqual([false, true, true]);
  });
});
