/** One family of weights for each atom and layout: a single term, sizes given by the test. */
import type { Layout, StepTerm } from "../../compiler/plan/plan.ts";
import type { X86Target } from "../../compiler/targets/x86-targets.ts";
import { number, symbol } from "../../runtime/contract/number-expression.ts";
import type { OperandFormat } from "../../runtime/contract/operand-format.ts";
import { quantizeMatrix } from "../../runtime/tensor/quantized-matrix.ts";
import {
  blockDiagonal,
  blockMatrix,
  type CaseOperand,
  createRandom,
  denseMatrix,
  entry,
  type Matrix,
  matrix,
  nmMatrix,
  product,
  sparseMatrix,
  stridePermutation,
  type WeightCase,
  weightCase,
} from "./weight-cases.ts";

export interface AtomFamily {
  readonly name: string;
  readonly layout: Layout;
  /** Rows and columns are rounded up to what the format allows. */
  make(rows: number, columns: number, seed: number): WeightCase;
}

const upTo = (size: number, multiple: number): number => Math.ceil(size / multiple) * multiple;

function single(
  layout: Layout,
  atom: StepTerm["atom"],
  format: OperandFormat,
  weight: Matrix,
  accumulate = false,
): WeightCase {
  const dimensions = { rows: symbol("out"), columns: symbol("in") };
  return weightCase({
    layout,
    operands: [{ name: "W", format, matrix: weight, ...dimensions }],
    steps: [
      {
        name: "y",
        output: "y",
        outputPermutation: null,
        accumulate,
        terms: [{ atom, operand: "W", input: "x", inputPermutation: null }],
      },
    ],
    weight,
  });
}

const layouts: readonly Layout[] = ["lane-output", "lane-token"];

const denseFamilies: readonly AtomFamily[] = layouts.flatMap((layout) =>
  [false, true].map((accumulate) => ({
    name: accumulate ? "dense, accumulated" : "dense",
    layout,
    make: (rows, columns, seed) => {
      const weight = denseMatrix(rows, columns, createRandom(seed));
      return single(layout, "dense", { name: "panel16" }, weight, accumulate);
    },
  })),
);

/** Lanes, and whether the operand is the transpose of the weight. */
const codedUses: readonly { readonly layout: Layout; readonly transposed: boolean }[] = [
  { layout: "lane-output", transposed: false },
  { layout: "lane-token", transposed: false },
  { layout: "lane-token", transposed: true },
];

function codedFamily(
  name: string,
  { layout, transposed }: (typeof codedUses)[number],
  operandOf: (
    rows: number,
    columns: number,
    seed: number,
  ) => Pick<CaseOperand, "format" | "matrix" | "quantized">,
): AtomFamily {
  return {
    name: transposed ? `${name}, transposed` : name,
    layout,
    make: (rows, columns, seed) => {
      const operand = transposed ? operandOf(columns, rows, seed) : operandOf(rows, columns, seed);
      const { matrix: stored } = operand;
      const [outer, inner] = transposed ? (["in", "out"] as const) : (["out", "in"] as const);
      const term = { atom: "dense", operand: "W", input: "x", inputPermutation: null } as const;
      return weightCase({
        layout,
        operands: [{ name: "W", ...operand, rows: symbol(outer), columns: symbol(inner) }],
        steps: [
          {
            name: "y",
            output: "y",
            outputPermutation: null,
            accumulate: seed % 3 === 0,
            terms: [transposed ? { ...term, transposed } : term],
          },
        ],
        weight: transposed
          ? matrix(stored.columns, stored.rows, (row, column) => entry(stored, column, row))
          : stored,
      });
    },
  };
}

/** Levels and scales are small whole numbers or fractions that float32 holds, so that every order gives the same. */
const quantizedFamilies: readonly AtomFamily[] = (["int8", "int4"] as const).flatMap((grid) =>
  [8, 3, 24, null].flatMap((block) =>
    codedUses.map((use) =>
      codedFamily(`${grid}, runs of ${block ?? "a row"}`, use, (rows, columns, seed) => {
        const random = createRandom(seed);
        const width = block === null ? columns : upTo(columns, block);
        const run = block ?? width;
        const largest = grid === "int8" ? 127 : 7;
        const scaled = matrix(rows, width, (row, column) => {
          const scale = 1 + ((row + Math.floor(column / run)) % 3);
          return scale * (column % run === 0 ? largest : random(2 * largest + 1) - largest);
        });
        const values = Float32Array.from(scaled.values);
        const quantized = quantizeMatrix({ name: "W", rows, columns: width, values }, grid, run);
        const name = grid === "int8" ? "int8-panel16" : "table4-panel16";
        return { format: { name, block: number(run) }, matrix: scaled, quantized };
      }),
    ),
  ),
);

/** Whole numbers of 8 bits are exact. */
const halfFamilies: readonly AtomFamily[] = codedUses.map((use) =>
  codedFamily("bf16", use, (rows, columns, seed) => {
    const random = createRandom(seed);
    return { format: { name: "bf16-panel16" }, matrix: matrix(rows, columns, () => random(511) - 255) };
  }),
);

const patterns = [
  { n: 2, m: 4 },
  { n: 1, m: 4 },
  { n: 1, m: 2 },
  { n: 4, m: 8 },
  { n: 3, m: 4 },
  { n: 2, m: 5 },
  { n: 7, m: 16 },
  { n: 8, m: 16 },
  { n: 15, m: 16 },
];

