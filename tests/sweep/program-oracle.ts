/**
 * What a generated program means, in float64, from its tree alone: nothing of the compiler is used, so that every
 * level has something to disagree with. Also how many bits its numbers may need, because float32 is exact to 24.
 */
import { evaluateNumber, type NumberExpression } from "../../runtime/contract/number-expression.ts";
import {
  childrenOf,
  type Expression,
  type Formula,
  type Grid,
  type MapName,
  type PatternDeclaration,
  type Sizes,
  type TensorDeclaration,
} from "./program.ts";

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
  /** Where the tensors are moved for a derivative: the values before, at which what passes no gradient stays. */
  readonly unmoved?: Values;
}

type Loops = ReadonlyMap<string, number>;

const withLoops = (sizes: Sizes, loops: Loops): Sizes =>
  loops.size === 0 ? sizes : new Map([...sizes, ...loops]);

const matrix = (rows: number, columns: number, entry: (row: number, column: number) => number): Matrix => ({
  rows,
  columns,
  values: Float64Array.from({ length: rows * columns }, (_, at) =>
    entry(Math.floor(at / columns), at % columns),
  ),
});
export const entryAt = ({ values, columns }: Matrix, row: number, column: number): number =>
  values[row * columns + column] ?? 0;

const join = (a: Matrix, b: Matrix, combine: (x: number, y: number) => number): Matrix => {
  if (a.rows !== b.rows || a.columns !== b.columns)
    throw new RangeError("the generator joined unequal shapes");
  return { ...a, values: a.values.map((value, at) => combine(value, b.values[at] ?? Number.NaN)) };
};

function multiply(a: Matrix, b: Matrix): Matrix {
  if (a.columns !== b.rows) throw new RangeError("the generator multiplied what does not fit");
  const values = new Float64Array(a.rows * b.columns);
  for (let row = 0; row < a.rows; row++)
    for (let inner = 0; inner < a.columns; inner++) {
      const left = entryAt(a, row, inner);
      if (left === 0) continue;
      for (let column = 0; column < b.columns; column++)
        values[row * b.columns + column] =
          (values[row * b.columns + column] ?? 0) + left * entryAt(b, inner, column);
    }
  return { rows: a.rows, columns: b.columns, values };
}

function stored(tensor: TensorDeclaration, slice: number, values: Values): Matrix {
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

/**
 * What a `frozen` statement computes from given tensors; exact, because these are small integers, unless it rounds to
 * a grid. `width`: entries of a row.
 */
export function computedValues(
  { left, right, factor }: Formula,
  grid: Grid | undefined,
  tensors: Values["tensors"],
  width: number,
): Float32Array {
  const [first, second] = [tensors.get(left.name) ?? [], right === null ? null : tensors.get(right.name)];
  if (grid !== undefined) return onGrid(grid, first, width);
  return Float32Array.from(first, (value, at) =>
    second === null || second === undefined ? Math.abs(value) : value - factor * (second[at] ?? 0),
  );
}

/** The entry of largest magnitude of each run becomes the last level, the others the level next to them. */
function onGrid({ kind, block }: Grid, values: ArrayLike<number>, width: number): Float32Array {
  const [run, last] = [block ?? width, kind === "int8" ? 127 : 7];
  const rounded = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += run) {
    let largest = 0;
    for (let at = start; at < start + run; at++) largest = Math.max(largest, Math.abs(values[at] ?? 0));
    for (let at = start; at < start + run; at++)
      rounded[at] = largest === 0 ? 0 : (Math.round(((values[at] ?? 0) * last) / largest) * largest) / last;
  }
  return rounded;
}

const entryFunctions: Readonly<Record<Exclude<MapName, "softmax">, (value: number) => number>> = {
  sigmoid: (value) => 1 / (1 + Math.exp(-value)),
  tanh: (value) => 1 - 2 / (1 + Math.exp(2 * value)),
  exp: Math.exp,
  abs: Math.abs,
  relu: (value) => Math.max(value, 0),
};

