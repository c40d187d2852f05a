/**
 * The device plan of one transform at given sizes, as data: for each number type the variants and the batches that they
 * serve, their kernels, bytes and predicted times, what the next best would have cost, and the backward call.
 */
import type { CudaElements } from "../../runtime/contract/cuda.ts";
import { evaluateNumber, type SymbolValues } from "../../runtime/contract/number-expression.ts";
import { gradientOperands, gradientValues } from "../plan/choose-backward.ts";
import { deviceBackwardStepCosts, deviceStepCost } from "../plan/device-cost.ts";
import type { DeviceBackward, DevicePlan, DevicePlanStep, DeviceVariant } from "../plan/device-plan.ts";
import { costAt, lowerEnvelope } from "../plan/envelope.ts";
import { lookupIn } from "../plan/operand-table.ts";
import type { GradientStep, Operand } from "../plan/plan.ts";
import { printBackwardStep } from "../plan/print-backward.ts";
import { type CudaRates, cudaDevices, defaultCudaRates } from "../targets/cuda-rates.ts";
import { backwardBatch } from "./explain-transform.ts";
import type { BatchRange } from "./explanation.ts";

export interface ExplainedDevice {
  /** Version of this schema. */
  readonly format: 1;
  readonly transform: string;
  readonly rows: number;
  readonly columns: number;
  readonly rates: DevicePlan["rates"];
  readonly types: readonly {
    readonly elements: CudaElements;
    readonly variants: readonly ExplainedDeviceVariant[];
    /** Null where a number type has no gradient kernels. */
    readonly backward: ExplainedDeviceBackward | null;
  }[];
  readonly priced: number;
  readonly notes: readonly string[];
}

export interface ExplainedDeviceVariant {
  readonly name: string;
  readonly form: string;
  readonly intervals: readonly BatchRange[];
  /** The first batch that it serves, for which times are given. */
  readonly batch: number;
  readonly nanoseconds: number;
  /** Of those, computing operands that follow parameters on the host and copying them: the share of one call. */
  readonly forming: number;
  readonly kernels: readonly ExplainedDeviceKernel[];
  /** The next best variant of the number type that has kernels, if there is one. */
  readonly next: { readonly name: string; readonly ratio: number } | null;
}

/** A call for dx and all gradients; what the host then does with the gradients is in none of its times. */
export interface ExplainedDeviceBackward {
  readonly batch: number;
  readonly nanoseconds: number;
  readonly forming: number;
  readonly kernels: readonly ExplainedDeviceKernel[];
}

export interface ExplainedDeviceKernel {
  readonly output: string;
  /** Each operand in the words of the language, with what it is applied to; of a gradient the product that it sums. */
  readonly terms: readonly string[];
  readonly kernel: "lanes" | "tensor" | "entries";
  readonly formats: readonly string[];
  readonly bytes: number;
  /** For one token. */
  readonly multiplies: number;
  readonly nanoseconds: number;
  /** Left out of a backward call that does not ask for dx. */
  readonly dxOnly: boolean;
}

const ratesOf = ({ rates }: DevicePlan): CudaRates =>
  cudaDevices.find(({ name }) => name === rates.name) ?? defaultCudaRates;

const sumOf = (operands: readonly Operand[], of: "bytes" | "multiplies", values: SymbolValues): number =>
  operands.reduce((all, operand) => all + Math.round(evaluateNumber(operand[of], values)), 0);

/** A step that applies operands. */
function explainApplied(
  { step, kernel }: DevicePlanStep,
  nanoseconds: number,
  plan: DevicePlan,
  values: SymbolValues,
): ExplainedDeviceKernel {
  const operands = lookupIn(plan.operands);
  const read = step.terms.map((term) => ({ term, operand: operands.find(term.operand) }));
  const all = read.map(({ operand }) => operand);
  return {
    output: `${step.output} ${step.accumulate ? "+=" : "="}`,
    terms: read.map(({ term, operand }) => {
      const text = operand.description;
      return `${text.includes(" ") ? `(${text})` : text} ${term.input}`;
    }),
    kernel,
    formats: all.map(({ format }) => format.name),
    bytes: sumOf(all, "bytes", values),
    multiplies: sumOf(all, "multiplies", values),
    nanoseconds,
    dxOnly: false,
  };
}

