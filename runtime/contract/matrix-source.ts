/**
 * A matrix as an expression over the leaves of a transform: what a packed operand holds.
 * The serialised form of the algebra's terms that the runtime may have to evaluate at load or after a step.
 */
import type { NumberExpression } from "./number-expression.ts";

export type MatrixSource =
  /** An argument tensor, a parameter or a derived tensor; `slice` picks one matrix of a stacked one; a vector is a column. */
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
    }
  /** A function of each entry. */
  | { readonly kind: "map"; readonly function: ElementFunction; readonly of: MatrixSource }
  /** Elementwise left / right. */
  | { readonly kind: "quotient"; readonly left: MatrixSource; readonly right: MatrixSource }
  /** The Euclidean norm of each row, as a column. */
  | { readonly kind: "row-norm"; readonly of: MatrixSource }
  /** exp(x) / sum of exp(x) along each row. */
  | { readonly kind: "row-softmax"; readonly of: MatrixSource }
  /** One entry, as a matrix [1, 1]. */
  | { readonly kind: "entry"; readonly row: number; readonly column: number; readonly of: MatrixSource }
  /** A matrix [1, 1] repeated. */
  | {
      readonly kind: "fill";
      readonly rows: NumberExpression;
      readonly columns: NumberExpression;
      readonly of: MatrixSource;
    }
  | { readonly kind: "ones"; readonly rows: NumberExpression; readonly columns: NumberExpression }
  /** The inverse of a square matrix; of a block-diagonal one block by block. */
  | { readonly kind: "inverse"; readonly of: MatrixSource }
  /** Rows times rows: result[i, k * right.columns + l] = left[i, k] * right[i, l]. */
  | { readonly kind: "face-splitting"; readonly left: MatrixSource; readonly right: MatrixSource }
  /**
   * Skew-symmetric blocks of `size` on a diagonal; row b of `of`, [blocks, size (size - 1) / 2], is the strict upper
   * triangle of block b, row by row.
   */
  | { readonly kind: "skew"; readonly size: NumberExpression; readonly of: MatrixSource }
  /** The entries above the diagonal; zeros elsewhere. */
  | { readonly kind: "strict-upper"; readonly of: MatrixSource }
  /** The same value, through which no gradient flows. */
  | { readonly kind: "detach"; readonly of: MatrixSource };

/** What a packed operand holds: a matrix, or several of one width, one below the other, so that one kernel reads them. */
export type OperandSource =
  | MatrixSource
  | { readonly kind: "stack"; readonly parts: readonly MatrixSource[] };

/** The matrices of an operand, from the top. */
export const stackedParts = (source: OperandSource): readonly MatrixSource[] =>
  source.kind === "stack" ? source.parts : [source];

export type ElementFunction = "sigmoid" | "tanh" | "exp" | "log" | "sqrt" | "abs" | "relu";

/** Functions with f(0) = 0: entries that do not exist stay away. */
export const keepsZero: Readonly<Record<ElementFunction, boolean>> = {
  sigmoid: false,
  tanh: true,
  exp: false,
  log: false,
  sqrt: true,
  abs: true,
  relu: true,
};

/** The sources that `source` is computed from. */
export function partsOfSource(source: MatrixSource): readonly MatrixSource[] {
  switch (source.kind) {
    case "sum":
      return source.terms;
    case "product":
    case "hadamard":
    case "kron":
      return source.factors;
    case "blockdiag":
      return source.blocks;
    case "quotient":
    case "face-splitting":
      return [source.left, source.right];
    default:
      return "of" in source ? [source.of] : [];
  }
}