function mapped(name: MapName, of: Matrix): Matrix {
  if (name !== "softmax") return { ...of, values: of.values.map(entryFunctions[name]) };
  const largest = of.values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const totals = new Float64Array(of.rows);
  of.values.forEach((value, at) => {
    const row = Math.floor(at / of.columns);
    totals[row] = (totals[row] ?? 0) + Math.exp(value - largest);
  });
  return matrix(
    of.rows,
    of.columns,
    (row, column) => Math.exp(entryAt(of, row, column) - largest) / (totals[row] ?? 1),
  );
}

/** Euclidean norms of rows or columns. */
function normsOf(of: Matrix, axis: "row" | "column"): Float64Array {
  const squares = new Float64Array(axis === "row" ? of.rows : of.columns);
  of.values.forEach((value, at) => {
    const line = axis === "row" ? Math.floor(at / of.columns) : at % of.columns;
    squares[line] = (squares[line] ?? 0) + value * value;
  });
  return squares.map(Math.sqrt);
}

/** The dense matrix that `expression` stands for. */
export function meaningOf(expression: Expression, values: Values, loops: Loops = new Map()): Matrix {
  const meaning = (part: Expression): Matrix => meaningOf(part, values, loops);
  const size = (side: NumberExpression): number => evaluateNumber(side, values.sizes);
  switch (expression.kind) {
    case "tensor": {
      const { slice } = expression;
      return stored(
        expression.tensor,
        typeof slice === "string" ? (loops.get(slice) ?? 0) : (slice ?? 0),
        values,
      );
    }
    case "diag":
      return stored(expression.tensor, 0, values);
    case "formal":
      throw new TypeError("a function's body is evaluated through its calls");
    case "sum":
      return expression.terms
        .map((term, index) => {
          const found = meaning(term);
          return expression.minus[index] === true
            ? { ...found, values: found.values.map((value) => -value) }
            : found;
        })
        .reduce((a, b) => join(a, b, (x, y) => x + y));
    case "product":
      return expression.factors.map(meaning).reduce(multiply);
    case "scale": {
      const factor = evaluateNumber(expression.factor, withLoops(values.sizes, loops));
      const found = meaning(expression.operand);
      const scale = (value: number): number =>
        expression.side === "divide" ? value / factor : value * factor;
      return { ...found, values: found.values.map(scale) };
    }
    case "negative": {
      const found = meaning(expression.operand);
      return { ...found, values: found.values.map((value) => -value) };
    }
    case "transpose": {
      const found = meaning(expression.operand);
      return matrix(found.columns, found.rows, (row, column) => entryAt(found, column, row));
    }
    case "mask": {
      const kept = new Set(values.positions.get(expression.pattern));
      const found = meaning(expression.operand);
      if (expression.pattern.mode === "straight_through" && values.unmoved !== undefined) {
        // The gradient passes as if there were no mask.
        const before = meaningOf(expression.operand, values.unmoved, loops).values;
        const passed = (value: number, at: number): number =>
          value - (before[at] ?? 0) + (kept.has(at) ? (before[at] ?? 0) : 0);
        return { ...found, values: found.values.map(passed) };
      }
      return { ...found, values: found.values.map((value, at) => (kept.has(at) ? value : 0)) };
    }
    case "hadamard":
      return expression.factors.map(meaning).reduce((a, b) => join(a, b, (x, y) => x * y));
    case "quotient":
      return expression.factors.map(meaning).reduce((a, b) => join(a, b, (x, y) => x / y));
    case "map":
      return mapped(expression.function, meaning(expression.operand));
    case "detach":
      return meaningOf(expression.operand, values.unmoved ?? values, loops);
    case "normed": {
      const { axis, vector, isDetached, operand } = expression;
      const found = meaning(operand);
      const normed = isDetached ? meaningOf(operand, values.unmoved ?? values, loops) : found;
      const norms = normsOf(normed, axis);
      const scales = values.tensors.get(vector.name) ?? [];
      return matrix(found.rows, found.columns, (row, column) => {
        const line = axis === "row" ? row : column;
        return ((scales[line] ?? 0) / (norms[line] ?? 0)) * entryAt(found, row, column);
      });
    }
    case "entry": {
      const { vector, index, isShare, operand } = expression;
      const all = Array.from(values.tensors.get(vector.name) ?? []);
      const at = typeof index === "string" ? (loops.get(index) ?? 0) : index;
      const total = all.reduce((sum, value) => sum + Math.exp(value), 0);
      const factor = isShare ? Math.exp(all[at] ?? 0) / total : (all[at] ?? 0);
      const found = meaning(operand);
      return { ...found, values: found.values.map((value) => factor * value) };
    }
    case "kron":
      return expression.factors.map(meaning).reduce((a, b) =>
        matrix(a.rows * b.rows, a.columns * b.columns, (row, column) => {
          const left = entryAt(a, Math.floor(row / b.rows), Math.floor(column / b.columns));
          return left * entryAt(b, row % b.rows, column % b.columns);
        }),
      );
    case "blockdiag":
      return expression.blocks.map(meaning).reduce((a, b) =>
        matrix(a.rows + b.rows, a.columns + b.columns, (row, column) => {
          if (row < a.rows) return column < a.columns ? entryAt(a, row, column) : 0;
          return column < a.columns ? 0 : entryAt(b, row - a.rows, column - a.columns);
        }),
      );
    case "rows":
      return expression.parts
        .map(meaning)
        .reduce((a, b) =>
          matrix(a.rows + b.rows, a.columns, (row, column) =>
            row < a.rows ? entryAt(a, row, column) : entryAt(b, row - a.rows, column),
          ),
        );
    case "columns":
      return expression.parts
        .map(meaning)
        .reduce((a, b) =>
          matrix(a.rows, a.columns + b.columns, (row, column) =>
            column < a.columns ? entryAt(a, row, column) : entryAt(b, row, column - a.columns),
          ),
        );
    case "indicator": {
      const kept = new Set(values.positions.get(expression.pattern));
      const [rows, columns] = [size(expression.rows), size(expression.columns)];
      return matrix(rows, columns, (row, column) => Number(kept.has(row * columns + column)));
    }
    case "sorted": {
      const order = linesBySize(stored(expression.by, 0, values), true);
      return matrix(order.length, order.length, (row, column) => Number(order[row] === column));
    }
    case "zeros":
      return matrix(size(expression.rows), size(expression.columns), () => 0);
    case "identity":
      return matrix(size(expression.rows), size(expression.rows), (row, column) => Number(row === column));
    case "permutation": {
      // (P v)[k b + j] = v[j n/b + k]
      const [count, stride] = [size(expression.rows), size(expression.stride)];
      const values = new Float64Array(count * count);
      for (let j = 0; j < stride; j++)
        for (let k = 0; k < count / stride; k++)
          values[(k * stride + j) * count + (j * count) / stride + k] = 1;
      return { rows: count, columns: count, values };
    }
    case "loop":
      return Array.from({ length: size(expression.count) }, (_, index) =>
        meaningOf(expression.body, values, new Map([...loops, [expression.variable, index]])),
      ).reduce((a, b) => join(a, b, (x, y) => x + y));
    case "let":
      return meaning(expression.value);
    case "call":
      return meaning(expression.function.body(expression.operands, expression.numbers));
  }
}

