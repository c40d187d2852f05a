/**
 * Brings an algebra graph into normal form: operands first, then the first rule that matches, until none does.
 * Stands before planning, so that the planner sees each weight in one shape however it was written.
 * Ensures what `verifyAlgebra(graph, "normal")` states; the same object comes back when nothing changes.
 */

import { childrenOf, type TermFactory, withChildren } from "./algebra-graph.ts";
import type { AlgebraGraph, Term } from "./algebra-node.ts";
import type { RewriteRule } from "./rewrite-rule.ts";
import { rewriteRules } from "./rewrite-rules.ts";

/** The normal form of one term, and the names of the rules that fired, in order, each once. */
export function normaliseTerm(
  term: Term,
  factory: TermFactory,
  rules: readonly RewriteRule[] = rewriteRules,
): { readonly term: Term; readonly rules: readonly string[] } {
  const fired = new Set<string>();
  const known = new Map<Term, Term>();
  const visit = (start: Term): Term => {
    const before = known.get(start);
    if (before !== undefined) return before;
    const current = withChildren(factory, start, childrenOf(start).map(visit));
    let result = current;
    for (const { name, rewrite } of rules) {
      const next = rewrite(current, factory);
      if (next === null || next === current) continue;
      fired.add(name);
      result = visit(next);
      break;
    }
    known.set(start, result);
    known.set(result, result);
    return result;
  };
  return { term: visit(term), rules: [...fired] };
}

/** @param factory the one that made the terms of `graph`. */
export function normalise(graph: AlgebraGraph, factory: TermFactory): AlgebraGraph {
  const { term, rules } = normaliseTerm(graph.root, factory);
  if (term === graph.root && graph.rules !== undefined) return graph;
  return { ...graph, root: term, rules: [...new Set([...(graph.rules ?? []), ...rules])] };
}
