/** The kernels of an artefact that train its parameters: where there is something to train, one for each level. */
import type { UpdateKernel } from "../../runtime/contract/manifest.ts";
import type { LoopProgram } from "../loop/loop-node.ts";
import { lowerAdamW } from "../loop/lower-update.ts";
import type { X86Target } from "../targets/x86-targets.ts";
import type { TransformStages } from "./compilation.ts";

export interface UpdatePrograms {
  readonly programs: readonly LoopProgram[];
  readonly updates: readonly UpdateKernel[];
}

export function updatePrograms(
  transforms: readonly TransformStages[],
  targets: readonly X86Target[],
): UpdatePrograms {
  const trains = transforms.some(({ checked }) => checked.tensors.some(({ role }) => role === "param"));
  const symbolOf = (target: X86Target): string => `spx_adamw_${target.suffix}`;
  const own = trains ? targets : [];
  return {
    programs: own.map((target) => lowerAdamW(target, symbolOf(target))),
    updates: own.map((target) => ({ rule: "adamw", level: target.name, symbol: symbolOf(target) })),
  };
}
