/**
 * A generated program as a tree: the weight with the declarations that it reads hanging on its nodes, so that a
 * smaller weight is a smaller program by itself. Every node knows its shape as text would write it.
 */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";

export interface Shape {
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
}

export interface NumberArgument {
  readonly name: string;
  /** `const int` is fixed when the program is built. */
  readonly type: "int" | "real" | "ratio" | "const int";
  readonly byDefault: number;
  /** What a layer may be loaded with. */
  readonly values: readonly number[];
}

export interface TensorDeclaration extends Shape {
  readonly name: string;
  /** `computed`: of a `frozen` statement. */
  /** `let`: a name for what selections and initial values read. */
  readonly role: "frozen" | "source" | "param" | "computed" | "let";
  readonly structure: "dense" | "sparse" | "blockdiag" | "diag" | "vector";
  /** Matrices in a stacked tensor; null for a single one. */
  readonly stack: NumberExpression | null;
  /** Of a sparse parameter. */
  readonly support: PatternDeclaration | null;
  /** Of a block-diagonal parameter. */
  readonly blocks: NumberExpression | null;
  /** Of a computed one, and of a name: over given tensors. A number is every entry. */
  readonly formula: Expression | number | null;
  /** Of a computed one whose formula is rounded. */
  readonly grid?: Grid;
  /** What a parameter is loaded with, 0 or the ones of a diagonal unless given; of its own shape where it is a tensor. */
  readonly start?: number | TensorDeclaration;
  /** Of a parameter that starts as a factor. */
  readonly decomposed?: Decomposition;
  /** `shared param`, which for a single layer means nothing more. */
  readonly isShared?: boolean;
}

/**
 * Whole numbers up to 127 or 7, or levels of a normal float, times a scale, of which a row has one, or every `block`
 * entries of it; or numbers of 8 significant bits, without a scale.
 */
export interface Grid {
  readonly kind: "int8" | "int4" | "nf4" | "nf3" | "nf2" | "bf16";
  readonly block: number | null;
}

/** The two factors of a matrix that are computed at load: the nearest of that rank, or what this leaves longest. */
export interface Decomposition {
  readonly name: "truncated_svd" | "trailing_svd";
  readonly of: TensorDeclaration;
  readonly rank: NumberExpression;
  /** Of the parameters [rows, rank] and [rank, columns]. */
  readonly names: readonly [string, string];
}

/** A number that follows the clocks `step` and `progress`; without a type a phase, which is 1 or 0. */
export interface Schedule {
  readonly name: string;
  readonly type: "real" | "ratio" | "int" | null;
  readonly value: NumberExpression;
  /** How it is written, where a ramp of the standard library says the value. */
  readonly text: string | null;
}

/** A pattern that is chosen again at multiples of `every` steps; null: always, and as it was chosen at first. */
export interface Refresh {
  readonly every: number;
  readonly condition: NumberExpression | null;
  readonly selection: Selection | null;
}

export type PatternShape =
  | { readonly kind: "unstructured" }
  | { readonly kind: "nm"; readonly n: number; readonly m: number; readonly axis: "input" | "output" }
  | { readonly kind: "block"; readonly height: number; readonly width: number };

/** Which entries compete; null where it is not said. To a layer alone `group` and `model` are the matrix. */
export type Pool =
  | null
  | "matrix"
  | "row"
  | "column"
  | "group"
  | "model"
  | { readonly height: number; readonly width: number };

