/**
 * The oracle: the dense weight of a term in float64, with plain loops. Every later level is compared with it.
 * Small integers as entries make it exact.
 */
import {
  evaluateNumber,
  type NumberExpression,
  type SymbolValues,
} from "../../runtime/contract/number-expression.ts";
import type { CheckedTensor } from "../check/checked-module.ts";
import type { Term } from "./algebra-node.ts";
import {
  addMatrices,
  blockDiagonal,
  type DenseMatrix,
  denseMatrix,
  entryOf,
  hadamardProduct,
  identityMatrix,
  kroneckerProduct,
  multiplyMatrices,
  scaleMatrix,
  stridePermutationMatrix,
  transposeMatrix,
  windowMatrix,
} from "./dense-matrix.ts";

/**
 * Natural layouts. dense [rows, columns] or [count, rows, columns]; blockdiag [blocks][rows/blocks][columns/blocks];
 * diag [n]; sparse: one value for each of `positions`, which are row * columns + column, ascending.
 */
export interface TensorValues {
  readonly values: Float64Array;
  /** Null for all but sparse tensors. */
  readonly positions: readonly number[] | null;
}

export interface WeightValues {
  readonly tensors: ReadonlyMap<string, TensorValues>;
  readonly patterns: ReadonlyMap<string, (row: number, column: number) => boolean>;
  /** Dimensions and number arguments. */
  readonly numbers: SymbolValues;
}

function valuesOf(name: string, values: WeightValues): TensorValues {
  const found = values.tensors.get(name);
  if (found === undefined) throw new ReferenceError(`no values for \`${name}\``);
  return found;
}

/** @throws ReferenceError when `values` has no pattern of this name. */
export function patternOf(name: string, values: WeightValues): (row: number, column: number) => boolean {
  const keeps = values.patterns.get(name);
  if (keeps === undefined) throw new ReferenceError(`no positions for \`${name}\``);
  return keeps;
}

/** The entries of a diagonal tensor. */
export function diagonalMatrix(tensor: CheckedTensor, values: WeightValues): DenseMatrix {
  const entries = valuesOf(tensor.name, values).values;
  return denseMatrix(entries.length, entries.length, (row, column) =>
    row === column ? (entries[row] ?? 0) : 0,
  );
}

/** A tensor, or slice `slice` of a stacked one, as a dense matrix. @throws ReferenceError when it has no values. */
export function tensorMatrix(tensor: CheckedTensor, slice: number | null, values: WeightValues): DenseMatrix {
  const stored = valuesOf(tensor.name, values);
  const size = (expression: NumberExpression | undefined): number =>
    expression === undefined ? 1 : evaluateNumber(expression, values.numbers);
  if (tensor.structure === "diag" || tensor.dimensions.length === 1) return diagonalMatrix(tensor, values);
  const [rows, columns] = [size(tensor.dimensions.at(-2)), size(tensor.dimensions.at(-1))];
  if (stored.positions !== null) {
    const entries = new Float64Array(rows * columns);
    stored.positions.forEach((position, index) => {
      entries[position] = stored.values[index] ?? 0;
    });
    return { rows, columns, values: entries };
  }
  if (tensor.structure === "blockdiag") {
    const blocks = size(tensor.blocks ?? undefined);
    const [height, width] = [rows / blocks, columns / blocks];
    const block = (index: number): DenseMatrix =>
      denseMatrix(
        height,
        width,
        (row, column) => stored.values[(index * height + row) * width + column] ?? 0,
      );
    return blockDiagonal(Array.from({ length: blocks }, (_, index) => block(index)));
  }
  const first = (slice ?? 0) * rows * columns;
  return denseMatrix(rows, columns, (row, column) => stored.values[first + row * columns + column] ?? 0);
}

/** The dense weight. @throws ReferenceError or RangeError when `values` lacks something the term reads. */
export function densify(term: Term, values: WeightValues): DenseMatrix {
  const evaluate = (operand: Term): DenseMatrix => densify(operand, values);
  const size = (expression: NumberExpression): number => evaluateNumber(expression, values.numbers);
  switch (term.kind) {
    case "leaf":
      return tensorMatrix(term.tensor, term.slice, values);
    case "diag":
      return diagonalMatrix(term.tensor, values);
    case "identity":
      return identityMatrix(size(term.rows));
    case "zero":
      return denseMatrix(size(term.rows), size(term.columns), () => 0);
    case "permutation":
      return stridePermutationMatrix(size(term.rows), size(term.stride));
    case "window":
      return windowMatrix(size(term.rows), size(term.columns), size(term.offset));
    case "sum":
      return term.terms.map(evaluate).reduce(addMatrices);
    case "chain":
      return term.factors.map(evaluate).reduce(multiplyMatrices);
    case "scale":
      return scaleMatrix(size(term.factor), evaluate(term.operand));
    case "transpose":
      return transposeMatrix(evaluate(term.operand));
    case "mask": {
      const keeps = patternOf(term.pattern.name, values);
      const operand = evaluate(term.operand);
      return denseMatrix(operand.rows, operand.columns, (row, column) =>
        keeps(row, column) ? entryOf(operand, row, column) : 0,
      );
    }
    case "hadamard":
      return term.factors.map(evaluate).reduce(hadamardProduct);
    case "kron":
      return term.factors.map(evaluate).reduce(kroneckerProduct);
    case "blockdiag":
      return blockDiagonal(term.blocks.map(evaluate));
  }
}

/** y = W x for each row of x: [batch, columns] → [batch, rows], row-major. */
export function applyDense(weight: DenseMatrix, x: Float64Array): Float64Array {
  const batch = weight.columns === 0 ? 0 : x.length / weight.columns;
  const y = new Float64Array(batch * weight.rows);
  for (let token = 0; token < batch; token++) {
    for (let row = 0; row < weight.rows; row++) {
      let sum = 0;
      for (let column = 0; column < weight.columns; column++) {
        sum += entryOf(weight, row, column) * (x[token * weight.columns + column] ?? 0);
      }
      y[token * weight.rows + row] = sum;
    }
  }
  return y;
}
