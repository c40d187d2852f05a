/**
 * Every way to form a small weight as one matrix and to store it, written from the definition: each parenthesisation of
 * each product, each storage of each kind of zeros. What brute-force.ts cuts a weight into.
 */

/** Two of every four inputs of a row, and blocks of this size, are what is kept of a matrix in groups. */
export const kept = { n: 2, m: 4, height: 4, width: 8 } as const;

type Zeros = "dense" | "masked" | "sparse" | "diagonal" | "nm" | "block";

/** A matrix with numbers for sizes. */
export type Formula =
  | {
      readonly kind: "leaf";
      readonly name: string;
      readonly rows: number;
      readonly columns: number;
      readonly trained: boolean;
      readonly zeros: Zeros;
      /** Entries that may be nonzero. */
      readonly count: number;
      /** Declared as its transpose, which costs nothing. */
      readonly turned: boolean;
    }
  | { readonly kind: "product" | "sum" | "kron"; readonly parts: readonly Formula[] };

/** One matrix that is formed and packed. */
interface Formed {
  readonly rows: number;
  readonly columns: number;
  readonly zeros: Zeros;
  readonly count: number;
  readonly trained: boolean;
  /** Operations that give it. */
  readonly work: number;
  readonly name: string;
}

export type Stored = Formed & { readonly storage: "dense" | "entries" | "vector" | "groups" };

const productOf = (numbers: readonly number[]): number => numbers.reduce((all, one) => all * one, 1);

export function rowsOf(formula: Formula): number {
  if (formula.kind === "leaf") return formula.rows;
  if (formula.kind === "kron") return productOf(formula.parts.map(rowsOf));
  return rowsOf(formula.parts[0] as Formula);
}

export function columnsOf(formula: Formula): number {
  if (formula.kind === "leaf") return formula.columns;
  if (formula.kind === "kron") return productOf(formula.parts.map(columnsOf));
  return columnsOf((formula.kind === "sum" ? formula.parts[0] : formula.parts.at(-1)) as Formula);
}

export const isTrained = (formula: Formula): boolean =>
  formula.kind === "leaf" ? formula.trained : formula.parts.some(isTrained);

function timesOf(left: Formed, right: Formed): Formed {
  const product = {
    rows: left.rows,
    columns: right.columns,
    trained: left.trained || right.trained,
    name: `(${left.name} @ ${right.name})`,
  };
  const spent = left.work + right.work;
  if (left.zeros === "diagonal")
    return { ...product, zeros: right.zeros, count: right.count, work: spent + right.count };
  if (right.zeros === "diagonal")
    return { ...product, zeros: left.zeros, count: left.count, work: spent + left.count };
  // Each nonzero of one side meets a row or a column of the other.
  const [byLeft, byRight] = [left.count * right.columns, left.rows * right.count];
  const work =
    right.zeros === "dense" ? byLeft : left.zeros === "dense" ? byRight : Math.min(byLeft, byRight);
  const area = left.rows * right.columns;
  // An entry of few reaches a row or a column of the product.
  const reached = [
    ...(left.zeros === "sparse" ? [byLeft] : []),
    ...(right.zeros === "sparse" ? [byRight] : []),
  ];
  return {
    ...product,
    zeros: reached.length > 0 ? "masked" : "dense",
    count: Math.min(area, ...reached),
    work: spent + work,
  };
}

/** All trees of one product give one matrix, which has no more entries than any of them shows. */
function ofOneMatrix(trees: readonly Formed[]): readonly Formed[] {
  const shown = trees.filter(({ zeros }) => zeros === "masked");
  const count = Math.min(...shown.map((tree) => tree.count));
  return shown.length === 0
    ? trees
    : trees.map((tree) =>
        tree.zeros === "dense" || tree.zeros === "masked" ? { ...tree, zeros: "masked", count } : tree,
      );
}

function plusOf(terms: readonly Formed[]): Formed {
  const { rows, columns } = terms[0] as Formed;
  const dense = terms.some(({ zeros }) => zeros === "dense");
  const diagonal = terms.every(({ zeros }) => zeros === "diagonal");
  const entries = terms.reduce((sum, { count }) => sum + count, 0);
  return {
    rows,
    columns,
    zeros: dense ? "dense" : diagonal ? "diagonal" : "sparse",
    count: dense ? rows * columns : diagonal ? rows : Math.min(rows * columns, entries),
    trained: terms.some(({ trained }) => trained),
    work: terms.reduce((sum, { work, count }) => sum + work + count, 0),
    name: `(${terms.map(({ name }) => name).join(" + ")})`,
  };
}

/** Factor by factor: each step multiplies every entry of one by the whole of the next. */
const kronOf = (factors: readonly Formed[]): Formed =>
  factors.reduce((left, right) => {
    const [rows, columns] = [left.rows * right.rows, left.columns * right.columns];
    const dense = left.zeros === "dense" && right.zeros === "dense";
    return {
      rows,
      columns,
      zeros: dense ? "dense" : "sparse",
      count: left.count * right.count,
      trained: left.trained || right.trained,
      work: left.work + right.work + rows * columns,
      name: `(${left.name} x ${right.name})`,
    };
  });

/** Every tree of binary products over the factors. */
function parenthesisations(factors: readonly Formed[]): readonly Formed[] {
  if (factors.length === 1) return factors;
  return ofOneMatrix(
    factors
      .slice(1)
      .flatMap((_, index) =>
        parenthesisations(factors.slice(0, index + 1)).flatMap((left) =>
          parenthesisations(factors.slice(index + 1)).map((right) => timesOf(left, right)),
        ),
      ),
  );
}

/** Every way to form a formula as one matrix. */
export function formings(formula: Formula): readonly Formed[] {
  if (formula.kind === "leaf") return [{ ...formula, work: 0 }];
  const parts = formula.parts.map(formings);
  const chosen = parts.reduce<readonly (readonly Formed[])[]>(
    (found, list) => found.flatMap((before) => list.map((one) => [...before, one])),
    [[]],
  );
  if (formula.kind === "kron") return chosen.map(kronOf);
  return formula.kind === "sum" ? chosen.map(plusOf) : chosen.flatMap(parenthesisations);
}

export function storedWays(formed: Formed): readonly Stored[] {
  const storages = {
    dense: ["dense"],
    masked: ["dense", "entries"],
    sparse: ["entries", "dense"],
    diagonal: ["vector", "entries"],
    nm: ["groups", "entries", "dense"],
    block: ["groups", "entries", "dense"],
  } as const;
  return storages[formed.zeros].map((storage) => ({ ...formed, storage }));
}
