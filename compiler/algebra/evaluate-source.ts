/**
 * Tensors and matrix sources as dense float64 matrices, with plain loops: the oracle for what formulas and packed
 * operands hold. Functions are computed here from their definitions, not as the runtime computes them.
 */
import type { ElementFunction, MatrixSource } from "../../runtime/contract/matrix-source.ts";
import {
  evaluateNumber,
  type NumberExpression,
  type SymbolValues,
} from "../../runtime/contract/number-expression.ts";
import type { CheckedTensor } from "../check/checked-module.ts";
import {
  addMatrices,
  blockDiagonal,
  combineEntries,
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

/** The diagonal matrix of a vector or of a diagonal tensor. */
export function diagonalMatrix(tensor: CheckedTensor, values: WeightValues): DenseMatrix {
  return asDiagonal(tensorMatrix(tensor, null, values));
}

/** A column as a diagonal; a diagonal as it is. */
function asDiagonal(matrix: DenseMatrix): DenseMatrix {
  if (matrix.columns !== 1) return matrix;
  return denseMatrix(matrix.rows, matrix.rows, (row, column) =>
    row === column ? entryOf(matrix, row, 0) : 0,
  );
}

/** A tensor, or slice `slice` of a stacked one, as a dense matrix; a vector as a column. @throws ReferenceError when it has no values. */
export function tensorMatrix(tensor: CheckedTensor, slice: number | null, values: WeightValues): DenseMatrix {
  const { derivation } = tensor;
  if (derivation !== undefined) return evaluateSource(derivation.formula, derivation.reads, values);
  const stored = valuesOf(tensor.name, values);
  const size = (expression: NumberExpression | undefined): number =>
    expression === undefined ? 1 : evaluateNumber(expression, values.numbers);
  if (tensor.dimensions.length === 1) {
    const column: DenseMatrix = { rows: stored.values.length, columns: 1, values: stored.values };
    return tensor.structure === "diag" ? asDiagonal(column) : column;
  }
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
    case "diag":
      return asDiagonal(evaluate(source.of));
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
    default:
      return evaluateFunction(source, evaluate, values.numbers);
  }
}

const elementFunctions: Readonly<Record<ElementFunction, (x: number) => number>> = {
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: (x) => Math.tanh(x),
  exp: (x) => Math.exp(x),
  log: (x) => Math.log(x),
  sqrt: (x) => Math.sqrt(x),
  abs: (x) => Math.abs(x),
  relu: (x) => Math.max(x, 0),
};

type FunctionSource = Exclude<
  MatrixSource,
  {
    kind:
      | "leaf"
      | "sum"
      | "product"
      | "scale"
      | "transpose"
      | "mask"
      | "pattern"
      | "hadamard"
      | "kron"
      | "blockdiag"
      | "diag"
      | "identity"
      | "window"
      | "stride-permutation";
  }
>;

function evaluateFunction(
  source: FunctionSource,
  evaluate: (part: MatrixSource) => DenseMatrix,
  numbers: SymbolValues,
): DenseMatrix {
  const size = (expression: NumberExpression): number => evaluateNumber(expression, numbers);
  switch (source.kind) {
    case "map": {
      const { rows, columns, values } = evaluate(source.of);
      return { rows, columns, values: values.map(elementFunctions[source.function]) };
    }
    case "quotient":
      return combineEntries(evaluate(source.left), evaluate(source.right), (a, b) => a / b);
    case "row-norm": {
      const of = evaluate(source.of);
      return denseMatrix(of.rows, 1, (row) => Math.sqrt(rowSum(of, row, (value) => value * value)));
    }
    case "row-softmax": {
      const of = evaluate(source.of);
      return denseMatrix(
        of.rows,
        of.columns,
        (row, column) => Math.exp(entryOf(of, row, column)) / rowSum(of, row, Math.exp),
      );
    }
    case "entry": {
      const of = evaluate(source.of);
      return denseMatrix(1, 1, () => entryOf(of, source.row, source.column));
    }
    case "fill": {
      const of = evaluate(source.of);
      return denseMatrix(size(source.rows), size(source.columns), () => entryOf(of, 0, 0));
    }
    case "ones":
      return denseMatrix(size(source.rows), size(source.columns), () => 1);
    case "inverse":
      return inverseMatrix(evaluate(source.of));
    case "face-splitting": {
      const [left, right] = [evaluate(source.left), evaluate(source.right)];
      return denseMatrix(
        left.rows,
        left.columns * right.columns,
        (row, column) =>
          entryOf(left, row, Math.floor(column / right.columns)) *
          entryOf(right, row, column % right.columns),
      );
    }
    case "skew":
      return skewMatrix(evaluate(source.of), size(source.size));
    case "strict-upper": {
      const of = evaluate(source.of);
      return denseMatrix(of.rows, of.columns, (row, column) => (column > row ? entryOf(of, row, column) : 0));
    }
    case "detach":
      return evaluate(source.of);
  }
}

function rowSum(matrix: DenseMatrix, row: number, f: (value: number) => number): number {
  let sum = 0;
  for (let column = 0; column < matrix.columns; column++) sum += f(entryOf(matrix, row, column));
  return sum;
}

/** Blocks with triangle[i (size) + j - …] above the diagonal and its negative below. */
function skewMatrix(triangles: DenseMatrix, size: number): DenseMatrix {
  const above = (block: number, row: number, column: number): number => {
    const before = row * size - (row * (row + 1)) / 2;
    return entryOf(triangles, block, before + column - row - 1);
  };
  const blocks = Array.from({ length: triangles.rows }, (_, block) =>
    denseMatrix(size, size, (row, column) =>
      row < column ? above(block, row, column) : row > column ? -above(block, column, row) : 0,
    ),
  );
  return blockDiagonal(blocks);
}

/** Gauss elimination on [X I]. */
function inverseMatrix({ rows: size, values }: DenseMatrix): DenseMatrix {
  const lines = Array.from({ length: size }, (_, row) => [
    ...values.slice(row * size, (row + 1) * size),
    ...Array.from({ length: size }, (_unused, column) => Number(row === column)),
  ]);
  for (let step = 0; step < size; step++) {
    const best = lines
      .slice(step)
      .reduce((most, line) => (Math.abs(line[step] ?? 0) > Math.abs(most[step] ?? 0) ? line : most));
    lines.splice(lines.indexOf(best), 1);
    const pivot = best.map((value) => value / (best[step] ?? 0));
    lines.forEach((line, index) => {
      const factor = line[step] ?? 0;
      lines[index] = line.map((value, at) => value - factor * (pivot[at] ?? 0));
    });
    lines.splice(step, 0, pivot);
  }
  return denseMatrix(size, size, (row, column) => lines[row]?.[size + column] ?? Number.NaN);
}
