/** Selections in which the entries of each row, column or tile compete among themselves. */
import type { LinePool } from "../contract/recipe.ts";
import { checkCount, forLargest, type Keys } from "./largest-entries.ts";
import { checkTiling } from "./magnitude.ts";
import { emptyBits, type Pattern, setBit } from "./pattern.ts";

interface Tile {
  readonly height: number;
  readonly width: number;
}

const tileOf = (pool: LinePool, rows: number, columns: number): Tile =>
  pool === "row" ? { height: 1, width: columns } : pool === "column" ? { height: rows, width: 1 } : pool;

/** How many pools a matrix has. @throws SpxError SPX8405 when tiles do not fill it. */
export function poolsIn(name: string, pool: LinePool, rows: number, columns: number): number {
  const { height, width } = tileOf(pool, rows, columns);
  checkTiling(name, rows, columns, height, width);
  return (rows / height) * (columns / width);
}

/**
 * The `count` entries of largest key in each pool, ties to the lowest row-major index.
 * @throws SpxError SPX8405 when tiles do not fill the matrix, SPX8407 for a count above a pool.
 */
export function largestOfPools(
  what: string,
  keys: Keys,
  { rows, columns }: { readonly rows: number; readonly columns: number },
  pool: LinePool,
  count: number,
): Pattern {
  const { height, width } = tileOf(pool, rows, columns);
  checkTiling(what, rows, columns, height, width);
  checkCount(`${what} in its pool`, count, height * width);
  const bits = emptyBits(rows, columns);
  const own = new Uint32Array(height * width);
  for (let top = 0; top < rows; top += height)
    for (let left = 0; left < columns; left += width) {
      const position = (index: number): number =>
        (top + Math.floor(index / width)) * columns + left + (index % width);
      for (let index = 0; index < own.length; index++) own[index] = keys[position(index)] ?? 0;
      forLargest(own, count, (index) => setBit(bits, position(index)));
    }
  return { rows, columns, count: ((rows * columns) / (height * width || 1)) * count, bits };
}
