/** Whether the variants of a plan keep what the program pins, as far as they show it. */
import type { Plan, Variant } from "../../compiler/plan/plan.ts";
import type { FormatName } from "../../runtime/contract/operand-format.ts";
import type { Expression, Pin } from "./program.ts";
import { LevelFault } from "./road.ts";

const formats: Readonly<Record<Extract<Pin, { claim: "format" }>["format"], readonly FormatName[]>> = {
  dense: ["panel16", "table4-panel16", "int8-panel16", "bf16-panel16"],
  csr: ["csr"],
  windows: ["mixed-ell"],
  groups: ["nm-lanes", "nm-rows", "block-strips"],
  blocks: ["blockdiag16"],
  vector: ["vector"],
};

const isTensor = ({ kind }: Expression): boolean => kind === "tensor";

function keeps(plan: Plan, variant: Variant, pin: Pin, weight: Expression): boolean {
  const { layout, steps } = variant;
  switch (pin.claim) {
    case "layout":
      return layout === pin.layout.replace("_", "-");
    case "tile":
      return plan.tile === pin.tokens;
    case "format": {
      const held = steps.flatMap(({ terms }) =>
        terms.map(({ operand }) => plan.operands.find(({ name }) => name === operand)?.format.name),
      );
      return held.some((name) => name !== undefined && formats[pin.format].includes(name));
    }
    case "merge":
      return pin.subject !== weight || (steps.length === 1 && steps[0]?.terms.length === 1);
    case "separate":
      // A product that is not formed takes a step for each factor.
      return pin.subject.kind !== "product" || !pin.subject.factors.every(isTensor) || steps.length > 1;
  }
}

/** @throws LevelFault at "plan" for a variant that breaks a pin, but for the one that only the merge goes through. */
export function demandPinned(plan: Plan, pins: readonly Pin[], weight: Expression): void {
  const { merge } = plan;
  const exempt = merge.method === "identity" ? merge.variant : null;
  for (const variant of plan.variants)
    for (const pin of pins)
      if (variant.name !== exempt && !keeps(plan, variant, pin, weight))
        throw new LevelFault("plan", `${variant.name}: ${variant.form} breaks the pin ${pin.claim}`);
}
