/**
 * Elementwise products of thin products, as one product of face-splitting factors: rank r₁ r₂ instead of a dense matrix.
 * Only where the inner dimensions differ from the outer ones, because otherwise the factors would outgrow the matrix.
 */
import {
  evaluateNumber,
  type NumberExpression,
  symbolsOf,
} from "../../runtime/contract/number-expression.ts";
import { sameDimension } from "../types/dimension.ts";
import { multiplyNumbers, nonEmpty, type TermFactory } from "./algebra-graph.ts";
import type { Term } from "./algebra-node.ts";
import { faceSplittingTensor } from "./intermediate-tensor.ts";
import { printTerm } from "./print-algebra.ts";

type Chain = Extract<Term, { kind: "chain" }>;

/** A product whose first gap is not known to be as wide as a side. */
export function isThinProduct(term: Term): term is Chain {
  if (term.kind !== "chain") return false;
  const gap = term.factors[0]?.columns;
  return gap !== undefined && !sameDimension(gap, term.rows) && !sameDimension(gap, term.columns);
}

const isKnown = (expression: NumberExpression): boolean => symbolsOf(expression).length === 0;
const knownValue = (expression: NumberExpression): number => evaluateNumber(expression, new Map());

/** (A B) ⊙ (C D); null when the ranks are known and their product is no smaller than a side. */
export function joinThinProducts(left: Chain, right: Chain, factory: TermFactory): Term | null {
  const [a, ...b] = left.factors;
  const [c, ...d] = right.factors;
  if (a === undefined || c === undefined) return null;
  const rank = multiplyNumbers(a.columns, c.columns);
  const sides = [left.rows, left.columns];
  if (isKnown(rank) && sides.some((side) => isKnown(side) && knownValue(rank) >= knownValue(side)))
    return null;
  const [bs, ds] = [factory.chain(nonEmpty(b)), factory.chain(nonEmpty(d))];
  const rows = factory.leaf(faceSplittingTensor(a, c, nameOf(a, c, "")), null);
  const columns = factory.leaf(
    faceSplittingTensor(factory.transpose(bs), factory.transpose(ds), nameOf(bs, ds, ".columns")),
    null,
  );
  return factory.chain([rows, factory.transpose(columns)]);
}

/** The text of a term in letters and digits, one to one. */
const encoded = (text: string): string =>
  text.replaceAll(/[^A-Za-z0-9]/g, (character) => `_${character.charCodeAt(0).toString(36)}`);

/** `B1.B2`, `A1.A2.columns`: with a dot, which no name of the language has. */
function nameOf(left: Term, right: Term, suffix: string): string {
  const names = [left, right].map((term) =>
    term.kind === "leaf" && term.slice === null ? term.tensor.name : encoded(printTerm(term)),
  );
  return `${names.join(".")}${suffix}`;
}
