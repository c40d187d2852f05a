/**
 * Sums over the 16 lanes of many vectors at once: a transposition network leaves each vector's lanes in different
 * registers, which are added, so that n vectors cost about n additions and as many shuffles.
 */
import { type Block, define } from "./loop-builder.ts";
import { binary, shuffle } from "./loop-expression.ts";
import type { LoopExpression } from "./loop-node.ts";
import { transposeRows } from "./transpose-panels.ts";

/**
 * A vector whose lane i, i < n, is the sum of the lanes of vector i; the other lanes repeat them.
 * @throws RangeError unless there are 1, 2, 4, 8 or 16 vectors.
 */
export function sumLanes(block: Block, vectors: readonly LoopExpression[]): LoopExpression {
  const parts = transposeRows(block, vectors).map(({ value }) => value);
  const [first, ...rest] = parts;
  if (first === undefined) throw new RangeError("no vectors to sum");
  let sum = rest.reduce((total, part) => define(block, "sum_lanes", binary("add", total, part)), first);
  // Groups of n lanes belong to different tokens: the upper half is added to the lower until one group is left.
  for (let width = 8; width >= vectors.length; width /= 2) {
    const rotated = shuffle(
      sum,
      sum,
      Array.from({ length: 16 }, (_, lane) => (lane + width) % 16),
    );
    sum = define(block, "sum_lanes", binary("add", sum, rotated));
  }
  return sum;
}
