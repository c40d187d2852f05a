/** How the dense weight is formed from the operands that a lane = output variant already has. */

import { isCoded } from "../../runtime/contract/operand-format.ts";
import type { OperandTable } from "./operand-table.ts";
import type { MergePlan, MergeTerm, StepTerm } from "./plan.ts";
import type { VariantDraft } from "./variant-draft.ts";

/** The merge term of a step term that ends in `y`, or null when it is more than an operand or a product of two. */
function mergeTerm(term: StepTerm, variant: VariantDraft, operands: OperandTable): MergeTerm | null {
  if (term.inputPermutation !== null) return null;
  const { atom, operand } = term;
  if (term.input === "x")
    return !isCoded(operands.find(operand).format) && (atom === "dense" || atom === "nm" || atom === "sparse")
      ? { kind: "operand", atom, operand }
      : null;
  const producer = variant.steps.find(({ output }) => output === term.input);
  const [right, ...rest] = producer?.terms ?? [];
  if (producer === undefined || right === undefined || rest.length > 0 || producer.outputPermutation !== null)
    return null;
  const panels = [operand, right.operand].every((name) => operands.find(name).format.name === "panel16");
  return panels && right.input === "x" ? { kind: "product", left: operand, right: right.operand } : null;
}

/**
 * The kernel way when every contribution to `y` is an operand or a product of two dense ones that lies on all of it;
 * otherwise the variant is applied to the identity.
 * @param variant a lane = output variant that is not merged itself.
 */
export function planMerge(variant: VariantDraft, operands: OperandTable): MergePlan {
  if (variant.activations.some(({ part }) => part !== undefined))
    return { method: "identity", variant: variant.name };
  const writers = variant.steps.filter(({ output }) => output === "y");
  const terms = writers.flatMap((step) =>
    step.terms.map((term) => (step.outputPermutation === null ? mergeTerm(term, variant, operands) : null)),
  );
  const known = terms.filter((term) => term !== null);
  return known.length === terms.length
    ? { method: "kernel", terms: known }
    : { method: "identity", variant: variant.name };
}
