/** Which positions a selection keeps, from its definition: sorted lists and plain loops over every entry. */
import { evaluateNumber, type NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { PatternDeclaration, Pool, Selection, TensorDeclaration } from "./program.ts";
import { linesBySize, type Matrix, stored, type Values } from "./stored-values.ts";

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

/**
 * The positions that a pattern keeps by `selection`, its own unless another is given, ascending; null where chance
 * decides. Ties go to the lowest index. Requires the positions of the patterns that it is combined from; `gradient` is
 * what a refresh may read.
 */
export function positionsKept(
  pattern: PatternDeclaration,
  values: Values,
  selection: Selection = pattern.selection,
  gradient: ArrayLike<number> = [],
): number[] | null {
  const number = (value: NumberExpression): number => evaluateNumber(value, values.sizes);
  const read = (tensor: TensorDeclaration): Matrix => readBy(pattern, tensor, values);
  const partAt = (index: number): Set<number> => {
    const part = "parts" in selection ? selection.parts[index] : undefined;
    if (part === undefined) return new Set();
    const sized = { ...part, rows: pattern.rows, columns: pattern.columns };
    return new Set(part.name === "" ? positionsKept(sized, values) : values.positions.get(part));
  };
  switch (selection.kind) {
    case "random":
    case "random_share":
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
      const { values: scores } = read(selection.of);
      const threshold = number(selection.threshold);
      const isAbove = selection.kind === "above";
      return positionsWhere(pattern, values, (_row, _column, at) =>
        isAbove ? (scores[at] ?? 0) > threshold : (scores[at] ?? 0) < threshold,
      );
    }
    case "nonzero": {
      const { values: entries } = read(selection.of);
      return positionsWhere(pattern, values, (_row, _column, at) => entries[at] !== 0);
    }
    case "top_rows":
    case "top_columns": {
      const isRow = selection.kind === "top_rows";
      const order = linesBySize(stored(selection.of, 0, values), isRow);
      const lines = new Set(order.slice(0, number(selection.count)));
      return positionsWhere(pattern, values, (row, column) => lines.has(isRow ? row : column));
    }
    case "within": {
      const part = partAt(0);
      return (values.positions.get(pattern) ?? []).filter((at) => part.has(at));
    }
    case "regrow": {
      const held = values.positions.get(pattern) ?? [];
      const { values: scores } = stored(selection.of, 0, values);
      const growing = selection.by === null ? gradient : stored(selection.by, 0, values).values;
      const change = Math.round(number(selection.fraction) * held.length);
      const by = (score: (at: number) => number) => (a: number, b: number) => score(b) - score(a) || a - b;
      const stay = [...held].sort(by((at) => Math.abs(scores[at] ?? 0))).slice(0, held.length - change);
      const left = new Set(stay);
      const free = positionsWhere(pattern, values, (_row, _column, at) => !left.has(at));
      const come = free.sort(by((at) => Math.abs(growing[at] ?? 0))).slice(0, change);
      return [...stay, ...come].sort((a, b) => a - b);
    }
    case "magnitude":
    case "topk":
      return largestKept(pattern, selection, values);
  }
}

type BySize = PatternDeclaration["selection"] & { readonly kind: "magnitude" | "topk" };

/** What a selection reads: of a stack the one with the index of the pattern in its family. */
const readBy = ({ index }: PatternDeclaration, tensor: TensorDeclaration, values: Values): Matrix =>
  stored(tensor, tensor.stack === null || index === undefined ? 0 : (values.sizes.get(index) ?? 0), values);

/** Which entries compete: those with equal names. */
export function poolNames(pool: Pool): (row: number, column: number) => string {
  if (pool === "row") return (row) => `${row}`;
  if (pool === "column") return (_, column) => `${column}`;
  if (pool === null || typeof pool === "string") return () => "";
  const { height, width } = pool;
  return (row, column) => `${Math.floor(row / height)}:${Math.floor(column / width)}`;
}

/** Entries of each pool of a matrix. */
export function poolSize(pool: Pool, rows: number, columns: number): number {
  if (pool === "row") return columns;
  if (pool === "column") return rows;
  return pool === null || typeof pool === "string" ? rows * columns : pool.height * pool.width;
}

function largestKept(pattern: PatternDeclaration, selection: BySize, values: Values): number[] {
  const { shape } = pattern;
  const of = readBy(pattern, selection.of, values);
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
    const nameOf = poolNames(selection.pool);
    const pools = new Map<string, number[]>();
    for (const at of all) {
      const name = nameOf(Math.floor(at / columns), at % columns);
      const held = pools.get(name);
      if (held === undefined) pools.set(name, [at]);
      else held.push(at);
    }
    return ascending([...pools.values()].flatMap((pool) => best(pool.map(single), share(pool.length))));
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
