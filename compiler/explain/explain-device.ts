/**
 * The device plan of one transform at given sizes, as data and on one screen: for each number type the variants and the
 * batches that they serve, their kernels, bytes and predicted times, and what the next best would have cost.
 */
import type { CudaElements } from "../../runtime/contract/cuda.ts";
import { evaluateNumber, type SymbolValues } from "../../runtime/contract/number-expression.ts";
import { deviceStepCost } from "../plan/device-cost.ts";
import type { DevicePlan, DeviceVariant } from "../plan/device-plan.ts";
import { costAt, lowerEnvelope } from "../plan/envelope.ts";
import { lookupIn } from "../plan/operand-table.ts";
import { cudaDevices, defaultCudaRates } from "../targets/cuda-rates.ts";
import type { BatchRange } from "./explanation.ts";
import { printBytes, printCount, printRanges, printTime } from "./print-quantity.ts";

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

export interface ExplainedDeviceKernel {
  readonly output: string;
  /** Each operand in the words of the language, with what it is applied to. */
  readonly terms: readonly string[];
  readonly kernel: "lanes" | "tensor";
  readonly formats: readonly string[];
  readonly bytes: number;
  /** For one token. */
  readonly multiplies: number;
  readonly nanoseconds: number;
}

function explainVariant(
  variant: DeviceVariant,
  intervals: readonly BatchRange[],
  plan: DevicePlan,
  values: SymbolValues,
): ExplainedDeviceVariant {
  const batch = intervals[0]?.from ?? 1;
  const operands = lookupIn(plan.operands);
  const rates = cudaDevices.find(({ name }) => name === plan.rates.name) ?? defaultCudaRates;
  const nanoseconds = costAt(variant.cost, values, batch);
  const kernels = variant.steps.map((planned): ExplainedDeviceKernel => {
    const { step, kernel } = planned;
    const read = step.terms.map((term) => ({ term, operand: operands.find(term.operand) }));
    const sum = (of: "bytes" | "multiplies"): number =>
      read.reduce((all, { operand }) => all + Math.round(evaluateNumber(operand[of], values)), 0);
    return {
      output: `${step.output} ${step.accumulate ? "+=" : "="}`,
      terms: read.map(({ term, operand }) => {
        const text = operand.description;
        return `${text.includes(" ") ? `(${text})` : text} ${term.input}`;
      }),
      kernel,
      formats: read.map(({ operand }) => operand.format.name),
      bytes: sum("bytes"),
      multiplies: sum("multiplies"),
      nanoseconds: costAt(deviceStepCost(planned, variant, operands, rates), values, batch),
    };
  });
  const others = plan.variants
    .filter(({ elements, name }) => elements === variant.elements && name !== variant.name)
    .map(({ name, cost }) => ({ name, ratio: costAt(cost, values, batch) / nanoseconds }))
    .sort((a, b) => a.ratio - b.ratio);
  const { name, form } = variant;
  const forming = nanoseconds - kernels.reduce((all, kernel) => all + kernel.nanoseconds, 0);
  return { name, form, intervals, batch, nanoseconds, forming, kernels, next: others[0] ?? null };
}

/** @throws RangeError when a symbol has no value. */
export function explainDevice(transform: string, plan: DevicePlan, values: SymbolValues): ExplainedDevice {
  const types = [...new Set(plan.variants.map(({ elements }) => elements))].map((elements) => {
    const own = plan.variants.filter((variant) => variant.elements === elements);
    const served = new Map<DeviceVariant, BatchRange[]>();
    for (const { variant, from, to } of lowerEnvelope(own, values))
      served.set(variant, [...(served.get(variant) ?? []), { from, to }]);
    return {
      elements,
      variants: [...served].map(([variant, intervals]) => explainVariant(variant, intervals, plan, values)),
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

/** At most 100 columns but for long formulas. */
export function printDeviceScreen(explained: ExplainedDevice): string {
  const { transform, rows, columns, rates, types, priced, notes } = explained;
  return [
    `${transform} [${rows}, ${columns}] on CUDA; ${rates.name} rates ${rates.id}, published or derived, not measured here`,
    "",
    ...types.flatMap(({ elements, variants }) =>
      variants.flatMap((variant) => [...variantLines(elements, variant), ""]),
    ),
    ...notes.map((note) => `note      ${note}`),
    `search    ${priced} candidates priced for each number type`,
    "",
  ].join("\n");
}

function variantLines(elements: CudaElements, variant: ExplainedDeviceVariant): readonly string[] {
  const { name, form, intervals, batch, nanoseconds, forming, kernels, next } = variant;
  const rows = kernels.flatMap(({ output, terms, kernel, formats, bytes, multiplies, nanoseconds: time }) =>
    (terms.length === 0 ? ["0"] : terms).map((term, index) => {
      const first = index === 0;
      const cells = [
        (first ? output : "  +").padEnd(7),
        (term.length > 41 ? `${term.slice(0, 40)}…` : term).padEnd(41),
        (formats[index] ?? "").padEnd(12),
        (first ? kernel : "").padEnd(6),
        (first ? printBytes(bytes) : "").padStart(8),
        (first ? printCount(multiplies) : "").padStart(7),
        (first ? printTime(time) : "").padStart(8),
      ];
      return `  ${cells.join(" ").trimEnd()}`;
    }),
  );
  const heading = [
    "kernel ",
    "term".padEnd(41),
    "format".padEnd(12),
    "by    ",
    "   bytes",
    "mul/tok",
    `at ${batch}`.padStart(8),
  ];
  return [
    `${elements}, batch ${printRanges(intervals)}: ${name}`,
    `  ${form}`,
    `  ${heading.join(" ")}`,
    ...rows,
    `  in all ${printTime(nanoseconds)} at ${batch}${forming < 1 ? "" : `, of which ${printTime(forming)} bring what was trained to the device`}`,
    ...(next === null ? [] : [`  not ${next.name}: ${next.ratio.toFixed(2)} times`]),
  ];
}
