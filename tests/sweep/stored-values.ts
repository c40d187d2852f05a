/** What the tensors of a generated program hold, as dense float64 matrices: the leaves of the oracle. */
import { evaluateNumber, type NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { PatternDeclaration, Sizes, TensorDeclaration } from "./program.ts";

export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

export interface Values {
  readonly sizes: Sizes;
  /** Stored values, in the order in which the language says they are stored. */
  readonly tensors: ReadonlyMap<string, ArrayLike<number>>;
  /** Ascending row * columns + column of each pattern. */
  readonly positions: ReadonlyMap<PatternDeclaration, readonly number[]>;
  /** The same of each pattern of a family. */
  readonly members: ReadonlyMap<PatternDeclaration, readonly (readonly number[])[]>;
  /** Where the tensors are moved for a derivative: the values before, at which what passes no gradient stays. */
  readonly unmoved?: Values;
}

export const matrix = (
  rows: number,
  columns: number,
  entry: (row: number, column: number) => number,
): Matrix => ({
  rows,
  columns,
  values: Float64Array.from({ length: rows * columns }, (_, at) =>
    entry(Math.floor(at / columns), at % columns),
  ),
});
export const entryAt = ({ values, columns }: Matrix, row: number, column: number): number =>
  values[row * columns + column] ?? 0;

export function stored(tensor: TensorDeclaration, slice: number, values: Values): Matrix {
  const data = values.tensors.get(tensor.name);
  if (data === undefined) throw new ReferenceError(`no values of ${tensor.name}`);
  const size = (side: NumberExpression): number => evaluateNumber(side, values.sizes);
  const [rows, columns] = [size(tensor.rows), size(tensor.columns)];
  switch (tensor.structure) {
    case "vector":
    case "diag":
      return matrix(rows, rows, (row, column) => (row === column ? (data[row] ?? 0) : 0));
    case "sparse": {
      const filled = new Float64Array(rows * columns);
      const positions = tensor.support === null ? [] : (values.positions.get(tensor.support) ?? []);
      positions.forEach((position, index) => {
        filled[position] = data[index] ?? 0;
      });
      return { rows, columns, values: filled };
    }
    case "blockdiag": {
      const blocks = tensor.blocks === null ? 1 : size(tensor.blocks);
      const [height, width] = [rows / blocks, columns / blocks];
      return matrix(rows, columns, (row, column) => {
        const block = Math.floor(row / height);
        if (block !== Math.floor(column / width)) return 0;
        return data[(block * height + (row % height)) * width + (column % width)] ?? 0;
      });
    }
    case "dense":
      return matrix(
        rows,
        columns,
        (row, column) => data[slice * rows * columns + row * columns + column] ?? 0,
      );
  }
}

/** What a parameter holds before anything is trained, as it is stored; `positions` of one that has some. */
export function startValues(
  { start, structure }: TensorDeclaration,
  stored: readonly number[],
  positions: readonly number[] | null,
  tensors: Values["tensors"],
): Float32Array {
  const count = stored.reduce((a, b) => a * b, 1);
  if (typeof start !== "object") return new Float32Array(count).fill(start ?? (structure === "diag" ? 1 : 0));
  const from = tensors.get(start.name) ?? [];
  return Float32Array.from(positions === null ? from : positions.map((at) => from[at] ?? Number.NaN));
}

/** The indices of whole rows or columns by their sums of squares, the largest first. Ties go to the lowest. */
export function linesBySize(of: Matrix, isRow: boolean): number[] {
  const lengths = new Float64Array(isRow ? of.rows : of.columns);
  of.values.forEach((value, at) => {
    const line = isRow ? Math.floor(at / of.columns) : at % of.columns;
    lengths[line] = (lengths[line] ?? 0) + value * value;
  });
  return [...lengths.keys()].sort((a, b) => (lengths[b] ?? 0) - (lengths[a] ?? 0) || a - b);
}
