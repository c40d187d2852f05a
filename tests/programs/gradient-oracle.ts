/**
 * Gradients by the chain rule on dense float64 matrices with plain loops, independent of the compiler's derivation:
 * from dW = sum over tokens of dy xᵀ, down the weight as written. What a parameter stores is read off at the end.
 */

import type { Term } from "../../compiler/algebra/algebra-node.ts";
import {
  addMatrices,
  type DenseMatrix,
  denseMatrix,
  entryOf,
  hadamardProduct,
  multiplyMatrices,
  scaleMatrix,
  transposeMatrix,
} from "../../compiler/algebra/dense-matrix.ts";
import { densify } from "../../compiler/algebra/evaluate-algebra.ts";
import { patternOf, type WeightValues } from "../../compiler/algebra/evaluate-source.ts";
import { pullDense } from "../../compiler/algebra/pull-dense.ts";
import type { CheckedTensor } from "../../compiler/check/checked-module.ts";
import { evaluateNumber, type NumberExpression } from "../../runtime/contract/number-expression.ts";

/** sum over tokens of dyᵀ x: the gradient of the dense weight. */
export function weightGradient(x: ArrayLike<number>, dy: ArrayLike<number>, batch: number): DenseMatrix {
  const [rows, columns] = [dy.length / batch, x.length / batch];
  return denseMatrix(rows, columns, (row, column) => {
    let sum = 0;
    for (let token = 0; token < batch; token++)
      sum += (dy[token * rows + row] ?? 0) * (x[token * columns + column] ?? 0);
    return sum;
  });
}

/** Slice key → dense gradient of a tensor's matrix. */
export type LeafGradients = Map<string, DenseMatrix>;
const keyOf = (tensor: CheckedTensor, slice: number | null): string => `${tensor.name}:${slice ?? 0}`;

/** That of one occurrence of a tensor; of a derived one it goes on to what its formula reads. */
export function addLeafGradient(
  term: Extract<Term, { kind: "leaf" | "diag" }>,
  gradient: DenseMatrix,
  values: WeightValues,
  found: LeafGradients,
): void {
  if (term.tensor.derivation !== undefined) {
    followFormula(term.tensor, gradient, values, found);
    return;
  }
  const key = keyOf(term.tensor, term.kind === "leaf" ? term.slice : null);
  const before = found.get(key);
  found.set(key, before === undefined ? gradient : addMatrices(before, gradient));
}

/** The gradients of all tensors under `term` when that of the term is `gradient`. */
function descend(term: Term, gradient: DenseMatrix, values: WeightValues, found: LeafGradients): void {
  const value = (part: Term): DenseMatrix => densify(part, values);
  switch (term.kind) {
    case "leaf":
    case "diag":
      addLeafGradient(term, gradient, values, found);
      return;
    case "sum":
      for (const part of term.terms) descend(part, gradient, values, found);
      return;
    case "scale":
      descend(
        term.operand,
        scaleMatrix(evaluateNumber(term.factor, values.numbers), gradient),
        values,
        found,
      );
      return;
    case "transpose":
      descend(term.operand, transposeMatrix(gradient), values, found);
      return;
    case "mask": {
      if (term.pattern.mode === "straight_through") {
        descend(term.operand, gradient, values, found);
        return;
      }
      const keeps = patternOf(term.pattern.name, values);
      const kept = denseMatrix(gradient.rows, gradient.columns, (row, column) =>
        keeps(row, column) ? entryOf(gradient, row, column) : 0,
      );
      descend(term.operand, kept, values, found);
      return;
    }
    case "hadamard":
      for (const [index, factor] of term.factors.entries()) {
        const others = term.factors.filter((_, other) => other !== index).map(value);
        descend(factor, others.reduce(hadamardProduct, gradient), values, found);
      }
      return;
    case "chain":
      for (const [index, factor] of term.factors.entries()) {
        const before = term.factors.slice(0, index).map(value);
        const after = term.factors.slice(index + 1).map(value);
        const left = before.reduce(
          (product, matrix) => multiplyMatrices(transposeMatrix(matrix), product),
          gradient,
        );
        const both = after
          .toReversed()
          .reduce((product, matrix) => multiplyMatrices(product, transposeMatrix(matrix)), left);
        descend(factor, both, values, found);
      }
      return;
    case "kron":
      descendKron(term.factors, gradient, values, found);
      return;
    case "blockdiag": {
      let [firstRow, firstColumn] = [0, 0];
      for (const block of term.blocks) {
        const { rows, columns } = value(block);
        const [top, side] = [firstRow, firstColumn];
        descend(
          block,
          denseMatrix(rows, columns, (row, column) => entryOf(gradient, top + row, side + column)),
          values,
          found,
        );
        firstRow += rows;
        firstColumn += columns;
      }
      return;
    }
    default:
      return;
  }
}

