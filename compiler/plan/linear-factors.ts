/**
 * A weight with every choice made: which terms are applied by themselves, which matrices are formed, how each is stored.
 * Steps apply the factors of a term; permutations are folded into the steps around them.
 */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { Term } from "../algebra/algebra-node.ts";
import type { Range } from "./activation-parts.ts";
import type { MatrixPiece } from "./matrix-operand.ts";
import type { StridePermutation } from "./plan.ts";
import type { Storage } from "./storage.ts";

export type LinearFactor =
  | { readonly kind: "permutation"; readonly permutation: StridePermutation }
  /** Takes a range of `size` features. */
  | { readonly kind: "window"; readonly range: Range; readonly size: NumberExpression }
  /** Puts what it gets into a range of `size` features, zeros around it. */
  | { readonly kind: "embedding"; readonly range: Range; readonly size: NumberExpression }
  /** One packed operand: `dense`, `entries` or `groups`. */
  | {
      readonly kind: "matrix";
      readonly piece: MatrixPiece;
      readonly storage: Storage;
      readonly note: string | null;
    }
  /** Equal blocks; `repeated` when all are the piece itself. */
  | {
      readonly kind: "blocks";
      readonly piece: MatrixPiece;
      readonly blocks: NumberExpression;
      readonly repeated: boolean;
      /** Of the whole factor. */
      readonly rows: NumberExpression;
      readonly columns: NumberExpression;
    }
  | { readonly kind: "diagonal"; readonly piece: MatrixPiece }
  /** A sum between other factors, of which every term can share one step, or some write to ranges. */
  | { readonly kind: "sum"; readonly sum: AppliedSum; readonly trainable: boolean };

export type Move = Extract<LinearFactor, { kind: "permutation" | "window" | "embedding" }>;

/** A part of the form of a term, as people read it. */
export interface FormPart {
  readonly text: string;
  readonly trainable: boolean;
}

/** One term of a sum, or several formed as one matrix. */
export interface AppliedTerm {
  readonly rows: NumberExpression;
  /** The terms of the sum that it stands for: one, or those of a group. */
  readonly covers: readonly Term[];
  /** In front of the factors. */
  readonly scale: NumberExpression | null;
  /** In written order: the last acts first; none for the identity. */
  readonly factors: readonly LinearFactor[];
  readonly parts: readonly FormPart[];
  readonly rules: readonly string[];
  /** What sets it apart from the plainest way, for the name of the variant. */
  readonly traits: readonly string[];
}

export interface AppliedSum {
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
  readonly terms: readonly AppliedTerm[];
  /** Groups of terms whose matrices next to the input are one operand, one below the other; none when left out. */
  readonly stacks?: readonly (readonly AppliedTerm[])[];
}
