/**
 * Dense factors that read the same input as one product: B (A x) + D (C x) from [A; C] x, W x + B (A x) from [W; A] x.
 * One sweep instead of several, so that a thin factor does not leave threads without work. Stands beside the
 * enumeration of sums, whose ways it extends by every grouping of such factors.
 */

import { arrangeStages, type Stage } from "./arrange-stages.ts";
import type { AppliedSum, AppliedTerm } from "./linear-factors.ts";
import type { MatrixPiece } from "./matrix-operand.ts";
import { setPartitions } from "./set-partitions.ts";

/** The matrix that a stage applies to its whole input as it is, in panels of single precision; null for any other stage. */
export function stackablePiece(stage: Stage | undefined): MatrixPiece | null {
  if (stage === undefined || stage.factor.kind !== "matrix" || stage.factor.storage !== "dense") return null;
  const { factor, window, outputPermutation, embedding } = stage;
  const isCoded = factor.piece.quantization !== null && factor.piece.quantization !== undefined;
  return window === null && outputPermutation === null && embedding === null && !isCoded
    ? factor.piece
    : null;
}

interface Stackable {
  readonly term: AppliedTerm;
  readonly piece: MatrixPiece;
  /** Something follows the matrix. */
  readonly isChain: boolean;
}

function stackablesOf({ terms }: AppliedSum): readonly Stackable[] {
  return terms.flatMap((term) => {
    const stages = arrangeStages(term.factors, term.rows);
    const piece = stackablePiece(stages[0]);
    return piece === null ? [] : [{ term, piece, isChain: stages.length > 1 }];
  });
}

/**
 * Matrices of one stage, because what is frozen would be packed at every step beside what is trained; at least two
 * different ones; and not only whole terms, whose sum could be one matrix.
 */
function isWorthStacking(group: readonly Stackable[]): boolean {
  const stages = new Set(group.map(({ piece }) => piece.trainable));
  const sources = new Set(group.map(({ piece }) => JSON.stringify(piece.source)));
  return stages.size === 1 && sources.size > 1 && group.some(({ isChain }) => isChain);
}

/** Every way to stack factors of `sum`; none of them is `sum` itself. */
export function stackings(sum: AppliedSum): readonly AppliedSum[] {
  const candidates = stackablesOf(sum);
  if (candidates.length < 2) return [];
  const kinds = candidates.map(({ piece }) => {
    const stage = piece.trainable ? "step" : "load";
    return { fine: stage, coarse: stage };
  });
  const each = candidates.map((_, index) => `${index}`);
  return setPartitions(each, kinds).flatMap((partition) => {
    const groups = partition
      .filter((members) => members.length > 1)
      .map((members) => members.flatMap((index) => candidates[index] ?? []));
    if (groups.length === 0 || !groups.every(isWorthStacking)) return [];
    return [{ ...sum, stacks: groups.map((group) => group.map(({ term }) => term)) }];
  });
}
