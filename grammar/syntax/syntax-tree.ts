// size: the tree of the language, read as one page beside the reference.
/**
 * The syntax tree: what the author wrote, with spans, before any name has a meaning.
 * Immutable; comments that stand before a declaration or statement travel with it so that the formatter
 * keeps them.
 */
import type { Span } from "../text/source-text.ts";

export interface Identifier {
  readonly name: string;
  readonly span: Span;
}

export interface ModuleSyntax {
  readonly file: string;
  readonly imports: readonly ImportSyntax[];
  readonly declarations: readonly DeclarationSyntax[];
  /** Comment lines after the last declaration. */
  readonly trailingComments: readonly string[];
  readonly span: Span;
}

/**
 * Comment and documentation lines before a node, without their `//` or `///` and one space after it. In `comments`
 * the line "\n" stands for a blank line between (or after) groups of comments.
 */
export interface Trivia {
  /** `///` lines. */
  readonly documentation: readonly string[];
  /** `//` lines; those from inside the node as well. */
  readonly comments: readonly string[];
  /** True when a blank line stood before the node. */
  readonly blankBefore: boolean;
  /** A `//` comment on the same line after the node, or null. */
  readonly after: string | null;
}

/** `import { magnitude, topk as top } from "std/select"` */
export interface ImportSyntax {
  readonly kind: "import";
  readonly names: readonly { readonly imported: Identifier; readonly local: Identifier }[];
  readonly from: { readonly value: string; readonly span: Span };
  readonly trivia: Trivia;
  readonly span: Span;
}

export type DeclarationSyntax = TransformSyntax | FunctionSyntax | IntrinsicSyntax | ModelSyntax;

/** `transform NAME(parameters) { statements }` */
export interface TransformSyntax {
  readonly kind: "transform";
  readonly name: Identifier;
  readonly parameters: readonly ParameterSyntax[];
  readonly statements: readonly StatementSyntax[];
  /** Comment lines after the last statement. */
  readonly trailingComments?: readonly string[];
  readonly trivia: Trivia;
  readonly span: Span;
}

/** `function NAME(parameters) = expression`: a pure abbreviation, inlined by the checker. */
export interface FunctionSyntax {
  readonly kind: "function";
  readonly name: Identifier;
  readonly parameters: readonly ParameterSyntax[];
  readonly body: ExpressionSyntax;
  readonly trivia: Trivia;
  readonly span: Span;
}

/** `intrinsic NAME(parameters) -> type`: a signature whose meaning the compiler or the runtime supplies. */
export interface IntrinsicSyntax {
  readonly kind: "intrinsic";
  readonly name: Identifier;
  readonly parameters: readonly ParameterSyntax[];
  readonly result: TypeSyntax;
  readonly trivia: Trivia;
  readonly span: Span;
}

/** `model NAME { for "glob" except "glob" use T(args) … freeze "glob" }` */
export interface ModelSyntax {
  readonly kind: "model";
  readonly name: Identifier;
  readonly rules: readonly RuleSyntax[];
  /** Comment lines after the last rule. */
  readonly trailingComments?: readonly string[];
  readonly trivia: Trivia;
  readonly span: Span;
}

export type RuleSyntax =
  | {
      readonly kind: "use";
      readonly pattern: GlobSyntax;
      readonly exceptions: readonly GlobSyntax[];
      readonly transform: Identifier;
      readonly arguments: readonly ArgumentSyntax[];
      readonly trivia: Trivia;
      readonly span: Span;
    }
  | { readonly kind: "freeze"; readonly pattern: GlobSyntax; readonly trivia: Trivia; readonly span: Span };

export interface GlobSyntax {
  readonly text: string;
  readonly span: Span;
}

/** `W: frozen [out, in]`, `r: int = 16`, `n: const int = 4` */
export interface ParameterSyntax {
  readonly name: Identifier;
  readonly type: TypeSyntax;
  readonly defaultValue: ExpressionSyntax | null;
  readonly trivia?: Trivia;
  readonly span: Span;
}

