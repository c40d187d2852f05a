/**
 * What a generated program means, in float64, from its tree alone: nothing of the compiler is used, so that every
 * level has something to disagree with.
 */
import { evaluateNumber, type NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { Expression, MapName, Sizes } from "./program.ts";
import { entryAt, linesBySize, type Matrix, matrix, stored, type Values } from "./stored-values.ts";

export type Loops = ReadonlyMap<string, number>;

export const withLoops = (sizes: Sizes, loops: Loops): Sizes =>
  loops.size === 0 ? sizes : new Map([...sizes, ...loops]);

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

const entryFunctions: Readonly<Record<Exclude<MapName, "softmax">, (value: number) => number>> = {
  sigmoid: (value) => 1 / (1 + Math.exp(-value)),
  tanh: (value) => 1 - 2 / (1 + Math.exp(2 * value)),
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
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

/** By elimination with row exchanges. */
function inverseOf({ rows, values }: Matrix): Matrix {
  const left = Array.from({ length: rows }, (_, row) => [
    ...values.slice(row * rows, (row + 1) * rows),
    ...Array.from({ length: rows }, (_, column) => Number(row === column)),
  ]);
  for (let pivot = 0; pivot < rows; pivot++) {
    const rest = left.slice(pivot);
    const best = rest.reduce((a, b) => (Math.abs(b[pivot] ?? 0) > Math.abs(a[pivot] ?? 0) ? b : a));
    left.splice(left.indexOf(best), 1);
    left.splice(
      pivot,
      0,
      best.map((value) => value / (best[pivot] ?? 0)),
    );
    const own = left[pivot] ?? [];
    left.forEach((line, row) => {
      const factor = line[pivot] ?? 0;
      if (row !== pivot) left[row] = line.map((value, column) => value - factor * (own[column] ?? 0));
    });
  }
  return matrix(rows, rows, (row, column) => left[row]?.[rows + column] ?? Number.NaN);
}

function positionsAt(
  { pattern, member }: Extract<Expression, { kind: "mask" }>,
  { positions, members }: Values,
  loops: Loops,
): readonly number[] {
  if (member === null) return positions.get(pattern) ?? [];
  return members.get(pattern)?.[typeof member === "string" ? (loops.get(member) ?? 0) : member] ?? [];
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
      const kept = new Set(positionsAt(expression, values, loops));
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
    case "selector": {
      const isRow = expression.axis === "row";
      const across = size(expression.pattern.columns);
      const positions = values.positions.get(expression.pattern) ?? [];
      const lines = [...new Set(positions.map((at) => (isRow ? Math.floor(at / across) : at % across)))].sort(
        (a, b) => a - b,
      );
      return matrix(lines.length, size(expression.columns), (row, column) => Number(lines[row] === column));
    }
    case "indicator": {
      const kept = new Set(values.positions.get(expression.pattern));
      const [rows, columns] = [size(expression.rows), size(expression.columns)];
      return matrix(rows, columns, (row, column) => Number(kept.has(row * columns + column)));
    }
    case "square": {
      const half = stored(expression.tensor, 0, values);
      const upper = (row: number, column: number): number =>
        expression.isUpper && column <= row ? 0 : entryAt(half, row, column);
      const one = matrix(half.rows, half.rows, (row, column) => Number(row === column));
      const skew = matrix(half.rows, half.rows, (row, column) => upper(row, column) - upper(column, row));
      if (expression.function === "inverse") return inverseOf(join(skew, one, (k, i) => k + 2 * i));
      return multiply(
        join(one, skew, (i, k) => i - k),
        inverseOf(join(one, skew, (i, k) => i + k)),
      );
    }
    case "skew": {
      const triangles = stored(expression.tensor, 0, values);
      const side = expression.size;
      const above = (block: number, row: number, column: number): number =>
        entryAt(triangles, block, row * side - (row * (row + 1)) / 2 + column - row - 1);
      return matrix(triangles.rows * side, triangles.rows * side, (i, j) => {
        const [block, row, column] = [Math.floor(i / side), i % side, j % side];
        if (block !== Math.floor(j / side) || row === column) return 0;
        return row < column ? above(block, row, column) : -above(block, column, row);
      });
    }
    case "ones":
      return matrix(size(expression.rows), size(expression.columns), () => 1);
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
      ).reduce((a, b) => (expression.operator === "product" ? multiply(a, b) : join(a, b, (x, y) => x + y)));
    case "let":
      return meaning(expression.value);
    case "call":
      return meaning(expression.function.body(expression.operands, expression.numbers));
  }
}

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
