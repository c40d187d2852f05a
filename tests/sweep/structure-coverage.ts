/**
 * Which structures of kernels have been run. Interpreting loops and making machine code is what a sweep waits for, and
 * most programs bring no step that has not been run a thousand times: those that do go first, a share of the others
 * follows by chance.
 */
import type { Plan, Step, Variant } from "../../compiler/plan/plan.ts";
import type { Random } from "./random.ts";

export interface Coverage {
  readonly seen: Set<string>;
}

export const emptyCoverage = (): Coverage => ({ seen: new Set() });

/** What of a step decides which loops it becomes: each kind of term with its sizes, and which kinds stand together. */
function stepKeys(plan: Plan, step: Step): string[] {
  const terms = step.terms.map(({ atom, operand, inputPermutation }) => {
    const format = plan.operands.find(({ name }) => name === operand)?.format;
    const repeated = format?.name === "blockdiag16" && format.repeated ? " repeated" : "";
    const group = format !== undefined && "m" in format ? ` :${format.m}` : "";
    const tile = format !== undefined && "height" in format ? ` ${format.height}` : "";
    const kind = `${atom} ${format?.name}${repeated}`;
    return { kind, sized: `${kind}${group}${tile}${inputPermutation === null ? "" : " P"}` };
  });
  const kinds = [...new Set(terms.map(({ kind }) => kind))].sort().join(" + ");
  const around = `${step.accumulate ? " +=" : ""}${step.outputPermutation === null ? "" : " P"}`;
  return [`${kinds}${around}`, ...terms.map(({ sized }) => sized)];
}

/** The structures of a variant at `level`. */
export const structuresOf = (plan: Plan, variant: Variant, level: string): string[] =>
  variant.steps.flatMap((step) => stepKeys(plan, step).map((key) => `${level} ${variant.layout} ${key}`));

/** Those of the merge and of the backward pass of a plan. */
export function wholePlanStructures(plan: Plan, level: string): string[] {
  const { merge, backward } = plan;
  const merged =
    merge.method === "identity"
      ? []
      : [
          `${level} merge ${[...new Set(merge.terms.map((term) => (term.kind === "product" ? "product" : term.atom)))].sort().join(" + ")}`,
        ];
  const gradients = backward.steps.flatMap((step) =>
    step.kind === "apply"
      ? stepKeys(plan, step.step).map((key) => `${level} backward ${key}`)
      : `${level} gradient ${step.shape.kind} ${JSON.stringify([step.left, step.right].map(({ permutation }) => permutation === null))} ${step.scale === null}`,
  );
  return [...merged, ...gradients];
}

/** How many of `structures` have not been run. */
export const newStructures = ({ seen }: Coverage, structures: readonly string[]): number =>
  structures.filter((structure) => !seen.has(structure)).length;

export function markRun({ seen }: Coverage, structures: readonly string[]): void {
  for (const structure of structures) seen.add(structure);
}

/** `count` variants: those with most that is new, the others by chance. */
export function chooseVariants(
  plan: Plan,
  level: string,
  count: number,
  coverage: Coverage,
  random: Random,
): Variant[] {
  const ranked = plan.variants.map((variant) => ({
    variant,
    fresh: newStructures(coverage, structuresOf(plan, variant, level)),
    chance: random.below(2 ** 30),
  }));
  const chosen = new Set(
    ranked
      .sort((one, other) => other.fresh - one.fresh || one.chance - other.chance)
      .slice(0, count)
      .map(({ variant }) => variant),
  );
  return plan.variants.filter((variant) => chosen.has(variant));
}