export type TypeSyntax =
  /** `int`, `real`, `ratio`, `bool`, preceded by `const` when the value is fixed at build time. */
  | {
      readonly kind: "number-type";
      readonly name: "int" | "real" | "ratio" | "bool";
      readonly isConst: boolean;
      readonly span: Span;
    }
  /** `pool`: which entries a selection compares, `row`, `matrix`, `group` or `model`. Only in signatures. */
  | { readonly kind: "pool-type"; readonly span: Span }
  /**
   * `[out, in]`, `frozen [out, in]`, `sparse [out, in] on E`, `blockdiag [n, n] blocks b`, `diag [n]`,
   * `nf4 [out, in] block 64`.
   * Without `frozen`, an argument tensor is only a source for selections and initial values.
   */
  | {
      readonly kind: "tensor-type";
      readonly frozen: boolean;
      readonly structure: "dense" | "sparse" | "blockdiag" | "diag";
      readonly dimensions: readonly ExpressionSyntax[];
      /** After `on`: the support of a sparse tensor. */
      readonly support: ExpressionSyntax | null;
      /** After `blocks`: the number of blocks of a block-diagonal tensor. */
      readonly blocks: ExpressionSyntax | null;
      /** The grid to which values are rounded; then `structure` is "dense". */
      readonly quantized: QuantizationSyntax | null;
      readonly span: Span;
    }
  /** `unstructured`, `nm(2, 4) along in`, `block(4, 1)`: the kind of a mask; `support` for a set of positions. */
  | {
      readonly kind: "pattern-type";
      readonly name: "unstructured" | "nm" | "block" | "support";
      readonly arguments: readonly ExpressionSyntax[];
      /** A dimension symbol of the masked matrix, or `input` / `output`. */
      readonly along: Identifier | null;
      readonly span: Span;
    };

export const quantizedFormats = ["nf2", "nf3", "nf4", "int4", "int8", "bf16"] as const;
export type QuantizedFormat = (typeof quantizedFormats)[number];

/** `nf4 … block 64`: the format before the dimensions, the number of values that have one scale after them. */
export interface QuantizationSyntax {
  readonly format: QuantizedFormat;
  /** Null: one scale a row, or none for `bf16`. */
  readonly block: ExpressionSyntax | null;
}

export const maskModes = ["structural", "multiplicative", "straight_through"] as const;
export type MaskMode = (typeof maskModes)[number];

export const pinKinds = ["merge", "separate", "format", "layout", "tile"] as const;
export type PinKind = (typeof pinKinds)[number];

