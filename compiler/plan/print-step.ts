/** A step as one line of text. */
import { printNumber } from "../../runtime/contract/number-expression.ts";
import type { Step, StridePermutation } from "./plan.ts";

export const permuted = (permutation: StridePermutation | null, inner: string): string =>
  permutation === null ? inner : `P(${printNumber(permutation.stride)}) ${inner}`;

/** One line: `t1 = A_panels x`, `y += P(b) (L_blocks P(n / b) t1)`. */
export function printStep(step: Step): string {
  if (step.terms.length === 0) return `${step.output} = 0`;
  const sum = step.terms
    .map(
      ({ atom, operand, transposed, input, inputPermutation }) =>
        `${atom} ${operand}${transposed === true ? ".T" : ""} · ${permuted(inputPermutation, input)}`,
    )
    .join(" + ");
  const value = step.outputPermutation === null ? sum : permuted(step.outputPermutation, `(${sum})`);
  return `${step.output} ${step.accumulate ? "+=" : "="} ${value}`;
}
