import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  childrenOf,
  createTermFactory,
  nonEmpty,
  type TermFactory,
} from "../../compiler/algebra/algebra-graph.ts";
import type { Term } from "../../compiler/algebra/algebra-node.ts";
import { buildAlgebra } from "../../compiler/algebra/build-algebra.ts";
import { type DenseMatrix, entryOf } from "../../compiler/algebra/dense-matrix.ts";
import { densify } from "../../compiler/algebra/evaluate-algebra.ts";
import { patternOf, type WeightValues } from "../../compiler/algebra/evaluate-source.ts";
import { describeStructure, structureOf } from "../../compiler/algebra/infer-structure.ts";
import { normaliseTerm } from "../../compiler/algebra/normalise.ts";
import { entryRows, rankRows } from "../../compiler/algebra/structure-bounds.ts";
import { type Claim, type ClaimKind, implications } from "../../compiler/algebra/structure-claims.ts";
import { claimRows } from "../../compiler/algebra/structure-transfer.ts";
import {
  evaluateNumber,
  type NumberExpression,
  number,
  symbol,
} from "../../runtime/contract/number-expression.ts";
import { anyTerm, generatedValues, newFactory, patterns, type Recipe, tensors } from "./generated-terms.ts";
import { pattern, samples, tensor } from "./sample-transforms.ts";
import { valuesFor } from "./sample-values.ts";

const places = (matrix: DenseMatrix): readonly (readonly [number, number])[] =>
  Array.from(
    { length: matrix.rows * matrix.columns },
    (_, index) => [Math.floor(index / matrix.columns), index % matrix.columns] as const,
  );

/** Positions of the entries that are not zero. */
const entriesOf = (matrix: DenseMatrix): readonly (readonly [number, number])[] =>
  places(matrix).filter(([row, column]) => entryOf(matrix, row, column) !== 0);

/** The exact rank of a matrix of whole numbers: Gaussian elimination without fractions. */
function exactRank(matrix: DenseMatrix): number {
  const rows = Array.from({ length: matrix.rows }, (_, row) =>
    Array.from({ length: matrix.columns }, (_, column) => BigInt(entryOf(matrix, row, column))),
  );
  let rank = 0;
  for (let column = 0; column < matrix.columns; column++) {
    const pivot = rows.findIndex((row, index) => index >= rank && row[column] !== 0n);
    const chosen = rows[pivot];
    if (chosen === undefined) continue;
    [rows[pivot], rows[rank]] = [rows[rank] ?? [], chosen];
    for (let below = rank + 1; below < rows.length; below++) {
      const [lead, own] = [chosen[column] ?? 0n, rows[below]?.[column] ?? 0n];
      if (own !== 0n)
        rows[below] = (rows[below] ?? []).map((value, index) => value * lead - (chosen[index] ?? 0n) * own);
    }
    rank += 1;
  }
  return rank;
}

type Size = (expression: NumberExpression) => number;

