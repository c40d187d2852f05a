/**
 * Steps of a lane = output draft as a device runs them: dense terms of 16-bit and tf32 calls go to matrix units, and so do
 * those of 16-bit calls with at most 2 of every 4 inputs, with codes and with entries, their operands in tiles; what else a step adds follows in a step
 * of its own. In f32 every step stays one lane kernel.
 */
import type { CudaElements } from "../../runtime/contract/cuda.ts";
import { type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import { isScaled, type OperandFormat } from "../../runtime/contract/operand-format.ts";
import type { DevicePlanStep } from "./device-plan.ts";
import type { OperandLookup } from "./operand-table.ts";
import { packedBytes, times } from "./packed-size.ts";
import type { Operand, Step, StepTerm } from "./plan.ts";

/** Operands of a device plan: those of the drafts, and their forms in tiles. */
export interface DeviceOperands extends OperandLookup {
  /** The operand in tiles for matrix units of a number type; null where they cannot multiply it. */
  tiled(name: string, elements: Exclude<CudaElements, "f32">, way: DeviceWay): Operand | null;
}

/** The tiles that hold what a format of the CPU holds, for matrix units of a number type. */
function tilesOf(
  format: OperandFormat,
  elements: Exclude<CudaElements, "f32">,
  way: DeviceWay,
): OperandFormat | null {
  if (format.name === "panel16")
    return elements === "tf32" ? { name: "tf32-tiles" } : { name: "half-tiles", element: elements };
  if (elements === "tf32") return null;
  // What is stored as bfloat16 is what a call of it reads; the range of f16 is too small for it.
  if (format.name === "bf16-panel16")
    return elements === "bf16" ? { name: "half-tiles", element: elements } : null;
  if (format.name === "window-ell")
    return onUnits[way].entries ? { name: "bitmap-tiles", element: elements } : null;
  if (isScaled(format)) {
    const bits = format.name === "int8-panel16" ? 8 : 4;
    return onUnits[way].codes ? { name: "code-tiles", element: elements, bits, block: format.block } : null;
  }
  // Half of every two, and one of every four, are at most two of every four.
  const isHalf =
    format.name === "nm-lanes" && ((format.m === 4 && format.n <= 2) || (format.m === 2 && format.n === 1));
  return isHalf ? { name: "nm-tiles", element: elements } : null;
}

/** Lane kernels of devices read entries in windows alone. */
function onDevice(operand: Operand): Operand {
  if (operand.format.name !== "mixed-ell") return operand;
  const { rows, columns, multiplies, aligned } = operand;
  const format = { name: "window-ell" } as const;
  return { ...operand, format, bytes: packedBytes({ rows, columns }, format, multiplies, aligned) };
}

export function createDeviceOperands(drafted: OperandLookup): DeviceOperands {
  const tiles = new Map<string, Operand>();
  const plain = new Map<string, Operand>();
  const find = (name: string): Operand => {
    const known = plain.get(name) ?? onDevice(drafted.find(name));
    plain.set(name, known);
    return known;
  };
  return {
    find: (name) => tiles.get(name) ?? find(name),
    tiled(name, elements, way) {
      const tiledName = `${name}_${elements}`;
      const operand = find(name);
      const format = tilesOf(operand.format, elements, way);
      if (format === null) return null;
      const known = tiles.get(tiledName);
      if (known !== undefined) return known;
      const fresh = {
        ...operand,
        name: tiledName,
        format,
        bytes: packedBytes(operand, format, operand.multiplies),
        multiplies: multipliesIn(format, operand),
      };
      tiles.set(tiledName, fresh);
      return fresh;
    },
  };
}

/** What matrix units multiply for one token, whatever the tiles keep. */
function multipliesIn(format: OperandFormat, { rows, columns, multiplies }: Operand): NumberExpression {
  if (format.name === "bitmap-tiles" || format.name === "code-tiles") return times(rows, columns);
  return format.name === "nm-tiles" ? times(rows, columns, number(1 / 2)) : multiplies;
}

/**
 * Ways to run the steps of one draft. `units`: what matrix units multiply as it lies on them, the rest after it. `codes`
 * and `bitmaps`: the same with codes, and with unstructured patterns, on them too. `lanes`: each step one lane kernel,
 * whatever it adds up.
 */
export type DeviceWay = "units" | "codes" | "bitmaps" | "codes-bitmaps" | "lanes";

/** What each way has on matrix units beside what every way but the last has there. */
const onUnits: Readonly<Record<DeviceWay, { readonly codes: boolean; readonly entries: boolean }>> = {
  units: { codes: false, entries: false },
  codes: { codes: true, entries: false },
  bitmaps: { codes: false, entries: true },
  "codes-bitmaps": { codes: true, entries: true },
  lanes: { codes: false, entries: false },
};

/** The ways that differ for the steps of a draft, the plainest first. */
export function waysOf(
  steps: readonly Step[],
  elements: CudaElements,
  operands: OperandLookup,
): readonly DeviceWay[] {
  if (elements === "f32") return ["units"];
  const formats = steps.map(({ terms }) => terms.map(({ operand }) => operands.find(operand).format));
  const isTiled = (format: OperandFormat): boolean => tilesOf(format, elements, "units") !== null;
  const splits = formats.some((list) => list.some(isTiled) && !list.every(isTiled));
  const isHalf = elements !== "tf32";
  const hasEntries = isHalf && formats.flat().some((format) => format.name === "window-ell");
  const hasCodes = isHalf && formats.flat().some(isScaled);
  return [
    "units",
    ...(hasCodes ? (["codes"] as const) : []),
    ...(hasEntries ? (["bitmaps"] as const) : []),
    ...(hasCodes && hasEntries ? (["codes-bitmaps"] as const) : []),
    ...(splits ? (["lanes"] as const) : []),
  ];
}

/** One step, or two that write the same output one after the other. */
export function retargetStep(
  step: Step,
  elements: CudaElements,
  operands: DeviceOperands,
  way: DeviceWay = "units",
): readonly DevicePlanStep[] {
  if (elements === "f32" || way === "lanes") return [{ kernel: "lanes", step }];
  const tiledTerm = (term: StepTerm): StepTerm | null => {
    const isPlain = step.outputPermutation === null && term.inputPermutation === null;
    const operand = isPlain ? operands.tiled(term.operand, elements, way) : null;
    return operand === null ? null : { ...term, operand: operand.name };
  };
  const tiles = step.terms.map(tiledTerm);
  const tiled = tiles.filter((term) => term !== null);
  if (tiled.length === 0) return [{ kernel: "lanes", step }];
  const rest = step.terms.filter((_, index) => tiles[index] === null);
  const first: DevicePlanStep = { kernel: "tensor", step: { ...step, terms: tiled } };
  if (rest.length === 0) return [first];
  const second = { ...step, name: `${step.name}_rest`, accumulate: true, terms: rest };
  return [first, { kernel: "lanes", step: second }];
}
