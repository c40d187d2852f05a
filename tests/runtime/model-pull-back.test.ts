/**
 * Reverse mode over formulas, in the runtime and in the interpreter, against central differences of the formula in
 * float64: L(θ) = Σ C ⊙ f(θ), one parameter entry at a time.
 */
import { expect, test } from "vitest";
import { relativeError } from "../../bench/quickstart/layer-oracle.ts";
import {
  evaluateSource as evaluateDense,
  type WeightValues,
} from "../../compiler/algebra/evaluate-source.ts";
import { pullDense } from "../../compiler/algebra/pull-dense.ts";
import type { CheckedTensor } from "../../compiler/check/checked-module.ts";
import { addEntries } from "../../compiler/plan/stored-entries.ts";
import type { MatrixSource } from "../../runtime/contract/matrix-source.ts";
import { number } from "../../runtime/contract/number-expression.ts";
import { type MatrixValue, toDense } from "../../runtime/formats/matrix-value.ts";
import { evaluateSource } from "../../runtime/model/evaluate-source.ts";
import { formProduct } from "../../runtime/model/form-product.ts";
import { addGradient } from "../../runtime/model/parameter-gradient.ts";
import type { LayerParameter } from "../../runtime/model/parameter-values.ts";
import { parameterMatrix } from "../../runtime/model/parameter-values.ts";
import { perform } from "../../runtime/model/product-work.ts";
import { pullBack } from "../../runtime/model/pull-back.ts";
import { patternOfPositions } from "../../runtime/select/pattern.ts";
import { tensor } from "../algebra/sample-transforms.ts";
import { testNumbers } from "../programs/built-program.ts";

const rows = 5;
const columns = 7;
const kept = [0, 3, 9, 12, 13, 20, 34];
const keeps = (row: number, column: number): boolean => kept.includes(row * columns + column);
const parameters: readonly CheckedTensor[] = [
  tensor("X", "param", [rows, columns]),
  tensor("Y", "param", [rows, columns]),
  tensor("B", "param", [rows, 2]),
  tensor("A", "param", [2, columns]),
  tensor("Q", "param", [3, 3]),
  tensor("L", "param", [6, 6], { structure: "blockdiag", blocks: number(3), count: number(12) }),
  tensor("S", "param", [rows, columns], { structure: "sparse", support: "M", count: number(kept.length) }),
  tensor("d", "param", [rows], { structure: "diag" }),
  tensor("v", "param", [rows]),
  tensor("q", "param", [2, 3]),
];
const counts: Readonly<Record<string, number>> = { L: 12, S: kept.length };
const countOf = ({ name, dimensions }: CheckedTensor): number =>
  counts[name] ?? dimensions.reduce((all, side) => all * (side.kind === "number" ? side.value : 0), 1);

const leaf = (name: string): MatrixSource => ({ kind: "leaf", name, slice: null });
const [X, Y, B, A, Q, L, S, v, q] = ["X", "Y", "B", "A", "Q", "L", "S", "v", "q"].map(leaf) as [
  MatrixSource,
  MatrixSource,
  MatrixSource,
  MatrixSource,
  MatrixSource,
  MatrixSource,
  MatrixSource,
  MatrixSource,
  MatrixSource,
];
const d: MatrixSource = { kind: "diag", of: leaf("d") };
const times = (...factors: MatrixSource[]): MatrixSource => ({ kind: "product", factors });
const plus = (...terms: MatrixSource[]): MatrixSource => ({ kind: "sum", terms });
const turned = (of: MatrixSource): MatrixSource => ({ kind: "transpose", of });
const scaled = (factor: number, of: MatrixSource): MatrixSource => ({
  kind: "scale",
  factor: number(factor),
  of,
});
const mapped = (name: "sigmoid" | "tanh" | "exp" | "abs" | "relu", of: MatrixSource): MatrixSource => ({
  kind: "map",
  function: name,
  of,
});
const identity = (size: number): MatrixSource => ({ kind: "identity", size: number(size) });
const positive = (of: MatrixSource): MatrixSource => mapped("exp", of);
const norm = (of: MatrixSource): MatrixSource => ({ kind: "row-norm", of });

const formulas: Readonly<Record<string, MatrixSource>> = {
  sum: plus(X, scaled(-2, Y), times(B, A)),
  product: times(d, B, A),
  "product with itself": times(turned(X), X),
  mask: { kind: "mask", pattern: "M", of: plus(X, times(B, A)) },
  "masked product": { kind: "mask", pattern: "M", of: times(B, A) },
  hadamard: { kind: "hadamard", factors: [X, times(B, A), Y] },
  "hadamard with sparse": { kind: "hadamard", factors: [S, times(B, A)] },
  kron: { kind: "kron", factors: [B, Q, turned(A)] },
  blockdiag: { kind: "blockdiag", blocks: [X, times(B, A), Q] },
  ...Object.fromEntries(
    (["sigmoid", "tanh", "exp", "abs", "relu"] as const).map((name) => [name, mapped(name, times(B, A))]),
  ),
  "tanh of sparse": mapped("tanh", S),
  "tanh of blocks": mapped("tanh", L),
  log: { kind: "map", function: "log", of: positive(X) },
  sqrt: { kind: "map", function: "sqrt", of: positive(X) },
  quotient: { kind: "quotient", left: X, right: positive(Y) },
  "row norm of a low-rank change": norm(plus(X, scaled(0.5, times(B, A)))),
  "row norm of products": norm(plus(times(d, B, A), times(B, turned(B), Y))),
  "column norm": norm(turned(plus(X, times(B, A)))),
  "row softmax": { kind: "row-softmax", of: X },
  "softmax of a vector": turned({ kind: "row-softmax", of: turned(v) }),
  entry: { kind: "entry", row: 3, column: 0, of: v },
  fill: {
    kind: "fill",
    rows: number(4),
    columns: number(3),
    of: { kind: "entry", row: 1, column: 2, of: X },
  },
  inverse: { kind: "inverse", of: plus(scaled(4, identity(3)), Q) },
  "inverse of blocks": { kind: "inverse", of: plus(scaled(4, identity(6)), L) },
  "face-splitting": { kind: "face-splitting", left: X, right: times(B, A) },
  skew: { kind: "skew", size: number(3), of: q },
  cayley: times(plus(identity(6), scaled(-1, { kind: "skew", size: number(3), of: q })), {
    kind: "inverse",
    of: plus(identity(6), { kind: "skew", size: number(3), of: q }),
  }),
  "strict upper": { kind: "strict-upper", of: times(turned(B), B) },
  "reflections of normalised columns": {
    kind: "inverse",
    of: plus(scaled(0.5, identity(2)), {
      kind: "strict-upper",
      of: times(turned(times(B, columnsOverNorm(B))), B, columnsOverNorm(B)),
    }),
  },
  detach: plus(X, { kind: "detach", of: times(B, A) }),
  "window and permutation": times(
    turned({ kind: "window", size: number(6), width: number(3), offset: number(2) }),
    Q,
    { kind: "window", size: number(6), width: number(3), offset: number(1) },
    { kind: "stride-permutation", size: number(6), stride: number(2) },
    L,
  ),
};

