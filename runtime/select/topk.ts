/** Selection by score. */
import { checkCount, largestEntries, requireFinite, valueKeys } from "./largest-entries.ts";
import type { NamedMatrix } from "./magnitude.ts";
import type { Pattern } from "./pattern.ts";
import { largestByPasses, type SelectionPasses } from "./select-by-passes.ts";

/** Exactly `count` entries of largest score, by value and not by magnitude. @throws SpxError SPX8407, SPX8408. */
export function selectTopk(
  score: NamedMatrix,
  count: number,
  passes: SelectionPasses | null = null,
): Pattern {
  const { rows, columns } = score;
  const found = largestByPasses(score.values, "value", count, passes);
  if (found !== null) return { rows, columns, count, bits: found };
  requireFinite(score.name, score.values, score.columns);
  checkCount("topk", count, score.values.length);
  return largestEntries(valueKeys(score.values), score.rows, score.columns, count);
}
