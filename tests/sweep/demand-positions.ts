/** Positions that the runtime chose: those of the definition, or as many as chance may choose, where it may. */
import { evaluateNumber, type NumberExpression } from "../../runtime/contract/number-expression.ts";
import { type Pattern, positionsOf } from "../../runtime/select/pattern.ts";
import { poolNames, poolSize, positionsKept } from "./positions-oracle.ts";
import type { PatternDeclaration, Selection } from "./program.ts";
import { type Level, LevelFault } from "./road.ts";
import type { Values } from "./stored-values.ts";

/** The positions that were chosen, if they are those of the selection. */
export function demandKept(
  level: Level,
  pattern: PatternDeclaration,
  selection: Selection,
  chosen: Pattern | null | undefined,
  values: Values,
  gradient: ArrayLike<number> = [],
): number[] {
  if (chosen === undefined || chosen === null) throw new LevelFault(level, `no pattern ${pattern.name}`);
  const found = [...positionsOf(chosen)];
  const expected = positionsKept(pattern, values, selection, gradient);
  const wrong =
    expected === null ? randomProblem(pattern, selection, found, values) : expected.join() !== found.join();
  if (wrong)
    throw new LevelFault(
      level,
      `pattern ${pattern.name} keeps ${found.join()}, expected ${expected?.join() ?? "others at random"}`,
    );
  return found;
}

/** What is wrong with positions that chance chose: their number, their order, or where they may lie; null for nothing. */
function randomProblem(
  pattern: PatternDeclaration,
  selection: Selection,
  positions: readonly number[],
  values: Values,
): string | null {
  const number = (value: NumberExpression): number => evaluateNumber(value, values.sizes);
  const [rows, columns] = [number(pattern.rows), number(pattern.columns)];
  if (positions.some((at, index) => index > 0 && at <= (positions[index - 1] ?? 0))) return "not ascending";
  const of = (group: (row: number, column: number) => string): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const at of positions) {
      const key = group(Math.floor(at / columns), at % columns);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts;
  };
  const demand = (groups: Map<string, number>, count: number, each: number): string | null =>
    groups.size === count && [...groups.values()].every((size) => size === each)
      ? null
      : `${groups.size} groups, expected ${count} of ${each}`;
  const single = (count: number): string | null =>
    positions.length === count ? null : `${positions.length} positions, expected ${count}`;
  switch (selection.kind) {
    case "random":
      return single(number(selection.count));
    case "random_rows":
      return demand(
        of((row) => `${row}`),
        number(selection.count),
        columns,
      );
    case "random_columns":
      return demand(
        of((_, column) => `${column}`),
        number(selection.count),
        rows,
      );
    case "random_share": {
      const { shape } = pattern;
      const share = (entries: number): number =>
        Math.round((selection.keep === null ? 1 : number(selection.keep)) * entries);
      if (shape.kind === "unstructured") {
        const each = poolSize(selection.pool, rows, columns);
        return demand(
          of(poolNames(selection.pool)),
          share(each) === 0 ? 0 : (rows * columns) / each,
          share(each),
        );
      }
      if (shape.kind === "block") {
        const { height, width } = shape;
        const groups = of((row, column) => `${Math.floor(row / height)}:${Math.floor(column / width)}`);
        return demand(groups, share((rows / height) * (columns / width)), height * width);
      }
      const { n, m, axis } = shape;
      const groups = of((row, column) =>
        axis === "input" ? `${row}:${Math.floor(column / m)}` : `${Math.floor(row / m)}:${column}`,
      );
      return demand(groups, (rows * columns) / m, n);
    }
    default:
      return `${selection.kind} is not chance`;
  }
}
