import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MatrixSource } from "../../runtime/contract/matrix-source.ts";
import { number } from "../../runtime/contract/number-expression.ts";
import { type MatrixValue, toDense, toSparse } from "../../runtime/formats/matrix-value.ts";
import { evaluateSource } from "../../runtime/model/evaluate-source.ts";
import { patternOfPositions } from "../../runtime/select/pattern.ts";

/** A matrix as nested lists of doubles: the oracle's own world. */
type Lists = number[][];

const zeros = (rows: number, columns: number): Lists =>
  Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
const cell = (matrix: Lists, row: number, column: number): number => matrix[row]?.[column] ?? Number.NaN;
const build = (rows: number, columns: number, f: (row: number, column: number) => number): Lists =>
  zeros(rows, columns).map((line, row) => line.map((_, column) => f(row, column)));
const width = (matrix: Lists): number => matrix[0]?.length ?? 0;
const product = (a: Lists, b: Lists): Lists =>
  build(a.length, width(b), (row, column) =>
    b.reduce((sum, _, k) => sum + cell(a, row, k) * cell(b, k, column), 0),
  );
const listsOf = (matrix: MatrixValue): Lists => {
  const { rows, columns, values } = toDense(matrix);
  return build(rows, columns, (row, column) => values[row * columns + column] ?? Number.NaN);
};

interface Sample {
  readonly source: MatrixSource;
  readonly expected: Lists;
}

const leaves = new Map<string, MatrixValue>();
const patterns = new Map<string, ReturnType<typeof patternOfPositions>>();
const evaluate = (source: MatrixSource): MatrixValue =>
  evaluateSource(source, {
    symbols: new Map(),
    leaf: (name) => leaves.get(name) ?? { kind: "diag", values: new Float32Array(0) },
    pattern: (name) => patterns.get(name) ?? patternOfPositions(0, 0, []),
  });

const small = fc.integer({ min: -3, max: 3 });
let names = 0;

function leafOf(matrix: MatrixValue): Sample {
  const name = `leaf${names++}`;
  leaves.set(name, matrix);
  return { source: { kind: "leaf", name, slice: null }, expected: listsOf(matrix) };
}

/** A leaf of every kind that has the shape, small whole numbers inside. */
function leafSample(rows: number, columns: number): fc.Arbitrary<Sample> {
  const values = fc.array(small, { minLength: rows * columns, maxLength: rows * columns });
  const dense = values.map(
    (list): MatrixValue => ({ kind: "dense", rows, columns, values: Float32Array.from(list) }),
  );
  const kinds = [dense.map(leafOf), dense.map((matrix) => leafOf(toSparse(matrix)))];
  if (rows === columns) {
    const diagonal = fc.array(small, { minLength: rows, maxLength: rows });
    kinds.push(diagonal.map((list) => leafOf({ kind: "diag", values: Float32Array.from(list) })));
    kinds.push(
      diagonal.map((list) => {
        const vector = leafOf({ kind: "dense", rows, columns: 1, values: Float32Array.from(list) });
        return {
          source: { kind: "diag", of: vector.source },
          expected: build(rows, rows, (a, b) => (a === b ? (list[a] ?? 0) : 0)),
        };
      }),
    );
    kinds.push(
      fc.constant({
        source: { kind: "identity", size: number(rows) },
        expected: build(rows, rows, (a, b) => Number(a === b)),
      }),
    );
  }
  if (rows === columns && rows % 2 === 0) {
    const length = rows / 2;
    // (P v)[k * 2 + j] = v[j * length + k]
    const expected = zeros(rows, rows);
    for (let j = 0; j < 2; j++)
      for (let k = 0; k < length; k++) (expected[k * 2 + j] ?? [])[j * length + k] = 1;
    kinds.push(
      fc.constant({
        source: { kind: "stride-permutation", size: number(rows), stride: number(2) },
        expected,
      }),
    );
  }
  if (rows % 2 === 0 && columns % 2 === 0) {
    const size = { minLength: (rows * columns) / 2, maxLength: (rows * columns) / 2 };
    kinds.push(
      fc.array(small, size).map((list) =>
        leafOf({
          kind: "blockdiag",
          blocks: 2,
          blockRows: rows / 2,
          blockColumns: columns / 2,
          values: Float32Array.from(list),
        }),
      ),
    );
  }
  return fc.oneof(...kinds);
}

