/**
 * Device plans to kernels and to the launches that the manifest carries. Equal kernels are written once: variants have
 * steps in common, and number types have kernels in common where nothing depends on them.
 */
import { cudaPlanProblems } from "../../runtime/contract/check-cuda.ts";
import type {
  CudaAdapters,
  CudaBackward,
  CudaElements,
  CudaPlan,
  CudaSequence,
  CudaStep,
  CudaVariant,
} from "../../runtime/contract/cuda.ts";
import type { CheckedTensor } from "../check/checked-module.ts";
import type { DeviceProgram } from "../device/device-node.ts";
import { lowerDeviceAdapters } from "../device/lower-device-adapters.ts";
import {
  gradientLine,
  kernelName,
  type LoweredDeviceCall,
  lowerDeviceBackward,
  lowerDeviceVariant,
  stepLine,
} from "../device/lower-device-call.ts";
import type { TransformStages } from "./compilation.ts";

export interface LoweredDevices {
  /** One for each transform, in order; null without a device plan. */
  readonly plans: readonly ({ readonly plan: CudaPlan; readonly derived: readonly CheckedTensor[] } | null)[];
  /** Each kernel once. */
  readonly programs: readonly DeviceProgram[];
  readonly elements: readonly CudaElements[];
}

export function lowerDevicePlans(transforms: readonly TransformStages[]): LoweredDevices {
  const kernels = uniquePrograms();
  const plans = transforms.map((stages) => {
    const { device } = stages;
    return device === null ? null : { plan: lowerPlan(stages, kernels), derived: device.derived };
  });
  const elements = transforms.flatMap(
    ({ device }) => device?.variants.map((variant) => variant.elements) ?? [],
  );
  return { plans, programs: kernels.all(), elements: [...new Set(elements)] };
}

function lowerPlan({ checked, plan, device }: TransformStages, kernels: UniquePrograms): CudaPlan {
  if (device === null) throw new TypeError("no device plan");
  const variants = device.variants.map((variant): CudaVariant => {
    const { name, form, elements, cost, rules, steps } = variant;
    const lowered = lowerDeviceVariant(device, variant, kernelName(checked.name, name));
    return {
      name,
      form,
      elements,
      sequences: [renamed(lowered, kernels)],
      cost,
      rules,
      lines: steps.map(({ kernel, step }) => `${stepLine(step)} (${kernel})`),
    };
  });
  const backward = device.backward.map((planned): CudaBackward => {
    const { elements, cost, steps } = planned;
    const lowered = lowerDeviceBackward(device, planned, kernelName(checked.name, "backward"));
    return {
      elements,
      sequences: [renamed(lowered, kernels)],
      cost,
      lines: steps.map((step) =>
        step.kind === "gradient"
          ? gradientLine(step)
          : `${stepLine(step.planned.step)} (${step.planned.kernel})`,
      ),
    };
  });
  const elements = [...new Set(variants.map((variant) => variant.elements))];
  const adapters = elements.map((type): CudaAdapters => {
    const lowered = lowerDeviceAdapters(device, type, kernelName(checked.name, "adapters"));
    return { elements: type, sequences: [renamed(lowered, kernels)] };
  });
  const cuda: CudaPlan = {
    operands: device.operands.map(({ name, format, rows, columns, source, stage, production, bytes }) => ({
      name,
      format,
      rows,
      columns,
      source,
      stage,
      production,
      bytes,
    })),
    variants,
    backward,
    adapters,
    notes: device.notes,
    rates: device.rates,
  };
  const gradients = new Set(
    [...plan.backward.parameters, ...plan.backward.intermediates].map(({ name }) => name),
  );
  const problems = cudaPlanProblems(cuda, { gradients });
  if (problems.length > 0)
    throw new Error(`SPX9001: the verifier refused launches of ${checked.name}: ${problems.join("; ")}`);
  return cuda;
}

/** The launches with the kernels that are written once. */
function renamed({ programs, sequence }: LoweredDeviceCall, kernels: UniquePrograms): CudaSequence {
  const names = new Map(programs.map((program) => [program.name, kernels.add(program)]));
  const steps = sequence.steps.map(
    (step): CudaStep =>
      step.kind === "launch" ? { ...step, kernel: names.get(step.kernel) ?? step.kernel } : step,
  );
  return { ...sequence, steps };
}

interface UniquePrograms {
  /** The name of the kernel that does what `program` does. */
  add(program: DeviceProgram): string;
  all(): readonly DeviceProgram[];
}

function uniquePrograms(): UniquePrograms {
  const byContent = new Map<string, DeviceProgram>();
  return {
    add(program) {
      const key = JSON.stringify({ ...program, name: "", purpose: [] });
      const known = byContent.get(key) ?? program;
      byContent.set(key, known);
      return known.name;
    },
    all: () => [...byContent.values()],
  };
}
