/** Drop and grow: a pattern gives up its worst positions for the best of the others, and keeps its count. */
import { SpxError } from "../errors.ts";
import { largestEntries, requireFinite, valueKeys } from "./largest-entries.ts";
import type { NamedMatrix } from "./magnitude.ts";
import { hasBit, type Pattern, patternOfPositions, positionsOf } from "./pattern.ts";

export interface RegrowScores {
  /** Positions of the pattern with the smallest go. */
  readonly keep: NamedMatrix;
  /** Positions that are not left, with the largest, come; one that has just gone may come back. */
  readonly grow: NamedMatrix;
}

/**
 * Replaces round(fraction * count) positions of `pattern`, or as many as there are others. Of equal scores the lower
 * position stays, and the lower one comes.
 * @throws SpxError SPX8405 for scores of another shape, SPX8407 unless 0 <= fraction <= 1, SPX8408.
 */
export function regrow(pattern: Pattern, { keep, grow }: RegrowScores, fraction: number): Pattern {
  const { rows, columns } = pattern;
  for (const score of [keep, grow]) {
    if (score.rows !== rows || score.columns !== columns) throw otherShape(pattern, score);
    requireFinite(score.name, score.values, columns);
  }
  if (!(fraction >= 0 && fraction <= 1)) throw notAShare(fraction);
  const positions = positionsOf(pattern);
  const left = positions.length - Math.round(fraction * positions.length);
  const scores = Float32Array.from(positions, (position) => keep.values[position] ?? 0);
  const stay = largestOf(scores, left).map((entry) => positions[entry] ?? 0);
  const kept = patternOfPositions(rows, columns, stay);
  const free = new Float64Array(rows * columns - left);
  for (let position = 0, next = 0; position < rows * columns; position++)
    if (!hasBit(kept.bits, position)) free[next++] = position;
  const wanted = Float32Array.from(free, (position) => grow.values[position] ?? 0);
  const come = largestOf(wanted, positions.length - left).map((entry) => free[entry] ?? 0);
  const all = new Float64Array(positions.length);
  all.set(stay);
  all.set(come, stay.length);
  return patternOfPositions(rows, columns, all);
}

/** Indices of the `count` largest scores, ascending; of equal ones the lower. */
const largestOf = (scores: Float32Array, count: number): Float64Array =>
  positionsOf(largestEntries(valueKeys(scores), 1, scores.length, count));

function otherShape({ rows, columns }: Pattern, score: NamedMatrix): SpxError {
  return new SpxError(
    "SPX8405",
    `\`${score.name}\` is [${score.rows}, ${score.columns}], the pattern that it regrows [${rows}, ${columns}]`,
    {
      facts: { tensor: score.name, rows, columns },
      help: "score every position of the pattern's matrix",
    },
  );
}

function notAShare(fraction: number): SpxError {
  return new SpxError("SPX8407", `the fraction to regrow is ${fraction}, expected 0 to 1`, {
    facts: { fraction: String(fraction) },
    help: "check the schedule that it follows",
  });
}
