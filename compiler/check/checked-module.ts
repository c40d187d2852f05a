/**
 * A checked module: every name resolved, every function inlined, every sum unrolled, every dimension in
 * canonical form, every `const` a number. What follows the checker reads only this.
 */
import type { MaskMode } from "../../grammar/syntax/syntax-tree.ts";
import type { SourceText, Span } from "../../grammar/text/source-text.ts";
import type { AllotmentManifest, PoolManifest } from "../../runtime/contract/manifest.ts";
import type { MatrixSource } from "../../runtime/contract/matrix-source.ts";
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { QuantizedType } from "../../runtime/contract/quantized-type.ts";
import type { Recipe } from "../../runtime/contract/recipe.ts";
import type { TimeManifest } from "../../runtime/contract/time.ts";

export interface CheckedModule {
  readonly file: string;
  /** Every file read, the entry first. */
  readonly sources: readonly SourceText[];
  /** Transforms declared in the entry file, then const instances and imported ones that its models use. */
  readonly transforms: readonly CheckedTransform[];
  readonly models: readonly CheckedModel[];
}

export interface CheckedTransform {
  /** Unique in the module: the declared name, or name plus const values, e.g. `PHM_n2`, for other instances. */
  readonly name: string;
  readonly documentation: string;
  readonly span: Span;
  /** In declaration order, without `const` ones. */
  readonly arguments: readonly CheckedArgument[];
  readonly constants: Readonly<Record<string, number>>;
  /** Obligations left open: checked once at load, in order. */
  readonly requirements: readonly Requirement[];
  /** Obligations that were proven, for `explain`. */
  readonly proven: readonly Requirement[];
  /** Frozen argument tensors, source tensors and parameters. */
  readonly tensors: readonly CheckedTensor[];
  readonly patterns: readonly CheckedPattern[];
  /** Schedules, phases and refreshes; null without any. */
  readonly time: TimeManifest | null;
  /** Patterns and parameters in an order in which each can be computed at load. */
  readonly order: readonly string[];
  readonly weight: WeightExpression;
  /** What the author demands of the plan, in order; absent without any. */
  readonly pins?: readonly CheckedPin[];
}

/** A claim on the plan. */
export type CheckedPin = {
  /** What is claimed, as the language writes it. */
  readonly text: string;
  readonly span: Span;
} /** `merge`: formed as one matrix. `separate`: applied apart from the rest, and not formed. */ & (
  | { readonly claim: "merge" | "separate"; readonly subject: WeightExpression }
  | {
      readonly claim: "format";
      readonly subject: WeightExpression;
      readonly storage: "dense" | "entries" | "groups" | "blocks" | "vector";
      /** The one layout that has the format; null when both have. */
      readonly layout: "lane-output" | "lane-token" | null;
    }
  | { readonly claim: "layout"; readonly layout: "lane-output" | "lane-token" }
  /** `tokens` that a kernel takes at once; a whole number from 1. */
  | { readonly claim: "tile"; readonly tokens: number }
);

export type CheckedArgument =
  | {
      readonly kind: "tensor";
      readonly name: string;
      readonly frozen: boolean;
      readonly dimensions: readonly NumberExpression[];
      readonly span: Span;
    }
  | {
      readonly kind: "number";
      readonly name: string;
      readonly type: "int" | "real" | "ratio" | "bool";
      readonly defaultValue: NumberExpression | null;
      /** Given by nobody: the layers of a model get it together. */
      readonly allotment?: AllotmentManifest;
      readonly span: Span;
    };

export interface Requirement {
  readonly condition: NumberExpression;
  /** As the language writes it. */
  readonly text: string;
  /** Code raised when it fails at load. */
  readonly code: string;
  readonly span: Span;
  /** What made it necessary, e.g. `2:4 groups along the input`. */
  readonly reason: string;
}

export interface CheckedTensor {
  readonly name: string;
  /** `source`: read by recipes only, never part of the weight. `derived`: given by `derivation`. */
  readonly role: "frozen" | "source" | "param" | "derived";
  /** dense: 1 to 3 dimensions ([count, rows, columns] when stacked); sparse, blockdiag: 2; diag: 1. */
  readonly dimensions: readonly NumberExpression[];
  readonly structure: "dense" | "sparse" | "blockdiag" | "diag";
  readonly support: string | null;
  /** The kind of the pattern `support`; null without one. */
  readonly supportShape: PatternShape | null;
  /**
   * `stored`: its recipe gives the stored values. `dense`: it was written as a dense matrix of which a structural mask
   * leaves the entries of `support`; its recipe gives that matrix.
   */
  readonly drawn: "stored" | "dense";
  readonly blocks: NumberExpression | null;
  /** Stored values. */
  readonly count: NumberExpression;
  /** Null for arguments. A frozen tensor with a recipe is computed at load. */
  readonly recipe: Recipe | null;
  /** The grid that the values of a frozen tensor are rounded to. */
  readonly quantization: QuantizedType | null;
  /** One value for all layers of a model that load the transform with the same shape and numbers. */
  readonly shared: boolean;
  /** Of a derived tensor. */
  readonly derivation?: Derivation;
  readonly span: Span;
}

