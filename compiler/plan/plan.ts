/**
 * The plan: how the weight is applied. Variants for intervals of the batch; a variant is a list of steps,
 * each one parallel sweep over an output activation that sums the contributions of its terms while the
 * output tile stays in registers.
 */
import type { MatrixSource } from "../../runtime/contract/matrix-source.ts";
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { OperandFormat } from "../../runtime/contract/operand-format.ts";

export interface Plan {
  readonly transform: string;
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
  readonly operands: readonly Operand[];
  /** Each is a candidate kept for some batch or some dimensions; the cheapest for the batch is used. */
  readonly variants: readonly Variant[];
  readonly merge: MergePlan;
  /** Candidates left out at build time because another one is never worse, with the reason. */
  readonly rejected: readonly { readonly form: string; readonly reason: string }[];
  /** Things the author should know: limits hit, formats refused and why. */
  readonly notes: readonly string[];
  /** Integer arguments worth a specialised kernel, with the value to specialise for, e.g. rank r = 16. */
  readonly specializations: readonly { readonly symbol: string; readonly value: number }[];
}

/** A packed matrix. Scales are folded into `source`, so kernels never multiply by them. */
export interface Operand {
  readonly name: string;
  readonly format: OperandFormat;
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
  readonly source: MatrixSource;
  /** `load`: reads frozen tensors only. `step`: packed again after parameters changed. */
  readonly stage: "load" | "step";
  /** `pack`: computed from `source` and packed. `merge`: the merge of the plan fills it; `source` says what it is. */
  readonly production: "pack" | "merge";
  readonly bytes: NumberExpression;
  /** Stored values (multiplies per row of the batch). */
  readonly multiplies: NumberExpression;
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
  readonly cost: NumberExpression;
  readonly rules: readonly string[];
}

export interface Activation {
  readonly name: string;
  readonly width: NumberExpression;
}

export interface Step {
  readonly name: string;
  readonly output: string;
  /** output = P(stride) applied to the sum of the terms; null for none. */
  readonly outputPermutation: StridePermutation | null;
  /** Adds to what the output holds instead of overwriting it; only for `y`. */
  readonly accumulate: boolean;
  /** Several terms only when all are dense, nm, sparse or block; blockdiag and diag stand alone. */
  readonly terms: readonly StepTerm[];
}

export interface StepTerm {
  /** `dense` panel16; `nm` nm-lanes | nm-rows; `sparse` window-ell | csr; `block` block-strips; `blockdiag` blockdiag16; `diag` vector. */
  readonly atom: "dense" | "nm" | "sparse" | "block" | "blockdiag" | "diag";
  readonly operand: string;
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
