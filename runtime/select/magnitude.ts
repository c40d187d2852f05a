/** Selection by magnitude: entries, n of each m, or whole blocks. */

import type { SelectionOrder } from "../contract/manifest.ts";
import { SpxError } from "../errors.ts";
import { checkCount, largestEntries, requireFinite } from "./largest-entries.ts";
import { emptyBits, type Pattern, setBit } from "./pattern.ts";
import { keysOf, largestByPasses, type SelectionPasses } from "./select-by-passes.ts";

/** A dense [rows, columns] matrix with the name that messages call it by. */
export interface NamedMatrix {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

/** The `count` entries of largest magnitude. @throws SpxError SPX8407, SPX8408. */
export const selectMagnitude = (
  matrix: NamedMatrix,
  count: number,
  passes: SelectionPasses | null = null,
): Pattern => selectLargest("magnitude", "magnitude", matrix, count, passes);

/**
 * The `count` first entries of an order, by compiled passes where there are some and they are worth it, else by counting
 * over digits. @throws SpxError SPX8407 naming the selection, SPX8408.
 */
export function selectLargest(
  selection: "magnitude" | "topk",
  order: SelectionOrder,
  { name, rows, columns, values }: NamedMatrix,
  count: number,
  passes: SelectionPasses | null,
): Pattern {
  const bits = largestByPasses(values, order, count, passes);
  if (bits !== null) return { rows, columns, count, bits };
  requireFinite(name, values, columns);
  checkCount(selection, count, values.length);
  return largestEntries(keysOf(order, values), rows, columns, count);
}

export interface GroupShape {
  readonly n: number;
  readonly m: number;
  /** `input`: groups along a row; `output`: along a column. */
  readonly axis: "input" | "output";
}

/** The n largest of each m consecutive entries. @throws SpxError SPX8405 for a ragged length, SPX8408. */
export function selectMagnitudeGroups(
  matrix: NamedMatrix,
  { n, m, axis }: GroupShape,
  passes: SelectionPasses | null = null,
): Pattern {
  const { name, rows, columns, values } = matrix;
  const count = (values.length / m) * n;
  const isWhole = axis === "input" && columns % m === 0;
  const found = isWhole ? (passes?.groups(values, n, m) ?? null) : null;
  if (found !== null) return { rows, columns, count, bits: found };
  requireFinite(name, values, columns);
  const length = axis === "input" ? columns : rows;
  if (length % m !== 0) {
    throw new SpxError("SPX8405", `\`${name}\` has ${length} entries along ${axis}, not a multiple of ${m}`, {
      facts: { tensor: name, length, m },
      help: `${n}:${m} needs whole groups: pad the weight, or leave this tensor out`,
    });
  }
  const stride = axis === "input" ? 1 : columns;
  const bits = emptyBits(rows, columns);
  const taken = new Uint8Array(m);
  const groupsAcross = axis === "input" ? columns / m : columns;
  const groupsDown = axis === "input" ? rows : rows / m;
  for (let down = 0; down < groupsDown; down++) {
    for (let across = 0; across < groupsAcross; across++) {
      const first = axis === "input" ? down * columns + across * m : down * m * columns + across;
      taken.fill(0);
      for (let slot = 0; slot < n; slot++) {
        const position = largestFree(values, first, stride, taken);
        taken[position] = 1;
        setBit(bits, first + position * stride);
      }
    }
  }
  return { rows, columns, count, bits };
}

/** The free entry of largest magnitude; the first of equals. */
function largestFree(values: Float32Array, first: number, stride: number, taken: Uint8Array): number {
  let best = -1;
  let largest = -1;
  for (let position = 0; position < taken.length; position++) {
    const magnitude = Math.abs(values[first + position * stride] ?? 0);
    if (taken[position] === 0 && magnitude > largest) {
      largest = magnitude;
      best = position;
    }
  }
  return best;
}

/**
 * The blocks of height x width with the largest Frobenius norm, `count` positions in all.
 * @throws SpxError SPX8405 when blocks do not tile the matrix, SPX8407, SPX8408.
 */
export function selectMagnitudeBlocks(
  matrix: NamedMatrix,
  height: number,
  width: number,
  count: number,
): Pattern {
  const { name, rows, columns, values } = matrix;
  requireFinite(name, values, columns);
  checkTiling(name, rows, columns, height, width);
  const across = columns / width;
  const norms = new Float64Array((rows / height) * across);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const block = Math.floor(row / height) * across + Math.floor(column / width);
      const value = values[row * columns + column] ?? 0;
      norms[block] = (norms[block] ?? 0) + value * value;
    }
  }
  const blocks = count / (height * width);
  checkCount("magnitude of blocks", blocks, norms.length);
  return patternOfBlocks(rows, columns, height, width, largestBlocks(norms, blocks));
}

/** @throws SpxError SPX8405. */
export function checkTiling(
  name: string,
  rows: number,
  columns: number,
  height: number,
  width: number,
): void {
  if (rows % height === 0 && columns % width === 0) return;
  throw new SpxError(
    "SPX8405",
    `\`${name}\` is [${rows}, ${columns}], which blocks of ${height} x ${width} do not tile`,
    {
      facts: { tensor: name, rows, columns, height, width },
      help: "choose a block that divides both dimensions",
    },
  );
}

function largestBlocks(norms: Float64Array, count: number): number[] {
  const ascending = norms.toSorted();
  const threshold = ascending[norms.length - count] ?? Number.POSITIVE_INFINITY;
  let ties = count;
  for (const norm of norms) if (norm > threshold) ties--;
  const kept: number[] = [];
  norms.forEach((norm, block) => {
    if (norm > threshold || (norm === threshold && ties-- > 0)) kept.push(block);
  });
  return kept;
}

/** The pattern of whole blocks, given by their row-major numbers. */
export function patternOfBlocks(
  rows: number,
  columns: number,
  height: number,
  width: number,
  blocks: ArrayLike<number>,
): Pattern {
  const bits = emptyBits(rows, columns);
  const across = columns / width;
  for (let index = 0; index < blocks.length; index++) {
    const block = blocks[index] ?? 0;
    const first = Math.floor(block / across) * height * columns + (block % across) * width;
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) setBit(bits, first + row * columns + column);
    }
  }
  return { rows, columns, count: blocks.length * height * width, bits };
}
