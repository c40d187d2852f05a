/**
 * Checked transforms built by hand, with sizes to try them at. Long because it is one table: a row a transform, which
 * algebra, plan and gradient tests walk through alike.
 */

import type {
  CheckedArgument,
  CheckedPattern,
  CheckedTensor,
  CheckedTransform,
  PatternShape,
  WeightExpression,
} from "../../compiler/check/checked-module.ts";
import type { Span } from "../../grammar/text/source-text.ts";
import { apply, type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import type { Recipe } from "../../runtime/contract/recipe.ts";

type Size = NumberExpression | number | string;
export const span: Span = { file: "sample.spx", start: 0, end: 1 };
const nothing: Recipe = { kind: "number", value: number(0) };
export const size = (given: Size): NumberExpression =>
  typeof given === "number" ? number(given) : typeof given === "string" ? symbol(given) : given;
export const times = (...factors: Size[]): NumberExpression => apply("*", ...factors.map(size));
export const over = (a: Size, b: Size): NumberExpression => apply("/", size(a), size(b));

export function tensor(
  name: string,
  role: CheckedTensor["role"],
  dimensions: readonly Size[],
  more: Partial<CheckedTensor> = {},
): CheckedTensor {
  const sizes = dimensions.map(size);
  const base = {
    name,
    role,
    dimensions: sizes,
    structure: "dense",
    support: null,
    supportShape: null,
    drawn: "stored",
    blocks: null,
    quantization: null,
    shared: false,
    span,
  } as const;
  return { ...base, count: times(...sizes), recipe: role === "param" ? nothing : null, ...more };
}

export const pattern = (
  name: string,
  shape: PatternShape,
  rows: Size,
  columns: Size,
  count: NumberExpression,
): CheckedPattern => ({
  name,
  mode: "structural",
  shape,
  rows: size(rows),
  columns: size(columns),
  count,
  measured: null,
  pool: null,
  recipe: nothing,
  span,
});

export const leaf = (given: CheckedTensor, slice: number | null = null): WeightExpression => {
  const [rows = number(1), columns = number(1)] = given.dimensions.slice(-2);
  return { kind: "leaf", name: given.name, slice, rows, columns, span };
};
export const sum = (...terms: readonly [WeightExpression, ...WeightExpression[]]): WeightExpression => ({
  kind: "sum",
  terms,
  rows: terms[0].rows,
  columns: terms[0].columns,
  span,
});
export const product = (
  ...factors: readonly [WeightExpression, ...WeightExpression[]]
): WeightExpression => ({
  kind: "product",
  factors,
  rows: factors[0].rows,
  columns: (factors.at(-1) ?? factors[0]).columns,
  span,
});
export const scale = (factor: Size, operand: WeightExpression): WeightExpression => ({
  kind: "scale",
  factor: size(factor),
  operand,
  rows: operand.rows,
  columns: operand.columns,
  span,
});
export const masked = (by: CheckedPattern, operand: WeightExpression): WeightExpression => ({
  kind: "mask",
  pattern: by.name,
  operand,
  rows: operand.rows,
  columns: operand.columns,
  span,
});
export const kron = (...factors: readonly [WeightExpression, ...WeightExpression[]]): WeightExpression => ({
  kind: "kron",
  factors,
  rows: times(...factors.map(({ rows }) => rows)),
  columns: times(...factors.map(({ columns }) => columns)),
  span,
});
export const blockdiag = (
  ...blocks: readonly [WeightExpression, ...WeightExpression[]]
): WeightExpression => ({
  kind: "blockdiag",
  blocks,
  rows: apply("+", ...blocks.map(({ rows }) => rows)),
  columns: apply("+", ...blocks.map(({ columns }) => columns)),
  span,
});
export const transpose = (operand: WeightExpression): WeightExpression => ({
  kind: "transpose",
  operand,
  rows: operand.columns,
  columns: operand.rows,
  span,
});
export const diagonal = (given: CheckedTensor): WeightExpression => {
  const [rows = number(1)] = given.dimensions;
  return { kind: "diag", name: given.name, rows, columns: rows, span };
};
export const identity = (of: Size): WeightExpression => ({
  kind: "identity",
  rows: size(of),
  columns: size(of),
  span,
});
export const permutation = (of: Size, stride: Size): WeightExpression => ({
  kind: "stride-permutation",
  rows: size(of),
  columns: size(of),
  stride: size(stride),
  span,
});

export const numberArgument = (
  name: string,
  type: "int" | "real" | "ratio",
  defaultValue: number,
): CheckedArgument => ({
  kind: "number",
  name,
  type,
  defaultValue: number(defaultValue),
  span,
});

export const transformOf = (
  name: string,
  weight: WeightExpression,
  tensors: readonly CheckedTensor[],
  patterns: readonly CheckedPattern[] = [],
  args: readonly CheckedArgument[] = [],
): CheckedTransform => ({
  name,
  documentation: "",
  span,
  arguments: args,
  constants: {},
  requirements: [],
  proven: [],
  tensors,
  patterns,
  time: null,
  order: [],
  weight,
});

export interface Sample {
  readonly transform: CheckedTransform;
  /** Values of every symbol, several sets. */
  readonly sizes: readonly Readonly<Record<string, number>>[];
}

const W = tensor("W", "frozen", ["out", "in"]);
const B = tensor("B", "param", ["out", "r"]);
const A = tensor("A", "param", ["r", "in"]);
const keptCount = apply("round", times("keep", "out", "in"));
const M = pattern("M", { kind: "unstructured" }, "out", "in", keptCount);
const P = pattern("P", { kind: "unstructured" }, "out", "in", symbol("nnz"));
const S = tensor("S", "param", ["out", "in"], { structure: "sparse", support: "P", count: symbol("nnz") });
const arrangement = { r: 2, alpha: 6, nnz: 7, keep: 0.5 };
const shapes = [
  { ...arrangement, out: 5, in: 8 },
  { ...arrangement, out: 1, in: 7 },
  { ...arrangement, out: 17, in: 3, r: 1 },
];
const rank = numberArgument("r", "int", 16);
const entries = numberArgument("nnz", "int", 64);
const nm = (name: string, axis: "input" | "output", n = 2, m = 4): CheckedPattern =>
  pattern(name, { kind: "nm", n, m, axis }, "out", "in", over(times(n, "out", "in"), m));

const semi = nm("M", "input");
const wide = nm("M", "input", 3, 32);
const upright = nm("M", "output");
const blocks = pattern("M", { kind: "block", height: 4, width: 1 }, "out", "in", over(times("out", "in"), 2));
const grouped = [
  { out: 8, in: 8, r: 2, alpha: 4 },
  { out: 4, in: 12, r: 1, alpha: 3 },
];
const left = tensor("L", "param", ["n", "n"], {
  structure: "blockdiag",
  blocks: symbol("b"),
  count: times("n", over("n", "b")),
});
const right = tensor("R", "param", ["n", "n"], {
  structure: "blockdiag",
  blocks: over("n", "b"),
  count: times("n", "b"),
});
const monarch = product(permutation("n", "b"), leaf(left), transpose(permutation("n", "b")), leaf(right));
const base = tensor("W", "frozen", ["n", "n"]);
const squares = [
  { n: 12, b: 3 },
  { n: 12, b: 2 },
  { n: 6, b: 1 },
  { n: 6, b: 6 },
];
const F = tensor("F", "param", ["p", "q"]);
const G = tensor("G", "param", ["s", "t"]);
const J = tensor("J", "param", ["u", "t"]);
const H = tensor("H", "param", ["u", "v"]);
const uneven = [
  { p: 2, q: 3, s: 4, t: 5, u: 3, v: 2 },
  { p: 3, q: 1, s: 1, t: 2, u: 2, v: 3 },
  { p: 3, q: 2, s: 2, t: 7, u: 1, v: 1 },
];
const stackA = tensor("A", "param", [2, 2, 2]);
const stackB = tensor("B", "param", [2, over("out", 2), over("in", 2)]);
const d = tensor("d", "param", ["out"], { structure: "diag" });
const c = tensor("c", "param", ["r"], { structure: "diag" });
const frozenB = tensor("B", "frozen", ["out", "r"]);
const frozenA = tensor("A", "frozen", ["r", "in"]);
const D = tensor("D", "param", ["out", "r"]);
const V = tensor("V", "frozen", ["out", "in"]);
const E1 = tensor("E", "frozen", ["out", "in"]);
const C = tensor("C", "frozen", ["in", "in"]);
const X = tensor("X", "param", ["a", "c"]);
const Y = tensor("Y", "param", ["b", "d"]);
const Z = tensor("Z", "param", ["a", "c"]);

const Q = tensor("Q", "param", ["out", "in"]);
const K = tensor("K", "param", ["r", "in"]);

export const samples: readonly Sample[] = [
  {
    transform: transformOf(
      "DSEE",
      sum(masked(M, leaf(W)), scale(over("alpha", "r"), sum(product(leaf(B), leaf(A)), leaf(S)))),
      [W, B, A, S],
      [M, P],
      [
        rank,
        numberArgument("nnz", "int", 64),
        numberArgument("alpha", "real", 32),
        numberArgument("keep", "ratio", 0.5),
      ],
    ),
    sizes: shapes,
  },
  { transform: transformOf("SemiStructured", masked(semi, leaf(W)), [W], [semi]), sizes: grouped },
  { transform: transformOf("WideGroups", masked(wide, leaf(W)), [W], [wide]), sizes: [{ out: 3, in: 64 }] },
  { transform: transformOf("UprightGroups", masked(upright, leaf(W)), [W], [upright]), sizes: grouped },
  {
    transform: transformOf(
      "SemiStructuredLoRA",
      sum(masked(semi, leaf(W)), scale(over("alpha", "r"), product(leaf(B), leaf(A)))),
      [W, B, A],
      [semi],
      [rank],
    ),
    sizes: grouped,
  },
  {
    transform: transformOf(
      "LoRA",
      sum(leaf(W), scale(over("alpha", "r"), product(leaf(B), leaf(A)))),
      [W, B, A],
      [],
      [rank],
    ),
    sizes: shapes,
  },
  {
    transform: transformOf(
      "SLTrain",
      sum(scale(over("alpha", "r"), product(leaf(B), leaf(A))), leaf(S)),
      [B, A, S],
      [P],
      [rank, entries],
    ),
    sizes: shapes,
  },
  { transform: transformOf("SparseDelta", sum(leaf(W), leaf(S)), [W, S], [P]), sizes: shapes },
  { transform: transformOf("BlockSparse", masked(blocks, leaf(W)), [W], [blocks]), sizes: grouped },
  {
    transform: transformOf("BlockSparseTransposed", transpose(masked(blocks, leaf(W))), [W], [blocks]),
    sizes: grouped,
  },
  { transform: transformOf("Monarch", monarch, [left, right]), sizes: squares },
  {
    transform: transformOf("PermutedBlocks", product(permutation("n", "b"), leaf(right)), [right]),
    sizes: squares,
  },
  { transform: transformOf("MonarchTransposed", transpose(monarch), [left, right]), sizes: squares },
  {
    transform: transformOf("MonarchDelta", sum(leaf(base), scale(3, monarch)), [base, left, right]),
    sizes: squares,
  },
  { transform: transformOf("Kronecker", kron(leaf(F), leaf(G)), [F, G]), sizes: uneven },
  {
    transform: transformOf("KroneckerThree", scale(2, kron(leaf(F), leaf(G), leaf(H))), [F, G, H]),
    sizes: uneven,
  },
  {
    transform: transformOf(
      "KroneckerIdentity",
      sum(kron(identity("s"), leaf(F)), kron(leaf(F), identity("s"))),
      [F],
    ),
    sizes: uneven,
  },
  {
    transform: transformOf(
      "PHM",
      sum(kron(leaf(stackA, 0), leaf(stackB, 0)), kron(leaf(stackA, 1), leaf(stackB, 1))),
      [stackA, stackB],
    ),
    sizes: [
      { out: 6, in: 10 },
      { out: 2, in: 2 },
    ],
  },
  {
    transform: transformOf("KroneckerLowRank", kron(leaf(F), product(leaf(G), transpose(leaf(J)))), [
      F,
      G,
      J,
    ]),
    sizes: uneven,
  },
  {
    transform: transformOf(
      "KroneckerChain",
      product(kron(leaf(F), leaf(G)), kron(transpose(leaf(F)), transpose(leaf(J)))),
      [F, G, J],
    ),
    sizes: uneven,
  },
  {
    transform: transformOf(
      "KroneckerInTurn",
      product(kron(leaf(F), identity("s")), kron(identity("q"), leaf(G))),
      [F, G],
    ),
    sizes: uneven,
  },
  { transform: transformOf("DiagonalScale", product(diagonal(d), leaf(W)), [W, d]), sizes: shapes },
  {
    transform: transformOf(
      "VectorBank",
      sum(leaf(W), product(diagonal(d), leaf(frozenB), diagonal(c), leaf(frozenA))),
      [W, d, frozenB, c, frozenA],
    ),
    sizes: shapes,
  },
  {
    transform: transformOf(
      "SharedInput",
      sum(leaf(Q), product(leaf(B), leaf(A)), scale("alpha", product(leaf(D), leaf(K)))),
      [Q, B, A, D, K],
      [],
      [rank],
    ),
    sizes: shapes,
  },
  {
    transform: transformOf(
      "FrozenSum",
      sum(leaf(V), leaf(E1), product(leaf(frozenB), leaf(frozenA)), leaf(S)),
      [V, E1, frozenB, frozenA, S],
      [P],
    ),
    sizes: shapes,
  },
  {
    transform: transformOf("FrozenChain", product(leaf(frozenB), leaf(frozenA), leaf(C)), [
      frozenB,
      frozenA,
      C,
    ]),
    sizes: shapes,
  },
  {
    transform: transformOf("SumInChain", product(sum(leaf(V), product(leaf(B), leaf(A))), leaf(C)), [
      V,
      B,
      A,
      C,
    ]),
    sizes: shapes,
  },
  {
    transform: transformOf("StructuredSumInChain", product(leaf(base), sum(monarch, identity("n"))), [
      base,
      left,
      right,
    ]),
    sizes: squares,
  },
  {
    transform: transformOf(
      "PermutedDense",
      product(permutation("n", "b"), leaf(base), permutation("n", "b"), permutation("n", "b")),
      [base],
    ),
    sizes: [
      { n: 12, b: 2 },
      { n: 12, b: 3 },
    ],
  },
  { transform: transformOf("OnlyPermutation", scale(5, permutation("n", "b")), []), sizes: squares },
  {
    transform: transformOf("ResidualPermutation", sum(identity("n"), permutation("n", "b"), leaf(left)), [
      left,
    ]),
    sizes: squares,
  },
  {
    transform: transformOf("EqualBlocks", blockdiag(leaf(X), leaf(Z)), [X, Z]),
    sizes: [
      { a: 2, c: 3 },
      { a: 1, c: 4 },
    ],
  },
  {
    transform: transformOf("RepeatedBlocks", blockdiag(leaf(X), leaf(X), leaf(X)), [X]),
    sizes: [{ a: 2, c: 3 }],
  },
  {
    transform: transformOf("UnequalBlocks", blockdiag(leaf(X), leaf(Y)), [X, Y]),
    sizes: [{ a: 2, c: 3, b: 1, d: 5 }],
  },
  {
    transform: transformOf(
      "MaskedProduct",
      sum(masked(M, sum(leaf(W), product(leaf(B), leaf(A))))),
      [W, B, A],
      [M],
    ),
    sizes: shapes,
  },
  {
    transform: transformOf(
      "SharedFactor",
      sum(leaf(W), product(leaf(B), leaf(A)), product(leaf(S), leaf(C)), product(leaf(D), leaf(A))),
      [W, B, A, S, C, D],
      [P],
    ),
    sizes: shapes,
  },
];