const nmFamilies: readonly AtomFamily[] = layouts.flatMap((layout) =>
  [...patterns, ...(layout === "lane-token" ? [{ n: 5, m: 32 }] : [])].map(({ n, m }) => ({
    name: `${n}:${m}`,
    layout,
    make: (rows, columns, seed) => {
      const weight = nmMatrix(rows, upTo(columns, m), { n, m }, createRandom(seed));
      return single(layout, "nm", { name: layout === "lane-output" ? "nm-lanes" : "nm-rows", n, m }, weight);
    },
  })),
);

const sparseFamilies: readonly AtomFamily[] = layouts.flatMap((layout) =>
  [1, 5, 60].map((percent) => ({
    name: `sparse ${percent}%`,
    layout,
    make: (rows, columns, seed) => {
      const weight = sparseMatrix(rows, columns, percent, createRandom(seed));
      return single(layout, "sparse", { name: layout === "lane-output" ? "mixed-ell" : "csr" }, weight);
    },
  })),
);

const blockFamilies: readonly AtomFamily[] = [
  { height: 4, width: 1 },
  { height: 8, width: 2 },
  { height: 16, width: 1 },
  { height: 2, width: 3 },
  { height: 1, width: 4 },
  { height: 3, width: 1 },
  { height: 6, width: 1 },
  { height: 7, width: 2 },
  { height: 11, width: 1 },
  { height: 32, width: 4 },
].map(({ height, width }) => ({
  name: `blocks ${height}x${width}`,
  layout: "lane-token",
  make: (rows, columns, seed) => {
    const shape = { height, width, percent: 40 };
    const weight = blockMatrix(upTo(rows, height), upTo(columns, width), shape, createRandom(seed));
    return single("lane-token", "block", { name: "block-strips", height, width }, weight);
  },
}));

/** Block-diagonal between an input and an output permutation; every other seed leaves one of them out. */
const blockdiagFamilies: readonly AtomFamily[] = layouts.flatMap((layout) =>
  [false, true].map((repeated) => ({
    name: repeated ? "repeated block-diagonal" : "block-diagonal",
    layout,
    make: (rows, columns, seed) => {
      const random = createRandom(seed);
      const blocks = 1 + random(5);
      const diagonal = blockDiagonal(blocks, Math.ceil(rows / 3), Math.ceil(columns / 3), repeated, random);
      const strideOf = (size: number): number | null => {
        const divisors = Array.from({ length: size }, (_, index) => index + 1).filter((d) => size % d === 0);
        return random(3) === 0 ? null : (divisors[random(divisors.length)] ?? 1);
      };
      const input = strideOf(diagonal.columns);
      const output = strideOf(diagonal.rows);
      const inner = input === null ? diagonal : product(diagonal, stridePermutation(diagonal.columns, input));
      return weightCase({
        layout,
        operands: [
          {
            name: "D",
            format: { name: "blockdiag16", blocks: symbol("b"), repeated },
            matrix: diagonal,
            rows: symbol("out"),
            columns: symbol("in"),
          },
        ],
        steps: [
          {
            name: "y",
            output: "y",
            outputPermutation: output === null ? null : { size: symbol("out"), stride: symbol("p") },
            accumulate: seed % 5 === 0,
            terms: [
              {
                atom: "blockdiag",
                operand: "D",
                input: "x",
                inputPermutation: input === null ? null : { size: symbol("in"), stride: symbol("q") },
              },
            ],
          },
        ],
        weight: output === null ? inner : product(stridePermutation(diagonal.rows, output), inner),
        symbols: { b: blocks, p: output ?? 1, q: input ?? 1 },
      });
    },
  })),
);

const diagFamilies: readonly AtomFamily[] = layouts.flatMap((layout) =>
  [false, true].map((permuted) => ({
    name: permuted ? "diagonal, permuted" : "diagonal",
    layout,
    make: (rows, _, seed) => {
      const random = createRandom(seed);
      const size = permuted ? upTo(rows, 3) : rows;
      const diagonal = matrix(size, size, (row, column) => (row === column ? 1 + random(5) : 0));
      const permutation = { size: symbol("out"), stride: number(3) };
      const p = stridePermutation(size, 3);
      return weightCase({
        layout,
        operands: [
          {
            name: "d",
            format: { name: "vector" },
            matrix: diagonal,
            rows: symbol("out"),
            columns: symbol("in"),
          },
        ],
        steps: [
          {
            name: "y",
            output: "y",
            outputPermutation: permuted ? permutation : null,
            accumulate: false,
            terms: [
              { atom: "diag", operand: "d", input: "x", inputPermutation: permuted ? permutation : null },
            ],
          },
        ],
        weight: permuted ? product(p, product(diagonal, p)) : diagonal,
      });
    },
  })),
);

export const atomFamilies: readonly AtomFamily[] = [
  ...denseFamilies,
  ...quantizedFamilies,
  ...halfFamilies,
  ...nmFamilies,
  ...sparseFamilies,
  ...blockFamilies,
  ...blockdiagFamilies,
  ...diagFamilies,
];

export const interestingSizes = [1, 2, 15, 16, 17, 31, 33, 48, 49, 53];
export const interestingBatches = [0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33, 49];

/** The families that a level has kernels of its own for: all, or, where it rounds, those of pairs. */
export const familiesOn = (
  { pairedOutputTokens }: X86Target,
  families: readonly AtomFamily[],
): readonly AtomFamily[] =>
  pairedOutputTokens === null
    ? families
    : families.filter(({ name, layout }) => name === "bf16" && layout === "lane-output");
