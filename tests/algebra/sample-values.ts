/** Seeded integer values for the tensors of a transform, and positions for its patterns. */
import type { TensorValues, WeightValues } from "../../compiler/algebra/evaluate-source.ts";
import type { CheckedPattern, CheckedTransform } from "../../compiler/check/checked-module.ts";
import { evaluateNumber, type NumberExpression } from "../../runtime/contract/number-expression.ts";

/** A generator of small integers, -3 to 3, the same for the same seed. */
export function smallIntegers(seed: number): () => number {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state >>> 16) % 7) - 3;
  };
}

function keptPositions(
  given: CheckedPattern,
  rows: number,
  columns: number,
  count: number,
  next: () => number,
): Set<number> {
  const order = (length: number): number[] => {
    const indices = Array.from({ length }, (_, index) => index);
    for (let index = length - 1; index > 0; index--) {
      const other = Math.abs(next() * 31 + next() * 7 + next()) % (index + 1);
      [indices[index], indices[other]] = [indices[other] ?? 0, indices[index] ?? 0];
    }
    return indices;
  };
  const kept = new Set<number>();
  const { shape } = given;
  if (shape.kind === "unstructured")
    for (const position of order(rows * columns).slice(0, count)) kept.add(position);
  if (shape.kind === "nm") {
    const [lines, length] = shape.axis === "input" ? [rows, columns] : [columns, rows];
    for (let line = 0; line < lines; line++) {
      for (let group = 0; group < length; group += shape.m) {
        for (const index of order(shape.m).slice(0, shape.n)) {
          kept.add(
            shape.axis === "input" ? line * columns + group + index : (group + index) * columns + line,
          );
        }
      }
    }
  }
  if (shape.kind === "block") {
    const [down, across] = [rows / shape.height, columns / shape.width];
    for (const block of order(down * across).slice(0, count / (shape.height * shape.width))) {
      for (let row = 0; row < shape.height; row++) {
        for (let column = 0; column < shape.width; column++) {
          kept.add(
            (Math.floor(block / across) * shape.height + row) * columns +
              (block % across) * shape.width +
              column,
          );
        }
      }
    }
  }
  return kept;
}

/** Seeded integer values for every tensor, and positions for every pattern. */
export function valuesFor(
  transform: CheckedTransform,
  sizes: Readonly<Record<string, number>>,
  seed: number,
): WeightValues {
  const numbers = new Map(Object.entries(sizes));
  const next = smallIntegers(seed);
  const known = (expression: NumberExpression): number => evaluateNumber(expression, numbers);
  const kept = new Map<string, { positions: Set<number>; columns: number }>();
  for (const given of transform.patterns) {
    const [rows, columns] = [known(given.rows), known(given.columns)];
    kept.set(given.name, {
      positions: keptPositions(given, rows, columns, Math.min(known(given.count), rows * columns), next),
      columns,
    });
  }
  const tensors = new Map<string, TensorValues>();
  for (const given of transform.tensors) {
    const support = given.support === null ? undefined : kept.get(given.support);
    const positions = support === undefined ? null : [...support.positions].sort((a, b) => a - b);
    const values = Float64Array.from({ length: positions?.length ?? known(given.count) }, next);
    tensors.set(given.name, { values, positions });
  }
  const patterns = new Map(
    [...kept].map(
      ([name, { positions, columns }]) =>
        [name, (row: number, column: number) => positions.has(row * columns + column)] as const,
    ),
  );
  return { tensors, patterns, numbers };
}