/** Where a derived tensor comes from. */
export interface Derivation {
  readonly formula: MatrixSource;
  /** Tensors that the formula names. */
  readonly reads: readonly CheckedTensor[];
  /** `step` when a param is read. */
  readonly stage: "load" | "step";
  /** False when no gradient passes to a param: all are detached, or there are none. */
  readonly differentiable: boolean;
}

export type PatternShape =
  | { readonly kind: "unstructured" }
  | { readonly kind: "nm"; readonly n: number; readonly m: number; readonly axis: "input" | "output" }
  | { readonly kind: "block"; readonly height: number; readonly width: number };

export interface CheckedPattern {
  readonly name: string;
  /**
   * What it does to params below it. structural: the other entries do not exist. multiplicative: they are stored, and
   * neither seen nor trained while they are masked. straight_through: they are stored and trained, but not seen.
   */
  readonly mode: MaskMode;
  readonly shape: PatternShape;
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
  /** Number of positions kept; the symbol of `measured` where only the data know. */
  readonly count: NumberExpression;
  readonly measured: MeasuredCount | null;
  /** Layers that share one budget; null when each layer chooses for itself. */
  readonly pool: PoolManifest | null;
  readonly recipe: Recipe;
  readonly span: Span;
}

/** A count that is bound once the positions have been chosen, before anything that reads it. */
export interface MeasuredCount {
  /** `count(M)`, as the language writes it. */
  readonly symbol: string;
  /** What prices assume. */
  readonly estimate: NumberExpression;
}

interface WeightNode {
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
  readonly span: Span;
}

/** The weight as typed mathematics. Every node is a [rows, columns] matrix. */
export type WeightExpression =
  /** A tensor by name; `slice` picks one matrix of a stacked tensor. */
  | (WeightNode & { readonly kind: "leaf"; readonly name: string; readonly slice: number | null })
  | (WeightNode & { readonly kind: "sum"; readonly terms: readonly WeightExpression[] })
  | (WeightNode & { readonly kind: "product"; readonly factors: readonly WeightExpression[] })
  | (WeightNode & {
      readonly kind: "scale";
      readonly factor: NumberExpression;
      readonly operand: WeightExpression;
    })
  | (WeightNode & { readonly kind: "transpose"; readonly operand: WeightExpression })
  /** `M .* A` with a pattern M. */
  | (WeightNode & { readonly kind: "mask"; readonly pattern: string; readonly operand: WeightExpression })
  | (WeightNode & { readonly kind: "hadamard"; readonly factors: readonly WeightExpression[] })
  | (WeightNode & { readonly kind: "kron"; readonly factors: readonly WeightExpression[] })
  | (WeightNode & { readonly kind: "blockdiag"; readonly blocks: readonly WeightExpression[] })
  /** Matrices above each other (`rows`) or side by side (`columns`). */
  | (WeightNode & {
      readonly kind: "concatenation";
      readonly axis: "rows" | "columns";
      readonly parts: readonly WeightExpression[];
    })
  /** The diagonal matrix of a 1-dimensional tensor. */
  | (WeightNode & { readonly kind: "diag"; readonly name: string })
  /** 1 at the positions of a pattern, 0 elsewhere. */
  | (WeightNode & { readonly kind: "indicator"; readonly pattern: string })
  | (WeightNode & { readonly kind: "identity" })
  | (WeightNode & { readonly kind: "zero" })
  /** P(stride), see runtime/contract/matrix-source.ts. */
  | (WeightNode & { readonly kind: "stride-permutation"; readonly stride: NumberExpression });

export interface CheckedModel {
  readonly name: string;
  readonly documentation: string;
  readonly rules: readonly CheckedRule[];
  readonly span: Span;
}

export interface CheckedRule {
  readonly kind: "use" | "freeze";
  readonly glob: string;
  readonly globSpan: Span;
  /** Regular expression source over names with `.` written as `/`. */
  readonly pattern: string;
  readonly exceptions: readonly { readonly glob: string; readonly pattern: string }[];
  /** `CheckedTransform.name`; null for freeze. */
  readonly transform: string | null;
  readonly arguments: Readonly<Record<string, NumberExpression>>;
  readonly span: Span;
}
