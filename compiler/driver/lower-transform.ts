/**
 * Lowers every variant of a plan, its merge and its backward pass, for every level, and for those that round where the
 * author allows it and a variant has something to round: first the kernels specialised for the
 * constants the plan names, then the general one, because the runtime takes the first whose guard holds.
 */
import type { KernelManifest } from "../../runtime/contract/manifest.ts";
import { apply, type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import type { PlannedTransform } from "../emit/manifest.ts";
import type { LoopProgram } from "../loop/loop-node.ts";
import { lowerBackward } from "../loop/lower-backward.ts";
import { lowerMerge } from "../loop/lower-merge.ts";
import { type LoweredKernel, lowerVariant } from "../loop/lower-variant.ts";
import { lookupIn } from "../plan/operand-table.ts";
import { printBackwardStep } from "../plan/print-backward.ts";
import { multipliesPairs } from "../plan/rounding-levels.ts";
import { roundingTargets, type X86Target } from "../targets/x86-targets.ts";
import type { TransformStages } from "./compilation.ts";

export interface LoweredTransform extends PlannedTransform {
  readonly programs: readonly LoopProgram[];
}

type Constants = Readonly<Record<string, number>>;

export function lowerTransform(stages: TransformStages, targets: readonly X86Target[]): LoweredTransform {
  const { plan, checked } = stages;
  const programs: LoopProgram[] = [];
  const lower = (
    base: string,
    special: readonly Constants[],
    make: (target: X86Target, name: string, constants: Constants) => LoweredKernel,
    levels = targets,
  ) =>
    special.flatMap((constants) =>
      levels.map((target): KernelManifest => {
        const name = kernelName(base, constants, target.suffix);
        const kernel = make(target, name, constants);
        programs.push(kernel.program);
        return {
          symbol: name,
          level: target.name,
          guard: guardOf(constants),
          buffers: kernel.buffers,
          symbols: kernel.symbols,
          workspace: kernel.workspace,
        };
      }),
    );
  const special = specializations(stages);
  const operands = lookupIn(plan.operands);
  const variantKernels = new Map(
    plan.variants.map((variant) => [
      variant.name,
      lower(
        `${checked.name}_${variant.name}`,
        special,
        (target, name, constants) => lowerVariant(plan, variant, target, { name, constants }),
        plan.factors === "bf16" && multipliesPairs(variant, operands)
          ? [...new Set([...targets, ...roundingTargets])]
          : targets,
      ),
    ]),
  );
  const mergeKernels =
    plan.merge.method === "identity"
      ? []
      : lower(`${checked.name}_merge`, special, (target, name, constants) =>
          lowerMerge(plan, target, { name, constants }),
        );
  const { backward } = plan;
  // General kernels only: the tokens of a batch are the inner loop, which a constant rank does not shorten.
  const backwardKernels = lower(`${checked.name}_backward`, [{}], (target, name, constants) =>
    lowerBackward(plan, backward, target, { name, constants }),
  );
  const backwardSteps = backward.steps.map((step) => printBackwardStep(step, plan.operands));
  return {
    checked,
    plan,
    variantKernels,
    mergeKernels,
    backwardKernels,
    backwardSteps,
    cuda: null,
    cudaDerived: [],
    programs,
  };
}

function specializations({ plan }: TransformStages): Constants[] {
  const all = Object.fromEntries(plan.specializations.map(({ symbol: name, value }) => [name, value]));
  return plan.specializations.length === 0 ? [{}] : [all, {}];
}

function guardOf(constants: Constants): NumberExpression | null {
  const conditions = Object.entries(constants).map(([name, value]) =>
    apply("==", symbol(name), number(value)),
  );
  const [first, ...rest] = conditions;
  if (first === undefined) return null;
  return rest.length === 0 ? first : apply("and", first, ...rest);
}

function kernelName(base: string, constants: Constants, suffix: string): string {
  const values = Object.entries(constants).map(([name, value]) => `_${name}${value}`);
  return `${base}${values.join("")}_${suffix}`.replaceAll(/[^A-Za-z0-9_]/g, "_");
}
