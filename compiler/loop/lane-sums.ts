/**
 * Sums over the 16 lanes of many vectors at once: two vectors are mixed and added into one that holds half of the lanes
 * of each, until one vector is left, so that n vectors cost about n additions and 2 n shuffles.
 */
import { type Block, define } from "./loop-builder.ts";
import { binary, shuffle } from "./loop-expression.ts";
import type { LoopExpression } from "./loop-node.ts";
import { mixingPatterns } from "./transpose-panels.ts";

/**
 * A vector whose lane i, i < n, is the sum of the lanes of vector i; the other lanes repeat them.
 * @throws RangeError unless there are 1, 2, 4, 8 or 16 vectors.
 */
export function sumLanes(block: Block, vectors: readonly LoopExpression[]): LoopExpression {
  if (![1, 2, 4, 8, 16].includes(vectors.length)) throw new RangeError(`${vectors.length} vectors to sum`);
  const addUp = (left: LoopExpression, right: LoopExpression): LoopExpression =>
    define(block, "sum_lanes", binary("add", left, right));
  let rest = vectors;
  for (const [low, high] of mixingPatterns) {
    if (rest.length === 1) break;
    rest = Array.from({ length: rest.length / 2 }, (_, pair) => {
      const [a, b] = rest.slice(2 * pair, 2 * pair + 2);
      if (a === undefined || b === undefined) throw new RangeError("a pair of vectors");
      return addUp(define(block, "mix", shuffle(a, b, low)), define(block, "mix", shuffle(a, b, high)));
    });
  }
  let [sum] = rest;
  if (sum === undefined) throw new RangeError("no vectors to sum");
  // Groups of n lanes hold other lanes of the same vectors: the upper half is added to the lower until one group is left.
  for (let width = 8; width >= vectors.length; width /= 2) {
    const lanes = Array.from({ length: 16 }, (_, lane) => (lane + width) % 16);
    sum = addUp(sum, shuffle(sum, sum, lanes));
  }
  return sum;
}
