/**
 * The factors of a chain as stages, one step each: permutations, windows and embeddings go into the steps around them,
 * which read and write their activations so.
 */
import { apply, type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import { sameDimension } from "../types/dimension.ts";
import type { Range } from "./activation-parts.ts";
import type { AppliedSum, AppliedTerm, LinearFactor, Move } from "./linear-factors.ts";
import { identityPiece } from "./matrix-operand.ts";
import type { StridePermutation } from "./plan.ts";

/** A factor with the permutations that its step applies. */
export interface Stage {
  readonly factor: Exclude<LinearFactor, Move>;
  /** The part of the input that is read, before `inputPermutation`. */
  readonly window: Range | null;
  readonly inputPermutation: StridePermutation | null;
  readonly outputPermutation: StridePermutation | null;
  /** Where the result goes, after `outputPermutation`. */
  readonly embedding: Embedding | null;
}

export interface Embedding {
  readonly range: Range;
  readonly size: NumberExpression;
}

const isTrivial = ({ size, stride }: StridePermutation): boolean =>
  sameDimension(stride, size) || sameDimension(stride, number(1));
const cancel = (a: StridePermutation, b: StridePermutation): boolean =>
  sameDimension(apply("*", a.stride, b.stride), a.size);

/** Adds a move that acts after those in `pending`. */
function follow(pending: readonly Move[], next: Move): readonly Move[] {
  const before = pending.at(-1);
  if (next.kind !== "permutation") return [...pending, next];
  if (isTrivial(next.permutation)) return pending;
  return before?.kind === "permutation" && cancel(before.permutation, next.permutation)
    ? pending.slice(0, -1)
    : [...pending, next];
}

const takesPermutedInput = (factor: LinearFactor): boolean =>
  factor.kind === "blocks" || factor.kind === "diagonal";

/** Features that go into a move. */
const inputSize = (move: Move): NumberExpression =>
  move.kind === "embedding" ? move.range.width : move.kind === "window" ? move.size : move.permutation.size;

/** The first move of `waiting`, taken from it, when it is of this kind. */
function take<Kind extends Move["kind"]>(
  waiting: Move[],
  kind: Kind,
  end: "first" | "last" = "first",
): Extract<Move, { kind: Kind }> | null {
  const move = end === "first" ? waiting[0] : waiting.at(-1);
  if (move?.kind !== kind) return null;
  if (end === "first") waiting.shift();
  else waiting.pop();
  return move as Extract<Move, { kind: Kind }>;
}

/** Moves that no other step takes: steps that only move values, reading a part or a permutation of their input. */
function movers(waiting: Move[]): readonly Stage[] {
  const stages: Stage[] = [];
  for (let [next] = waiting; next !== undefined; [next] = waiting) {
    const width = next.kind === "window" ? next.range.width : inputSize(next);
    const window = take(waiting, "window")?.range ?? null;
    const inputPermutation = take(waiting, "permutation")?.permutation ?? null;
    const embedding = take(waiting, "embedding");
    stages.push({
      factor: { kind: "diagonal", piece: identityPiece(width) },
      window,
      inputPermutation,
      outputPermutation: null,
      embedding,
    });
  }
  return stages;
}

/**
 * The stages of a chain, first acting first. A window or permutation goes into the input of the factor after it, a
 * permutation or embedding into the output of the factor before it, else it becomes a step of its own that only
 * moves values. A sum whose terms write to ranges is several steps, so that none of them can permute its output.
 * @param size width of the identity when there are no factors.
 */
export function arrangeStages(factors: readonly LinearFactor[], size: NumberExpression): readonly Stage[] {
  const stages: Stage[] = [];
  let pending: readonly Move[] = [];
  const place = (factor: Stage["factor"] | null): void => {
    const waiting = [...pending];
    const takes = factor !== null && takesPermutedInput(factor);
    const input = takes ? take(waiting, "permutation", "last") : null;
    const window = factor === null ? null : take(waiting, "window", "last");
    const before = stages.at(-1);
    if (before !== undefined) {
      const permutes = before.factor.kind !== "sum" || !writesRanges(before.factor.sum);
      const outputPermutation = permutes ? (take(waiting, "permutation")?.permutation ?? null) : null;
      stages[stages.length - 1] = { ...before, outputPermutation, embedding: take(waiting, "embedding") };
    }
    stages.push(...movers(waiting));
    if (factor !== null) {
      stages.push({
        factor,
        window: window?.range ?? null,
        inputPermutation: input?.permutation ?? null,
        outputPermutation: null,
        embedding: null,
      });
    }
    pending = [];
  };
  for (const factor of factors.toReversed()) {
    if (factor.kind === "permutation" || factor.kind === "window" || factor.kind === "embedding")
      pending = follow(pending, factor);
    else place(factor);
  }
  if (stages.length === 0 && pending.length === 0) {
    const factor = { kind: "diagonal", piece: identityPiece(size) } as const;
    return [{ factor, window: null, inputPermutation: null, outputPermutation: null, embedding: null }];
  }
  place(null);
  return stages;
}

/** Features that come out of a factor. */
export const heightOf = (factor: Stage["factor"]): NumberExpression => {
  if (factor.kind === "sum") return factor.sum.rows;
  return factor.kind === "blocks" ? factor.rows : factor.piece.rows;
};

/** A step of its own that only moves values. */
export const movingStage = (size: NumberExpression): Stage => ({
  factor: { kind: "diagonal", piece: identityPiece(size) },
  window: null,
  inputPermutation: null,
  outputPermutation: null,
  embedding: null,
});

/** True when a term can share a step: its last stage is one packed matrix, or a sum of such, on the whole output. */
export function sharesStep({ factors, rows }: Pick<AppliedTerm, "factors" | "rows">): boolean {
  const last = arrangeStages(factors, rows).at(-1);
  if (last === undefined || last.outputPermutation !== null || last.embedding !== null) return false;
  return last.factor.kind === "matrix" || (last.factor.kind === "sum" && !writesRanges(last.factor.sum));
}

/** True for a sum of which a term writes to a range: its terms cannot share one step. */
export const writesRanges = ({ terms }: AppliedSum): boolean =>
  terms.some(({ factors, rows }) => {
    const last = arrangeStages(factors, rows).at(-1);
    return last?.embedding !== null || (last.factor.kind === "sum" && writesRanges(last.factor.sum));
  });