/** Bits behind the point that a factor brings. */
function fractionBits(value: number): number {
  let bits = 0;
  while (!Number.isInteger(value * 2 ** bits) && bits < 60) bits++;
  return bits;
}

const largestSum = ({ rows, columns, values }: Matrix): number => {
  const sums = new Float64Array(rows + columns);
  values.forEach((value, at) => {
    const [row, column] = [Math.floor(at / columns), rows + (at % columns)];
    sums[row] = (sums[row] ?? 0) + Math.abs(value);
    sums[column] = (sums[column] ?? 0) + Math.abs(value);
  });
  return Math.max(1, ...sums);
};

interface Extent {
  /** At least 1, and at least every row and column sum of absolute values, however the expression is regrouped. */
  readonly sum: number;
  readonly fraction: number;
}

function extentOf(expression: Expression, values: Values, loops: Loops): Extent {
  if (expression.kind === "call")
    return extentOf(expression.function.body(expression.operands, expression.numbers), values, loops);
  if (expression.kind === "loop") {
    const count = evaluateNumber(expression.count, values.sizes);
    const all = Array.from({ length: count }, (_, index) =>
      extentOf(expression.body, values, new Map([...loops, [expression.variable, index]])),
    );
    return combine(all, (a, b) => a + b);
  }
  const inner = childrenOf(expression).map((child) => extentOf(child, values, loops));
  if (inner.length === 0) return { sum: largestSum(meaningOf(expression, values, loops)), fraction: 0 };
  if (["sum", "blockdiag", "rows", "columns"].includes(expression.kind))
    return combine(inner, (a, b) => a + b);
  // Functions are Lipschitz with a constant of at most this on the operands that the generator gives them.
  const steepest = { map: 4, quotient: 40, normed: 8, entry: 2 } as const;
  if (expression.kind in steepest) {
    const own = largestSum(meaningOf(expression, values, loops));
    const { sum, fraction } = combine(inner, (a, b) => a * b);
    return { sum: sum * steepest[expression.kind as keyof typeof steepest] + own, fraction };
  }
  const extent = combine(inner, (a, b) => a * b);
  if (expression.kind !== "scale") return extent;
  const sizes = withLoops(values.sizes, loops);
  const factor = evaluateNumber(expression.factor, sizes);
  const used = expression.side === "divide" ? 1 / factor : factor;
  // A quotient of arguments may be taken apart by the compiler, so both parts count.
  const parts = expression.factor.kind === "apply" ? expression.factor.operands : [];
  const largest = Math.max(1, Math.abs(used), ...parts.map((part) => Math.abs(evaluateNumber(part, sizes))));
  return { sum: extent.sum * largest, fraction: extent.fraction + fractionBits(used) };
}

