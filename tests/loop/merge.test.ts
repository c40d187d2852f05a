// The merged weight as panel16 against the dense sum of its terms, padding rows included.
import { describe, expect, it } from "vitest";
import { type BufferData, interpretLoop } from "../../compiler/backend/reference/interpret-loop.ts";
import { lowerMerge } from "../../compiler/loop/lower-merge.ts";
import { verifyLoop } from "../../compiler/loop/verify-loop.ts";
import type { MergeTerm } from "../../compiler/plan/plan.ts";
import { x86Targets } from "../../compiler/targets/x86-targets.ts";
import { evaluateNumber, symbol } from "../../runtime/contract/number-expression.ts";
import { interestingSizes } from "./atom-cases.ts";
import { constantBuffers } from "./run-reference.ts";
import {
  type CaseOperand,
  createRandom,
  denseMatrix,
  entry,
  type Matrix,
  nmMatrix,
  product,
  sparseMatrix,
  total,
  weightCase,
} from "./weight-cases.ts";

interface MergeInput {
  readonly terms: readonly MergeTerm[];
  readonly operands: readonly CaseOperand[];
  readonly weight: Matrix;
}

const outByIn = { rows: symbol("out"), columns: symbol("in") };

function inputs(rows: number, columns: number, seed: number, lanes: boolean): MergeInput {
  const random = createRandom(seed);
  const m = [4, 5, 8, 16][seed % 4] ?? 4;
  const width = Math.ceil(columns / m) * m;
  const rank = random(20);
  const nm = { name: lanes ? "nm-lanes" : "nm-rows", n: 1 + random(m - 1), m } as const;
  const masked = nmMatrix(rows, width, nm, random);
  const sparse = sparseMatrix(rows, width, 12, random);
  const dense = denseMatrix(rows, width, random);
  const [u, v] = [denseMatrix(rows, rank, random), denseMatrix(rank, width, random)];
  return {
    terms: [
      { kind: "operand", atom: "nm", operand: "M" },
      { kind: "product", left: "U", right: "V" },
      { kind: "operand", atom: "sparse", operand: "S" },
      { kind: "operand", atom: "dense", operand: "W" },
    ],
    operands: [
      { name: "M", format: nm, matrix: masked, ...outByIn },
      { name: "S", format: { name: "mixed-ell" }, matrix: sparse, ...outByIn },
      { name: "W", format: { name: "panel16" }, matrix: dense, ...outByIn },
      { name: "U", format: { name: "panel16" }, matrix: u, rows: symbol("out"), columns: symbol("r") },
      { name: "V", format: { name: "panel16" }, matrix: v, rows: symbol("r"), columns: symbol("in") },
    ],
    weight: total(masked, sparse, dense, product(u, v)),
  };
}

describe.each(x86Targets)("$name", (target) => {
  it.each([{ lanes: true }, { lanes: false }])("sums operands and products, lanes $lanes", ({ lanes }) => {
    for (const [seed, rows] of [0, ...interestingSizes].entries()) {
      const columns = interestingSizes[(seed * 3) % interestingSizes.length] ?? 1;
      const { terms, operands, weight } = inputs(rows, columns, seed, lanes);
      const rank = operands.find(({ name }) => name === "U")?.matrix.columns ?? 0;
      const merged = weightCase({
        layout: "lane-output",
        operands,
        steps: [],
        weight,
        symbols: { r: rank },
        merge: { method: "kernel", terms },
      });
      const constants = seed % 2 === 0 ? { r: rank } : {};
      const kernel = lowerMerge(merged.plan, target, { name: "merge", constants });
      expect(verifyLoop(kernel.program)).toEqual([]);
      const y = new Float32Array(Math.ceil(weight.rows / 16) * weight.columns * 16).fill(Number.NaN);
      const buffers = new Map<string, BufferData>([["y", y]]);
      const data = constantBuffers(merged, kernel);
      kernel.program.buffers
        .filter(({ space }) => space === "constant")
        .forEach(({ name }, index) => {
          buffers.set(name, data[index] ?? new Float32Array(0));
        });
      const symbols = new Map(
        kernel.symbols.map(({ name, value }) => [name, evaluateNumber(value, merged.symbols)]),
      );
      interpretLoop(kernel.program, { buffers, symbols, batch: 0 });
      const expected = y.map((_, index) => {
        const [row, column] = [
          Math.floor(index / (weight.columns * 16)) * 16 + (index % 16),
          (index >> 4) % weight.columns,
        ];
        return row < weight.rows ? entry(weight, row, column) : 0;
      });
      expect(y).toEqual(expected);
    }
  });
});

it("a plan that merges by the identity has no merge kernel", () => {
  const [target] = x86Targets;
  if (target === undefined) throw new Error("no targets");
  const weight = denseMatrix(2, 2, createRandom(1));
  const { plan } = weightCase({ layout: "lane-output", operands: [], steps: [], weight });
  expect(() => lowerMerge(plan, target, { name: "merge", constants: {} })).toThrow("no merge kernel");
});
