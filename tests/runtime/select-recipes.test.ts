import { describe, expect, it } from "vitest";
import type { ParameterManifest, PatternManifest } from "../../runtime/contract/manifest.ts";
import { number, symbol } from "../../runtime/contract/number-expression.ts";
import type { IntrinsicName, Recipe } from "../../runtime/contract/recipe.ts";
import { storeInitialValue } from "../../runtime/model/parameter-values.ts";
import { fillNormal, fillUniform } from "../../runtime/random/distributions.ts";
import { randomStream } from "../../runtime/random/philox.ts";
import type { DenseTensor } from "../../runtime/select/dense-tensor.ts";
import { evaluatePattern, evaluateRecipe } from "../../runtime/select/evaluate-recipe.ts";
import { type Pattern, patternOfPositions, positionsOf } from "../../runtime/select/pattern.ts";
import { parameterTarget, patternTarget } from "../../runtime/select/recipe-target.ts";
import type { RecipeSources, RecipeValue } from "../../runtime/select/recipe-value.ts";

const symbols = new Map([
  ["rows", 2],
  ["columns", 4],
]);
const W: DenseTensor = { shape: [2, 4], values: Float32Array.of(1, -8, 3, 4, 5, -6, 7, 2) };
const square: DenseTensor = {
  shape: [4, 4],
  values: fillNormal(randomStream(1, "square"), new Float32Array(16)),
};
const omega = patternOfPositions(2, 4, [1, 4, 6]);

function sources(seed = 0): RecipeSources {
  const tensors = new Map([
    ["W", W],
    ["Q", square],
  ]);
  return {
    symbols,
    tensor: (name) => tensors.get(name) ?? { shape: [], values: new Float32Array(1) },
    pattern: () => omega,
    seed,
    layer: "layer",
    computed: new Map<string, RecipeValue>(),
  };
}

const w: Recipe = { kind: "tensor", name: "W" };
const value = (amount: number): Recipe => ({ kind: "number", value: number(amount) });
const call = (intrinsic: IntrinsicName, operands: Record<string, Recipe>): Recipe => ({
  kind: "call",
  intrinsic,
  operands,
});
const zero = value(0);

function parameter(
  structure: ParameterManifest["structure"],
  dimensions: number[],
  blocks: number | null = null,
) {
  const support = structure === "sparse" ? "Omega" : null;
  const manifest: ParameterManifest = {
    name: "P",
    dimensions: dimensions.map(number),
    structure,
    support,
    drawn: "stored",
    blocks: blocks === null ? null : number(blocks),
    count: number(0),
    recipe: zero,
    shared: false,
  };
  return parameterTarget(manifest, symbols, () => omega);
}

const initial = (recipe: Recipe, target: ReturnType<typeof parameter>, from = sources()): number[] => [
  ...storeInitialValue(evaluateRecipe(recipe, target, from), target),
];

function select(
  recipe: Recipe,
  count: number,
  shape: PatternManifest["shape"] = { kind: "unstructured" },
): Pattern {
  const manifest: PatternManifest = {
    name: "M",
    shape,
    rows: symbol("rows"),
    columns: symbol("columns"),
    count: number(count),
    measured: null,
    pool: null,
    recipe,
  };
  return evaluatePattern(recipe, patternTarget(manifest, symbols), sources());
}

describe("patterns", () => {
  it("come from every selection", () => {
    const magnitude = call("magnitude", { weight: w, keep: value(0.5) });
    expect([...positionsOf(select(magnitude, 3))]).toEqual([1, 5, 6]);
    expect([...positionsOf(select(magnitude, 4, { kind: "nm", n: 2, m: 4, axis: "input" }))]).toEqual([
      1, 3, 5, 6,
    ]);
    expect([...positionsOf(select(magnitude, 4, { kind: "nm", n: 1, m: 2, axis: "output" }))]).toEqual([
      1, 3, 4, 6,
    ]);
    expect([...positionsOf(select(magnitude, 4, { kind: "block", height: 2, width: 2 }))]).toEqual([
      0, 1, 4, 5,
    ]);
    expect([...positionsOf(select(call("topk", { score: w, count: value(3) }), 3))]).toEqual(
      [4, 5 - 2, 6].toSorted(),
    );
    expect([
      ...positionsOf(select(call("topk", { score: call("abs", { x: w }), count: value(3) }), 3)),
    ]).toEqual([1, 5, 6]);
    expect(select(call("random_support", { count: value(5) }), 5).count).toBe(5);
    expect(select({ kind: "pattern", name: "Omega" }, 3)).toBe(omega);
    const sparse = call("sparse_part", { weight: w, rank: value(0), count: value(2), rounds: value(1) });
    expect([
      ...positionsOf(select(call("topk", { score: call("abs", { x: sparse }), count: value(2) }), 2)),
    ]).toEqual([1, 6]);
  });

  it("must have the size and count that were promised", () => {
    expect(() => select(call("topk", { score: w, count: value(3) }), 4)).toThrow(
      /SPX8405.*keeps 4 of \[2, 4\], its selection gave 3/,
    );
    expect(() => select(call("topk", { score: w, count: value(3) }), 9)).toThrow(/SPX8407.*9 of 8/);
    expect(() => select(call("topk", { score: { kind: "tensor", name: "Q" }, count: value(3) }), 3)).toThrow(
      /SPX8405.*\[4, 4\]/,
    );
    expect(() => select(w, 3)).toThrow(/SPX8102.*no pattern/);
  });
});