const combine = (parts: readonly Extent[], join: (a: number, b: number) => number): Extent =>
  parts.reduce((a, b) => ({ sum: join(a.sum, b.sum), fraction: a.fraction + b.fraction }));

/** Bits that the weight times entries up to `largest` may need in any order of calculation. */
export function bitsNeeded(weight: Expression, values: Values, largest: number): number {
  const { sum, fraction } = extentOf(weight, values, new Map());
  return Math.log2(sum * largest) + fraction;
}

/** How large the parts may be that the entries of the weight are rounded from. */
export const magnitudeOf = (weight: Expression, values: Values): number =>
  extentOf(weight, values, new Map()).sum;

/** y [batch, rows] = x [batch, columns] times the transposed weight. */
export function applyMatrix(weight: Matrix, x: ArrayLike<number>, batch: number): Float64Array {
  const y = new Float64Array(batch * weight.rows);
  for (let token = 0; token < batch; token++)
    for (let row = 0; row < weight.rows; row++) {
      let sum = 0;
      for (let column = 0; column < weight.columns; column++)
        sum += entryAt(weight, row, column) * (x[token * weight.columns + column] ?? 0);
      y[token * weight.rows + row] = sum;
    }
  return y;
}

/** Positions of a matrix for which `keeps` holds, ascending. */
const positionsWhere = (
  { rows, columns }: PatternDeclaration,
  { sizes }: Values,
  keeps: (row: number, column: number, at: number) => boolean,
): number[] => {
  const [height, width] = [evaluateNumber(rows, sizes), evaluateNumber(columns, sizes)];
  return Array.from({ length: height * width }, (_, at) => at).filter((at) =>
    keeps(Math.floor(at / width), at % width, at),
  );
};

/** The indices of whole rows or columns by their sums of squares, the largest first. Ties go to the lowest. */
function linesBySize(of: Matrix, isRow: boolean): number[] {
  const lengths = new Float64Array(isRow ? of.rows : of.columns);
  of.values.forEach((value, at) => {
    const line = isRow ? Math.floor(at / of.columns) : at % of.columns;
    lengths[line] = (lengths[line] ?? 0) + value * value;
  });
  return [...lengths.keys()].sort((a, b) => (lengths[b] ?? 0) - (lengths[a] ?? 0) || a - b);
}

/**
 * The positions that a pattern keeps, ascending; null where chance decides. Ties go to the lowest index. Requires the
 * positions of the patterns that it is combined from.
 */
