/**
 * The weight without what only gradients see: a straight-through mask that keeps no entry is zero, and yet hands its
 * whole gradient down, which is how a score is trained that stands nowhere in the weight. Stands after differentiating,
 * which needs those terms, and before planning, which would otherwise compute them to add nothing.
 */
import type { TermFactory } from "./algebra-graph.ts";
import type { AlgebraGraph, Term } from "./algebra-node.ts";
import { normaliseTerm } from "./normalise.ts";
import { rule } from "./rewrite-rule.ts";
import { rewriteRules } from "./rewrite-rules.ts";

const forwardRules = [
  rule("nothing-kept", "mask", "0 ⊙ X = 0", ({ pattern, rows, columns }, factory) => {
    const keepsNothing = pattern.count.kind === "number" && pattern.count.value === 0;
    return pattern.mode === "straight_through" && keepsNothing ? factory.zero(rows, columns) : null;
  }),
  ...rewriteRules,
];

/** @param term in normal form. The same object when every part of it counts. */
export const forwardTerm = (term: Term, factory: TermFactory): Term =>
  normaliseTerm(term, factory, forwardRules).term;

/** @param graph in normal form, its terms made by `factory`. */
export function forwardValue(graph: AlgebraGraph, factory: TermFactory): AlgebraGraph {
  const { term, rules } = normaliseTerm(graph.root, factory, forwardRules);
  return term === graph.root
    ? graph
    : { ...graph, root: term, rules: [...new Set([...(graph.rules ?? []), ...rules])] };
}
