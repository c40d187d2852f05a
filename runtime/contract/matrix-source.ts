/**
 * A matrix as an expression over the leaves of a transform: what a packed operand holds.
 * The serialised form of the algebra's terms that the runtime may have to evaluate at load or after a step.
 */
import type { NumberExpression } from "./number-expression.ts";

export type MatrixSource =
  /** An argument tensor or a parameter; `slice` picks one matrix of a stacked [count, rows, columns] tensor. */
  | { readonly kind: "leaf"; readonly name: string; readonly slice: number | null }
  | { readonly kind: "sum"; readonly terms: readonly MatrixSource[] }
  | { readonly kind: "product"; readonly factors: readonly MatrixSource[] }
  | { readonly kind: "scale"; readonly factor: NumberExpression; readonly of: MatrixSource }
  | { readonly kind: "transpose"; readonly of: MatrixSource }
  /** Entries outside the named pattern are zero. */
  | { readonly kind: "mask"; readonly pattern: string; readonly of: MatrixSource }
  /** The matrix with ones at the positions of the named pattern. */
  | {
      readonly kind: "pattern";
      readonly name: string;
      readonly rows: NumberExpression;
      readonly columns: NumberExpression;
    }
  /** Elementwise product. */
  | { readonly kind: "hadamard"; readonly factors: readonly MatrixSource[] }
  | { readonly kind: "kron"; readonly factors: readonly MatrixSource[] }
  | { readonly kind: "blockdiag"; readonly blocks: readonly MatrixSource[] }
  /** The square matrix with the vector leaf on its diagonal. */
  | { readonly kind: "diag"; readonly of: MatrixSource }
  | { readonly kind: "identity"; readonly size: NumberExpression }
  /** `width` rows of the identity of `size`, from row `offset` on. */
  | {
      readonly kind: "window";
      readonly size: NumberExpression;
      readonly width: NumberExpression;
      readonly offset: NumberExpression;
    }
  /**
   * The stride permutation P(stride) of `size`: (P v)[k * stride + j] = v[j * (size / stride) + k]
   * for j < stride, k < size / stride.
   */
  | {
      readonly kind: "stride-permutation";
      readonly size: NumberExpression;
      readonly stride: NumberExpression;
    };
