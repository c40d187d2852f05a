/** Sets of positions combined: complement, intersection, union; and whole rows or columns told apart again. */
import { SpxError } from "../errors.ts";
import { emptyBits, hasBit, type Pattern, patternOfPositions, setBit } from "./pattern.ts";

/** The positions that `pattern` leaves out. */
export function complementOf({ rows, columns, count, bits }: Pattern): Pattern {
  const size = rows * columns;
  const rest = bits.map((word) => ~word);
  const used = size % 32;
  // Bits beyond the last position stay zero: readers walk over whole words.
  if (used !== 0) rest[rest.length - 1] = (rest[rest.length - 1] ?? 0) & (2 ** used - 1);
  return { rows, columns, count: size - count, bits: rest };
}

/** The positions that both keep. @throws SpxError SPX8405. */
export const intersectionOf = (left: Pattern, right: Pattern): Pattern =>
  combineBits("and", left, right, (a, b) => a & b);

/** The positions that one of them keeps, or both. @throws SpxError SPX8405. */
export const unionOf = (left: Pattern, right: Pattern): Pattern =>
  combineBits("or", left, right, (a, b) => a | b);

function combineBits(
  operation: string,
  left: Pattern,
  right: Pattern,
  f: (a: number, b: number) => number,
): Pattern {
  const { rows, columns } = left;
  if (rows !== right.rows || columns !== right.columns) {
    const found = `[${rows}, ${columns}] and [${right.rows}, ${right.columns}]`;
    throw new SpxError("SPX8405", `\`${operation}\` cannot combine patterns of ${found}`, {
      facts: { operation, left: [rows, columns], right: [right.rows, right.columns] },
      help: "combine patterns of one shape",
    });
  }
  const bits = left.bits.map((word, index) => f(word, right.bits[index] ?? 0));
  return { rows, columns, count: bitsSet(bits), bits };
}

/** Ones in all words, counted in parallel within each word. */
export function bitsSet(words: Uint32Array): number {
  let count = 0;
  for (let index = 0; index < words.length; index++) {
    let word = words[index] ?? 0;
    word -= (word >>> 1) & 0x55555555;
    word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
    count += Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  return count;
}

/** The positions whose value `keeps`. */
export function patternWhere(
  rows: number,
  columns: number,
  values: Float32Array,
  keeps: (value: number) => boolean,
): Pattern {
  const bits = emptyBits(rows, columns);
  let count = 0;
  for (let position = 0; position < values.length; position++) {
    if (!keeps(values[position] ?? 0)) continue;
    setBit(bits, position);
    count++;
  }
  return { rows, columns, count, bits };
}

/** Every position. */
export const fullPattern = (rows: number, columns: number): Pattern =>
  complementOf({ rows, columns, count: 0, bits: emptyBits(rows, columns) });

/** The positions (i, i). */
export const diagonalPattern = (rows: number, columns: number): Pattern =>
  patternOfPositions(
    rows,
    columns,
    Array.from({ length: Math.min(rows, columns) }, (_, index) => index * columns + index),
  );

/** Whole rows, given by their numbers, each once. */
export function patternOfRows(rows: number, columns: number, chosen: ArrayLike<number>): Pattern {
  const bits = emptyBits(rows, columns);
  for (let index = 0; index < chosen.length; index++) {
    const first = (chosen[index] ?? 0) * columns;
    for (let column = 0; column < columns; column++) setBit(bits, first + column);
  }
  return { rows, columns, count: chosen.length * columns, bits };
}

/** Whole columns, given by their numbers, each once. */
export function patternOfColumns(rows: number, columns: number, chosen: ArrayLike<number>): Pattern {
  const bits = emptyBits(rows, columns);
  for (let row = 0; row < rows; row++) {
    for (let index = 0; index < chosen.length; index++) setBit(bits, row * columns + (chosen[index] ?? 0));
  }
  return { rows, columns, count: chosen.length * rows, bits };
}

/**
 * [chosen, size] with one position in each row: row i has the i-th of the chosen rows or columns, ascending.
 * Requires a pattern of whole rows (or columns) with at least one column (or row).
 */
export function selectorOf(pattern: Pattern, axis: "row" | "column"): Pattern {
  const { rows, columns, bits } = pattern;
  const [size, stride] = axis === "row" ? [rows, columns] : [columns, 1];
  const chosen: number[] = [];
  for (let line = 0; line < size; line++) if (hasBit(bits, line * stride)) chosen.push(line);
  return patternOfPositions(
    chosen.length,
    size,
    chosen.map((line, index) => index * size + line),
  );
}

/** [n, n] with the index of the i-th largest value in row i; of equal values the one of lowest index is first. */
export function orderingOf(values: Float32Array): Pattern {
  const order = Array.from(values, (_, index) => index).sort(
    (a, b) => (values[b] ?? 0) - (values[a] ?? 0) || a - b,
  );
  const size = values.length;
  return patternOfPositions(
    size,
    size,
    order.map((index, row) => row * size + index),
  );
}
