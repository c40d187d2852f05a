/**
 * The algebra: what the weight is. A hash-consed DAG of linear maps; equal terms are the same object, so
 * `===` compares. Sums, chains and Kronecker products are n-ary, so associativity costs nothing, and sums
 * are sorted, so commutativity costs nothing either.
 */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { CheckedPattern, CheckedTensor } from "../check/checked-module.ts";

interface TermNode {
  /** Creation number, unique in its graph; a stable sort key. */
  readonly id: number;
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
}

export type Term =
  /** A [rows, columns] tensor, or slice `slice` of a stacked one. */
  | (TermNode & { readonly kind: "leaf"; readonly tensor: CheckedTensor; readonly slice: number | null })
  /** A vector tensor on the diagonal. */
  | (TermNode & { readonly kind: "diag"; readonly tensor: CheckedTensor })
  /** 1 at the positions of the pattern, 0 elsewhere. */
  | (TermNode & { readonly kind: "indicator"; readonly pattern: CheckedPattern })
  | (TermNode & { readonly kind: "identity" })
  | (TermNode & { readonly kind: "zero" })
  /** P(stride); its transpose is P(size / stride). */
  | (TermNode & { readonly kind: "permutation"; readonly stride: NumberExpression })
  /**
   * `rows` rows of the identity from `offset` on: (S v)[i] = v[offset + i]. Takes a part of a vector; its transpose
   * puts one into zeros, so that [A; B] is S₁ᵀ A + S₂ᵀ B.
   */
  | (TermNode & { readonly kind: "window"; readonly offset: NumberExpression })
  | (TermNode & { readonly kind: "sum"; readonly terms: readonly Term[] })
  /** Factors in written order: the last acts first. */
  | (TermNode & { readonly kind: "chain"; readonly factors: readonly Term[] })
  | (TermNode & { readonly kind: "scale"; readonly factor: NumberExpression; readonly operand: Term })
  | (TermNode & { readonly kind: "transpose"; readonly operand: Term })
  /** Entries outside the pattern do not exist. */
  | (TermNode & { readonly kind: "mask"; readonly pattern: CheckedPattern; readonly operand: Term })
  | (TermNode & { readonly kind: "hadamard"; readonly factors: readonly Term[] })
  | (TermNode & { readonly kind: "kron"; readonly factors: readonly Term[] })
  | (TermNode & { readonly kind: "blockdiag"; readonly blocks: readonly Term[] });

export type TermKind = Term["kind"];

/** The weight of one transform. */
export interface AlgebraGraph {
  readonly transform: string;
  readonly root: Term;
  readonly tensors: readonly CheckedTensor[];
  readonly patterns: readonly CheckedPattern[];
  /** Names of the rewrite rules that normalised it, each once; absent before normalising. */
  readonly rules?: readonly string[];
}
