/** Weights that take several terms or several steps, in both layouts. */
import type { Layout, Step, StepTerm } from "../../compiler/plan/plan.ts";
import { apply, symbol } from "../../runtime/contract/number-expression.ts";
import {
  blockDiagonal,
  blockMatrix,
  type CaseOperand,
  createRandom,
  denseMatrix,
  nmMatrix,
  product,
  sparseMatrix,
  stridePermutation,
  total,
  type WeightCase,
  weightCase,
} from "./weight-cases.ts";

const outByIn = { rows: symbol("out"), columns: symbol("in") };

const term = (atom: StepTerm["atom"], operand: string, input = "x"): StepTerm => ({
  atom,
  operand,
  input,
  inputPermutation: null,
});

const step = (output: string, terms: readonly StepTerm[], accumulate = false): Step => ({
  name: output,
  output,
  outputPermutation: null,
  accumulate,
  terms,
});

export interface StepFamily {
  readonly name: string;
  make(layout: Layout, rows: number, columns: number, seed: number): WeightCase;
}

/** U (V x) with V of `rank` rows, as two operands and the activation between them. */
function lowRank(rows: number, columns: number, rank: number, random: (below: number) => number) {
  const [u, v] = [denseMatrix(rows, rank, random), denseMatrix(rank, columns, random)];
  const operands: CaseOperand[] = [
    { name: "V", format: { name: "panel16" }, matrix: v, rows: symbol("r"), columns: symbol("in") },
    { name: "U", format: { name: "panel16" }, matrix: u, rows: symbol("out"), columns: symbol("r") },
  ];
  const activations = [{ name: "t", width: symbol("r") }];
  return { operands, activations, weight: product(u, v), first: step("t", [term("dense", "V")]) };
}

/** (M .* W) x + U (V x) + S x in one pass over y, W an N:M operand. */
const maskedLowRankSparse: StepFamily = {
  name: "N:M + low rank + sparse",
  make: (layout, rows, columns, seed) => {
    const random = createRandom(seed);
    const width = Math.ceil(columns / 4) * 4;
    const rank = 1 + random(20);
    const low = lowRank(rows, width, rank, random);
    const masked = nmMatrix(rows, width, { n: 2, m: 4 }, random);
    const sparse = sparseMatrix(rows, width, 10, random);
    const lanes = layout === "lane-output";
    return weightCase({
      layout,
      operands: [
        {
          name: "W",
          format: { name: lanes ? "nm-lanes" : "nm-rows", n: 2, m: 4 },
          matrix: masked,
          ...outByIn,
        },
        ...low.operands,
        { name: "S", format: { name: lanes ? "mixed-ell" : "csr" }, matrix: sparse, ...outByIn },
      ],
      steps: [low.first, step("y", [term("nm", "W"), term("dense", "U", "t"), term("sparse", "S")])],
      weight: total(masked, low.weight, sparse),
      activations: low.activations,
      symbols: { r: rank },
    });
  },
};

/** W x, and U (V x) added to it by a step of its own. */
const accumulatedLowRank: StepFamily = {
  name: "dense, then low rank accumulated",
  make: (layout, rows, columns, seed) => {
    const random = createRandom(seed);
    const rank = random(18);
    const low = lowRank(rows, columns, rank, random);
    const dense = denseMatrix(rows, columns, random);
    return weightCase({
      layout,
      operands: [{ name: "W", format: { name: "panel16" }, matrix: dense, ...outByIn }, ...low.operands],
      steps: [step("y", [term("dense", "W")]), low.first, step("y", [term("dense", "U", "t")], true)],
      weight: total(dense, low.weight),
      activations: low.activations,
      symbols: { r: rank },
    });
  },
};

/** W x + U (V x) in one pass over y. */
const fusedLowRank: StepFamily = {
  name: "dense + low rank",
  make: (layout, rows, columns, seed) => {
    const random = createRandom(seed);
    const rank = 1 + random(20);
    const low = lowRank(rows, columns, rank, random);
    const dense = denseMatrix(rows, columns, random);
    return weightCase({
      layout,
      operands: [{ name: "W", format: { name: "panel16" }, matrix: dense, ...outByIn }, ...low.operands],
      steps: [low.first, step("y", [term("dense", "W"), term("dense", "U", "t")])],
      weight: total(dense, low.weight),
      activations: low.activations,
      symbols: { r: rank },
    });
  },
};

