/**
 * What derived gradients mean, in float64 with plain loops: each pair (L, R) is applied to dy and x and multiplied out
 * densely. It judges the derivation alone, before anything of it is planned.
 */

import { type DenseMatrix, denseMatrix, entryOf } from "../../compiler/algebra/dense-matrix.ts";
import type { GradientPair, Gradients, LeafGradient, Side } from "../../compiler/algebra/derive-gradient.ts";
import { applyDense, densify } from "../../compiler/algebra/evaluate-algebra.ts";
import { patternOf, type WeightValues } from "../../compiler/algebra/evaluate-source.ts";
import type { CheckedTensor } from "../../compiler/check/checked-module.ts";
import { evaluateNumber, type NumberExpression } from "../../runtime/contract/number-expression.ts";
import { addLeafGradient, type LeafGradients, storedGradients } from "../programs/gradient-oracle.ts";

/** x [batch, in] and dy [batch, out]. */
export interface BackwardBatch {
  readonly x: Float64Array;
  readonly dy: Float64Array;
  readonly batch: number;
}

/** The gradient of each parameter as its values are stored. */
export function evaluateGradients(
  { leaves }: Gradients,
  tensors: readonly CheckedTensor[],
  values: WeightValues,
  given: BackwardBatch,
): ReadonlyMap<string, Float64Array> {
  const found: LeafGradients = new Map();
  for (const one of leaves) {
    const [first, ...others] = one.pairs.map((pair) => multiplyOut(one, pair, values, given));
    if (first === undefined) throw new TypeError("a gradient without pairs");
    for (const other of others)
      if (!isNear(other.values, first.values))
        throw new RangeError(`the pairs of ${one.leaf.tensor.name} differ`);
    addLeafGradient(one.leaf, first, values, found);
  }
  return storedGradients(tensors, values, found);
}

function isNear(some: Float64Array, others: Float64Array): boolean {
  const size = others.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return some.every((value, at) => Math.abs(value - (others[at] ?? Number.NaN)) <= 1e-9 * size);
}

function multiplyOut(
  { leaf, pattern, weight }: LeafGradient,
  { left, right, scale, copies }: GradientPair,
  values: WeightValues,
  given: BackwardBatch,
): DenseMatrix {
  const size = (expression: NumberExpression): number => evaluateNumber(expression, values.numbers);
  const [leftAt, rightAt] = [featuresOf(left, values, given), featuresOf(right, values, given)];
  const keeps = pattern === null ? () => true : patternOf(pattern.pattern.name, values);
  const kept = (row: number, column: number): boolean =>
    pattern?.transposed === true ? keeps(column, row) : keeps(row, column);
  const factor = weight === null ? null : densify(weight, values);
  const count = size(copies);
  return denseMatrix(size(leaf.rows), size(leaf.columns), (row, column) => {
    if (!kept(row, column)) return 0;
    let sum = 0;
    for (let token = 0; token < given.batch; token++)
      for (let copy = 0; copy < count; copy++) sum += leftAt(token, copy, row) * rightAt(token, copy, column);
    return size(scale) * sum * (factor === null ? 1 : entryOf(factor, row, column));
  });
}

/** feature(token, copy, index) of one side. */
function featuresOf(
  { input, term, permutation, offset, stride }: Side,
  values: WeightValues,
  given: BackwardBatch,
) {
  const maps = [term, permutation].flatMap((map) => (map === null ? [] : [densify(map, values)]));
  const features = maps.reduce((before, map) => applyDense(map, before), given[input]);
  const width = features.length / given.batch;
  const [first, step] = [offset, stride].map((side) => evaluateNumber(side, values.numbers));
  return (token: number, copy: number, index: number): number =>
    features[token * width + (first ?? 0) + copy * (step ?? 0) + index] ?? Number.NaN;
}
