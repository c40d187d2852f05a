/** A matrix source as a dense float64 matrix, with plain loops; what an operand of the plan holds. */
import type { MatrixSource } from "../../runtime/contract/matrix-source.ts";
import { evaluateNumber, type NumberExpression } from "../../runtime/contract/number-expression.ts";
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
} from "../algebra/dense-matrix.ts";
import { patternOf, tensorMatrix, type WeightValues } from "../algebra/evaluate-algebra.ts";
import type { CheckedTensor } from "../check/checked-module.ts";

/** @throws ReferenceError when a tensor or pattern is not known. */
export function evaluateSource(
  source: MatrixSource,
  tensors: readonly CheckedTensor[],
  values: WeightValues,
): DenseMatrix {
  const evaluate = (part: MatrixSource): DenseMatrix => evaluateSource(part, tensors, values);
  switch (source.kind) {
    case "leaf": {
      const tensor = tensors.find(({ name }) => name === source.name);
      if (tensor === undefined) throw new ReferenceError(`no tensor \`${source.name}\``);
      return tensorMatrix(tensor, source.slice, values);
    }
    case "sum":
      return source.terms.map(evaluate).reduce(addMatrices);
    case "product":
      return source.factors.map(evaluate).reduce(multiplyMatrices);
    case "scale":
      return scaleMatrix(evaluateNumber(source.factor, values.numbers), evaluate(source.of));
    case "transpose":
      return transposeMatrix(evaluate(source.of));
    case "mask": {
      const keeps = patternOf(source.pattern, values);
      const operand = evaluate(source.of);
      return denseMatrix(operand.rows, operand.columns, (row, column) =>
        keeps(row, column) ? entryOf(operand, row, column) : 0,
      );
    }
    case "pattern": {
      const keeps = patternOf(source.name, values);
      const size = (expression: NumberExpression): number => evaluateNumber(expression, values.numbers);
      return denseMatrix(size(source.rows), size(source.columns), (row, column) =>
        Number(keeps(row, column)),
      );
    }
    case "hadamard":
      return source.factors.map(evaluate).reduce(hadamardProduct);
    case "kron":
      return source.factors.map(evaluate).reduce(kroneckerProduct);
    case "blockdiag":
      return blockDiagonal(source.blocks.map(evaluate));
    // A diagonal tensor is read as its matrix already.
    case "diag":
      return evaluate(source.of);
    case "identity":
      return identityMatrix(evaluateNumber(source.size, values.numbers));
    case "window": {
      const size = (expression: NumberExpression): number => evaluateNumber(expression, values.numbers);
      return windowMatrix(size(source.width), size(source.size), size(source.offset));
    }
    case "stride-permutation":
      return stridePermutationMatrix(
        evaluateNumber(source.size, values.numbers),
        evaluateNumber(source.stride, values.numbers),
      );
  }
}
