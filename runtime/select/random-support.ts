/** Random supports: distinct positions, uniform, from a seeded stream. */
import { fillUniform } from "../random/distributions.ts";
import { philoxBlock, type RandomStream } from "../random/philox.ts";
import { sampleWithoutReplacement } from "../random/sample-positions.ts";
import { checkCount, type Keys } from "./largest-entries.ts";
import { checkTiling, patternOfBlocks, selectMagnitudeGroups } from "./magnitude.ts";
import { type Pattern, patternOfPositions } from "./pattern.ts";
import type { PatternTarget } from "./recipe-target.ts";

/**
 * `count` positions; of a block pattern, whole blocks with `count` positions in all; of an N:M pattern n of each m.
 * @throws SpxError SPX8405 when blocks or groups do not fit, SPX8407 for a count above the size.
 */
export function selectRandom(
  { name, shape, rows, columns }: Pick<PatternTarget, "name" | "shape" | "rows" | "columns">,
  count: number,
  stream: RandomStream,
): Pattern {
  if (shape.kind === "unstructured") {
    checkCount("random", count, rows * columns);
    return patternOfPositions(rows, columns, sampleWithoutReplacement(stream, count, rows * columns));
  }
  if (shape.kind === "nm") {
    const values = fillUniform(stream, new Float32Array(rows * columns), 0, 1);
    return selectMagnitudeGroups({ name, rows, columns, values }, shape);
  }
  const { height, width } = shape;
  checkTiling(name, rows, columns, height, width);
  const blocks = count / (height * width);
  const population = (rows / height) * (columns / width);
  checkCount("random blocks", blocks, population);
  return patternOfBlocks(rows, columns, height, width, sampleWithoutReplacement(stream, blocks, population));
}

/** Words of the stream as keys: the largest of them are a uniform choice, up to ties of probability 2^-32 a pair. */
export function randomKeys(stream: RandomStream, size: number): Keys {
  const words = new Uint32Array(Math.ceil(size / 4) * 4);
  for (let block = 0; block < words.length / 4; block++) philoxBlock(stream, block, words, 4 * block);
  return words.subarray(0, size);
}