/** Claim → whether it is true of the numbers, each straight from its definition. */
const isTrue: {
  readonly [Kind in ClaimKind]: (
    claim: Extract<Claim, { kind: Kind }>,
    matrix: DenseMatrix,
    size: Size,
    values: WeightValues,
  ) => boolean;
} = {
  zero: (_, matrix) => entriesOf(matrix).length === 0,
  identity: (_, matrix) =>
    places(matrix).every(([row, column]) => entryOf(matrix, row, column) === Number(row === column)),
  permutation: (_, matrix) => {
    const found = entriesOf(matrix);
    return (
      matrix.rows === matrix.columns &&
      found.every(([row, column]) => entryOf(matrix, row, column) === 1) &&
      new Set(found.map(([row]) => row)).size === matrix.rows &&
      new Set(found.map(([, column]) => column)).size === matrix.rows &&
      found.length === matrix.rows
    );
  },
  orthogonal: (_, matrix) =>
    Array.from({ length: matrix.rows ** 2 }, (_, index) => index).every((index) => {
      const [left, right] = [Math.floor(index / matrix.rows), index % matrix.rows];
      let sum = 0;
      for (let inner = 0; inner < matrix.columns; inner++)
        sum += entryOf(matrix, left, inner) * entryOf(matrix, right, inner);
      return sum === Number(left === right);
    }),
  symmetric: (_, matrix) =>
    matrix.rows === matrix.columns &&
    places(matrix).every(([row, column]) => entryOf(matrix, row, column) === entryOf(matrix, column, row)),
  diagonal: (_, matrix) => entriesOf(matrix).every(([row, column]) => row === column),
  "block-diagonal": ({ blocks }, matrix, size) => {
    const [height, width] = [matrix.rows / size(blocks), matrix.columns / size(blocks)];
    return entriesOf(matrix).every(
      ([row, column]) => Math.floor(row / height) === Math.floor(column / width),
    );
  },
  groups: ({ n, m, axis }, matrix) => {
    const counts = new Map<string, number>();
    for (const [row, column] of entriesOf(matrix)) {
      const key = axis === "input" ? `${row}:${Math.floor(column / m)}` : `${Math.floor(row / m)}:${column}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return [...counts.values()].every((count) => count <= n);
  },
  tiles: ({ height, width, count }, matrix, size) => {
    const tiles = new Set(
      entriesOf(matrix).map(([row, column]) => `${Math.floor(row / height)}:${Math.floor(column / width)}`),
    );
    return tiles.size * height * width <= size(count);
  },
  within: ({ pattern: name, transposed }, matrix, _, values) => {
    const keeps = patternOf(name, values);
    return entriesOf(matrix).every(([row, column]) => (transposed ? keeps(column, row) : keeps(row, column)));
  },
  part: ({ top, height, left, width }, matrix, size) =>
    entriesOf(matrix).every(
      ([row, column]) =>
        row >= size(top) &&
        row < size(top) + size(height) &&
        column >= size(left) &&
        column < size(left) + size(width),
    ),
  // What makes a matrix a Kronecker product is written in the term; its zeros and rank are claimed beside it.
  kronecker: ({ factors }) => factors >= 2,
};

const seen = new Set<ClaimKind>();

/** Compares everything that is inferred of `term` and of its operands with the numbers. */
function checkTruth(term: Term, values: WeightValues): void {
  const structure = structureOf(term);
  const matrix = densify(term, values);
  const size: Size = (expression) => evaluateNumber(expression, values.numbers);
  expect(exactRank(matrix)).toBeLessThanOrEqual(size(structure.rank));
  if (structure.entries !== null)
    expect(entriesOf(matrix).length).toBeLessThanOrEqual(size(structure.entries));
  for (const claim of structure.claims) {
    seen.add(claim.kind);
    const holds = isTrue[claim.kind] as (claim: Claim, ...rest: [DenseMatrix, Size, WeightValues]) => boolean;
    expect(holds(claim, matrix, size, values), `${claim.kind} of ${term.kind}`).toBe(true);
  }
  childrenOf(term).forEach((child) => {
    checkTruth(child, values);
  });
}

const leafNamed =
  (name: string): Recipe =>
  (factory) => {
    const found = tensors.find((given) => given.name === name);
    if (found === undefined) throw new ReferenceError(name);
    return factory.leaf(found, null);
  };
const masked =
  (name: string, operand: Recipe): Recipe =>
  (factory) => {
    const found = patterns.find((given) => given.name === name);
    if (found === undefined) throw new ReferenceError(name);
    return factory.mask(found, operand(factory));
  };

/** Matrices [size, size] that all have a structure, because those of random terms seldom meet. */
function structuredOf(size: number): readonly Recipe[] {
  const [a, w] = [leafNamed(`A${size}x${size}`), leafNamed(`W${size}x${size}`)];
  const transposeOf =
    (recipe: Recipe): Recipe =>
    (factory) =>
      factory.transpose(recipe(factory));
  const row = leafNamed(`A1x${size}`);
  const half = size / 2;
  return [
    w,
    (factory) => factory.zero(number(size), number(size)),
    (factory) => factory.identity(number(size)),
    (factory) => factory.permutation(number(size), number(2)),
    (factory) => {
      const order = patterns.find((given) => given.name === `Q${size}x${size}`);
      if (order === undefined) throw new ReferenceError("Q");
      return factory.indicator(order);
    },
    leafNamed(`d${size}`),
    leafNamed(`S${size}x${size}`),
    (factory) => factory.sum([a(factory), factory.transpose(a(factory))]),
    (factory) => factory.chain([factory.transpose(row(factory)), leafNamed(`W1x${size}`)(factory)]),
    (factory) => factory.chain([factory.transpose(row(factory)), row(factory)]),
    ...["N", "T", "M"].map((name) => masked(`${name}${size}x${size}`, w)),
    transposeOf(masked(`N${size}x${size}`, a)),
    ...[0, half].map(
      (offset): Recipe =>
        (factory) => {
          const window = factory.window(number(size), number(half), number(offset));
          return factory.chain([factory.transpose(window), leafNamed(`A${half}x${size}`)(factory)]);
        },
    ),
    ...(half >= 2
      ? [
          (factory: TermFactory) =>
            factory.kron([factory.identity(number(2)), leafNamed(`A${half}x${half}`)(factory)]),
          (factory: TermFactory) =>
            factory.blockdiag([
              leafNamed(`A${half}x${half}`)(factory),
              leafNamed(`W${half}x${half}`)(factory),
            ]),
        ]
      : []),
  ];
}

const structured: fc.Arbitrary<Recipe> = fc
  .record({
    operation: fc.constantFrom("sum", "chain", "hadamard", "kron", "blockdiag", "mask", "transpose", "scale"),
    size: fc.constantFrom(2, 4, 6),
    picks: fc.array(fc.nat(99), { minLength: 2, maxLength: 3 }),
    pattern: fc.constantFrom("N", "T", "M"),
  })
  .map(({ operation, size, picks, pattern: name }): Recipe => {
    const isProduct = operation === "kron" || operation === "blockdiag";
    const pool = structuredOf(isProduct ? 2 : size);
    const operands = picks.map((pick) => pool[pick % pool.length] ?? leafNamed("A2x2"));
    const [first = leafNamed("A2x2")] = operands;
    if (operation === "mask") return masked(`${name}${size}x${size}`, first);
    return (factory) => {
      if (operation === "transpose") return factory.transpose(first(factory));
      if (operation === "scale") return factory.scale(number(3), first(factory));
      const terms = nonEmpty(operands.map((operand) => operand(factory)));
      return factory[operation as "sum" | "chain" | "hadamard" | "kron" | "blockdiag"](terms);
    };
  });

describe("the inferred structure", () => {
  it("is true where structures meet", () => {
    for (const seed of [6, 7]) {
      const values = generatedValues(seed);
      fc.assert(
        fc.property(structured, (recipe) => {
          const factory = newFactory();
          const term = recipe(factory);
          checkTruth(term, values);
          checkTruth(normaliseTerm(term, factory).term, values);
        }),
        { numRuns: 600, seed },
      );
    }
  });

  it("is true of generated terms, as written and in normal form", () => {
    const values = generatedValues(5);
    fc.assert(
      fc.property(anyTerm(3), (recipe) => {
        const factory = newFactory();
        const term = recipe(factory);
        checkTruth(term, values);
        checkTruth(normaliseTerm(term, factory).term, values);
      }),
      { numRuns: 300, seed: 9 },
    );
  });

  it.each(samples.map(({ transform, sizes }) => ({ name: transform.name, transform, sizes })))(
    "is true of $name",
    ({ transform, sizes }) => {
      const factory = createTermFactory(transform.tensors);
      const { root } = buildAlgebra(transform, factory);
      for (const size of sizes) {
        const values = valuesFor(transform, size, 3);
        checkTruth(root, values);
        checkTruth(normaliseTerm(root, factory).term, values);
      }
    },
  );

  it("made every kind of claim", () => {
    expect(Object.keys(isTrue).filter((kind) => !seen.has(kind as ClaimKind))).toEqual([]);
  });

  it("has laws that are told apart", () => {
    const laws = [...claimRows, ...rankRows, ...entryRows].map(({ over, law }) => `${over}: ${law}`);
    expect(new Set(laws).size).toBe(laws.length);
    expect(new Set(implications.map(({ from }) => from)).size).toBe(implications.length);
  });
});

describe("structure in words", () => {
  const matrix = (name: string, rows: string, columns: string) =>
    tensor(name, "param", [symbol(rows), symbol(columns)]);
  const [B, A, W, d] = [
    matrix("B", "out", "r"),
    matrix("A", "r", "in"),
    matrix("W", "out", "in"),
    tensor("d", "param", [symbol("out")], { structure: "diag" }),
  ] as const;
  const factory = createTermFactory([B, A, W, d]);
  const [b, a, w, diagonal] = [
    factory.leaf(B, null),
    factory.leaf(A, null),
    factory.leaf(W, null),
    factory.diag(d),
  ];
  const half = pattern("M", { kind: "nm", n: 2, m: 4, axis: "input" }, "out", "in", number(8));
  const cases: readonly (readonly [string, Term, readonly string[]])[] = [
    ["a dense matrix", w, []],
    ["a low-rank product", factory.chain([b, a]), ["rank <= r"]],
    ["its masked form", factory.mask(half, factory.chain([b, a])), ["zero off M", "2 of 4 along the input"]],
    ["a diagonal", diagonal, ["diagonal"]],
    [
      "a scaled mask",
      factory.chain([diagonal, factory.mask(half, w)]),
      ["zero off M", "2 of 4 along the input"],
    ],
    ["a square", factory.chain([b, factory.transpose(b)]), ["rank <= r", "symmetric"]],
    ["nothing", factory.scale(number(2), factory.zero(symbol("out"), symbol("in"))), ["zero"]],
  ];
  it.each(cases)("%s", (_, term, expected) => {
    const words = describeStructure(structureOf(term), term);
    for (const phrase of expected) expect(words).toContain(phrase);
    if (expected.length === 0) expect(words).toEqual([]);
  });
});