export function positionsKept(pattern: PatternDeclaration, values: Values): number[] | null {
  const { selection } = pattern;
  const number = (value: NumberExpression): number => evaluateNumber(value, values.sizes);
  const partAt = (index: number): Set<number> =>
    new Set("parts" in selection ? values.positions.get(selection.parts[index] ?? pattern) : []);
  switch (selection.kind) {
    case "random":
    case "random_rows":
    case "random_columns":
      return null;
    case "all":
      return positionsWhere(pattern, values, () => true);
    case "diagonal":
      return positionsWhere(pattern, values, (row, column) => row === column);
    case "not": {
      const part = partAt(0);
      return positionsWhere(pattern, values, (_row, _column, at) => !part.has(at));
    }
    case "and":
    case "or": {
      const [left, right] = [partAt(0), partAt(1)];
      const isAnd = selection.kind === "and";
      return positionsWhere(pattern, values, (_row, _column, at) =>
        isAnd ? left.has(at) && right.has(at) : left.has(at) || right.has(at),
      );
    }
    case "above":
    case "below": {
      const { values: scores } = stored(selection.of, 0, values);
      const threshold = number(selection.threshold);
      const isAbove = selection.kind === "above";
      return positionsWhere(pattern, values, (_row, _column, at) =>
        isAbove ? (scores[at] ?? 0) > threshold : (scores[at] ?? 0) < threshold,
      );
    }
    case "nonzero": {
      const { values: entries } = stored(selection.of, 0, values);
      return positionsWhere(pattern, values, (_row, _column, at) => entries[at] !== 0);
    }
    case "top_rows":
    case "top_columns": {
      const isRow = selection.kind === "top_rows";
      const order = linesBySize(stored(selection.of, 0, values), isRow);
      const lines = new Set(order.slice(0, number(selection.count)));
      return positionsWhere(pattern, values, (row, column) => lines.has(isRow ? row : column));
    }
    case "magnitude":
    case "topk":
      return largestKept(pattern, selection, values);
  }
}

type BySize = PatternDeclaration["selection"] & { readonly kind: "magnitude" | "topk" };

function largestKept({ shape }: PatternDeclaration, selection: BySize, values: Values): number[] {
  const of = stored(selection.of, 0, values);
  const { rows, columns } = of;
  const best = (
    scores: readonly { readonly at: readonly number[]; readonly score: number }[],
    count: number,
  ) =>
    [...scores]
      .sort((a, b) => b.score - a.score || (a.at[0] ?? 0) - (b.at[0] ?? 0))
      .slice(0, count)
      .flatMap(({ at }) => at);
  const single = (at: number) => ({ at: [at], score: Math.abs(of.values[at] ?? 0) });
  const all = Array.from({ length: rows * columns }, (_, at) => at);
  const ascending = (kept: readonly number[]): number[] => [...kept].sort((a, b) => a - b);
  const number = (value: NumberExpression | null): number =>
    value === null ? 1 : evaluateNumber(value, values.sizes);
  const inPool = (share: (entries: number) => number): number[] => {
    if (selection.pool === null) return ascending(best(all.map(single), share(rows * columns)));
    const byRow = Array.from({ length: rows }, (_, row) => all.slice(row * columns, (row + 1) * columns));
    return ascending(byRow.flatMap((row) => best(row.map(single), share(columns))));
  };
  if (selection.kind === "topk") return inPool(() => number(selection.count));
  switch (shape.kind) {
    case "unstructured":
      return inPool((entries) => Math.round(number(selection.keep) * entries));
    case "nm": {
      const groups = new Map<string, number[]>();
      for (const at of all) {
        const [row, column] = [Math.floor(at / columns), at % columns];
        const group =
          shape.axis === "input"
            ? `${row}:${Math.floor(column / shape.m)}`
            : `${Math.floor(row / shape.m)}:${column}`;
        groups.set(group, [...(groups.get(group) ?? []), at]);
      }
      return ascending([...groups.values()].flatMap((group) => best(group.map(single), shape.n)));
    }
    case "block": {
      const blocks = new Map<number, { at: number[]; score: number }>();
      const across = columns / shape.width;
      for (const at of all) {
        const block =
          Math.floor(Math.floor(at / columns) / shape.height) * across +
          Math.floor((at % columns) / shape.width);
        const held = blocks.get(block) ?? { at: [], score: 0 };
        blocks.set(block, { at: [...held.at, at], score: held.score + (of.values[at] ?? 0) ** 2 });
      }
      const count = Math.round(number(selection.keep) * blocks.size);
      return ascending(best([...blocks.values()], count));
    }
  }
}
