/**
 * The identities of windows, rows of an identity, by which concatenated matrices and blocks of unequal sizes are
 * written. They end: windows only sink, or vanish.
 */
import { apply, type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import { sameDimension, toPolynomial } from "../types/dimension.ts";
import { addNumbers, nonEmpty } from "./algebra-graph.ts";
import type { Term } from "./algebra-node.ts";
import { joinNeighbours, type RewriteRule, rule, type TermOf } from "./rewrite-rule.ts";

type Window = TermOf<"window">;

/** The window of which a term is the transpose; null for any other term. */
const windowUnder = (term: Term): Window | null =>
  term.kind === "transpose" && term.operand.kind === "window" ? term.operand : null;

/** True when `first` is known to end where `second` begins, or before: what lies between is a sum of dimensions. */
function isBefore(first: Window, second: Window): boolean {
  const between = apply("-", second.offset, addNumbers(first.offset, first.rows));
  return [...toPolynomial(between).values()].every(({ coefficient }) => coefficient.numerator > 0n);
}

const isPlacing = (term: Term): boolean => term.kind === "window" || windowUnder(term) !== null;

export const windowRules: readonly RewriteRule[] = [
  rule("window-whole", "window", "I[0 .. n] = I(n)", ({ rows, columns }, factory) =>
    sameDimension(rows, columns) ? factory.identity(rows) : null,
  ),
  rule(
    "window-window",
    "chain",
    "I[b .. b + w] I[a .. a + v] = I[a + b .. a + b + w]",
    ({ factors }, factory) => {
      const joined = joinNeighbours(factors, (left, right) =>
        left.kind === "window" && right.kind === "window"
          ? [factory.window(right.columns, left.rows, addNumbers(left.offset, right.offset))]
          : null,
      );
      return joined === null ? null : factory.chain(nonEmpty(joined));
    },
  ),
  rule(
    "embedding-embedding",
    "chain",
    "I[a .. a + v]ᵀ I[b .. b + w]ᵀ = I[a + b .. a + b + w]ᵀ",
    ({ factors }, factory) => {
      const joined = joinNeighbours(factors, (left, right) => {
        const [outer, inner] = [windowUnder(left), windowUnder(right)];
        if (outer === null || inner === null) return null;
        const offset = addNumbers(outer.offset, inner.offset);
        return [factory.transpose(factory.window(outer.columns, inner.rows, offset))];
      });
      return joined === null ? null : factory.chain(nonEmpty(joined));
    },
  ),
  rule(
    "window-embedding",
    "chain",
    "I[a .. b] I[a .. b]ᵀ = I, I[a .. b] I[c .. d]ᵀ = 0",
    ({ factors }, factory) => {
      const joined = joinNeighbours(factors, (left, right) => {
        const put = windowUnder(right);
        if (left.kind !== "window" || put === null) return null;
        if (sameDimension(left.offset, put.offset) && sameDimension(left.rows, put.rows))
          return [factory.identity(left.rows)];
        return isBefore(left, put) || isBefore(put, left) ? [factory.zero(left.rows, put.rows)] : null;
      });
      return joined === null ? null : factory.chain(nonEmpty(joined));
    },
  ),
  rule("window-sum", "chain", "Sᵀ (X + Y) T = Sᵀ X T + Sᵀ Y T", ({ factors }, factory) => {
    const at = factors.findIndex(({ kind }) => kind === "sum");
    const middle = factors[at];
    if (middle?.kind !== "sum" || !factors.every((factor, index) => index === at || isPlacing(factor)))
      return null;
    const placed = middle.terms.map((term) => factory.chain(nonEmpty(factors.with(at, term))));
    return factory.sum(nonEmpty(placed));
  }),
  rule("blockdiag-windows", "blockdiag", "X ⊕ Y = S₁ᵀ X T₁ + S₂ᵀ Y T₂", (term, factory) => {
    const [first] = term.blocks;
    const isEven = term.blocks.every(
      (block) =>
        block.kind !== "zero" &&
        first !== undefined &&
        sameDimension(block.rows, first.rows) &&
        sameDimension(block.columns, first.columns),
    );
    if (isEven) return null;
    let [row, column]: [NumberExpression, NumberExpression] = [number(0), number(0)];
    const placed = term.blocks.map((block) => {
      const put = factory.transpose(factory.window(term.rows, block.rows, row));
      const take = factory.window(term.columns, block.columns, column);
      row = addNumbers(row, block.rows);
      column = addNumbers(column, block.columns);
      return factory.chain([put, block, take]);
    });
    return factory.sum(nonEmpty(placed));
  }),
];
