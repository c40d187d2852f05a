/**
 * The plan: how the weight is applied. Variants for intervals of the batch; a variant is a list of steps,
 * each one parallel sweep over an output activation that sums the contributions of its terms while the
 * output tile stays in registers.
 */
import type { MatrixSource, OperandSource } from "../../runtime/contract/matrix-source.ts";
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { OperandFormat } from "../../runtime/contract/operand-format.ts";
import type { CheckedTensor } from "../check/checked-module.ts";
import type { LevelName, RatesIdentity } from "../targets/rate-table.ts";
import type { X86Target } from "../targets/x86-targets.ts";

export interface Plan {
  readonly transform: string;
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
  /** Derived tensors that operands or formulas read, each after those that its own formula reads. */
  readonly derived: readonly CheckedTensor[];
  readonly operands: readonly Operand[];
  /** Each is a candidate kept for some batch or some dimensions; the cheapest for the batch is used. */
  readonly variants: readonly Variant[];
  /** Tokens that the kernels of variants take at once, where the author says it: one of `tileTokens`. */
  readonly tile?: number;
  /** Activations may be rounded to bf16 for weights held in bf16: costs have the levels that do. */
  readonly factors?: "bf16";
  readonly merge: MergePlan;
  readonly backward: BackwardPlan;
  /** The table that prices were made with. */
  readonly rates: RatesIdentity;
  /** What was priced, and the candidates left out because another one is hardly ever worse. */
  readonly search: PlanSearch;
  /** Things the author should know: limits hit, formats refused and why. */
  readonly notes: readonly string[];
  /** Integer arguments worth a specialised kernel, with the value to specialise for, e.g. rank r = 16. */
  readonly specializations: readonly { readonly symbol: string; readonly value: number }[];
}

/** The candidates behind a plan. */
export interface PlanSearch {
  /** Different ways to apply the weight that were priced. */
  readonly priced: number;
  /** Ways that exist; more than `priced` when the budget cut the enumeration off, of which a note tells. */
  readonly total: number;
  /** Sampled sizes, batches, arguments and levels at which prices were compared. */
  readonly points: number;
  /** Those that get no kernels, the nearest to being chosen first. */
  readonly rejected: readonly RejectedCandidate[];
}

export interface RejectedCandidate {
  readonly name: string;
  readonly form: string;
  /** Its predicted nanoseconds, to be evaluated at any size; on the widest level. */
  readonly cost: NumberExpression;
  readonly costs: LevelCosts;
  /** Price over that of the cheapest candidate, at the sampled point where it comes nearest. */
  readonly nearest: number;
  /** In words. */
  readonly reason: string;
  readonly rules: readonly string[];
}

/** A packed matrix. Scales are folded into `source`, so kernels never multiply by them. */
export interface Operand {
  readonly name: string;
  readonly format: OperandFormat;
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
  readonly source: OperandSource;
  /** `load`: reads frozen tensors only. `step`: packed again after parameters changed. */
  readonly stage: "load" | "step";
  /** `pack`: computed from `source` and packed. `merge`: the merge of the plan fills it; `source` says what it is. */
  readonly production: "pack" | "merge";
  readonly bytes: NumberExpression;
  /** Stored values (multiplies per row of the batch). */
  readonly multiplies: NumberExpression;
  /** Of a mixed-ell operand whose 16 neighbouring rows have their entries beside one another: no slot is padding. */
  readonly aligned?: true;
  /** Elementary operations that compute it from its tensors, before it is packed; 0 for a tensor as it is. */
  readonly work: NumberExpression;
  /** The term as the algebra prints it. */
  readonly description: string;
}

/**
 * `lane-output`: a register lane is an output; x is broadcast; activations stay row-major.
 * `lane-token`: a lane is a token; activations lie in panels [batch/16][width][16], x is transposed on entry
 * and the last step transposes back.
 */
export type Layout = "lane-output" | "lane-token";

export interface Variant {
  readonly name: string;
  readonly form: string;
  readonly layout: Layout;
  /** `x`, `y` and the intermediate ones, with their widths (features a token). */
  readonly activations: readonly Activation[];
  /** In order; a step reads `x` or outputs of earlier steps. The last one to write `y` completes it. */
  readonly steps: readonly Step[];
  readonly merged: boolean;
  /** Predicted nanoseconds of a call on the widest level; reads dimensions, arguments and `batch`. */
  readonly cost: NumberExpression;
  /** The same for every level. */
  readonly costs: LevelCosts;
  readonly rules: readonly string[];
}

/** Of every measured level, and of those that round where the plan has a use for them. */
export type LevelCosts = Readonly<
  Record<LevelName, NumberExpression> & Partial<Record<X86Target["name"], NumberExpression>>
>;

/** The cost on a level; on one that rounds and finds nothing to round, that of its base. */
export const costOn = (costs: LevelCosts, { name, base }: X86Target): NumberExpression =>
  costs[name] ?? costs[base];

export interface Activation {
  readonly name: string;
  readonly width: NumberExpression;
  /** For a part of another activation, `width` features from `offset` on; without it, memory of its own. */
  readonly part?: { readonly of: string; readonly offset: NumberExpression };
}

