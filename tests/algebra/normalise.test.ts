import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { childrenOf } from "../../compiler/algebra/algebra-graph.ts";
import type { AlgebraGraph, Term } from "../../compiler/algebra/algebra-node.ts";
import { densify } from "../../compiler/algebra/evaluate-algebra.ts";
import { normalise, normaliseTerm } from "../../compiler/algebra/normalise.ts";
import { printTerm } from "../../compiler/algebra/print-algebra.ts";
import { rewriteRules } from "../../compiler/algebra/rewrite-rules.ts";
import { verifyAlgebra } from "../../compiler/algebra/verify-algebra.ts";
import { sameDimension } from "../../compiler/types/dimension.ts";
import { number, symbol } from "../../runtime/contract/number-expression.ts";
import {
  anyTerm,
  generatedValues,
  newFactory,
  patterns,
  type Recipe,
  scaleFactors,
  tensors,
  termOfShape,
} from "./generated-terms.ts";

const values = generatedValues(3);
const entries = (term: Term): readonly number[] =>
  [...densify(term, values).values].map((value) => value + 0);
const graphOf = (root: Term): AlgebraGraph => ({ transform: "generated", root, tensors, patterns });

describe("the normal form", () => {
  it("keeps the weight, exactly", () => {
    fc.assert(
      fc.property(anyTerm(4), (recipe) => {
        const factory = newFactory();
        const term = recipe(factory);
        const { term: normal } = normaliseTerm(term, factory);
        expect(entries(normal)).toEqual(entries(term));
        expect(sameDimension(normal.rows, term.rows) && sameDimension(normal.columns, term.columns)).toBe(
          true,
        );
      }),
      { numRuns: 400, seed: 1 },
    );
  });

  it("keeps every law, as constructed and afterwards", () => {
    fc.assert(
      fc.property(anyTerm(4), (recipe) => {
        const factory = newFactory();
        const term = recipe(factory);
        expect(verifyAlgebra(graphOf(term), "built")).toEqual([]);
        expect(verifyAlgebra(graphOf(normaliseTerm(term, factory).term), "normal")).toEqual([]);
      }),
      { numRuns: 400, seed: 2 },
    );
  });

  it("is its own normal form: the same object", () => {
    fc.assert(
      fc.property(anyTerm(4), (recipe) => {
        const factory = newFactory();
        const once = normaliseTerm(recipe(factory), factory).term;
        expect(normaliseTerm(once, factory)).toEqual({ term: once, rules: [] });
        expect(normaliseTerm(once, factory).term).toBe(once);
      }),
      { numRuns: 300, seed: 3 },
    );
  });

  it("does not depend on the order of the rules", () => {
    fc.assert(
      fc.property(
        anyTerm(4),
        fc.shuffledSubarray([...rewriteRules], { minLength: rewriteRules.length }),
        (recipe, rules) => {
          const factory = newFactory();
          const term = recipe(factory);
          expect(printTerm(normaliseTerm(term, factory, rules).term)).toBe(
            printTerm(normaliseTerm(term, factory).term),
          );
          expect(normaliseTerm(term, factory, rules).term).toBe(normaliseTerm(term, factory).term);
        },
      ),
      { numRuns: 400, seed: 4 },
    );
  });

  it("does not depend on the order of a sum or on how it was bracketed", () => {
    fc.assert(
      fc.property(
        termOfShape(3, 4, 2),
        termOfShape(3, 4, 2),
        termOfShape(3, 4, 2),
        (first, second, third) => {
          const factory = newFactory();
          const [a, b, c] = [first(factory), second(factory), third(factory)];
          const one = normaliseTerm(factory.sum([a, factory.sum([b, c])]), factory).term;
          const other = normaliseTerm(factory.sum([factory.sum([c, a]), b]), factory).term;
          expect(other).toBe(one);
        },
      ),
      { numRuns: 200, seed: 5 },
    );
  });

  it("names the rules that fired and gives the same graph when nothing changes", () => {
    const factory = newFactory();
    const leaf = termLeaf("A3x4")(factory);
    const graph = normalise(graphOf(factory.transpose(factory.transpose(leaf))), factory);
    expect(graph.root).toBe(leaf);
    expect(graph.rules).toEqual(["transpose-twice"]);
    expect(normalise(graph, factory)).toBe(graph);
  });
});

