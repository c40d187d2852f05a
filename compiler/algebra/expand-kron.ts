/**
 * Kronecker products with parameters as chains of permutations and of I ⊗ X with a single X, which gradients are
 * derived from: A ⊗ B = P(s) (I_s ⊗ A) P(q) (I_q ⊗ B) for A of p x q and B of s x t, and so on for more factors.
 */
import {
  childrenOf,
  divideNumbers,
  multiplyNumbers,
  nonEmpty,
  type TermFactory,
  withChildren,
} from "./algebra-graph.ts";
import type { Term } from "./algebra-node.ts";
import { isTrainable } from "./structure.ts";

/** The copies of X in I ⊗ X; null for any other term. */
export function copiesOf(term: Term): { readonly copies: Term; readonly block: Term } | null {
  if (term.kind !== "kron") return null;
  const [copies, block, ...rest] = term.factors;
  if (copies?.kind !== "identity" || block === undefined || rest.length > 0) return null;
  return { copies, block };
}

/** The factors that act on one axis, in acting order: I ⊗ (X Y) = (I ⊗ X) (I ⊗ Y). */
function actingParts(factor: Term): readonly Term[] {
  if (factor.kind === "identity") return [];
  return factor.kind === "chain" ? factor.factors.toReversed() : [factor];
}

/** Each factor acts on the last axis of the input seen as an array; a permutation then brings the axis before it there. */
function chainOf(factors: readonly Term[], factory: TermFactory): Term {
  const acting: Term[] = [];
  let total = multiplyNumbers(...factors.map(({ columns }) => columns));
  for (const factor of factors.toReversed()) {
    const rest = divideNumbers(total, factor.columns);
    for (const part of actingParts(factor)) acting.push(factory.kron([factory.identity(rest), part]));
    total = multiplyNumbers(rest, factor.rows);
    acting.push(factory.permutation(total, rest));
  }
  return factory.chain(nonEmpty(acting.toReversed()));
}

/** The term with every Kronecker product that holds a parameter written as such a chain; under masks nothing changes. */
export function expandKrons(term: Term, factory: TermFactory): Term {
  if (!isTrainable(term) || term.kind === "mask" || term.kind === "hadamard") return term;
  const inner = withChildren(
    factory,
    term,
    childrenOf(term).map((child) => expandKrons(child, factory)),
  );
  if (inner.kind !== "kron") return inner;
  const known = copiesOf(inner);
  return known === null || known.block.kind === "chain" ? chainOf(inner.factors, factory) : inner;
}