export interface Step {
  readonly name: string;
  readonly output: string;
  /** output = P(stride) applied to the sum of the terms; null for none. */
  readonly outputPermutation: StridePermutation | null;
  /** Adds to what the output holds instead of overwriting it; only for `y`. */
  readonly accumulate: boolean;
  /**
   * Several terms only when all are dense, nm, sparse or block; blockdiag and diag stand alone. Without any, the step
   * fills its output with zeros.
   */
  readonly terms: readonly StepTerm[];
}

export interface StepTerm {
  /** `dense` panel16 | table4-panel16 | int8-panel16 | bf16-panel16; `nm` nm-lanes | nm-rows; `sparse` mixed-ell | csr; `block` block-strips; `blockdiag` blockdiag16; `diag` vector. */
  readonly atom: "dense" | "nm" | "sparse" | "block" | "blockdiag" | "diag";
  readonly operand: string;
  /** Applies the transpose of the operand. Only for coded panels with a lane a token, which hold no second copy for it. */
  readonly transposed?: true;
  readonly input: string;
  /** The term reads P(stride) applied to the input; null for none. Only for blockdiag and diag. */
  readonly inputPermutation: StridePermutation | null;
}

/** (P v)[k * stride + j] = v[j * (size / stride) + k]. */
export interface StridePermutation {
  readonly size: NumberExpression;
  readonly stride: NumberExpression;
}

/** How the dense weight is formed. */
export type MergePlan =
  /** Sum of operands and of products of two panel16 operands (N x r, r x K), written as panel16. */
  | { readonly method: "kernel"; readonly terms: readonly MergeTerm[] }
  /** Apply the named lane-output variant to the identity. */
  | { readonly method: "identity"; readonly variant: string };

export type MergeTerm =
  | { readonly kind: "operand"; readonly atom: "dense" | "nm" | "sparse"; readonly operand: string }
  | { readonly kind: "product"; readonly left: string; readonly right: string };

/**
 * dx and the gradient of every parameter from x and dy. One variant, lane = token: every activation lies in panels
 * whose lanes beyond the batch are zero, so that the sum over the tokens of a gradient is a sum over whole vectors.
 */
export interface BackwardPlan {
  /** `x`, `dy`, `dx` and the intermediate ones. */
  readonly activations: readonly Activation[];
  /** In order; a step reads `x`, `dy` or outputs of earlier steps. */
  readonly steps: readonly BackwardStep[];
  /** Parameters with the number of their stored values, in declaration order. */
  readonly parameters: readonly { readonly name: string; readonly count: NumberExpression }[];
  /** Derived tensors and parts of the weight whose gradients the runtime takes on to parameters, after the steps. */
  readonly intermediates: readonly Intermediate[];
  /** With dx. */
  readonly cost: NumberExpression;
  /** Ways to compute dx and the sides of the gradients: priced, and in all. */
  readonly search: { readonly priced: number; readonly total: number };
  readonly rules: readonly string[];
}

export interface Intermediate {
  readonly name: string;
  /** Values of its gradient. */
  readonly count: NumberExpression;
  readonly tensor: CheckedTensor;
  readonly formula: MatrixSource;
  /** Parameters that get a share of it, in order. */
  readonly parameters: readonly string[];
  /** As the language writes it. */
  readonly text: string;
}

export type BackwardStep =
  /** As in a variant; `dxOnly` when no gradient follows from its output, so that it is left out unless dx is asked for. */
  { readonly kind: "apply"; readonly step: Step; readonly dxOnly: boolean } | GradientStep;

/**
 * Adds to the gradient of a parameter or an intermediate, in the format in which its values are stored:
 * gradient[i, j] += scale * weights[i, j] * (sum over tokens and copies of left[i] * right[j]).
 */
export interface GradientStep {
  readonly kind: "gradient";
  readonly name: string;
  readonly parameter: string;
  /** First value that it adds to: the start of a slice. */
  readonly start: NumberExpression;
  readonly shape: GradientShape;
  readonly left: GradientInput;
  readonly right: GradientInput;
  /** Times that the parameter stands on a diagonal, as in I ⊗ A. */
  readonly copies: NumberExpression;
  /** A `vector` operand of one value; null for 1. */
  readonly scale: string | null;
}

export type GradientShape =
  /** `blocks` matrices [rows, columns] on a diagonal, one after the other; `weights` a `row-major` operand. */
  | {
      readonly kind: "matrix";
      readonly blocks: NumberExpression;
      readonly rows: NumberExpression;
      readonly columns: NumberExpression;
      readonly weights: string | null;
    }
  /**
   * `entries` positions of a `positions` operand, which brings their weights; written one after the other, or
   * (`columns` not null) at their place in a row-major matrix.
   */
  | {
      readonly kind: "positions";
      readonly operand: string;
      readonly entries: NumberExpression;
      readonly columns: NumberExpression | null;
    }
  | { readonly kind: "diagonal"; readonly size: NumberExpression };

export interface GradientInput {
  readonly activation: string;
  /** What follows reads P(stride) applied to the activation; null for none. */
  readonly permutation: StridePermutation | null;
  readonly offset: NumberExpression;
  /** Features from one copy to the next. */
  readonly stride: NumberExpression;
}