describe("initial values", () => {
  it("fill, copy, and are read where the structure has entries", () => {
    expect(initial(value(3), parameter("sparse", [2, 4]))).toEqual([3, 3, 3]);
    expect(initial(w, parameter("dense", [2, 4]))).toEqual([...W.values]);
    expect(initial(w, parameter("sparse", [2, 4]))).toEqual([-8, 5, 7]);
    expect(initial(w, parameter("blockdiag", [2, 4], 2), sources())).toEqual([1, -8, 7, 2]);
    const q = [...square.values];
    expect(initial({ kind: "tensor", name: "Q" }, parameter("diag", [4]))).toEqual([
      q[0],
      q[5],
      q[10],
      q[15],
    ]);
    expect(() => initial(w, parameter("dense", [4, 2]))).toThrow(/SPX8405.*is \[2, 4\], expected \[4, 2\]/);
  });

  it("combine tensors", () => {
    const transposed = call("transpose", { x: w });
    const gram = initial(call("matmul", { a: w, b: transposed }), parameter("dense", [2, 2]));
    expect(gram).toEqual([90, 5 + 48 + 21 + 8, 5 + 48 + 21 + 8, 114]);
    const twice = call("add", { a: w, b: w });
    expect(initial(call("subtract", { a: twice, b: w }), parameter("dense", [2, 4]))).toEqual([...W.values]);
    expect(initial(call("scale", { factor: value(2), value: w }), parameter("dense", [2, 4]))).toEqual(
      [...W.values].map((x) => 2 * x),
    );
    expect(
      initial(call("multiply", { a: w, b: { kind: "pattern", name: "Omega" } }), parameter("dense", [2, 4])),
    ).toEqual([0, -8, 0, 0, 5, -0, 7, 0]);
    expect(() => initial(call("matmul", { a: w, b: w }), parameter("dense", [2, 2]))).toThrow(/SPX8405/);
  });

  it("draw from streams keyed by seed, layer and name", () => {
    const normal = call("normal", { mean: value(1), std: value(2) });
    const expected = fillNormal(randomStream(4, "layer/P"), new Float32Array(8), 1, 2);
    expect(initial(normal, parameter("dense", [2, 4]), sources(4))).toEqual([...expected]);
    expect(initial(normal, parameter("sparse", [2, 4]), sources(4))).toEqual([...expected.subarray(0, 3)]);
    const uniform = call("uniform", { low: value(-1), high: value(1) });
    const first = fillUniform(randomStream(0, "layer/P"), new Float32Array(8), -1, 1);
    const second = fillUniform(randomStream(0, "layer/P#1"), new Float32Array(8), -1, 1);
    const sum = initial(call("add", { a: uniform, b: uniform }), parameter("dense", [2, 4]));
    expect(sum).toEqual([...first].map((x, index) => Math.fround(x + (second[index] ?? Number.NaN))));
  });

  it("share a factorization between its outputs, computed once", () => {
    const from = sources();
    let reads = 0;
    const counted: RecipeSources = {
      ...from,
      tensor: (name) => {
        reads++;
        return from.tensor(name);
      },
    };
    const factors = call("svd_factors", { weight: w, rank: value(2) });
    const left = initial({ kind: "output", index: 0, of: factors }, parameter("dense", [2, 2]), counted);
    const right = initial({ kind: "output", index: 1, of: factors }, parameter("dense", [2, 4]), counted);
    expect(reads).toBe(1);
    const at = (values: number[], index: number): number => values[index] ?? Number.NaN;
    W.values.forEach((entry, place) => {
      const [row, column] = [Math.floor(place / 4), place % 4];
      expect(
        at(left, row * 2) * at(right, column) + at(left, row * 2 + 1) * at(right, 4 + column),
      ).toBeCloseTo(entry, 4);
    });
    const monarch = call("monarch_projection", { weight: { kind: "tensor", name: "Q" }, blocks: value(2) });
    const block = parameter("blockdiag", [4, 4], 2);
    const l = initial({ kind: "output", index: 0, of: monarch }, block, counted);
    const r = initial({ kind: "output", index: 1, of: monarch }, block, counted);
    expect(reads).toBe(2);
    expect([l.length, r.length]).toEqual([8, 8]);
    expect(() => initial({ kind: "output", index: 2, of: monarch }, block, counted)).toThrow(
      /SPX8102.*no output 2/,
    );
  });
});