const tensorNamed = (name: string) => {
  const found = tensors.find((tensor) => tensor.name === name);
  if (found === undefined) throw new ReferenceError(name);
  return found;
};
const patternNamed = (name: string) => {
  const found = patterns.find((pattern) => pattern.name === name);
  if (found === undefined) throw new ReferenceError(name);
  return found;
};
const termLeaf =
  (name: string): Recipe =>
  (factory) =>
    factory.leaf(tensorNamed(name), null);

const anyOf = (rows: number, columns: number): fc.Arbitrary<Recipe> => termOfShape(rows, columns, 2);
const scaled = (term: fc.Arbitrary<Recipe>): fc.Arbitrary<Recipe> =>
  fc.tuple(fc.constantFrom(...scaleFactors), term).map(
    ([factor, recipe]): Recipe =>
      (factory) =>
        factory.scale(factor, recipe(factory)),
  );
const both = (
  a: fc.Arbitrary<Recipe>,
  b: fc.Arbitrary<Recipe>,
  join: (factory: Parameters<Recipe>[0], a: Term, b: Term) => Term,
): fc.Arbitrary<Recipe> =>
  fc.tuple(a, b).map(
    ([left, right]): Recipe =>
      (factory) =>
        join(factory, left(factory), right(factory)),
  );
const transposed = (term: fc.Arbitrary<Recipe>): fc.Arbitrary<Recipe> =>
  term.map(
    (recipe): Recipe =>
      (factory) =>
        factory.transpose(recipe(factory)),
  );
const fixed = (recipe: Recipe): fc.Arbitrary<Recipe> => fc.constant(recipe);
const zero = (rows: number, columns: number): fc.Arbitrary<Recipe> =>
  fixed((factory) => factory.zero(number(rows), number(columns)));
const identity = (size: number): fc.Arbitrary<Recipe> => fixed((factory) => factory.identity(number(size)));
const shuffle = (stride: number): fc.Arbitrary<Recipe> =>
  fixed((factory) => factory.permutation(number(6), number(stride)));

