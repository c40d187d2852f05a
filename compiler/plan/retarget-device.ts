/**
 * Steps of a lane = output draft as a device runs them: dense terms of 16-bit and tf32 calls go to matrix units, their
 * operands in tiles, and what else a step adds follows in a step of its own. In f32 every step stays one lane kernel.
 */
import type { CudaElements } from "../../runtime/contract/cuda.ts";
import type { OperandFormat } from "../../runtime/contract/operand-format.ts";
import type { DevicePlanStep } from "./device-plan.ts";
import type { OperandLookup } from "./operand-table.ts";
import { packedBytes } from "./packed-size.ts";
import type { Operand, Step, StepTerm } from "./plan.ts";

/** Operands of a device plan: those of the drafts, and their forms in tiles. */
export interface DeviceOperands extends OperandLookup {
  /** The dense operand in tiles for matrix units of a number type. */
  tiled(name: string, elements: Exclude<CudaElements, "f32">): Operand;
}

export function createDeviceOperands(drafted: OperandLookup): DeviceOperands {
  const tiles = new Map<string, Operand>();
  return {
    find: (name) => tiles.get(name) ?? drafted.find(name),
    tiled(name, elements) {
      const tiledName = `${name}_${elements}`;
      const known = tiles.get(tiledName);
      if (known !== undefined) return known;
      const operand = drafted.find(name);
      const format: OperandFormat =
        elements === "tf32" ? { name: "tf32-tiles" } : { name: "half-tiles", element: elements };
      const fresh = {
        ...operand,
        name: tiledName,
        format,
        bytes: packedBytes(operand, format, operand.multiplies),
      };
      tiles.set(tiledName, fresh);
      return fresh;
    },
  };
}

/** One step, or two that write the same output one after the other. */
export function retargetStep(
  step: Step,
  elements: CudaElements,
  operands: DeviceOperands,
): readonly DevicePlanStep[] {
  if (elements === "f32") return [{ kernel: "lanes", step }];
  const isDense = ({ operand, inputPermutation }: StepTerm): boolean =>
    inputPermutation === null && operands.find(operand).format.name === "panel16";
  const dense = step.outputPermutation === null ? step.terms.filter(isDense) : [];
  if (dense.length === 0) return [{ kernel: "lanes", step }];
  const rest = step.terms.filter((term) => !dense.includes(term));
  const tiled = dense.map((term) => ({ ...term, operand: operands.tiled(term.operand, elements).name }));
  const first: DevicePlanStep = { kernel: "tensor", step: { ...step, terms: tiled } };
  if (rest.length === 0) return [first];
  const second = { ...step, name: `${step.name}_rest`, accumulate: true, terms: rest };
  return [first, { kernel: "lanes", step: second }];
}
