/** Generated terms of a given shape over small integer leaves, for properties of the algebra. */
import fc from "fast-check";
import { createTermFactory, nonEmpty, type TermFactory } from "../../compiler/algebra/algebra-graph.ts";
import type { Term } from "../../compiler/algebra/algebra-node.ts";
import { concatenate } from "../../compiler/algebra/build-algebra.ts";
import type { WeightValues } from "../../compiler/algebra/evaluate-source.ts";
import type { CheckedPattern, CheckedTensor, PatternShape } from "../../compiler/check/checked-module.ts";
import { apply, type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import { over, pattern, tensor } from "./sample-transforms.ts";
import { smallIntegers } from "./sample-values.ts";

const extents = [1, 2, 3, 4, 6];
const everyShape = extents.flatMap((rows) => extents.map((columns) => [rows, columns] as const));
const shapeName = (rows: number, columns: number): string => `${rows}x${columns}`;

/** Two dense tensors, a sparse one and two patterns for every shape; a diagonal for every square. */
const denseTensors = everyShape.flatMap(([rows, columns]) => [
  tensor(`A${shapeName(rows, columns)}`, "param", [rows, columns]),
  tensor(`W${shapeName(rows, columns)}`, "frozen", [rows, columns]),
]);
/** Q is a permutation; M and P keep half of the entries, N one of every two inputs, T half of the tiles of 2 x 2. */
const patternShapes: Readonly<Record<string, PatternShape>> = {
  M: { kind: "unstructured" },
  P: { kind: "unstructured" },
  N: { kind: "nm", n: 1, m: 2, axis: "input" },
  T: { kind: "block", height: 2, width: 2 },
  Q: { kind: "unstructured" },
};
const ordering = { kind: "call", intrinsic: "permutation", operands: {} } as const;
const patternNames = (rows: number, columns: number): readonly string[] =>
  Object.keys(patternShapes).filter(
    (name) =>
      !(name === "Q" && rows !== columns) &&
      !(name === "N" && columns % 2 > 0) &&
      !(name === "T" && (rows % 2 > 0 || columns % 2 > 0)),
  );
const keptCount = (name: string, rows: number, columns: number): number =>
  name === "Q" ? rows : name === "T" ? 4 * Math.ceil((rows * columns) / 8) : Math.ceil((rows * columns) / 2);
export const patterns: readonly CheckedPattern[] = everyShape.flatMap(([rows, columns]) =>
  patternNames(rows, columns).map((name) => {
    const kept = pattern(
      `${name}${shapeName(rows, columns)}`,
      patternShapes[name] ?? { kind: "unstructured" },
      rows,
      columns,
      number(keptCount(name, rows, columns)),
    );
    return name === "Q" ? { ...kept, recipe: ordering } : kept;
  }),
);
const sparseTensors = everyShape.map(([rows, columns]) =>
  tensor(`S${shapeName(rows, columns)}`, "param", [rows, columns], {
    structure: "sparse",
    support: `P${shapeName(rows, columns)}`,
    count: number(Math.ceil((rows * columns) / 2)),
  }),
);
const diagonals = extents.map((size) => tensor(`d${size}`, "param", [size], { structure: "diag" }));
export const tensors: readonly CheckedTensor[] = [...denseTensors, ...sparseTensors, ...diagonals];

const named = <T extends { readonly name: string }>(table: readonly T[], name: string): T => {
  const found = table.find((entry) => entry.name === name);
  if (found === undefined) throw new ReferenceError(name);
  return found;
};

/** A term as a recipe, so that the same term can be built in several factories. */
export type Recipe = (factory: TermFactory) => Term;

/** Whole numbers and symbols, some of them units. */
export const scaleFactors: readonly NumberExpression[] = [
  number(0),
  number(1),
  number(2),
  number(-1),
  symbol("alpha"),
  over("beta", 2),
  apply("neg", symbol("alpha")),
];
const numbers = new Map([
  ["alpha", 3],
  ["beta", 4],
]);

const splits = (extent: number): readonly (readonly [number, number])[] =>
  extents.flatMap((left) =>
    extent % left === 0 && extents.includes(extent / left) ? [[left, extent / left] as const] : [],
  );
const partitions = (extent: number): readonly (readonly [number, number])[] =>
  extents.flatMap((left) => (extents.includes(extent - left) ? [[left, extent - left] as const] : []));

function leafTerm(rows: number, columns: number): fc.Arbitrary<Recipe> {
  const shape = shapeName(rows, columns);
  const general: Recipe[] = [
    (factory) => factory.leaf(named(tensors, `A${shape}`), null),
    (factory) => factory.leaf(named(tensors, `W${shape}`), null),
    (factory) => factory.leaf(named(tensors, `S${shape}`), null),
    (factory) => factory.zero(number(rows), number(columns)),
  ];
  const square: Recipe[] = [
    (factory) => factory.identity(number(rows)),
    (factory) => factory.diag(named(tensors, `d${rows}`)),
    (factory) => factory.indicator(named(patterns, `Q${rows}x${rows}`)),
    ...splits(rows).map(
      ([stride]): Recipe =>
        (factory) =>
          factory.permutation(number(rows), number(stride)),
    ),
  ];
  const windows: Recipe[] = Array.from(
    { length: Math.max(0, columns - rows + 1) },
    (_, offset): Recipe =>
      (factory) =>
        factory.window(number(columns), number(rows), number(offset)),
  );
  return fc.constantFrom(...general, ...windows, ...(rows === columns ? square : []));
}

const known = new Map<string, fc.Arbitrary<Recipe>>();

/** Any term of the shape, at most `depth` operators deep. */
export function termOfShape(rows: number, columns: number, depth: number): fc.Arbitrary<Recipe> {
  const key = `${rows}x${columns}:${depth}`;
  const arbitrary = known.get(key) ?? newTermOfShape(rows, columns, depth);
  known.set(key, arbitrary);
  return arbitrary;
}

function newTermOfShape(rows: number, columns: number, depth: number): fc.Arbitrary<Recipe> {
  const leaf = leafTerm(rows, columns);
  if (depth === 0) return leaf;
  const inner = (innerRows: number, innerColumns: number): fc.Arbitrary<Recipe> =>
    termOfShape(innerRows, innerColumns, depth - 1);
  const two = (
    left: fc.Arbitrary<Recipe>,
    right: fc.Arbitrary<Recipe>,
    build: (factory: TermFactory, parts: readonly [Term, ...Term[]]) => Term,
  ): fc.Arbitrary<Recipe> =>
    fc.tuple(left, right).map(
      ([a, b]): Recipe =>
        (factory) =>
          build(factory, nonEmpty([a(factory), b(factory)])),
    );
  const shape = shapeName(rows, columns);
  const options: fc.Arbitrary<Recipe>[] = [
    leaf,
    two(inner(rows, columns), inner(rows, columns), (factory, parts) => factory.sum(parts)),
    inner(rows, columns).map(
      (term): Recipe =>
        (factory) =>
          factory.sum([term(factory), term(factory)]),
    ),
    fc
      .constantFrom(...extents)
      .chain((middle) =>
        two(inner(rows, middle), inner(middle, columns), (factory, parts) => factory.chain(parts)),
      ),
    fc.tuple(fc.constantFrom(...scaleFactors), inner(rows, columns)).map(
      ([factor, term]): Recipe =>
        (factory) =>
          factory.scale(factor, term(factory)),
    ),
    inner(columns, rows).map(
      (term): Recipe =>
        (factory) =>
          factory.transpose(term(factory)),
    ),
    fc.tuple(fc.constantFrom(...patternNames(rows, columns)), inner(rows, columns)).map(
      ([name, term]): Recipe =>
        (factory) =>
          factory.mask(named(patterns, `${name}${shape}`), term(factory)),
    ),
    two(inner(rows, columns), inner(rows, columns), (factory, parts) => factory.hadamard(parts)),
    fc
      .tuple(fc.constantFrom(...splits(rows)), fc.constantFrom(...splits(columns)))
      .chain(([[p, s], [q, t]]) => two(inner(p, q), inner(s, t), (factory, parts) => factory.kron(parts))),
  ];
  const [downs, acrosses] = [partitions(rows), partitions(columns)];
  if (downs.length > 0 && acrosses.length > 0) {
    options.push(
      fc
        .tuple(fc.constantFrom(...downs), fc.constantFrom(...acrosses))
        .chain(([[a, b], [c, d]]) =>
          two(inner(a, c), inner(b, d), (factory, parts) => factory.blockdiag(parts)),
        ),
    );
  }
  for (const [a, b] of downs)
    options.push(
      two(inner(a, columns), inner(b, columns), (factory, parts) => concatenate("rows", parts, factory)),
    );
  for (const [a, b] of acrosses)
    options.push(
      two(inner(rows, a), inner(rows, b), (factory, parts) => concatenate("columns", parts, factory)),
    );
  return fc.oneof({ depthSize: "small" }, ...options);
}

/** Any term, its shape drawn first. */
export const anyTerm = (depth: number): fc.Arbitrary<Recipe> =>
  fc
    .constantFrom(...everyShape.filter(([rows, columns]) => rows * columns <= 24))
    .chain(([rows, columns]) => termOfShape(rows, columns, depth));

export const newFactory = (): TermFactory => createTermFactory(tensors);

/** Small integers for every generated tensor and positions for every pattern. */
export function generatedValues(seed: number): WeightValues {
  const next = smallIntegers(seed);
  const drawn = (count: number, of: number): number[] =>
    Array.from({ length: of }, (_, index) => ({ index, key: next() * 8 + next() }))
      .sort((a, b) => a.key - b.key)
      .slice(0, count)
      .map(({ index }) => index)
      .sort((a, b) => a - b);
  const positionsOf = (name: string, rows: number, columns: number): number[] => {
    const all = Array.from({ length: rows * columns }, (_, index) => index);
    if (name === "N")
      return all.filter((index) => index % 2 === 0).map((first) => first + Math.abs(next() % 2));
    if (name === "Q") {
      const order = all.slice(0, rows).map((index) => ({ index, key: next() * 8 + next() }));
      return order.sort((a, b) => a.key - b.key).map(({ index }, row) => row * columns + index);
    }
    if (name !== "T") return drawn(keptCount(name, rows, columns), rows * columns);
    const tiles = new Set(drawn(keptCount(name, rows, columns) / 4, (rows * columns) / 4));
    return all.filter((index) => {
      const [row, column] = [Math.floor(index / columns), index % columns];
      return tiles.has(Math.floor(row / 2) * (columns / 2) + Math.floor(column / 2));
    });
  };
  const kept = new Map(
    everyShape.flatMap(([rows, columns]) =>
      patternNames(rows, columns).map(
        (name) =>
          [
            `${name}${shapeName(rows, columns)}`,
            { columns, positions: positionsOf(name, rows, columns) },
          ] as const,
      ),
    ),
  );
  const size = (expression: NumberExpression | undefined): number =>
    expression?.kind === "number" ? expression.value : 1;
  const values = tensors.map((given) => {
    const positions = given.support === null ? null : (kept.get(given.support)?.positions ?? []);
    const length =
      positions?.length ?? given.dimensions.reduce((product, dimension) => product * size(dimension), 1);
    return [given.name, { values: Float64Array.from({ length }, next), positions }] as const;
  });
  return {
    tensors: new Map(values),
    patterns: new Map(
      [...kept].map(
        ([name, { columns, positions }]) =>
          [name, (row: number, column: number) => positions.includes(row * columns + column)] as const,
      ),
    ),
    numbers,
  };
}