export type StatementSyntax =
  /** `require r <= min(out, in)` */
  | {
      readonly kind: "require";
      readonly condition: ExpressionSyntax;
      readonly trivia: Trivia;
      readonly span: Span;
    }
  /** `let scale = alpha / r` */
  | {
      readonly kind: "let";
      readonly name: Identifier;
      readonly value: ExpressionSyntax;
      readonly trivia: Trivia;
      readonly span: Span;
    }
  /**
   * `mask M: nm(2, 4) along in = magnitude(W)`, `mask M[i < n]: multiplicative unstructured = …`; `support` statements
   * have pattern `support` and no mode.
   */
  | {
      readonly kind: "mask";
      readonly name: Identifier;
      /** The number of masks of a family, each named `M[i]`; null for a single one. */
      readonly count: ExpressionSyntax | null;
      /** `i` of `M[i < n]`: the index of the member that is chosen. */
      readonly index: Identifier | null;
      /** Null when none is written. */
      readonly mode: MaskMode | null;
      readonly pattern: TypeSyntax & { readonly kind: "pattern-type" };
      readonly value: ExpressionSyntax;
      readonly trivia: Trivia;
      readonly span: Span;
    }
  /** `param B: [out, r] = 0`, `shared param …`; no value when an `init` statement gives it. */
  | {
      readonly kind: "param";
      /** True for one value for all layers of a model. */
      readonly shared: boolean;
      readonly name: Identifier;
      readonly type: TypeSyntax & { readonly kind: "tensor-type" };
      readonly value: ExpressionSyntax | null;
      readonly trivia: Trivia;
      readonly span: Span;
    }
  /** `frozen R: [out, in] = W - B @ A`, `shared frozen …` */
  | {
      readonly kind: "frozen";
      /** True for one value for all layers of a model. */
      readonly shared: boolean;
      readonly name: Identifier;
      readonly type: TypeSyntax & { readonly kind: "tensor-type" };
      readonly value: ExpressionSyntax;
      readonly trivia: Trivia;
      readonly span: Span;
    }
  /** `schedule keep: ratio = cubic(from: 1, to: 0.1)`: a number that follows the clocks of training. */
  | {
      readonly kind: "schedule";
      readonly name: Identifier;
      readonly type: TypeSyntax & { readonly kind: "number-type" };
      readonly value: ExpressionSyntax;
      readonly trivia: Trivia;
      readonly span: Span;
    }
  /** `phase warm = progress < 0.1` */
  | {
      readonly kind: "phase";
      readonly name: Identifier;
      readonly value: ExpressionSyntax;
      readonly trivia: Trivia;
      readonly span: Span;
    }
  /** `refresh M every 10 while progress < 0.75 = regrow(…)` */
  | {
      readonly kind: "refresh";
      readonly name: Identifier;
      readonly every: ExpressionSyntax;
      /** After `while`. */
      readonly condition: ExpressionSyntax | null;
      /** The selection, when it is another than that of the mask. */
      readonly value: ExpressionSyntax | null;
      readonly trivia: Trivia;
      readonly span: Span;
    }
  /** `pin merge B @ A`, `pin format S = csr`, `pin tile = 4` */
  | {
      readonly kind: "pin";
      readonly claim: PinKind;
      /** Null for `layout` and `tile`, which speak of the whole transform. */
      readonly subject: ExpressionSyntax | null;
      /** A name or a number; null for `merge` and `separate`. */
      readonly value: ExpressionSyntax | null;
      readonly trivia: Trivia;
      readonly span: Span;
    }
  /** `init L, R = monarch_projection(W)` */
  | {
      readonly kind: "init";
      readonly names: readonly Identifier[];
      readonly value: ExpressionSyntax;
      readonly trivia: Trivia;
      readonly span: Span;
    }
  /** `weight = M .* W + B @ A` */
  | {
      readonly kind: "weight";
      readonly value: ExpressionSyntax;
      readonly trivia: Trivia;
      readonly span: Span;
    };

export interface ArgumentSyntax {
  /** Null for a positional argument. */
  readonly name: Identifier | null;
  readonly value: ExpressionSyntax;
  readonly span: Span;
}

export type BinarySyntaxOperator =
  | "or"
  | "and"
  | "=="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | "+"
  | "-"
  | "*"
  | "/"
  | "%"
  /** Matrix product. */
  | "@"
  /** Hadamard product. */
  | ".*"
  /** Quotient entry by entry. */
  | "./";

export type ExpressionSyntax =
  | { readonly kind: "number"; readonly value: number; readonly text: string; readonly span: Span }
  | { readonly kind: "name"; readonly name: string; readonly span: Span }
  | {
      readonly kind: "call";
      readonly callee: Identifier;
      readonly arguments: readonly ArgumentSyntax[];
      readonly span: Span;
    }
  /** `A[i]`: slice i of the first axis. */
  | {
      readonly kind: "index";
      readonly target: ExpressionSyntax;
      readonly index: ExpressionSyntax;
      readonly span: Span;
    }
  /** `sum(i < n, term)`, `product(i < n, term)`: of the terms for i = 0 … n-1, n fixed at build time. */
  | {
      readonly kind: "sum" | "product";
      readonly variable: Identifier;
      readonly count: ExpressionSyntax;
      readonly term: ExpressionSyntax;
      readonly span: Span;
    }
  | {
      readonly kind: "binary";
      readonly operator: BinarySyntaxOperator;
      readonly operatorSpan: Span;
      readonly left: ExpressionSyntax;
      readonly right: ExpressionSyntax;
      readonly span: Span;
    }
  | {
      readonly kind: "unary";
      readonly operator: "-" | "not";
      readonly operand: ExpressionSyntax;
      readonly span: Span;
    }
  /** `A.T` */
  | { readonly kind: "transpose"; readonly operand: ExpressionSyntax; readonly span: Span }
  /** Stands where recovery skipped broken text; silences every later complaint about it. */
  | { readonly kind: "broken"; readonly span: Span };
