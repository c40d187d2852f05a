/**
 * The identities that bring a term into normal form. Each is a row: name, identity, function from a term whose
 * operands are normal to an equal term, or null where it does not match.
 * They end: transposes and windows only sink, scales only rise, and every other rule makes the term smaller.
 */
import { apply, type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import { sameDimension } from "../types/dimension.ts";
import { addNumbers, divideNumbers, multiplyNumbers, nonEmpty, type TermFactory } from "./algebra-graph.ts";
import type { Term, TermKind } from "./algebra-node.ts";
import { joinNeighbours, type RewriteRule, rule, type TermOf } from "./rewrite-rule.ts";
import { isTrainable } from "./structure.ts";
import { isOrdering } from "./structure-transfer.ts";
import { isThinProduct, joinThinProducts } from "./thin-products.ts";
import { windowRules } from "./window-rules.ts";

/** A transpose of one kind of term. */
function transposeRule<Kind extends TermKind>(
  name: string,
  kind: Kind,
  identity: string,
  rewrite: (operand: TermOf<Kind>, factory: TermFactory) => Term,
): RewriteRule {
  const matches = (term: Term): term is TermOf<Kind> => term.kind === kind;
  return rule(name, "transpose", identity, ({ operand }, factory) =>
    matches(operand) ? rewrite(operand, factory) : null,
  );
}

const zeroLike = (term: Term, factory: TermFactory): Term => factory.zero(term.rows, term.columns);
const isNumber = (expression: NumberExpression, value: number): boolean =>
  expression.kind === "number" && expression.value === value;
const transposed = (terms: readonly Term[], factory: TermFactory): readonly [Term, ...Term[]] =>
  nonEmpty(terms.map((term) => factory.transpose(term)));

/** A term as factor times the rest. */
const splitScale = (term: Term): { readonly factor: NumberExpression; readonly operand: Term } =>
  term.kind === "scale" ? term : { factor: number(1), operand: term };

/** The scales of all members multiplied in front of the product of what remains; null when there is none. */
function pullScales(
  members: readonly Term[],
  factory: TermFactory,
  rebuild: (members: readonly [Term, ...Term[]]) => Term,
): Term | null {
  if (!members.some((member) => member.kind === "scale")) return null;
  const parts = members.map(splitScale);
  return factory.scale(
    multiplyNumbers(...parts.map(({ factor }) => factor)),
    rebuild(nonEmpty(parts.map(({ operand }) => operand))),
  );
}

const zeroInside = (members: readonly Term[]): boolean => members.some((member) => member.kind === "zero");

/** Members without the ones that `drop` selects; null when nothing is dropped. */
function without(members: readonly Term[], drop: (member: Term) => boolean): readonly Term[] | null {
  const kept = members.filter((member) => !drop(member));
  return kept.length === members.length ? null : kept;
}

/** sX + tX = (s + t)X over all members of a sum. */
function collectEqual(terms: readonly Term[], factory: TermFactory): Term | null {
  const factors = new Map<Term, NumberExpression[]>();
  for (const term of terms) {
    const { factor, operand } = splitScale(term);
    factors.set(operand, [...(factors.get(operand) ?? []), factor]);
  }
  if (factors.size === terms.length) return null;
  return factory.sum(
    nonEmpty(
      [...factors].map(([operand, [first = number(1), ...rest]]) => {
        return rest.length === 0
          ? factory.scale(first, operand)
          : factory.scale(addNumbers(first, ...rest), operand);
      }),
    ),
  );
}

const inverses = (left: Term, right: Term): boolean =>
  left.kind === "permutation" &&
  right.kind === "permutation" &&
  sameDimension(apply("*", left.stride, right.stride), left.rows);

export const rewriteRules: readonly RewriteRule[] = [
  transposeRule("transpose-twice", "transpose", "(Xᵀ)ᵀ = X", ({ operand }) => operand),
  transposeRule("transpose-sum", "sum", "(X + Y)ᵀ = Xᵀ + Yᵀ", ({ terms }, factory) =>
    factory.sum(transposed(terms, factory)),
  ),
  transposeRule("transpose-chain", "chain", "(X Y)ᵀ = Yᵀ Xᵀ", ({ factors }, factory) =>
    factory.chain(transposed(factors.toReversed(), factory)),
  ),
  transposeRule("transpose-scale", "scale", "(s X)ᵀ = s Xᵀ", ({ factor, operand }, factory) =>
    factory.scale(factor, factory.transpose(operand)),
  ),
  transposeRule("transpose-hadamard", "hadamard", "(X ⊙ Y)ᵀ = Xᵀ ⊙ Yᵀ", ({ factors }, factory) =>
    factory.hadamard(transposed(factors, factory)),
  ),
  transposeRule("transpose-kron", "kron", "(X ⊗ Y)ᵀ = Xᵀ ⊗ Yᵀ", ({ factors }, factory) =>
    factory.kron(transposed(factors, factory)),
  ),
  transposeRule("transpose-blockdiag", "blockdiag", "(X ⊕ Y)ᵀ = Xᵀ ⊕ Yᵀ", ({ blocks }, factory) =>
    factory.blockdiag(transposed(blocks, factory)),
  ),
  transposeRule("transpose-permutation", "permutation", "P(s)ᵀ = P(n / s)", ({ rows, stride }, factory) =>
    factory.permutation(rows, divideNumbers(rows, stride)),
  ),
  transposeRule("transpose-diagonal", "diag", "diag(d)ᵀ = diag(d)", (operand) => operand),
  transposeRule("transpose-identity", "identity", "Iᵀ = I", (operand) => operand),
  transposeRule("transpose-zero", "zero", "0ᵀ = 0", ({ rows, columns }, factory) =>
    factory.zero(columns, rows),
  ),

  rule("scale-one", "scale", "1 X = X", ({ factor, operand }) => (isNumber(factor, 1) ? operand : null)),
  rule("scale-zero", "scale", "0 X = 0", (term, factory) =>
    isNumber(term.factor, 0) || term.operand.kind === "zero" ? zeroLike(term, factory) : null,
  ),
  rule("scale-scale", "scale", "s (t X) = (s t) X", ({ factor, operand }, factory) =>
    operand.kind === "scale" ? factory.scale(multiplyNumbers(factor, operand.factor), operand.operand) : null,
  ),
  rule("scale-sum", "scale", "s (X + Y) = s X + s Y", ({ factor, operand }, factory) =>
    operand.kind === "sum"
      ? factory.sum(nonEmpty(operand.terms.map((term) => factory.scale(factor, term))))
      : null,
  ),
  rule("chain-scale", "chain", "X (s Y) = s (X Y)", ({ factors }, factory) =>
    pullScales(factors, factory, factory.chain),
  ),
  rule("kron-scale", "kron", "X ⊗ (s Y) = s (X ⊗ Y)", ({ factors }, factory) =>
    pullScales(factors, factory, factory.kron),
  ),
  rule("hadamard-scale", "hadamard", "X ⊙ (s Y) = s (X ⊙ Y)", ({ factors }, factory) =>
    pullScales(factors, factory, factory.hadamard),
  ),
  rule("mask-scale", "mask", "M ⊙ (s X) = s (M ⊙ X)", ({ pattern, operand }, factory) =>
    operand.kind === "scale" ? factory.scale(operand.factor, factory.mask(pattern, operand.operand)) : null,
  ),
  rule("blockdiag-scale", "blockdiag", "(s X) ⊕ (s Y) = s (X ⊕ Y)", ({ blocks }, factory) => {
    const parts = blocks.map(splitScale);
    const factor = parts[0]?.factor ?? number(1);
    if (isNumber(factor, 1) || !parts.every((part) => sameDimension(part.factor, factor))) return null;
    return factory.scale(factor, factory.blockdiag(nonEmpty(parts.map(({ operand }) => operand))));
  }),

  rule("sum-zero", "sum", "X + 0 = X", ({ terms }, factory) => {
    const kept = without(terms, (term) => term.kind === "zero");
    if (kept === null) return null;
    return kept.length === 0 ? (terms[0] ?? null) : factory.sum(nonEmpty(kept));
  }),
  rule("chain-zero", "chain", "X 0 = 0", (term, factory) =>
    zeroInside(term.factors) ? zeroLike(term, factory) : null,
  ),
  rule("kron-zero", "kron", "X ⊗ 0 = 0", (term, factory) =>
    zeroInside(term.factors) ? zeroLike(term, factory) : null,
  ),
  rule("hadamard-zero", "hadamard", "X ⊙ 0 = 0", (term, factory) =>
    zeroInside(term.factors) ? zeroLike(term, factory) : null,
  ),
  rule("mask-zero", "mask", "M ⊙ 0 = 0", (term, factory) =>
    term.operand.kind === "zero" ? zeroLike(term, factory) : null,
  ),
  rule("blockdiag-zero", "blockdiag", "0 ⊕ 0 = 0", (term, factory) =>
    term.blocks.every(({ kind }) => kind === "zero") ? zeroLike(term, factory) : null,
  ),

  rule("chain-identity", "chain", "X I = X", ({ factors }, factory) => {
    const kept = without(factors, (factor) => factor.kind === "identity");
    if (kept === null) return null;
    return kept.length === 0 ? (factors[0] ?? null) : factory.chain(nonEmpty(kept));
  }),
  rule("kron-unit", "kron", "X ⊗ I(1) = X", ({ factors }, factory) => {
    const kept = without(factors, (factor) => factor.kind === "identity" && isNumber(factor.rows, 1));
    if (kept === null) return null;
    return kept.length === 0 ? (factors[0] ?? null) : factory.kron(nonEmpty(kept));
  }),
  rule("kron-identity", "kron", "I(a) ⊗ I(b) = I(a b)", ({ factors }, factory) => {
    const joined = joinNeighbours(factors, (left, right) =>
      left.kind === "identity" && right.kind === "identity"
        ? [factory.identity(multiplyNumbers(left.rows, right.rows))]
        : null,
    );
    return joined === null ? null : factory.kron(nonEmpty(joined));
  }),
  rule("blockdiag-identity", "blockdiag", "I(a) ⊕ I(b) = I(a + b)", (term, factory) =>
    term.blocks.every(({ kind }) => kind === "identity") ? factory.identity(term.rows) : null,
  ),
  rule("permutation-trivial", "permutation", "P(1) = P(n) = I(n)", ({ rows, stride }, factory) =>
    isNumber(stride, 1) || sameDimension(stride, rows) ? factory.identity(rows) : null,
  ),
  rule("chain-permutations", "chain", "P(s) P(n / s) = I(n)", ({ factors }, factory) => {
    const joined = joinNeighbours(factors, (left, right) =>
      inverses(left, right) ? [factory.identity(left.rows)] : null,
    );
    return joined === null ? null : factory.chain(nonEmpty(joined));
  }),

  rule("permutation-inverse", "chain", "Q Qᵀ = Qᵀ Q = I for a permutation Q", ({ factors }, factory) => {
    const joined = joinNeighbours(factors, (left, right) => {
      const [given, inverse] = left.kind === "transpose" ? [right, left] : [left, right];
      const isInverse = inverse.kind === "transpose" && inverse.operand === given;
      return isInverse && given.kind === "indicator" && isOrdering(given.pattern)
        ? [factory.identity(given.rows)]
        : null;
    });
    return joined === null ? null : factory.chain(nonEmpty(joined));
  }),

  ...windowRules,

  rule("hadamard-products", "hadamard", "(A B) ⊙ (C D) = (A • C) (Bᵀ • Dᵀ)ᵀ", ({ factors }, factory) => {
    const [first, second] = factors.filter((factor): factor is TermOf<"chain"> => isThinProduct(factor));
    if (first === undefined || second === undefined || ![first, second].some(isTrainable)) return null;
    const joined = joinThinProducts(first, second, factory);
    if (joined === null) return null;
    const others = factors.filter((factor) => factor !== first && factor !== second);
    return factory.hadamard([joined, ...others]);
  }),

  rule("mask-mask", "mask", "M ⊙ (M ⊙ X) = M ⊙ X", ({ pattern, operand }) =>
    operand.kind === "mask" && operand.pattern.name === pattern.name ? operand : null,
  ),
  rule("mask-support", "mask", "M ⊙ S = S for S on the support M", ({ pattern, operand }) =>
    operand.kind === "leaf" && operand.tensor.support === pattern.name ? operand : null,
  ),
  rule("sum-equal", "sum", "s X + t X = (s + t) X", ({ terms }, factory) => collectEqual(terms, factory)),
];