function explainGradient(
  step: GradientStep,
  nanoseconds: number,
  plan: DevicePlan,
  values: SymbolValues,
): ExplainedDeviceKernel {
  const operands = lookupIn(plan.operands);
  const read = gradientOperands(step).map(operands.find);
  const text = printBackwardStep(step, plan.operands);
  return {
    output: `d${step.parameter} +=`,
    terms: [text.slice(text.indexOf(" += ") + " += ".length)],
    kernel: "entries",
    formats: [],
    bytes: sumOf(read, "bytes", values),
    multiplies: Math.round(
      evaluateNumber(gradientValues(step), values) * evaluateNumber(step.copies, values),
    ),
    nanoseconds,
    dxOnly: false,
  };
}

function explainBackward(
  backward: DeviceBackward,
  plan: DevicePlan,
  values: SymbolValues,
): ExplainedDeviceBackward {
  const batch = backwardBatch;
  const prices = deviceBackwardStepCosts(backward, lookupIn(plan.operands), ratesOf(plan));
  const kernels = backward.steps.map((step, index) => {
    const price = prices[index];
    const time = price === undefined ? 0 : costAt(price, values, batch);
    return step.kind === "gradient"
      ? explainGradient(step, time, plan, values)
      : { ...explainApplied(step.planned, time, plan, values), dxOnly: step.dxOnly };
  });
  const nanoseconds = costAt(backward.cost, values, batch);
  return { batch, nanoseconds, forming: restOf(nanoseconds, kernels), kernels };
}

/** What the kernels leave of a time. */
const restOf = (nanoseconds: number, kernels: readonly ExplainedDeviceKernel[]): number =>
  nanoseconds - kernels.reduce((all, kernel) => all + kernel.nanoseconds, 0);

function explainVariant(
  variant: DeviceVariant,
  intervals: readonly BatchRange[],
  plan: DevicePlan,
  values: SymbolValues,
): ExplainedDeviceVariant {
  const batch = intervals[0]?.from ?? 1;
  const operands = lookupIn(plan.operands);
  const nanoseconds = costAt(variant.cost, values, batch);
  const kernels = variant.steps.map((planned) => {
    const price = deviceStepCost(planned, variant, operands, ratesOf(plan));
    return explainApplied(planned, costAt(price, values, batch), plan, values);
  });
  const others = plan.variants
    .filter(({ elements, name }) => elements === variant.elements && name !== variant.name)
    .map(({ name, cost }) => ({ name, ratio: costAt(cost, values, batch) / nanoseconds }))
    .sort((a, b) => a.ratio - b.ratio);
  const { name, form } = variant;
  const forming = restOf(nanoseconds, kernels);
  return { name, form, intervals, batch, nanoseconds, forming, kernels, next: others[0] ?? null };
}

/** @throws RangeError when a symbol has no value. */
export function explainDevice(transform: string, plan: DevicePlan, values: SymbolValues): ExplainedDevice {
  const types = [...new Set(plan.variants.map(({ elements }) => elements))].map((elements) => {
    const own = plan.variants.filter((variant) => variant.elements === elements);
    const served = new Map<DeviceVariant, BatchRange[]>();
    for (const { variant, from, to } of lowerEnvelope(own, values))
      served.set(variant, [...(served.get(variant) ?? []), { from, to }]);
    const backward = plan.backward.find((one) => one.elements === elements);
    return {
      elements,
      variants: [...served].map(([variant, intervals]) => explainVariant(variant, intervals, plan, values)),
      backward: backward === undefined ? null : explainBackward(backward, plan, values),
    };
  });
  return {
    format: 1,
    transform,
    rows: evaluateNumber(plan.rows, values),
    columns: evaluateNumber(plan.columns, values),
    rates: plan.rates,
    types,
    priced: plan.priced,
    notes: plan.notes,
  };
}
