/** Random supports: distinct positions, uniform, from a seeded stream. */
import type { RandomStream } from "../random/philox.ts";
import { sampleWithoutReplacement } from "../random/sample-positions.ts";
import { checkCount } from "./largest-entries.ts";
import { checkTiling, patternOfBlocks } from "./magnitude.ts";
import { type Pattern, patternOfPositions } from "./pattern.ts";
import type { PatternTarget } from "./recipe-target.ts";

/**
 * `count` positions; of a block pattern, whole blocks with `count` positions in all.
 * @throws SpxError SPX8405 when blocks do not tile, SPX8407 for a count above the size.
 */
export function selectRandom(
  { name, shape, rows, columns }: PatternTarget,
  count: number,
  stream: RandomStream,
): Pattern {
  if (shape.kind !== "block") {
    return patternOfPositions(rows, columns, sampleWithoutReplacement(stream, count, rows * columns));
  }
  const { height, width } = shape;
  checkTiling(name, rows, columns, height, width);
  const blocks = count / (height * width);
  const population = (rows / height) * (columns / width);
  checkCount("random_support of blocks", blocks, population);
  return patternOfBlocks(rows, columns, height, width, sampleWithoutReplacement(stream, blocks, population));
}