/** Rule → terms that its left side matches. */
const leftSides: Readonly<Record<string, fc.Arbitrary<Recipe>>> = {
  "transpose-twice": transposed(transposed(anyOf(3, 4))),
  "transpose-sum": transposed(
    both(anyOf(3, 4), fixed(termLeaf("A3x4")), (factory, a, b) => factory.sum([a, b])),
  ),
  "transpose-chain": transposed(both(anyOf(3, 2), anyOf(2, 4), (factory, a, b) => factory.chain([a, b]))),
  "transpose-scale": transposed(scaled(anyOf(3, 4))),
  "transpose-hadamard": transposed(
    both(anyOf(3, 4), anyOf(3, 4), (factory, a, b) => factory.hadamard([a, b])),
  ),
  "hadamard-products": both(
    both(anyOf(4, 1), anyOf(1, 6), (factory, a, b) => factory.chain([a, b])),
    both(fixed(termLeaf("A4x2")), fixed(termLeaf("A2x6")), (factory, a, b) => factory.chain([a, b])),
    (factory, a, b) => factory.hadamard([a, b]),
  ),
  "transpose-kron": transposed(both(anyOf(3, 2), anyOf(1, 2), (factory, a, b) => factory.kron([a, b]))),
  "transpose-blockdiag": transposed(
    both(anyOf(3, 2), anyOf(1, 2), (factory, a, b) => factory.blockdiag([a, b])),
  ),
  "transpose-permutation": fc.constantFrom(1, 2, 3, 6).chain((stride) => transposed(shuffle(stride))),
  "transpose-diagonal": transposed(fixed((factory) => factory.diag(tensorNamed("d3")))),
  "transpose-identity": transposed(identity(3)),
  "transpose-zero": transposed(zero(3, 4)),
  "scale-one": anyOf(3, 4).map(
    (recipe): Recipe =>
      (factory) =>
        factory.scale(number(1), recipe(factory)),
  ),
  "scale-zero": anyOf(3, 4).map(
    (recipe): Recipe =>
      (factory) =>
        factory.scale(number(0), recipe(factory)),
  ),
  "scale-scale": scaled(scaled(anyOf(3, 4))),
  "scale-sum": scaled(both(anyOf(3, 4), fixed(termLeaf("A3x4")), (factory, a, b) => factory.sum([a, b]))),
  "chain-scale": both(scaled(anyOf(3, 2)), anyOf(2, 4), (factory, a, b) => factory.chain([a, b])),
  "kron-scale": both(scaled(anyOf(3, 2)), scaled(anyOf(2, 2)), (factory, a, b) => factory.kron([a, b])),
  "hadamard-scale": both(scaled(anyOf(3, 4)), anyOf(3, 4), (factory, a, b) => factory.hadamard([a, b])),
  "mask-scale": scaled(anyOf(3, 4)).map(
    (recipe): Recipe =>
      (factory) =>
        factory.mask(patternNamed("M3x4"), recipe(factory)),
  ),
  "blockdiag-scale": both(anyOf(3, 2), anyOf(1, 2), (factory, a, b) =>
    factory.blockdiag([factory.scale(symbol("alpha"), a), factory.scale(symbol("alpha"), b)]),
  ),
  "sum-zero": both(anyOf(3, 4), zero(3, 4), (factory, a, b) => factory.sum([a, b])),
  "chain-zero": both(anyOf(3, 2), zero(2, 4), (factory, a, b) => factory.chain([a, b])),
  "kron-zero": both(anyOf(3, 2), zero(2, 2), (factory, a, b) => factory.kron([a, b])),
  "hadamard-zero": both(anyOf(3, 4), zero(3, 4), (factory, a, b) => factory.hadamard([a, b])),
  "mask-zero": zero(3, 4).map(
    (recipe): Recipe =>
      (factory) =>
        factory.mask(patternNamed("M3x4"), recipe(factory)),
  ),
  "blockdiag-zero": both(zero(3, 2), zero(1, 2), (factory, a, b) => factory.blockdiag([a, b])),
  "chain-identity": both(anyOf(3, 4), identity(4), (factory, a, b) => factory.chain([a, b])),
  "kron-unit": both(anyOf(3, 4), identity(1), (factory, a, b) => factory.kron([a, b])),
  "kron-identity": both(identity(2), identity(3), (factory, a, b) => factory.kron([a, b])),
  "blockdiag-identity": both(identity(2), identity(3), (factory, a, b) => factory.blockdiag([a, b])),
  "permutation-trivial": fc.constantFrom(1, 6).chain(shuffle),
  "chain-permutations": fc
    .constantFrom([2, 3], [3, 2], [6, 1])
    .chain(([a = 1, b = 6]) =>
      both(shuffle(a), shuffle(b), (factory, left, right) => factory.chain([left, right])),
    ),
  "permutation-inverse": fc.boolean().map(
    (isFirst): Recipe =>
      (factory) => {
        const given = factory.indicator(patternNamed("Q4x4"));
        const inverse = factory.transpose(given);
        return factory.chain(isFirst ? [inverse, given] : [given, inverse]);
      },
  ),
  "mask-mask": anyOf(3, 4).map(
    (recipe): Recipe =>
      (factory) =>
        factory.mask(patternNamed("M3x4"), factory.mask(patternNamed("M3x4"), recipe(factory))),
  ),
  "mask-support": fixed((factory) => factory.mask(patternNamed("P3x4"), termLeaf("S3x4")(factory))),
  "window-whole": fixed((factory) => factory.window(number(4), number(4), number(0))),
  "window-window": fc.tuple(fc.nat(1), fc.nat(2)).map(
    ([inner, outer]): Recipe =>
      (factory) =>
        factory.chain([
          factory.window(number(4), number(3), number(inner)),
          factory.window(number(6), number(4), number(outer)),
        ]),
  ),
  "embedding-embedding": fc.tuple(fc.nat(1), fc.nat(2)).map(
    ([inner, outer]): Recipe =>
      (factory) =>
        factory.chain([
          factory.transpose(factory.window(number(6), number(4), number(outer))),
          factory.transpose(factory.window(number(4), number(3), number(inner))),
        ]),
  ),
  "window-embedding": fc.tuple(fc.nat(4), fc.nat(4)).map(
    ([taken, put]): Recipe =>
      (factory) =>
        factory.chain([
          factory.window(number(6), number(2), number(taken)),
          factory.transpose(factory.window(number(6), number(2), number(put))),
        ]),
  ),
  "window-sum": fc.tuple(anyOf(2, 6), fixed(termLeaf("A2x6")), fc.boolean(), fc.boolean()).map(
    ([first, second, isPlaced, isTaken]): Recipe =>
      (factory) =>
        factory.chain([
          ...(isPlaced ? [factory.transpose(factory.window(number(3), number(2), number(1)))] : []),
          factory.sum([first(factory), second(factory)]),
          ...(isTaken ? [factory.transpose(factory.window(number(6), number(4), number(1)))] : []),
        ] as unknown as readonly [Term, ...Term[]]),
  ),
  "blockdiag-windows": fc.oneof(
    both(anyOf(3, 2), anyOf(1, 2), (factory, a, b) => factory.blockdiag([a, b])),
    both(anyOf(3, 2), zero(3, 2), (factory, a, b) => factory.blockdiag([a, b])),
  ),
  "sum-equal": fc.tuple(fc.constantFrom(...scaleFactors), fc.constantFrom(...scaleFactors)).map(
    ([s, t]): Recipe =>
      (factory) =>
        factory.sum([
          factory.scale(s, termLeaf("A3x4")(factory)),
          factory.scale(t, termLeaf("A3x4")(factory)),
        ]),
  ),
};