function sampleOf(rows: number, columns: number, depth: number): fc.Arbitrary<Sample> {
  if (depth === 0) return leafSample(rows, columns);
  const same = sampleOf(rows, columns, depth - 1);
  const pair = fc.tuple(same, same);
  const options: fc.Arbitrary<Sample>[] = [
    leafSample(rows, columns),
    fc.array(same, { minLength: 1, maxLength: 3 }).map((terms) => ({
      source: { kind: "sum", terms: terms.map(({ source }) => source) },
      expected: build(rows, columns, (a, b) =>
        terms.reduce((sum, { expected }) => sum + cell(expected, a, b), 0),
      ),
    })),
    fc.tuple(same, small).map(([{ source, expected }, factor]) => ({
      source: { kind: "scale", factor: number(factor), of: source },
      expected: expected.map((line) => line.map((value) => value * factor)),
    })),
    sampleOf(columns, rows, depth - 1).map(({ source, expected }) => ({
      source: { kind: "transpose", of: source },
      expected: build(rows, columns, (a, b) => cell(expected, b, a)),
    })),
    pair.map(([left, right]) => ({
      source: { kind: "hadamard", factors: [left.source, right.source] },
      expected: build(rows, columns, (a, b) => cell(left.expected, a, b) * cell(right.expected, a, b)),
    })),
    fc
      .tuple(same, fc.subarray([...new Array<number>(rows * columns).keys()]))
      .map(([{ source, expected }, positions]) => {
        const pattern = `pattern${names++}`;
        patterns.set(pattern, patternOfPositions(rows, columns, positions));
        const kept = new Set(positions);
        return {
          source: { kind: "mask", pattern, of: source },
          expected: build(rows, columns, (a, b) => (kept.has(a * columns + b) ? cell(expected, a, b) : 0)),
        };
      }),
    fc.constantFrom(1, 2, 4).chain((inner) =>
      fc
        .tuple(
          sampleOf(rows, inner, depth - 1),
          sampleOf(inner, 2, depth - 1),
          sampleOf(2, columns, depth - 1),
        )
        .map(([a, b, c]) => ({
          source: { kind: "product", factors: [a.source, b.source, c.source] },
          expected: product(product(a.expected, b.expected), c.expected),
        })),
    ),
  ];
  if (rows % 2 === 0 && columns % 2 === 0) {
    const [halfRows, halfColumns] = [rows / 2, columns / 2];
    options.push(
      fc.tuple(sampleOf(2, 2, depth - 1), sampleOf(halfRows, halfColumns, depth - 1)).map(([a, b]) => ({
        source: { kind: "kron", factors: [a.source, b.source] },
        expected: build(
          rows,
          columns,
          (i, j) =>
            cell(a.expected, Math.floor(i / halfRows), Math.floor(j / halfColumns)) *
            cell(b.expected, i % halfRows, j % halfColumns),
        ),
      })),
      fc
        .tuple(sampleOf(halfRows, halfColumns, depth - 1), sampleOf(halfRows, halfColumns, depth - 1))
        .map(([a, b]) => ({
          source: { kind: "blockdiag", blocks: [a.source, b.source] },
          expected: build(rows, columns, (i, j) => {
            if (Math.floor(i / halfRows) !== Math.floor(j / halfColumns)) return 0;
            return cell(i < halfRows ? a.expected : b.expected, i % halfRows, j % halfColumns);
          }),
        })),
    );
  }
  return fc.oneof(...options);
}

describe("matrix sources", () => {
  it("equal the plain computation in doubles, whatever kinds the leaves have", () => {
    const shapes = fc.constantFrom([1, 1], [2, 2], [4, 4], [4, 2], [3, 5], [6, 4]) as fc.Arbitrary<
      [number, number]
    >;
    const sample = shapes.chain(([rows, columns]) => sampleOf(rows, columns, 2));
    fc.assert(
      fc.property(sample, ({ source, expected }) => {
        // Whole numbers: zeros may differ in sign only.
        const plain = (lists: Lists): Lists => lists.map((line) => line.map((value) => value + 0));
        expect(plain(listsOf(evaluate(source)))).toEqual(plain(expected));
      }),
      { numRuns: 400 },
    );
  });

  it("keep structure: masked, scaled, permuted sparse leaves and blocks are not written out", () => {
    const dense = leafOf({ kind: "dense", rows: 4, columns: 4, values: new Float32Array(16) });
    patterns.set("kept", patternOfPositions(4, 4, [1, 6]));
    const masked: MatrixSource = {
      kind: "scale",
      factor: number(2),
      of: { kind: "mask", pattern: "kept", of: dense.source },
    };
    const value = evaluate(masked);
    expect(value).toMatchObject({ kind: "sparse" });
    expect(value.values.length).toBe(2);
    expect(
      evaluate({ kind: "kron", factors: [{ kind: "identity", size: number(3) }, dense.source] }).kind,
    ).toBe("blockdiag");
    const permutation: MatrixSource = { kind: "stride-permutation", size: number(4), stride: number(2) };
    expect(evaluate({ kind: "product", factors: [permutation, masked] }).kind).toBe("sparse");
  });

  it("refuse shapes that do not fit", () => {
    const a = leafOf({ kind: "dense", rows: 2, columns: 3, values: new Float32Array(6) }).source;
    expect(() => evaluate({ kind: "product", factors: [a, a] })).toThrow(
      /SPX8405.*product of matrices \[2, 3\] and \[2, 3\]/,
    );
    expect(() => evaluate({ kind: "sum", terms: [a, { kind: "transpose", of: a }] })).toThrow(/SPX8405/);
  });
});
