/** The intrinsics of recipes, one row each: how it is computed, and whether its target decides the result. */
import type { ElementFunction } from "../contract/matrix-source.ts";
import type { IntrinsicName, SelectionName } from "../contract/recipe.ts";
import { SpxError } from "../errors.ts";
import { elementFunctions } from "../linalg/element-functions.ts";
import { inverseSquare } from "../linalg/inverse.ts";
import { fillNormal, fillUniform } from "../random/distributions.ts";
import { decompositions } from "./decompositions.ts";
import {
  combine,
  type DenseTensor,
  kronTensors,
  multiplyMatrices,
  softmaxOf,
  transposeMatrix,
} from "./dense-tensor.ts";
import { fourierBasis } from "./fourier-basis.ts";
import { groupIndicator } from "./group-indicator.ts";
import { fixed, forTarget, type Intrinsic, matrixOf, ofTensor, tensorValue } from "./intrinsic.ts";
import { diagonalMatrix, type Line, lineNorms, lineSums, scaleLines } from "./line-sums.ts";
import { projectMonarch } from "./monarch-projection.ts";
import { type PatternTarget, shapeOfTarget } from "./recipe-target.ts";
import type { Call, RecipeValue } from "./recipe-value.ts";
import { selections } from "./selections.ts";
import { sparsePart } from "./sparse-part.ts";
import { vectorOf } from "./vector-operand.ts";

/** Combines the first two operands entry by entry. */
const entrywise = (name: string, f: (a: number, b: number) => number): Intrinsic =>
  fixed(({ tensors }) => {
    const [left, right] = tensors();
    return ofTensor(combine(name, required(left, name), required(right, name), f));
  });

const fourierValue = (part: "cosine" | "sine", size: number): RecipeValue =>
  tensorValue([size, size], fourierBasis(part, size));

const selectionIntrinsics = Object.fromEntries(
  Object.entries(selections).map(([name, select]) => [
    name,
    forTarget((call) => ({ kind: "pattern", pattern: select(call, patternOnly(call.target, name)) })),
  ]),
) as Readonly<Record<SelectionName, Intrinsic>>;

const ofLines = (
  line: Line,
  compute: (matrix: ReturnType<typeof matrixOf>, line: Line) => DenseTensor,
): Intrinsic => fixed(({ tensor }) => ofTensor(compute(matrixOf(tensor("of")), line)));

const scaledLines = (line: Line): Intrinsic =>
  fixed(({ tensor }) => ofTensor(scaleLines(matrixOf(tensor("value")), line, vectorOf(tensor("by")).values)));
/** f of each entry. */
const elementwise = (name: ElementFunction): Intrinsic =>
  fixed(({ tensors }) => {
    const { shape, values } = required(tensors()[0], name);
    const { value } = elementFunctions[name];
    const result = new Float32Array(values.length);
    // `map` calls back for each entry, which takes ten times as long.
    for (let at = 0; at < values.length; at++) result[at] = value(values[at] ?? 0);
    return tensorValue(shape, result);
  });

