/** The intrinsics of recipes, one row each: how it is computed, and whether its target decides the result. */
import type { IntrinsicName } from "../contract/recipe.ts";
import { SpxError } from "../errors.ts";
import { fillNormal, fillUniform } from "../random/distributions.ts";
import { combine, type DenseTensor, multiplyMatrices, transposeMatrix } from "./dense-tensor.ts";
import { checkCount } from "./largest-entries.ts";
import {
  type NamedMatrix,
  selectMagnitude,
  selectMagnitudeBlocks,
  selectMagnitudeGroups,
} from "./magnitude.ts";
import { projectMonarch } from "./monarch-projection.ts";
import { selectRandom } from "./random-support.ts";
import { type PatternTarget, shapeOfTarget } from "./recipe-target.ts";
import type { Call, RecipeValue } from "./recipe-value.ts";
import { sparsePart } from "./sparse-part.ts";
import { svdFactors } from "./svd-factors.ts";
import { selectTopk } from "./topk.ts";

interface Intrinsic {
  /** True when the shape, the granularity or the name of the target enters the result. */
  readonly dependsOnTarget: boolean;
  readonly evaluate: (call: Call) => RecipeValue;
}

const tensorValue = (shape: readonly number[], values: Float32Array): RecipeValue => ({
  kind: "tensor",
  name: "",
  tensor: { shape, values },
});
const ofTensor = (tensor: DenseTensor): RecipeValue => ({ kind: "tensor", name: "", tensor });
const fixed = (evaluate: Intrinsic["evaluate"]): Intrinsic => ({ dependsOnTarget: false, evaluate });
const forTarget = (evaluate: Intrinsic["evaluate"]): Intrinsic => ({ dependsOnTarget: true, evaluate });

/** Combines the first two operands entry by entry. */
const entrywise = (name: string, f: (a: number, b: number) => number): Intrinsic =>
  fixed(({ tensors }) => {
    const [left, right] = tensors();
    return ofTensor(combine(name, required(left, name), required(right, name), f));
  });

export const intrinsics: Readonly<Record<IntrinsicName, Intrinsic>> = {
  magnitude: forTarget(({ target, tensor }) => ({
    kind: "pattern",
    pattern: selectByMagnitude(patternOnly(target, "magnitude"), matrixOf(tensor("weight"))),
  })),
  topk: forTarget(({ target, tensor, number }) => {
    const { shape } = patternOnly(target, "topk");
    if (shape.kind !== "unstructured") throw granularity("topk", shape.kind);
    return { kind: "pattern", pattern: selectTopk(matrixOf(tensor("score")), number("count")) };
  }),
  random_support: forTarget(({ target, number, stream }) => {
    const pattern = patternOnly(target, "random_support");
    if (pattern.shape.kind === "nm") throw granularity("random_support", pattern.shape.kind);
    checkCount("random_support", number("count"), pattern.rows * pattern.columns);
    return { kind: "pattern", pattern: selectRandom(pattern, number("count"), stream()) };
  }),
  abs: fixed(({ tensors }) => {
    const { shape, values } = required(tensors()[0], "abs");
    return tensorValue(shape, values.map(Math.abs));
  }),
  sparse_part: fixed(({ tensor, number }) => {
    const weight = matrixOf(tensor("weight"));
    const split = { rank: number("rank"), count: number("count"), rounds: number("rounds") };
    return tensorValue([weight.rows, weight.columns], sparsePart(weight, split));
  }),
  normal: forTarget(({ target, number, stream }) => {
    const shape = shapeOfTarget(target);
    return tensorValue(shape, fillNormal(stream(), zerosOf(shape), number("mean"), number("std")));
  }),
  uniform: forTarget(({ target, number, stream }) => {
    const shape = shapeOfTarget(target);
    return tensorValue(shape, fillUniform(stream(), zerosOf(shape), number("low"), number("high")));
  }),
  svd_factors: fixed(({ tensor, number }) => {
    const { left, right } = svdFactors(matrixOf(tensor("weight")), number("rank"));
    return { kind: "outputs", values: [ofTensor(left), ofTensor(right)] };
  }),
  monarch_projection: fixed(({ tensor, number }) => {
    const { left, right } = projectMonarch(matrixOf(tensor("weight")), number("blocks"));
    return { kind: "outputs", values: [ofTensor(left), ofTensor(right)] };
  }),
  add: entrywise("add", (a, b) => a + b),
  subtract: entrywise("subtract", (a, b) => a - b),
  multiply: entrywise("multiply", (a, b) => a * b),
  scale: entrywise("scale", (a, b) => a * b),
  matmul: fixed(({ tensors }) => {
    const [left, right] = tensors();
    return ofTensor(multiplyMatrices(required(left, "matmul"), required(right, "matmul")));
  }),
  transpose: fixed(({ tensors }) => ofTensor(transposeMatrix(required(tensors()[0], "transpose")))),
};

function selectByMagnitude(target: PatternTarget, weight: NamedMatrix) {
  const { shape, count } = target;
  switch (shape.kind) {
    case "unstructured":
      return selectMagnitude(weight, count);
    case "nm":
      return selectMagnitudeGroups(weight, shape);
    case "block":
      return selectMagnitudeBlocks(weight, shape.height, shape.width, count);
  }
}

const zerosOf = (shape: readonly number[]): Float32Array =>
  new Float32Array(shape.reduce((count, size) => count * size, 1));

function matrixOf({ name, tensor }: { name: string; tensor: DenseTensor }): NamedMatrix {
  const [rows, columns] = tensor.shape;
  if (rows === undefined || columns === undefined || tensor.shape.length !== 2) {
    throw new SpxError("SPX8405", `\`${name}\` is [${tensor.shape.join(", ")}], where a matrix is needed`, {
      facts: { tensor: name, shape: tensor.shape },
      help: "give a tensor with two dimensions",
    });
  }
  return { name, rows, columns, values: tensor.values };
}

function patternOnly(target: Call["target"], intrinsic: string): PatternTarget {
  if (target.kind === "pattern") return target;
  throw broken(
    `\`${intrinsic}\` stands in the initial value of \`${target.name}\`, where no pattern is wanted`,
  );
}

const granularity = (intrinsic: string, kind: string): SpxError =>
  broken(`\`${intrinsic}\` selects single entries, not those of a pattern of kind \`${kind}\``);

function required(operand: DenseTensor | undefined, intrinsic: string): DenseTensor {
  if (operand === undefined) throw broken(`\`${intrinsic}\` lacks an operand`);
  return operand;
}

const broken = (reason: string): SpxError =>
  new SpxError("SPX8102", reason, {
    help: "build the artefact again; if it stays, report it with the .spx file",
  });
