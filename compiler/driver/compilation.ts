/** What the driver hands out: the stages of each transform and what was said about them. */
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import type { SourceText } from "../../grammar/text/source-text.ts";
import type { CudaElements } from "../../runtime/contract/cuda.ts";
import type { Manifest } from "../../runtime/contract/manifest.ts";
import type { AlgebraGraph } from "../algebra/algebra-node.ts";
import type { CheckedModule, CheckedTransform } from "../check/checked-module.ts";
import type { ArtefactFile } from "../emit/artefact-writer.ts";
import type { Factors } from "../plan/choose-plan.ts";
import type { DevicePlan } from "../plan/device-plan.ts";
import type { VariantChoice } from "../plan/keep-variants.ts";
import type { Plan } from "../plan/plan.ts";
import type { RateTable } from "../targets/rate-table.ts";
import type { StageClock } from "./stage-clock.ts";

export interface TransformStages {
  readonly checked: CheckedTransform;
  /** As written. */
  readonly built: AlgebraGraph;
  /** In normal form. */
  readonly normal: AlgebraGraph;
  readonly plan: Plan;
  /** Null when no device was asked for. */
  readonly device: DevicePlan | null;
}

export interface Compilation {
  /** Null when errors kept the module from being checked to its end. */
  readonly module: CheckedModule | null;
  readonly diagnostics: readonly Diagnostic[];
  /** Every file read, the entry first. */
  readonly sources: readonly SourceText[];
  readonly transforms: readonly TransformStages[];
  readonly clock: StageClock;
}

export interface CompileOptions {
  /** Base name of the artefact's files. */
  readonly name: string;
  /** What the emitted module imports the runtime from. */
  readonly runtime: string;
  /** Adds the LLVM text to the artefact. */
  readonly keepIr: boolean;
  /** Which priced candidates get kernels: those that win somewhere (the default), or all, to be measured. */
  readonly variants?: VariantChoice;
  /** What candidates are priced with; the checked-in table unless it is given. */
  readonly rates?: RateTable;
  /** Number types that get kernels for NVIDIA devices; none unless they are given. */
  readonly cuda?: readonly CudaElements[];
  /** What weights held in `bf16` may be multiplied by on the CPU; activations as they are unless it is given. */
  readonly factors?: Factors;
}

export interface Artefact {
  readonly kind: "artefact";
  readonly manifest: Manifest;
  readonly manifestFile: string;
  /** In writing order. */
  readonly files: readonly ArtefactFile[];
  /** What optimised and emitted the machine code. */
  readonly provider: string;
  /** What compiled the device's kernels, or why they are left as source; null without any. */
  readonly cudaProvider: string | null;
  /** Whether a file of the output folder belongs to an earlier artefact of the same name and goes away. */
  readonly replaces: (file: string) => boolean;
}

/** What kept an artefact from being made although the source is right: a missing tool. */
export interface BuildProblem {
  readonly kind: "problem";
  readonly problems: readonly { readonly code: string; readonly message: string; readonly help: string }[];
}