export type Selection =
  | {
      readonly kind: "magnitude";
      readonly of: TensorDeclaration;
      readonly keep: NumberExpression | null;
      readonly pool: Pool;
      /** Among which layers the share is allotted, `erk(keep, …)`: to a layer alone it is its own. */
      readonly allotted?: "group" | "model";
    }
  /** `count` of each pool. */
  | {
      readonly kind: "topk";
      readonly of: TensorDeclaration;
      readonly count: NumberExpression;
      readonly pool: Pool;
    }
  | { readonly kind: "random"; readonly count: NumberExpression }
  /** That share of the entries or blocks, or n of every m. */
  | { readonly kind: "random_share"; readonly keep: NumberExpression | null; readonly pool: Pool }
  /** In a refresh: the share of smallest |of| goes, as many of largest |by| come; null: by the gradient of the weight. */
  | {
      readonly kind: "regrow";
      readonly of: TensorDeclaration;
      readonly by: TensorDeclaration | null;
      readonly fraction: NumberExpression;
    }
  /** In a refresh: what it keeps and the part keeps too. */
  | { readonly kind: "within"; readonly parts: readonly [PatternDeclaration] }
  /** As many as the data say. */
  | {
      readonly kind: "above" | "below";
      readonly of: TensorDeclaration;
      readonly threshold: NumberExpression;
    }
  | { readonly kind: "nonzero"; readonly of: TensorDeclaration }
  /** Whole rows or columns by their norm. */
  | {
      readonly kind: "top_rows" | "top_columns";
      readonly of: TensorDeclaration;
      readonly count: NumberExpression;
    }
  /** `among`: of how many, where no matrix says it. */
  | {
      readonly kind: "random_rows" | "random_columns";
      readonly count: NumberExpression;
      readonly among: NumberExpression | null;
    }
  | { readonly kind: "all" | "diagonal" }
  | { readonly kind: "not"; readonly parts: readonly [PatternDeclaration] }
  | { readonly kind: "and" | "or"; readonly parts: readonly [PatternDeclaration, PatternDeclaration] };

export interface PatternDeclaration extends Shape {
  /** Empty for a support that is written where it is used. */
  readonly name: string;
  readonly shape: PatternShape;
  /** What a masked parameter stores and trains; null where it is not said. */
  readonly mode: "structural" | "multiplicative" | "straight_through" | null;
  readonly selection: Selection;
  /** Null for one that stays as it is. */
  readonly refresh: Refresh | null;
  /** How many patterns the declaration makes, each chosen by itself; null for a single one. */
  readonly family: NumberExpression | null;
  /** What its selection calls the index of each of the family, if it reads it: which of a stack, or in a number. */
  readonly index?: string;
}

/** Which of a family. */
export type Member = number | string | null;

/** `body` over the operands and numbers of a call. */
export interface FunctionDeclaration {
  readonly name: string;
  readonly formals: readonly (Shape & { readonly name: string })[];
  readonly numbers: readonly string[];
  readonly body: (operands: readonly Expression[], numbers: readonly NumberExpression[]) => Expression;
}

export type MapName = "sigmoid" | "tanh" | "exp" | "log" | "sqrt" | "abs" | "relu" | "softmax";

