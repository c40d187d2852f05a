/**
 * How a weight is applied on a device: variants of each number type, whose steps name the kind of kernel that runs them.
 * A plan of its own beside that of the CPU, because what is cheap differs: launches, formats, matrix units.
 */
import type { CudaElements } from "../../runtime/contract/cuda.ts";
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { CheckedTensor } from "../check/checked-module.ts";
import type { CudaKernelKind } from "../targets/cuda-rates.ts";
import type { Activation, GradientStep, Operand, Step } from "./plan.ts";

export interface DevicePlan {
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
  readonly derived: readonly CheckedTensor[];
  readonly operands: readonly Operand[];
  /** At least one of each number type; of one type the cheapest for the batch is used. */
  readonly variants: readonly DeviceVariant[];
  /** One for each number type. */
  readonly backward: readonly DeviceBackward[];
  readonly rates: { readonly name: string; readonly id: string };
  /** Ways to apply the weight that were priced, for one number type. */
  readonly priced: number;
  readonly notes: readonly string[];
}

export interface DevicePlanStep {
  readonly kernel: CudaKernelKind;
  readonly step: Step;
}

export interface DeviceVariant {
  readonly name: string;
  readonly form: string;
  readonly elements: CudaElements;
  readonly activations: readonly Activation[];
  readonly steps: readonly DevicePlanStep[];
  /** Predicted nanoseconds of a call; reads dimensions, arguments and `batch`. */
  readonly cost: NumberExpression;
  readonly rules: readonly string[];
}

export type DeviceBackwardStep =
  /** `dxOnly` as in `BackwardStep`. */
  { readonly kind: "apply"; readonly planned: DevicePlanStep; readonly dxOnly: boolean } | GradientStep;

/** dx and gradients as `BackwardPlan` has them, for a number type. */
export interface DeviceBackward {
  readonly elements: CudaElements;
  readonly activations: readonly Activation[];
  readonly steps: readonly DeviceBackwardStep[];
  /** With dx; reads `batch`. */
  readonly cost: NumberExpression;
}