/** P(b) L P(b)ᵀ R with `b` and `n / b` blocks, n = b². */
const monarch: StepFamily = {
  name: "Monarch",
  make: (layout, rows, _, seed) => {
    const random = createRandom(seed);
    const b = 1 + (rows % 7);
    const n = b * b;
    const [l, r] = [blockDiagonal(b, b, b, false, random), blockDiagonal(b, b, b, false, random)];
    const p = stridePermutation(n, b);
    const transposed = stridePermutation(n, n / b);
    const permutation = { size: symbol("in"), stride: symbol("b") };
    const back = { size: symbol("in"), stride: apply("/", symbol("in"), symbol("b")) };
    const format = { name: "blockdiag16", blocks: symbol("b"), repeated: false } as const;
    return weightCase({
      layout,
      operands: [
        { name: "L", format, matrix: l, rows: symbol("in"), columns: symbol("in") },
        { name: "R", format, matrix: r, rows: symbol("in"), columns: symbol("in") },
      ],
      steps: [
        { ...step("t", [term("blockdiag", "R")]), outputPermutation: back },
        { ...step("y", [term("blockdiag", "L", "t")]), outputPermutation: permutation },
      ],
      weight: product(p, product(l, product(transposed, r))),
      activations: [{ name: "t", width: symbol("in") }],
      symbols: { b },
    });
  },
};

/** Dense and blocks of two heights in one step: no height that divides the others. */
const mixedBlocks: StepFamily = {
  name: "dense + blocks 3x1 + blocks 4x2",
  make: (_, rows, columns, seed) => {
    const random = createRandom(seed);
    const [height, width] = [Math.ceil(rows / 12) * 12, Math.ceil(columns / 2) * 2];
    const dense = denseMatrix(height, width, random);
    const first = blockMatrix(height, width, { height: 3, width: 1, percent: 30 }, random);
    const second = blockMatrix(height, width, { height: 4, width: 2, percent: 30 }, random);
    return weightCase({
      layout: "lane-token",
      operands: [
        { name: "W", format: { name: "panel16" }, matrix: dense, ...outByIn },
        { name: "A", format: { name: "block-strips", height: 3, width: 1 }, matrix: first, ...outByIn },
        { name: "B", format: { name: "block-strips", height: 4, width: 2 }, matrix: second, ...outByIn },
      ],
      steps: [step("y", [term("dense", "W"), term("block", "A"), term("block", "B")])],
      weight: total(dense, first, second),
    });
  },
};

/** Dense beside blocks of one height: tiles that start in the middle of a panel of 16. */
const denseAndBlocks = (height: number): StepFamily => ({
  name: `dense + blocks ${height}x1 + sparse`,
  make: (_, rows, columns, seed) => {
    const random = createRandom(seed);
    const tall = Math.ceil(rows / height) * height;
    const dense = denseMatrix(tall, columns, random);
    const blocks = blockMatrix(tall, columns, { height, width: 1, percent: 30 }, random);
    const sparse = sparseMatrix(tall, columns, 10, random);
    return weightCase({
      layout: "lane-token",
      operands: [
        { name: "W", format: { name: "panel16" }, matrix: dense, ...outByIn },
        { name: "A", format: { name: "block-strips", height, width: 1 }, matrix: blocks, ...outByIn },
        { name: "S", format: { name: "csr" }, matrix: sparse, ...outByIn },
      ],
      steps: [step("y", [term("dense", "W"), term("block", "A"), term("sparse", "S")])],
      weight: total(dense, blocks, sparse),
    });
  },
});

/** A step without terms writes zeros: the weight of a sum whose every part is empty. */
const nothing: StepFamily = {
  name: "no terms",
  make: (layout, rows, columns) =>
    weightCase({
      layout,
      operands: [],
      steps: [step("y", [])],
      weight: { rows, columns, values: new Float64Array(rows * columns) },
    }),
};

export const stepFamilies: readonly StepFamily[] = [
  maskedLowRankSparse,
  accumulatedLowRank,
  fusedLowRank,
  monarch,
  nothing,
];
export const tokenStepFamilies: readonly StepFamily[] = [mixedBlocks, ...[3, 6, 8, 11].map(denseAndBlocks)];
