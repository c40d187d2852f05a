/**
 * With a lane an output, a permutation between two block-diagonal factors goes to the step that writes, where that then
 * stores strips: whole lines, of which the next step reads neighbouring inputs. Enumeration leaves it to the step that
 * reads, which costs nothing where a lane is a token, nor on a device, and here lines that lie far apart.
 */
import type { OperandLookup } from "./operand-table.ts";
import type { Step } from "./plan.ts";
import { orderOf } from "./step-phases.ts";
import type { VariantDraft } from "./variant-draft.ts";

/** The steps, with every permutation that can be stored in strips where it is written. */
export function storeInStrips(draft: VariantDraft, operands: OperandLookup): VariantDraft {
  if (draft.layout !== "lane-output") return draft;
  const parted = new Set(draft.activations.flatMap(({ part }) => (part === undefined ? [] : [part.of])));
  const steps = [...draft.steps];
  for (const [at, reader] of steps.entries()) {
    const [term, ...others] = reader.terms;
    if (term === undefined || others.length > 0 || term.inputPermutation === null || parted.has(term.input))
      continue;
    const reads = steps.filter((step) => step.terms.some(({ input }) => input === term.input));
    const [writer, ...writers] = steps.filter(({ output }) => output === term.input);
    if (writer === undefined || writers.length > 0 || reads.length > 1 || writer.outputPermutation !== null)
      continue;
    const moved: Step = { ...writer, outputPermutation: term.inputPermutation };
    if (orderOf(moved, operands) !== "strips") continue;
    steps[steps.indexOf(writer)] = moved;
    steps[at] = { ...reader, terms: [{ ...term, inputPermutation: null }] };
  }
  return { ...draft, steps };
}
