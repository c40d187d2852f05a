/** What a rewrite rule is, and how rules are written down. */
import type { TermFactory } from "./algebra-graph.ts";
import type { Term, TermKind } from "./algebra-node.ts";

export type TermOf<Kind extends TermKind> = Extract<Term, { readonly kind: Kind }>;

export interface RewriteRule {
  readonly name: string;
  /** As mathematics; X, Y are any terms. */
  readonly identity: string;
  readonly rewrite: (term: Term, factory: TermFactory) => Term | null;
}

/** A rule for terms of one kind. */
export function rule<Kind extends TermKind>(
  name: string,
  kind: Kind,
  identity: string,
  rewrite: (term: TermOf<Kind>, factory: TermFactory) => Term | null,
): RewriteRule {
  const matches = (term: Term): term is TermOf<Kind> => term.kind === kind;
  return { name, identity, rewrite: (term, factory) => (matches(term) ? rewrite(term, factory) : null) };
}

/** Replaces the first adjacent pair that `join` accepts. */
export function joinNeighbours(
  members: readonly Term[],
  join: (left: Term, right: Term) => readonly Term[] | null,
): readonly Term[] | null {
  for (const [index, left] of members.entries()) {
    const right = members[index + 1];
    const joined = right === undefined ? null : join(left, right);
    if (joined !== null) return [...members.slice(0, index), ...joined, ...members.slice(index + 2)];
  }
  return null;
}