export type Expression = Shape &
  (
    | {
        readonly kind: "tensor";
        readonly tensor: TensorDeclaration;
        readonly slice: number | string | null;
      }
    | { readonly kind: "formal"; readonly name: string }
    | { readonly kind: "sum"; readonly terms: readonly Expression[]; readonly minus: readonly boolean[] }
    | { readonly kind: "product"; readonly factors: readonly Expression[] }
    | {
        readonly kind: "scale";
        readonly factor: NumberExpression;
        readonly side: "left" | "right" | "divide";
        readonly operand: Expression;
      }
    | { readonly kind: "negative"; readonly operand: Expression }
    | { readonly kind: "transpose"; readonly operand: Expression }
    | {
        readonly kind: "mask";
        readonly pattern: PatternDeclaration;
        readonly member: Member;
        readonly operand: Expression;
      }
    | { readonly kind: "hadamard"; readonly factors: readonly Expression[] }
    | { readonly kind: "kron"; readonly factors: readonly Expression[] }
    | { readonly kind: "blockdiag"; readonly blocks: readonly Expression[] }
    /** Above each other, side by side. */
    | { readonly kind: "rows" | "columns"; readonly parts: readonly Expression[] }
    | { readonly kind: "zeros" }
    /** Ones at the positions of a pattern. */
    | { readonly kind: "indicator"; readonly pattern: PatternDeclaration }
    /** Picks the lines of a pattern of whole rows or columns: [count, lines]. */
    | { readonly kind: "selector"; readonly axis: "row" | "column"; readonly pattern: PatternDeclaration }
    /** `diag(d)` of a vector. */
    | { readonly kind: "diag"; readonly tensor: TensorDeclaration }
    /** A function of entries, or along each row. */
    | { readonly kind: "map"; readonly function: MapName; readonly operand: Expression }
    /** The operand, through which no gradient flows. */
    | { readonly kind: "detach"; readonly operand: Expression }
    /** Of K = A - Aᵀ, or U - Uᵀ with U above the diagonal of A: (2 I + K)⁻¹, or (I - K) (I + K)⁻¹. */
    | {
        readonly kind: "square";
        readonly function: "inverse" | "cayley";
        readonly tensor: TensorDeclaration;
        readonly isUpper: boolean;
      }
    /** Skew-symmetric blocks of `size` rows on the diagonal. */
    | { readonly kind: "skew"; readonly tensor: TensorDeclaration; readonly size: number }
    | { readonly kind: "ones" }
    /** Entry by entry. */
    | { readonly kind: "quotient"; readonly factors: readonly Expression[] }
    /** `diag(m ./ row_norm(V)) @ V`, or by columns; `isDetached`: the norm is a constant of the gradient. */
    | {
        readonly kind: "normed";
        readonly axis: "row" | "column";
        readonly vector: TensorDeclaration;
        readonly isDetached: boolean;
        readonly operand: Expression;
      }
    /** `v[i] * operand`, of a vector or of its softmax. */
    | {
        readonly kind: "entry";
        readonly vector: TensorDeclaration;
        readonly index: number | string;
        readonly isShare: boolean;
        readonly operand: Expression;
      }
    /** Brings the rows of a matrix into the order of their norms, the largest first. */
    | { readonly kind: "sorted"; readonly by: TensorDeclaration }
    /** `bare`: written without its size. */
    | { readonly kind: "identity"; readonly bare: boolean }
    | { readonly kind: "permutation"; readonly stride: NumberExpression }
    | {
        readonly kind: "loop";
        readonly operator: "sum" | "product";
        readonly variable: string;
        readonly count: NumberExpression;
        readonly body: Expression;
      }
    | { readonly kind: "let"; readonly name: string; readonly value: Expression }
    | {
        readonly kind: "call";
        readonly function: FunctionDeclaration;
        readonly operands: readonly Expression[];
        readonly numbers: readonly NumberExpression[];
      }
  );

/** A claim on how the weight is applied. Subjects are parts of the weight. */
export type Pin =
  | { readonly claim: "layout"; readonly layout: "lane_output" | "lane_token" }
  | { readonly claim: "tile"; readonly tokens: number }
  | { readonly claim: "merge" | "separate"; readonly subject: Expression }
  | {
      readonly claim: "format";
      readonly subject: Expression;
      readonly format: "dense" | "csr" | "windows" | "groups" | "blocks" | "vector";
    };

export interface Program {
  readonly name: string;
  readonly weight: Expression;
  /** Every number argument that may occur; those that do are declared. */
  readonly numbers: readonly NumberArgument[];
  /** Names of dimensions that may occur. */
  readonly dimensions: readonly string[];
  /** Those that occur are declared. */
  readonly schedules: readonly Schedule[];
  readonly pins: readonly Pin[];
  /** Whether divisibility is stated by `require` or left to the constructs that imply it. */
  readonly stated: boolean;
}

/** Values of dimensions, number arguments, clocks and schedules. */
export type Sizes = ReadonlyMap<string, number>;

export interface Condition {
  readonly dividend: NumberExpression;
  readonly divisor: NumberExpression;
}
