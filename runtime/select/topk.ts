/** Selection by score. */
import { type NamedMatrix, selectLargest } from "./magnitude.ts";
import type { Pattern } from "./pattern.ts";
import type { SelectionPasses } from "./select-by-passes.ts";

/** Exactly `count` entries of largest score, by value and not by magnitude. @throws SpxError SPX8407, SPX8408. */
export const selectTopk = (
  score: NamedMatrix,
  count: number,
  passes: SelectionPasses | null = null,
): Pattern => selectLargest("topk", "value", score, count, passes);
