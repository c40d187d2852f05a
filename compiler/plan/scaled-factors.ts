/** Where the scale of a term goes: into the packed values of one of its factors, so that kernels never multiply by it. */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { Term } from "../algebra/algebra-node.ts";
import type { LinearFactor } from "./linear-factors.ts";
import { identityPiece, scalePiece } from "./matrix-operand.ts";

export const splitScale = (
  term: Term,
): { readonly factor: NumberExpression | null; readonly operand: Term } =>
  term.kind === "scale" ? term : { factor: null, operand: term };

/**
 * The factor that takes the scale: a trained one, which is packed again at every step anyhow, else the leftmost that
 * holds values; -1 when there are only moves.
 */
export function scaledIndex(factors: readonly LinearFactor[]): number {
  const trained = factors.findIndex((factor) => "piece" in factor && factor.piece.trainable);
  return trained >= 0 ? trained : factors.findIndex((factor) => "piece" in factor || factor.kind === "sum");
}

/** The factors of `factor` times the chain; moves alone get a scaled identity. @param size rows of the chain. */
export function scaleFactors(
  factors: readonly LinearFactor[],
  factor: NumberExpression | null,
  size: NumberExpression,
): readonly LinearFactor[] {
  if (factor === null) return factors;
  const index = scaledIndex(factors);
  if (index < 0) {
    const last = factors.findIndex(({ kind }) => kind !== "embedding");
    const inside = last < 0 ? factors.length : last;
    const outer = factors[inside - 1];
    const width = outer?.kind === "embedding" ? outer.range.width : size;
    return factors.toSpliced(inside, 0, { kind: "diagonal", piece: identityPiece(width, factor) });
  }
  return factors.map((given, position) =>
    position === index && "piece" in given ? { ...given, piece: scalePiece(given.piece, factor) } : given,
  );
}