export const intrinsics: Readonly<Record<IntrinsicName, Intrinsic>> = {
  ...selectionIntrinsics,
  abs: fixed(({ tensors }) => {
    const { shape, values } = required(tensors()[0], "abs");
    return tensorValue(shape, values.map(Math.abs));
  }),
  sparse_part: fixed(({ tensor, number, multiplySingle, select }) => {
    const weight = matrixOf(tensor("weight"));
    const split = { rank: number("rank"), count: number("count"), rounds: number("rounds") };
    return tensorValue(
      [weight.rows, weight.columns],
      sparsePart(weight, split, { multiply: multiplySingle(), passes: select() }),
    );
  }),
  slice: fixed(({ tensor, number }) => {
    const [, rows = 0, columns = 0] = tensor("of").tensor.shape;
    const first = number("index") * rows * columns;
    return tensorValue([rows, columns], tensor("of").tensor.values.slice(first, first + rows * columns));
  }),
  group_indicator: forTarget(({ target }) => {
    const shape = shapeOfTarget(target);
    return tensorValue(shape, groupIndicator(target.name, shape));
  }),
  normal: forTarget(({ target, number, stream }) => {
    const shape = shapeOfTarget(target);
    return tensorValue(shape, fillNormal(stream(), zerosOf(shape), number("mean"), number("std")));
  }),
  uniform: forTarget(({ target, number, stream }) => {
    const shape = shapeOfTarget(target);
    return tensorValue(shape, fillUniform(stream(), zerosOf(shape), number("low"), number("high")));
  }),
  ...decompositions,
  fourier_cosine: fixed(({ number }) => fourierValue("cosine", number("size"))),
  fourier_sine: fixed(({ number }) => fourierValue("sine", number("size"))),
  monarch_projection: fixed(({ tensor, number }) => {
    const { left, right } = projectMonarch(matrixOf(tensor("weight")), number("blocks"));
    return { kind: "outputs", values: [ofTensor(left), ofTensor(right)] };
  }),
  row_sum: ofLines("row", lineSums),
  column_sum: ofLines("column", lineSums),
  row_norm: ofLines("row", lineNorms),
  column_norm: ofLines("column", lineNorms),
  scale_rows: scaledLines("row"),
  scale_columns: scaledLines("column"),
  diagonal_matrix: fixed(({ tensor }) => ofTensor(diagonalMatrix(vectorOf(tensor("entries")).values))),
  add: entrywise("add", (a, b) => a + b),
  subtract: entrywise("subtract", (a, b) => a - b),
  multiply: entrywise("multiply", (a, b) => a * b),
  scale: entrywise("scale", (a, b) => a * b),
  matmul: fixed(({ tensors }) => {
    const [left, right] = tensors();
    return ofTensor(multiplyMatrices(required(left, "matmul"), required(right, "matmul")));
  }),
  kron: fixed(({ tensors }) => {
    const [left, right] = tensors();
    return ofTensor(kronTensors(required(left, "kron"), required(right, "kron")));
  }),
  transpose: fixed(({ tensors }) => ofTensor(transposeMatrix(required(tensors()[0], "transpose")))),
  sigmoid: elementwise("sigmoid"),
  tanh: elementwise("tanh"),
  exp: elementwise("exp"),
  log: elementwise("log"),
  sqrt: elementwise("sqrt"),
  relu: elementwise("relu"),
  softmax: fixed(({ tensors }) => ofTensor(softmaxOf(required(tensors()[0], "softmax")))),
  inverse: fixed(({ tensors }) => {
    const { shape, values } = required(tensors()[0], "inverse");
    return tensorValue(shape, Float32Array.from(inverseSquare(values, shape[0] ?? 0)));
  }),
  detach: fixed(({ tensors }) => ofTensor(required(tensors()[0], "detach"))),
  quotient: entrywise("quotient", (a, b) => a / b),
  ones: fixed(({ number, optionalNumber }) => {
    const columns = optionalNumber("columns");
    const shape = columns === null ? [number("rows")] : [number("rows"), columns];
    return tensorValue(shape, zerosOf(shape).fill(1));
  }),
};

const zerosOf = (shape: readonly number[]): Float32Array =>
  new Float32Array(shape.reduce((count, size) => count * size, 1));

function patternOnly(target: Call["target"], intrinsic: string): PatternTarget {
  if (target.kind === "pattern") return target;
  throw broken(
    `\`${intrinsic}\` stands in the initial value of \`${target.name}\`, where no pattern is wanted`,
  );
}

function required(operand: DenseTensor | undefined, intrinsic: string): DenseTensor {
  if (operand === undefined) throw broken(`\`${intrinsic}\` lacks an operand`);
  return operand;
}

const broken = (reason: string): SpxError =>
  new SpxError("SPX8102", reason, {
    help: "build the artefact again; if it stays, report it with the .spx file",
  });
