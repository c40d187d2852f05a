/**
 * What the backward pass computes again although forward had it: activations that follow from x alone, such as `A x` of
 * `B @ A`. Forward keeps nothing, so that a layer holds no memory between calls; these are the prices of that choice.
 */
import type { MatrixSource, OperandSource } from "../../runtime/contract/matrix-source.ts";
import { type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import { memoryOf } from "./activation-parts.ts";
import type { PricedMachine } from "./cost-model.ts";
import type { OperandLookup } from "./operand-table.ts";
import { ceilOver, times } from "./packed-size.ts";
import type { Activation, Plan, Step, StepTerm } from "./plan.ts";

/** A step of the backward pass that reads x, or what follows from x, and nothing else. */
export interface RepeatedStep {
  /** Its place among the steps of the backward pass. */
  readonly index: number;
  readonly output: string;
  /** Features a token. */
  readonly width: Activation["width"];
  /** Variants of forward that compute the same values on their way, whatever the format of their operands. */
  readonly formedBy: readonly string[];
}

interface Stepped {
  readonly steps: readonly Step[];
  readonly activations: readonly Activation[];
}

/** What a term reads, apart from its input. */
const readBy = ({ transposed, inputPermutation }: StepTerm, source: MatrixSource): unknown => [
  source,
  transposed ?? false,
  inputPermutation,
];

/** Activations that x alone decides → what they are computed from: equal texts are equal values. */
function meanings({ steps, activations }: Stepped, operands: OperandLookup): ReadonlyMap<string, string> {
  const found = new Map([["x", "x"]]);
  const inputOf = (name: string): unknown => {
    const whole = found.get(memoryOf(activations, name));
    const part = activations.find((activation) => activation.name === name)?.part;
    return found.get(name) ?? (whole === undefined || part === undefined ? null : [whole, part.offset]);
  };
  const write = (name: string, step: Step, of: (source: OperandSource) => MatrixSource | null): void => {
    const terms = step.terms.map((term) => {
      const source = of(operands.find(term.operand).source);
      const input = inputOf(term.input);
      return source === null || input === null ? null : [readBy(term, source), input];
    });
    if (!terms.includes(null)) found.set(name, JSON.stringify([step.outputPermutation, terms]));
  };
  for (const step of steps) {
    const { output, accumulate, terms } = step;
    // Steps that add to an activation, or fill it part by part, give it more than one meaning.
    if (accumulate || terms.length === 0 || memoryOf(activations, output) !== output) continue;
    write(output, step, (source) => (source.kind === "stack" ? null : source));
    activations
      .filter(({ part }) => part?.of === output)
      .forEach(({ name }, index) => {
        write(name, step, (source) => (source.kind === "stack" ? (source.parts[index] ?? null) : null));
      });
  }
  return found;
}

/** In the order of the steps. */
export function repeatedSteps(
  { backward, variants }: Pick<Plan, "backward" | "variants">,
  operands: OperandLookup,
): readonly RepeatedStep[] {
  const { activations } = backward;
  const steps = backward.steps.flatMap((step) => (step.kind === "apply" ? [step.step] : []));
  const again = meanings({ steps, activations }, operands);
  const forward = variants.map((variant) => ({
    name: variant.name,
    formed: new Set(meanings(variant, operands).values()),
  }));
  return backward.steps.flatMap((step, index) => {
    if (step.kind !== "apply") return [];
    const { output } = step.step;
    const meaning = again.get(output);
    const width = activations.find(({ name }) => name === output)?.width;
    if (meaning === undefined || width === undefined) return [];
    const formedBy = forward.filter(({ formed }) => formed.has(meaning)).map(({ name }) => name);
    return [{ index, output, width, formedBy }];
  });
}

/** Bytes that keeping it would hold from forward to backward: whole panels of 16 tokens; reads `batch`. */
export const keptBytes = ({ width }: Pick<RepeatedStep, "width">): NumberExpression =>
  times(ceilOver(symbol("batch"), 16), width, number(64));

/** Nanoseconds of keeping it: written once and read once beyond the caches, which other layers fill in between. */
export const keepingCost = (
  step: Pick<RepeatedStep, "width">,
  { rates: { memory }, threads }: PricedMachine,
): NumberExpression => {
  const { one, all } = memory.memoryNanoseconds;
  return times(keptBytes(step), number(2 * (threads === 1 ? one : all)));
};
