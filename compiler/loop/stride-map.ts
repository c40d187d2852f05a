/** Stride permutations as arithmetic on indices, for the index expressions of loops and of devices alike. */
import { apply, type NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { StridePermutation } from "../plan/plan.ts";

/**
 * Index i of a permuted vector sits at (i % period) * jump + floor(i / period). A stride permutation read
 * from its input has period = stride; written to its output it has period = size / stride.
 */
export interface StrideMap<Index> {
  readonly period: Index;
  readonly jump: Index;
}

/** The map of a permutation whose numbers `dimension` turns into index expressions; null leaves all in order. */
export function strideMap<Index>(
  dimension: (value: NumberExpression) => Index,
  permutation: StridePermutation | null,
  side: "input" | "output",
): StrideMap<Index> | null {
  if (permutation === null) return null;
  const stride = dimension(permutation.stride);
  const quotient = dimension(apply("/", permutation.size, permutation.stride));
  return side === "input" ? { period: stride, jump: quotient } : { period: quotient, jump: stride };
}