/** Of a derived tensor: to what its formula reads. A vector on a diagonal has the diagonal of the gradient. */
function followFormula(
  tensor: CheckedTensor,
  gradient: DenseMatrix,
  values: WeightValues,
  found: LeafGradients,
): void {
  const { derivation, dimensions, structure } = tensor;
  if (derivation === undefined) return;
  const isColumn = dimensions.length === 1 && structure !== "diag";
  const own = isColumn ? denseMatrix(gradient.rows, 1, (row) => entryOf(gradient, row, row)) : gradient;
  pullDense(derivation.formula, own, derivation.reads, values, (read, slice, given) => {
    const isVector = read.dimensions.length === 1 && given.columns === 1;
    const matrix = isVector
      ? denseMatrix(given.rows, given.rows, (row, column) => (row === column ? entryOf(given, row, 0) : 0))
      : given;
    const key = keyOf(read, slice);
    const before = found.get(key);
    found.set(key, before === undefined ? matrix : addMatrices(before, matrix));
  });
}

/** Of A ⊗ B: dA[i, j] = sum over (k, l) of gradient[i p + k, j q + l] B[k, l], and likewise dB. */
function descendKron(
  factors: readonly Term[],
  gradient: DenseMatrix,
  values: WeightValues,
  found: LeafGradients,
): void {
  const [first, ...rest] = factors;
  if (first === undefined) return;
  if (rest.length === 0) {
    descend(first, gradient, values, found);
    return;
  }
  const a = densify(first, values);
  const b = rest
    .map((factor) => densify(factor, values))
    .reduce((left, right) =>
      denseMatrix(
        left.rows * right.rows,
        left.columns * right.columns,
        (row, column) =>
          entryOf(left, Math.floor(row / right.rows), Math.floor(column / right.columns)) *
          entryOf(right, row % right.rows, column % right.columns),
      ),
    );
  const weighted = (
    rows: number,
    columns: number,
    other: DenseMatrix,
    at: (i: number, j: number, k: number, l: number) => number,
  ) =>
    denseMatrix(rows, columns, (i, j) => {
      let sum = 0;
      for (let k = 0; k < other.rows; k++)
        for (let l = 0; l < other.columns; l++) sum += at(i, j, k, l) * entryOf(other, k, l);
      return sum;
    });
  descend(
    first,
    weighted(a.rows, a.columns, b, (i, j, k, l) => entryOf(gradient, i * b.rows + k, j * b.columns + l)),
    values,
    found,
  );
  const inner = weighted(b.rows, b.columns, a, (k, l, i, j) =>
    entryOf(gradient, i * b.rows + k, j * b.columns + l),
  );
  descendKron(rest, inner, values, found);
}

/** The gradient of each parameter as its values are stored. */
export function oracleGradients(
  weight: Term,
  tensors: readonly CheckedTensor[],
  values: WeightValues,
  gradient: DenseMatrix,
): ReadonlyMap<string, Float64Array> {
  const found: LeafGradients = new Map();
  descend(weight, gradient, values, found);
  return storedGradients(tensors, values, found);
}

/** Read off where each parameter stores its values. */
export function storedGradients(
  tensors: readonly CheckedTensor[],
  values: WeightValues,
  found: LeafGradients,
): ReadonlyMap<string, Float64Array> {
  return new Map(
    tensors
      .filter(({ role }) => role === "param")
      .map((tensor) => [tensor.name, storedGradient(tensor, values, found)]),
  );
}

function storedGradient(tensor: CheckedTensor, values: WeightValues, found: LeafGradients): Float64Array {
  const size = (expression: NumberExpression | null | undefined): number =>
    expression === null || expression === undefined ? 1 : evaluateNumber(expression, values.numbers);
  const stored = new Float64Array(values.tensors.get(tensor.name)?.values.length ?? 0);
  const whole = found.get(keyOf(tensor, null));
  if (tensor.structure === "diag" || tensor.dimensions.length === 1)
    return whole === undefined ? stored : stored.map((_, index) => entryOf(whole, index, index));
  const positions = values.tensors.get(tensor.name)?.positions ?? null;
  if (positions !== null)
    return whole === undefined
      ? stored
      : stored.map((_, entry) => whole.values[positions[entry] ?? -1] ?? Number.NaN);
  if (tensor.structure === "blockdiag") {
    if (whole === undefined) return stored;
    const blocks = size(tensor.blocks);
    const [height, width] = [whole.rows / blocks, whole.columns / blocks];
    return stored.map((_, at) => {
      const row = Math.floor(at / width);
      return entryOf(whole, row, Math.floor(row / height) * width + (at % width));
    });
  }
  const area = size(tensor.dimensions.at(-2)) * size(tensor.dimensions.at(-1));
  for (let slice = 0; slice * area < stored.length; slice++) {
    const matrix = found.get(keyOf(tensor, slice));
    if (matrix !== undefined) stored.set(matrix.values, slice * area);
  }
  return stored;
}
