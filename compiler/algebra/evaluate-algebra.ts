/**
 * The oracle: the dense weight of a term in float64, with plain loops. Every later level is compared with it.
 * Small integers as entries make it exact.
 */
import { evaluateNumber, type NumberExpression } from "../../runtime/contract/number-expression.ts";
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
import { diagonalMatrix, patternOf, tensorMatrix, type WeightValues } from "./evaluate-source.ts";

/** The dense weight. @throws ReferenceError or RangeError when `values` lacks something the term reads. */
export function densify(term: Term, values: WeightValues): DenseMatrix {
  const evaluate = (operand: Term): DenseMatrix => densify(operand, values);
  const size = (expression: NumberExpression): number => evaluateNumber(expression, values.numbers);
  switch (term.kind) {
    case "leaf":
      return tensorMatrix(term.tensor, term.slice, values);
    case "diag":
      return diagonalMatrix(term.tensor, values);
    case "indicator": {
      const keeps = patternOf(term.pattern.name, values);
      return denseMatrix(size(term.rows), size(term.columns), (row, column) => Number(keeps(row, column)));
    }
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
