/** The verifier of backward passes: sentences that must hold for their steps, in the words of the forward laws. */
import type { FormatName } from "../../runtime/contract/operand-format.ts";
import { sameDimension } from "../types/dimension.ts";
import { addsToWritten, memoryOf, overwritesNothing } from "./activation-parts.ts";
import type { BackwardPlan, BackwardStep, GradientInput, GradientStep, Plan, Step } from "./plan.ts";

interface Law {
  readonly sentence: string;
  readonly holds: (plan: Plan, backward: BackwardPlan) => boolean;
}

const given = ["x", "dy"];
const inputsOf = (step: BackwardStep): readonly string[] =>
  step.kind === "apply"
    ? step.step.terms.map(({ input }) => input)
    : [step.left.activation, step.right.activation];
const appliedBefore = (steps: readonly BackwardStep[], index: number): readonly Step[] =>
  steps.slice(0, index).flatMap((step) => (step.kind === "apply" ? [step.step] : []));
const gradientsOf = ({ steps }: BackwardPlan): readonly GradientStep[] =>
  steps.filter((step) => step.kind === "gradient");

const hasFormat = (plan: Plan, name: string | null, format: FormatName): boolean =>
  name === null || plan.operands.some((operand) => operand.name === name && operand.format.name === format);

/** A permutation is of a whole activation, of which the parameter may take a part. */
function permutesWhole({ activations }: BackwardPlan, { activation, permutation }: GradientInput): boolean {
  const width = activations.find(({ name }) => name === activation)?.width;
  return width !== undefined && (permutation === null || sameDimension(permutation.size, width));
}

const laws: readonly Law[] = [
  {
    sentence: "reads x, dy or what an earlier step wrote",
    holds: (_, { activations, steps }) =>
      steps.every((step, index) =>
        inputsOf(step).every((input) => {
          const memory = memoryOf(activations, input);
          return (
            given.includes(memory) ||
            (memory !== "dx" &&
              appliedBefore(steps, index).some(({ output }) => memoryOf(activations, output) === memory))
          );
        }),
      ),
  },
  {
    sentence: "completes dx",
    holds: (_, { activations, steps }) =>
      appliedBefore(steps, steps.length).some(({ output }) => memoryOf(activations, output) === "dx"),
  },
  {
    sentence: "adds only to what was written, and overwrites nothing",
    holds: (_, { activations, steps }) =>
      steps.every((step, index) => {
        if (step.kind === "gradient") return true;
        const before = appliedBefore(steps, index);
        return (
          addsToWritten(activations, step.step, before) && overwritesNothing(activations, step.step, before)
        );
      }),
  },
  {
    sentence: "leaves out without dx only what no gradient follows from",
    holds: (_, { activations, steps }) =>
      steps.every(
        (step) =>
          step.kind === "gradient" ||
          !step.dxOnly ||
          steps.every(
            (other) =>
              !inputsOf(other)
                .map((input) => memoryOf(activations, input))
                .includes(memoryOf(activations, step.step.output)) ||
              (other.kind === "apply" && other.dxOnly),
          ),
      ),
  },
  {
    sentence: "forms gradients of parameters and intermediates",
    holds: (_, backward) =>
      gradientsOf(backward).every(({ parameter }) =>
        [...backward.parameters, ...backward.intermediates].some(({ name }) => name === parameter),
      ),
  },
  {
    sentence: "takes intermediates on to parameters, and to at least one",
    holds: (_, { intermediates, parameters }) =>
      intermediates.every(
        (one) =>
          one.parameters.length > 0 &&
          one.parameters.every((wanted) => parameters.some(({ name }) => name === wanted)),
      ),
  },
  {
    sentence: "has operands of the formats that gradients read",
    holds: (plan, backward) =>
      gradientsOf(backward).every(
        ({ shape, scale }) =>
          hasFormat(plan, scale, "vector") &&
          (shape.kind !== "positions" || hasFormat(plan, shape.operand, "positions")) &&
          (shape.kind !== "matrix" || hasFormat(plan, shape.weights, "row-major")),
      ),
  },
  {
    sentence: "permutes whole activations",
    holds: (_, backward) =>
      gradientsOf(backward).every(
        ({ left, right }) => permutesWhole(backward, left) && permutesWhole(backward, right),
      ),
  },
];

/** Broken laws; empty when all hold. */
export function verifyBackward(plan: Plan): readonly string[] {
  const { backward } = plan;
  return laws.filter((law) => !law.holds(plan, backward)).map(({ sentence }) => sentence);
}
