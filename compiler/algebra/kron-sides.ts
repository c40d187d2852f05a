/**
 * The matrices around one part of a Kronecker product, which its gradient reads x and dy through. Viewed as an array,
 * the input of A ⊗ B ⊗ … has an axis for each factor; what acts on one axis commutes with what acts on the others, so
 * that each other factor, or each part of one that is a product, acts either on x or, transposed, on dy.
 */
import { type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import { multiplyNumbers, nonEmpty, type TermFactory } from "./algebra-graph.ts";
import type { Term } from "./algebra-node.ts";
import { isDifferentiable } from "./structure.ts";

/** The copies of X in I ⊗ X; null for any other term. */
export function copiesOf(term: Term): { readonly copies: Term; readonly block: Term } | null {
  if (term.kind !== "kron") return null;
  const [copies, block, ...rest] = term.factors;
  if (copies?.kind !== "identity" || block === undefined || rest.length > 0) return null;
  return { copies, block };
}

/** A ⊗ … = Lᵀ (I ⊗ X) R for the part X of a factor. */
export interface KronSides {
  /** I ⊗ X, a copy for each line of the axis of X. */
  readonly repeated: Term;
  /** R, what acts on x before X, in written order. */
  readonly right: readonly Term[];
  /** L, what acts on dy before Xᵀ, in written order. */
  readonly left: readonly Term[];
}

/** Most ways to share the other factors between x and dy that are offered for one part. */
const mostShares = 16;

interface Axis {
  readonly factor: Term;
  /** In written order; none for the identity. */
  readonly parts: readonly Term[];
}

const axisOf = (factor: Term): Axis => {
  if (factor.kind === "identity") return { factor, parts: [] };
  return { factor, parts: factor.kind === "chain" ? factor.factors : [factor] };
};

/** Lines of an axis between the parts before `cut` and those from it on. */
const linesAt = ({ factor, parts }: Axis, cut: number): NumberExpression =>
  cut === 0 ? factor.rows : (parts[cut - 1]?.columns ?? number(1));

/** Of each axis the parts that act on dy, as a count; factors behind the axis act on x first, those before it on dy. */
function sharesOf(axes: readonly Axis[], own: number): readonly (readonly number[])[] {
  const choices = axes.map(({ parts }, index) => {
    if (index === own) return [0];
    const cuts = Array.from({ length: parts.length + 1 }, (_, cut) => cut);
    return index > own ? cuts : cuts.toReversed();
  });
  return choices
    .reduce<readonly (readonly number[])[]>(
      (found, list) => found.flatMap((before) => list.map((cut) => [...before, cut])),
      [[]],
    )
    .slice(0, mostShares);
}

/** One matrix on each axis, then the rotation that brings the axis `own` to the end. */
function onAxes(matrices: readonly Term[], own: number, factory: TermFactory): readonly Term[] {
  const isAll = (term: Term): boolean => term.kind === "identity";
  const acting = matrices.every(isAll) ? [] : [factory.kron(nonEmpty(matrices))];
  if (own === matrices.length - 1) return acting;
  const sizes = matrices.map(({ rows }) => rows);
  const stride = multiplyNumbers(...sizes.slice(0, own + 1));
  return [factory.permutation(multiplyNumbers(...sizes), stride), ...acting];
}

/** The trained parts of a Kronecker product in written order, each with every way to write what is around it. */
export function kronSides(factors: readonly Term[], factory: TermFactory): readonly (readonly KronSides[])[] {
  const axes = factors.map(axisOf);
  const product = (parts: readonly Term[], lines: NumberExpression): Term =>
    parts.length === 0 ? factory.identity(lines) : factory.chain(nonEmpty(parts));
  return axes.flatMap(({ parts }, own) =>
    parts.flatMap((part, at) => {
      if (!isDifferentiable(part)) return [];
      return [
        sharesOf(axes, own).map((cuts): KronSides => {
          const lines = axes.map((axis, index) =>
            index === own ? number(1) : linesAt(axis, cuts[index] ?? 0),
          );
          const right = axes.map((axis, index) =>
            index === own
              ? product(parts.slice(at + 1), part.columns)
              : product(axis.parts.slice(cuts[index] ?? 0), lines[index] ?? number(1)),
          );
          const left = axes.map((axis, index) =>
            factory.transpose(
              index === own
                ? product(parts.slice(0, at), part.rows)
                : product(axis.parts.slice(0, cuts[index] ?? 0), lines[index] ?? number(1)),
            ),
          );
          return {
            repeated: factory.kron([factory.identity(multiplyNumbers(...lines)), part]),
            right: onAxes(right, own, factory),
            left: onAxes(left, own, factory),
          };
        }),
      ];
    }),
  );
}