describe("each rule", () => {
  it("has a left side to be tried on", () => {
    expect(Object.keys(leftSides).sort()).toEqual(rewriteRules.map(({ name }) => name).sort());
  });

  it.each(rewriteRules)("$name: $identity", ({ name, rewrite }) => {
    let fired = 0;
    fc.assert(
      fc.property(leftSides[name] ?? fc.constant(termLeaf("A3x4")), (recipe) => {
        const factory = newFactory();
        const term = recipe(factory);
        const next = rewrite(term, factory);
        if (next === null) return;
        fired += 1;
        expect(next).not.toBe(term);
        expect(entries(next)).toEqual(entries(term));
        expect(sameDimension(next.rows, term.rows) && sameDimension(next.columns, term.columns)).toBe(true);
      }),
      { numRuns: 60, seed: 7 },
    );
    expect(fired).toBeGreaterThan(0);
  });
});

describe("the constructors", () => {
  it("make equal terms one object, flat and sorted", () => {
    const factory = newFactory();
    const [a, w, s] = ["A3x4", "W3x4", "S3x4"].map((name) => termLeaf(name)(factory));
    if (a === undefined || w === undefined || s === undefined) throw new Error("three leaves");
    expect(factory.sum([a, factory.sum([w, s])])).toBe(factory.sum([factory.sum([s, w]), a]));
    expect(childrenOf(factory.sum([a, factory.sum([w, s])]))).toHaveLength(3);
    expect(factory.sum([a])).toBe(a);
    expect(factory.chain([factory.identity(number(3)), a])).toBe(
      factory.chain([factory.identity(number(3)), a]),
    );
    expect(factory.scale(symbol("alpha"), a)).not.toBe(factory.scale(symbol("beta"), a));
  });
});
