/** The plan as text, for `spxc print --stage plan`. Costs are not printed as expressions: `spxc explain` evaluates them. */
import { printNumber } from "../../runtime/contract/number-expression.ts";
import type { OperandFormat } from "../../runtime/contract/operand-format.ts";
import { printSource } from "../../runtime/contract/print-source.ts";
import type { CheckedTensor } from "../check/checked-module.ts";
import type { MergePlan, Operand, Plan, PlanSearch, Variant } from "./plan.ts";
import { isBackwardOnly, printBackward } from "./print-backward.ts";
import { printStep } from "./print-step.ts";

/** `nm-lanes 2:4`, `block-strips 4x1`, `blockdiag16 b blocks`. */
export function printFormat(format: OperandFormat): string {
  switch (format.name) {
    case "nm-lanes":
    case "nm-rows":
      return `${format.name} ${format.n}:${format.m}`;
    case "table4-panel16":
    case "int8-panel16":
      return `${format.name} block ${printNumber(format.block)}`;
    case "code-tiles":
      return `${format.name} of ${format.bits} bits block ${printNumber(format.block)}`;
    case "block-strips":
      return `${format.name} ${format.height}x${format.width}`;
    case "blockdiag16":
      return `${format.name} ${printNumber(format.blocks)} ${format.repeated ? "equal blocks" : "blocks"}`;
    default:
      return format.name;
  }
}

function printOperand(operand: Operand): string {
  const shape = `[${printNumber(operand.rows)}, ${printNumber(operand.columns)}]`;
  return `  operand ${operand.name}: ${printFormat(operand.format)} ${shape} at ${operand.stage} = ${operand.description}`;
}

function printDerived({ name, dimensions, derivation }: CheckedTensor): string {
  const formula =
    derivation === undefined ? "" : ` at ${derivation.stage} = ${printSource(derivation.formula)}`;
  return `  derived ${name}: [${dimensions.map((side) => printNumber(side)).join(", ")}]${formula}`;
}

function printVariant(variant: Variant): readonly string[] {
  const widths = variant.activations
    .filter(({ part }) => part === undefined)
    .map(({ name, width }) => `${name} [${printNumber(width)}]`)
    .join(", ");
  return [
    `  variant ${variant.name}${variant.merged ? " (merged once a step)" : ""}: ${variant.form}`,
    `    activations ${widths}`,
    ...variant.steps.map((step) => `    ${printStep(step)}`),
  ];
}

/** `kernel W_panels + B_panels @ A_panels`, or the variant that is applied to the identity. */
export function printMerge(merge: MergePlan): string {
  if (merge.method === "identity") return `${merge.variant} applied to the identity`;
  return `kernel ${merge.terms.map((term) => (term.kind === "operand" ? term.operand : `${term.left} @ ${term.right}`)).join(" + ")}`;
}

/** Beyond these `explain --json` has the others. */
const rejectedShown = 4;

/** What was priced, and the nearest of what was left out. */
export function printSearch({ priced, total, points, rejected }: PlanSearch): readonly string[] {
  const further = rejected.length - rejectedShown;
  return [
    `  ${priced} candidates priced of ${total} at ${points} sampled sizes, batches, arguments and levels`,
    ...rejected
      .slice(0, rejectedShown)
      .map(({ name, form, reason }) => `  rejected ${name}: ${form} (${reason})`),
    ...(further > 0 ? [`  rejected ${further} more`] : []),
  ];
}

export function printPlan(plan: Plan): string {
  const rules = [...new Set(plan.variants.flatMap((variant) => variant.rules))];
  return [
    `plan ${plan.transform} [${printNumber(plan.rows)}, ${printNumber(plan.columns)}]`,
    ...plan.derived.map(printDerived),
    ...plan.operands.filter(({ name }) => !isBackwardOnly(plan, name)).map(printOperand),
    ...plan.variants.flatMap(printVariant),
    `  merge ${printMerge(plan.merge)}`,
    ...printBackward(plan, printOperand),
    ...plan.specializations.map(({ symbol, value }) => `  specialised kernels for ${symbol} = ${value}`),
    ...printSearch(plan.search),
    ...plan.notes.map((note) => `  note ${note}`),
    ...(rules.length > 0 ? [`  rules ${rules.join(", ")}`] : []),
    "",
  ].join("\n");
}
