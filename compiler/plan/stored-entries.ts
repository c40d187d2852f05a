/** Where the stored values of a tensor lie in its matrix: gradients of intermediates written out, and read off again. */
import { evaluateNumber, type NumberExpression } from "../../runtime/contract/number-expression.ts";
import { type DenseMatrix, entryOf } from "../algebra/dense-matrix.ts";
import { patternOf, type WeightValues } from "../algebra/evaluate-source.ts";
import type { CheckedTensor } from "../check/checked-module.ts";

interface StoredEntries {
  readonly rows: number;
  readonly columns: number;
  /** Index of the first stored value, for a slice. */
  readonly start: number;
  /** row * columns + column of each stored value. */
  readonly places: readonly number[];
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** @throws ReferenceError when the pattern of a sparse tensor has no positions. */
function storedEntries(tensor: CheckedTensor, slice: number | null, values: WeightValues): StoredEntries {
  const size = (expression: NumberExpression | null | undefined): number =>
    expression === null || expression === undefined ? 1 : evaluateNumber(expression, values.numbers);
  const { dimensions, structure, support } = tensor;
  const last = size(dimensions.at(-1));
  if (structure === "diag")
    return { rows: last, columns: last, start: 0, places: upTo(last).map((index) => index * (last + 1)) };
  if (dimensions.length === 1) return { rows: last, columns: 1, start: 0, places: upTo(last) };
  const [rows, columns] = [size(dimensions.at(-2)), last];
  const all = upTo(rows * columns);
  const whole = { rows, columns, start: (slice ?? 0) * rows * columns };
  if (support !== null) {
    const keeps = patternOf(support, values);
    return { ...whole, places: all.filter((at) => keeps(Math.floor(at / columns), at % columns)) };
  }
  if (structure !== "blockdiag") return { ...whole, places: all };
  const [height, width] = [rows / size(tensor.blocks), columns / size(tensor.blocks)];
  const places = all.filter(
    (at) => Math.floor(Math.floor(at / columns) / height) === Math.floor((at % columns) / width),
  );
  return { ...whole, places };
}

/** The matrix that stored values stand for. */
export function writeOut(tensor: CheckedTensor, stored: Float64Array, values: WeightValues): DenseMatrix {
  const { rows, columns, places } = storedEntries(tensor, null, values);
  const entries = new Float64Array(rows * columns);
  for (const [index, place] of places.entries()) entries[place] = stored[index] ?? Number.NaN;
  return { rows, columns, values: entries };
}

/** Adds the entries of `matrix` that the tensor stores to its stored values. */
export function addEntries(
  tensor: CheckedTensor,
  slice: number | null,
  matrix: DenseMatrix,
  stored: Float64Array,
  values: WeightValues,
): void {
  const { columns, start, places } = storedEntries(tensor, slice, values);
  for (const [index, place] of places.entries()) {
    const value = entryOf(matrix, Math.floor(place / columns), place % columns);
    stored[start + index] = (stored[start + index] ?? 0) + value;
  }
}
