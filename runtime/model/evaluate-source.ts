/**
 * The matrix that a packed operand holds, computed from the leaves of a layer.
 * Requires leaves of the shapes that the manifest states; ensures a value of the operand's shape, f32.
 */
import { type MatrixSource, type OperandSource, stackedParts } from "../contract/matrix-source.ts";
import { evaluateNumber, type SymbolValues } from "../contract/number-expression.ts";
import { columnsOf, type MatrixValue, rowsOf, type SparseMatrix } from "../formats/matrix-value.ts";
import { type Pattern, rowsOfPattern } from "../select/pattern.ts";
import { evaluateFunction } from "./evaluate-function.ts";
import { formProduct } from "./form-product.ts";
import { hadamardMatrices, maskMatrix, scaleMatrix, sumMatrices, transposeValue } from "./matrix-algebra.ts";
import { chainOf, settle } from "./matrix-chains.ts";
import { blockDiagonalOf, kronMatrices, multiplyChain } from "./matrix-product.ts";
import { each, type FormProduct, perform, type Work } from "./product-work.ts";
import { conforming, misfit, sameShape } from "./source-shapes.ts";

export interface SourceLeaves {
  readonly symbols: SymbolValues;
  /** An argument tensor, a parameter or a derived tensor as it is now; a vector as one column. */
  leaf(name: string, slice: number | null): MatrixValue;
  pattern(name: string): Pattern;
  /** Forms the products of dense factors; loops of this process where nothing else is given. */
  readonly form?: FormProduct;
}

/** @throws SpxError SPX8405 when shapes do not fit, which no compiled source does. */
export const evaluateSource = (source: MatrixSource, leaves: SourceLeaves): MatrixValue =>
  perform(sourceWork(source, leaves), leaves.form ?? formProduct);

function* sourceWork(source: MatrixSource, leaves: SourceLeaves): Work<MatrixValue> {
  const evaluate = (node: MatrixSource): Work<MatrixValue> => sourceWork(node, leaves);
  switch (source.kind) {
    case "leaf":
      return leaves.leaf(source.name, source.slice);
    case "sum":
      return sumMatrices(sameShape("sum", yield* each(source.terms, evaluate)));
    case "product":
      return yield* multiplyChain(conforming(yield* each(source.factors, evaluate)));
    case "scale":
      return scaleMatrix(yield* evaluate(source.of), evaluateNumber(source.factor, leaves.symbols));
    case "transpose":
      return transposeValue(yield* evaluate(source.of));
    case "mask":
      return yield* maskedValue(source, evaluate, leaves.pattern(source.pattern));
    case "pattern":
      return onesOf(leaves.pattern(source.name));
    case "hadamard":
      return sameShape("elementwise product", yield* each(source.factors, evaluate)).reduce(hadamardMatrices);
    case "kron":
      return (yield* each(source.factors, evaluate)).reduce(kronMatrices);
    case "blockdiag":
      return blockDiagonalOf(yield* each(source.blocks, evaluate));
    case "diag":
      return diagonalOf(yield* evaluate(source.of));
    case "identity": {
      const size = evaluateNumber(source.size, leaves.symbols);
      return { kind: "diag", values: new Float32Array(size).fill(1) };
    }
    case "window":
      return windowOf(
        evaluateNumber(source.size, leaves.symbols),
        evaluateNumber(source.width, leaves.symbols),
        evaluateNumber(source.offset, leaves.symbols),
      );
    case "stride-permutation":
      return stridePermutation(
        evaluateNumber(source.size, leaves.symbols),
        evaluateNumber(source.stride, leaves.symbols),
      );
    default:
      return yield* evaluateFunction(source, evaluate, leaves.symbols);
  }
}

/** The matrices of an operand, from the top. */
export const evaluateParts = (source: OperandSource, leaves: SourceLeaves): readonly MatrixValue[] =>
  stackedParts(source).map((part) => evaluateSource(part, leaves));

/** Of a masked product only the entries that stay are computed. */
function* maskedValue(
  { of }: Extract<MatrixSource, { kind: "mask" }>,
  evaluate: (node: MatrixSource) => Work<MatrixValue>,
  pattern: Pattern,
): Work<MatrixValue> {
  if (of.kind === "product") {
    const factors = conforming(yield* each(of.factors, evaluate));
    if (factors.every(({ kind }) => kind === "dense" || kind === "diag")) {
      const [first, last] = [factors[0] as MatrixValue, factors.at(-1) as MatrixValue];
      if (rowsOf(first) !== pattern.rows || columnsOf(last) !== pattern.columns)
        throw misfit("mask", [first, last]);
      return yield* settle([chainOf(...factors)], onesOf(pattern));
    }
  }
  const matrix = yield* evaluate(of);
  if (rowsOf(matrix) !== pattern.rows || columnsOf(matrix) !== pattern.columns)
    throw misfit("mask", [matrix]);
  return maskMatrix(matrix, pattern);
}

export function onesOf(pattern: Pattern): SparseMatrix {
  const { rows, columns } = pattern;
  const { rowStarts, columnIndices } = rowsOfPattern(pattern);
  const values = new Float32Array(columnIndices.length).fill(1);
  return { kind: "sparse", rows, columns, rowStarts, columnIndices, values };
}

function diagonalOf(vector: MatrixValue): MatrixValue {
  if (vector.kind === "diag") return vector;
  if (vector.kind === "dense" && (vector.columns === 1 || vector.rows === 1))
    return { kind: "diag", values: vector.values };
  throw misfit("diagonal", [vector]);
}

/** Row k * stride + j has its one at column j * (size / stride) + k. */
function stridePermutation(size: number, stride: number): SparseMatrix {
  const length = size / stride;
  const columnIndices = Uint32Array.from(
    { length: size },
    (_, row) => (row % stride) * length + Math.floor(row / stride),
  );
  const rowStarts = Uint32Array.from({ length: size + 1 }, (_, row) => row);
  return {
    kind: "sparse",
    rows: size,
    columns: size,
    rowStarts,
    columnIndices,
    values: new Float32Array(size).fill(1),
  };
}

/** Row i has its one at column offset + i. */
function windowOf(size: number, width: number, offset: number): SparseMatrix {
  return {
    kind: "sparse",
    rows: width,
    columns: size,
    rowStarts: Uint32Array.from({ length: width + 1 }, (_, row) => row),
    columnIndices: Uint32Array.from({ length: width }, (_, row) => offset + row),
    values: new Float32Array(width).fill(1),
  };
}
