/** What `spxc explain` says, as data: the schema of `--json`, described in docs/explain.md. Times are nanoseconds. */
import type { RatesIdentity } from "../targets/rate-table.ts";

export interface Explanation {
  /** Version of this schema. */
  readonly format: 1;
  readonly transform: string;
  /** The weight in normal form. */
  readonly formula: string;
  readonly rows: number;
  readonly columns: number;
  /** Values of the number arguments. */
  readonly arguments: Readonly<Record<string, number>>;
  readonly rates: RatesIdentity;
  readonly level: string;
  readonly structure: readonly ExplainedStructure[];
  /** Those that serve some batch, in the order of their first one. */
  readonly variants: readonly ExplainedVariant[];
  readonly merge: { readonly text: string; readonly operands: readonly ExplainedOperand[] };
  readonly backward: ExplainedBackward;
  /** In the order in which they are computed; in no price, because every candidate reads them. */
  readonly derived: readonly ExplainedDerived[];
  readonly search: { readonly priced: number; readonly total: number };
  /** Checked once at load; `holds` says what they give at these sizes. */
  readonly obligations: readonly {
    readonly text: string;
    readonly reason: string;
    readonly holds: boolean;
  }[];
  /** Obligations that were proven, so that nothing is checked. */
  readonly proven: readonly string[];
  readonly pins: readonly string[];
  readonly notes: readonly string[];
  /** Names of the rules that made the normal form and the variants. */
  readonly rules: readonly string[];
  /** Predicted times over the batch, of the variants and of the best candidates without kernels. */
  readonly curves: readonly CostCurve[];
}

/** A tensor computed from others, beside the kernels of the plan. */
export interface ExplainedDerived {
  readonly name: string;
  /** Its formula. */
  readonly text: string;
  /** Of a vector one. */
  readonly sides: readonly number[];
  readonly stage: "load" | "step";
}

/** What is inferred about the weight or a summand of it. */
export interface ExplainedStructure {
  readonly term: string;
  /** In words: `dense`, `2:4 along the input`, `rank <= 16`, … */
  readonly facts: readonly string[];
  readonly trained: boolean;
  /** Zero pattern for pictures. */
  readonly picture: StructurePicture;
}

export type StructurePicture =
  | { readonly kind: "dense" }
  | { readonly kind: "unstructured"; readonly density: number }
  | { readonly kind: "nm"; readonly n: number; readonly m: number; readonly axis: "input" | "output" }
  | { readonly kind: "block"; readonly height: number; readonly width: number; readonly density: number }
  | { readonly kind: "blockdiag"; readonly blocks: number }
  | { readonly kind: "low-rank"; readonly rank: number }
  | { readonly kind: "stride"; readonly stride: number; readonly size: number }
  | { readonly kind: "diagonal" };

export interface BatchRange {
  readonly from: number;
  /** Null: without end. */
  readonly to: number | null;
}

export interface ExplainedVariant {
  readonly name: string;
  readonly form: string;
  readonly layout: "lane-output" | "lane-token";
  readonly merged: boolean;
  readonly intervals: readonly BatchRange[];
  /** The batch that times are given for: the first that it serves. */
  readonly batch: number;
  readonly nanoseconds: number;
  /** Operands that a call reads. */
  readonly bytes: number;
  /** For one token. */
  readonly multiplies: number;
  readonly parts: CostShares;
  readonly kernels: readonly ExplainedKernel[];
  /** The two best others at that batch, best first. */
  readonly rejected: readonly RejectedCandidate[];
  readonly rules: readonly string[];
}

/** Nanoseconds by cause. */
export interface CostShares {
  readonly call: number;
  readonly reading: number;
  readonly transposing: number;
  readonly steps: number;
  /** Computing operands anew after parameters changed, and merging: shares of one call. */
  readonly merging: number;
}

/** One parallel sweep over an output. */
export interface ExplainedKernel {
  readonly output: string;
  readonly text: string;
  readonly nanoseconds: number;
  readonly terms: readonly ExplainedTerm[];
  /** Only where dx is asked for. */
  readonly dxOnly: boolean;
}

/** An operand times an activation. */
export interface ExplainedTerm extends ExplainedOperand {
  readonly input: string;
}

export interface ExplainedOperand {
  readonly operand: string;
  /** What it holds, in the words of the language. */
  readonly expression: string;
  readonly format: string;
  readonly stage: "load" | "step";
  readonly bytes: number;
  /** For one token. */
  readonly multiplies: number;
}

export interface RejectedCandidate {
  readonly name: string;
  readonly form: string;
  readonly nanoseconds: number;
  /** Its time over the chosen one's. */
  readonly ratio: number;
  /** The number that decides, with what it is compared to. */
  readonly deciding: string;
  /** False: it is hardly ever the best, so that it has no kernels. */
  readonly built: boolean;
}

export interface ExplainedBackward {
  readonly batch: number;
  /** With dx. */
  readonly nanoseconds: number;
  readonly kernels: readonly ExplainedKernel[];
  /** Derived tensors whose gradients are taken on to parameters after the kernels. */
  readonly pulledBack: readonly {
    readonly name: string;
    /** Its formula. */
    readonly text: string;
    readonly parameters: readonly string[];
  }[];
  /** What a forward call may have computed as well: forward keeps nothing. */
  readonly repeated: readonly RepeatedActivation[];
  readonly rules: readonly string[];
}

/** An activation that follows from x alone, computed again in the backward pass. */
export interface RepeatedActivation {
  readonly output: string;
  /** Of computing it again. */
  readonly nanoseconds: number;
  /** That over the whole backward pass. */
  readonly share: number;
  /** Keeping it instead: bytes from forward to backward, and the time to write and read them. */
  readonly kept: { readonly bytes: number; readonly nanoseconds: number };
  /** Whether the variant that serves this batch computes it. */
  readonly formed: boolean;
}

export interface CostCurve {
  readonly name: string;
  readonly form: string;
  readonly built: boolean;
  readonly points: readonly (readonly [batch: number, nanoseconds: number])[];
}