function columnsOverNorm(of: MatrixSource): MatrixSource {
  const ones: MatrixSource = { kind: "ones", rows: number(2), columns: number(1) };
  return { kind: "diag", of: { kind: "quotient", left: ones, right: norm(turned(of)) } };
}

const next = testNumbers(5);
const start = new Map(
  parameters.map((one) => [one.name, Float64Array.from({ length: countOf(one) }, () => Math.fround(next()))]),
);
const valuesWith = (name: string, at: number, step: number): WeightValues => ({
  tensors: new Map(
    [...start].map(([other, values]) => [
      other,
      {
        values: other === name ? values.map((value, index) => (index === at ? value + step : value)) : values,
        positions: other === "S" ? kept : null,
      },
    ]),
  ),
  patterns: new Map([["M", keeps]]),
  numbers: new Map(),
});

/** A formula with detached parts is differentiated as if those were constants. */
const isDetached = (name: string, title: string): boolean => title === "detach" && ["B", "A"].includes(name);

function layerParameter(one: CheckedTensor, values: Float32Array): LayerParameter {
  const { name, structure } = one;
  const dimensions = one.dimensions.map((side) => (side.kind === "number" ? side.value : 0));
  const stored = structure === "blockdiag" ? [3, 2, 2] : structure === "sparse" ? [kept.length] : dimensions;
  const support = structure === "sparse" ? patternOfPositions(rows, columns, kept) : null;
  return { target: { kind: "parameter", name, structure, dimensions, stored, support }, values };
}

test.each(Object.entries(formulas))("%s", (title, formula) => {
  const cotangentNumbers = testNumbers(9);
  const here = valuesWith("", 0, 0);
  const value = evaluateDense(formula, parameters, here);
  const cotangent = Float32Array.from(value.values, cotangentNumbers);
  const loss = (values: WeightValues): number =>
    evaluateDense(formula, parameters, values).values.reduce(
      (sum, entry, at) => sum + entry * (cotangent[at] ?? 0),
      0,
    );
  const step = 1e-5;
  const expected = new Map(
    parameters.map((one) => [
      one.name,
      Float64Array.from({ length: countOf(one) }, (_, at) =>
        isDetached(one.name, title)
          ? 0
          : (loss(valuesWith(one.name, at, step)) - loss(valuesWith(one.name, at, -step))) / (2 * step),
      ),
    ]),
  );

  const dense = new Map(parameters.map((one) => [one.name, new Float64Array(countOf(one))]));
  const given = { rows: value.rows, columns: value.columns, values: Float64Array.from(cotangent) };
  pullDense(formula, given, parameters, here, (read, slice, gradient) => {
    addEntries(read, slice, gradient, dense.get(read.name) ?? new Float64Array(), here);
  });

  const layer = new Map(
    parameters.map((one) => [one.name, layerParameter(one, Float32Array.from(start.get(one.name) ?? []))]),
  );
  const gradients = new Map(
    parameters.map((one) => [one.name, layerParameter(one, new Float32Array(countOf(one)))]),
  );
  const leaves = {
    symbols: new Map(),
    leaf: (name: string, slice: number | null): MatrixValue =>
      parameterMatrix(layer.get(name) as LayerParameter, slice),
    pattern: () => patternOfPositions(rows, columns, kept),
  };
  expect(relativeError(toDense(evaluateSource(formula, leaves)).values, value.values)).toBeLessThan(1e-6);
  const matrix: MatrixValue = { kind: "dense", rows: value.rows, columns: value.columns, values: cotangent };
  const work = pullBack(formula, matrix, {
    ...leaves,
    formula: () => null,
    isParameter: () => true,
    give: (name, slice, gradient) => addGradient(gradients.get(name) as LayerParameter, slice, gradient),
  });
  perform(work, formProduct);
  for (const { name } of parameters) {
    const wanted = expected.get(name) ?? new Float64Array();
    expect(relativeError(Float32Array.from(dense.get(name) ?? []), wanted), `${name}, dense`).toBeLessThan(
      1e-5,
    );
    expect(relativeError(gradients.get(name)?.values ?? new Float32Array(), wanted), name).toBeLessThan(1e-5);
  }
});
