/** Layers of published systems as their tests handle them: given, set, merged and multiplied out by plain loops. */
import { join } from "node:path";
import type { DenseParameter, Layer } from "../../runtime/index.ts";
import { type BuiltProgram, buildProgram, testMatrix } from "./built-program.ts";
import { weightGradient } from "./gradient-oracle.ts";

/** Files of the standard library, built. */
export async function buildSystems(files: readonly string[]): Promise<ReadonlyMap<string, BuiltProgram>> {
  const programs = new Map<string, BuiltProgram>();
  for (const file of files) programs.set(file, await buildProgram({ file: join("stdlib", `${file}.spx`) }));
  return programs;
}

export const loadSystem = async (
  program: BuiltProgram | undefined,
  transform: string,
  given: object,
): Promise<Layer> => (await program?.artefact.transform(transform).load({ seed: 5, ...given })) as Layer;

export interface Given {
  readonly data: Float32Array;
  readonly shape: number[];
}
export const random = (seed: number, ...shape: number[]): Given => ({
  data: testMatrix(
    seed,
    shape.reduce((count, size) => count * size, 1),
  ),
  shape,
});
/** Whole numbers from -4 to 4, of which float32 forms products and sums without rounding. */
export const whole = (seed: number, ...shape: number[]): Given => {
  const { data } = random(seed, ...shape);
  return { data: data.map((value) => Math.round(4 * value) + 0), shape };
};
export const identity = (n: number): Given => ({
  data: Float32Array.from({ length: n * n }, (_, at) => Number(at % (n + 1) === 0)),
  shape: [n, n],
});

export const values = (layer: Layer, name: string): Float32Array => {
  const found = (layer.parameters() as Readonly<Record<string, DenseParameter>>)[name];
  if (found === undefined) throw new Error(`no ${name}`);
  return found.values;
};
export const set = (layer: Layer, name: string, from: (at: number) => number): void => {
  values(layer, name).forEach((_, at, all) => {
    all[at] = from(at);
  });
  layer.updated();
};
/** Adding 0 makes zeros of both signs alike. */
export const merged = (layer: Layer): Float32Array => layer.merge().data.map((value) => value + 0);
export const less = (left: Float32Array, right: Float32Array): Float64Array =>
  Float64Array.from(left, (value, at) => value - (right[at] ?? 0));
export const dot = (left: ArrayLike<number>, right: ArrayLike<number>): number =>
  Array.from(left).reduce((sum, value, at) => sum + value * (right[at] ?? 0), 0);
export const rowsOf = <T extends Float32Array | Float64Array>(matrix: T, columns: number): T[] =>
  Array.from({ length: matrix.length / columns }, (_, row) =>
    matrix.slice(row * columns, (row + 1) * columns),
  ) as T[];
/** A Aᵀ. */
export const gram = (matrix: Float32Array, columns: number): Float64Array => {
  const rows = rowsOf(matrix, columns);
  return Float64Array.from(rows.flatMap((left) => rows.map((right) => dot(left, right))));
};
/** [rows, inner] times [inner, columns]. */
export const product = (left: ArrayLike<number>, right: ArrayLike<number>, inner: number): Float64Array => {
  const columns = right.length / inner;
  return Float64Array.from({ length: (left.length / inner) * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    return Array.from(
      { length: inner },
      (_, k) => (left[row * inner + k] ?? 0) * (right[k * columns + column] ?? 0),
    ).reduce((sum, value) => sum + value, 0);
  });
};
/** By elimination with the largest pivot first. */
export const rankOf = (matrix: Float64Array, columns: number): number => {
  let rows = rowsOf(matrix, columns);
  let rank = 0;
  for (;;) {
    const entries = rows.flatMap((row, at) => Array.from(row, (value, column) => ({ value, at, column })));
    const pivot = entries.reduce((a, b) => (Math.abs(b.value) > Math.abs(a.value) ? b : a), {
      value: 0,
      at: 0,
      column: 0,
    });
    if (Math.abs(pivot.value) < 1e-9) return rank;
    const top = rows[pivot.at] ?? new Float64Array();
    rows = rows
      .filter((_, at) => at !== pivot.at)
      .map((row) =>
        row.map((value, column) => value - ((row[pivot.column] ?? 0) / pivot.value) * (top[column] ?? 0)),
      );
    rank++;
  }
};
export const tokens = 3;
export const pass = (
  layer: Layer,
): { gradient: Float64Array; grads: Readonly<Record<string, DenseParameter>> } => {
  const [x, dy] = [testMatrix(6, tokens * layer.in), testMatrix(7, tokens * layer.out)];
  const { grads } = layer.backward(x, dy, { dx: false });
  return {
    gradient: weightGradient(x, dy, tokens).values,
    grads: grads as Readonly<Record<string, DenseParameter>>,
  };
};
export const gradientOf = (found: ReturnType<typeof pass>, name: string): Float32Array =>
  found.grads[name]?.values ?? new Float32Array();
