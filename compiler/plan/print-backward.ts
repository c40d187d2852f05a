/** The steps of a backward plan as text, for `print` and `explain`. */
import { printNumber } from "../../runtime/contract/number-expression.ts";
import type { BackwardStep, GradientInput, GradientStep, Intermediate, Operand, Plan } from "./plan.ts";
import { permuted, printStep } from "./print-step.ts";

function printSide({ activation, permutation, offset }: GradientInput): string {
  const from = printNumber(offset) === "0" ? activation : `${activation}[${printNumber(offset)}..]`;
  return permuted(permutation, from);
}

/** What the pair is multiplied by at each entry, and where entries exist. */
function printPlaces({ shape, copies }: GradientStep): string {
  const repeated = printNumber(copies) === "1" ? "" : ` over ${printNumber(copies)} copies`;
  if (shape.kind === "positions") return ` at ${shape.operand}${repeated}`;
  if (shape.kind === "diagonal") return ` on the diagonal${repeated}`;
  const blocks = printNumber(shape.blocks) === "1" ? "" : ` in ${printNumber(shape.blocks)} blocks`;
  return `${blocks}${shape.weights === null ? "" : ` .* ${shape.weights}`}${repeated}`;
}

function printGradient(step: GradientStep, operands: readonly Operand[]): string {
  const scale = operands.find(({ name }) => name === step.scale)?.description.replace(/ \* I$/, " * ") ?? "";
  const start = printNumber(step.start) === "0" ? "" : `[${printNumber(step.start)}..]`;
  return `d${step.parameter}${start} += ${scale}${printSide(step.left)} · ${printSide(step.right)}.T${printPlaces(step)}`;
}

/** One line: `t1 = dense A_panels · x`, `dB += (alpha / r) * dy · t1.T`. */
export const printBackwardStep = (step: BackwardStep, operands: readonly Operand[]): string =>
  step.kind === "apply" ? printStep(step.step) : printGradient(step, operands);

/** `dn goes on to dW, dA by n = row_norm(W + A)`. */
export const printIntermediate = ({
  name,
  text,
  parameters,
}: Pick<Intermediate, "name" | "text" | "parameters">): string =>
  `d${name} goes on to ${parameters.map((parameter) => `d${parameter}`).join(", ")} by ${name} = ${text}`;

/** True for an operand that neither a variant nor the merge reads. */
export function isBackwardOnly({ variants, merge }: Plan, operand: string): boolean {
  const isApplied = variants.some(({ steps }) =>
    steps.some(({ terms }) => terms.some((term) => term.operand === operand)),
  );
  if (isApplied || merge.method === "identity") return !isApplied;
  return !merge.terms.some((term) =>
    term.kind === "operand" ? term.operand === operand : term.left === operand || term.right === operand,
  );
}

/** The backward pass with the operands that it alone reads. */
export function printBackward(plan: Plan, printOperand: (operand: Operand) => string): readonly string[] {
  const { backward, operands } = plan;
  const widths = backward.activations
    .filter(({ part }) => part === undefined)
    .map(({ name, width }) => `${name} [${printNumber(width)}]`)
    .join(", ");
  return [
    "  backward",
    ...operands
      .filter(({ name }) => isBackwardOnly(plan, name))
      .map((operand) => `  ${printOperand(operand)}`),
    `    ${backward.search.priced} ways priced of ${backward.search.total}`,
    `    activations ${widths}`,
    ...backward.steps.map(
      (step) =>
        `    ${printBackwardStep(step, operands)}${step.kind === "apply" && step.dxOnly ? "  (for dx only)" : ""}`,
    ),
    ...backward.intermediates.map((one) => `    ${printIntermediate(one)}`),
  ];
}
