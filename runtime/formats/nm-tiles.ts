/**
 * `nm-tiles`: 2 of every 4 inputs in the order in which the lanes of a warp hold them for a sparse product. Values first,
 * then for each tile 16 words that say which inputs they stand for. Any matrix fits that has at most two entries in every
 * four inputs, such as 1:2, 1:4 and 2:4.
 */
import { type HalfElement, narrowToHalves, widenHalves } from "../tensor/half-precision.ts";
import { columnsOf, type MatrixValue, rowsOf, toSparse } from "./matrix-value.ts";
import { visitGroups } from "./nm-groups.ts";
import { type Allocate, allocateOperand, integersOf, type PackedOperand } from "./packed-operand.ts";

/** Inputs and values of a tile, and its words of places. */
const tileInputs = 32;
const tileValues = 256;
const tileWords = 16;
/** Places 0 and 1 of each of four groups, of two rows: ascending, as the product wants them even where nothing is. */
const firstTwo = 0x44444444;

interface NmPlace {
  /** Index in `values`. */
  readonly value: number;
  /** Index in `kept` and the lowest bit of the entry's place. */
  readonly word: number;
  readonly shift: number;
}

/** Where entry `slot` of group `group` of a row lies; `across` tiles stand side by side. */
function placeOfEntry(row: number, group: number, slot: number, across: number): NmPlace {
  const tile = (row >> 4) * across + (group >> 3);
  const [g, o] = [row & 7, (row >> 3) & 1];
  const [h, t] = [(group >> 2) & 1, group & 3];
  return {
    value: tile * tileValues + (4 * g + t) * 8 + 4 * h + 2 * o + slot,
    word: tile * tileWords + 2 * g + h,
    shift: 16 * o + 4 * t + 2 * slot,
  };
}

/** Bytes: 576 for each tile. */
export function packNmTiles(element: HalfElement, matrix: MatrixValue, allocate: Allocate): PackedOperand {
  const [rows, columns] = [rowsOf(matrix), columnsOf(matrix)];
  const across = Math.ceil(columns / tileInputs);
  const tiles = Math.ceil(rows / 16) * across;
  const lengths = { values: tiles * tileValues, kept: tiles * tileWords };
  const operand = allocateOperand("nm-tiles", rows, columns, lengths, allocate);
  const [values, kept] = [integersOf(operand, "values"), integersOf(operand, "kept")];
  kept.fill(firstTwo);
  const sparse = toSparse(matrix);
  const bits = narrowToHalves(element, sparse.values);
  const indexed = { ...sparse, columns: 4 * Math.ceil(columns / 4), values: Float32Array.from(bits) };
  visitGroups("nm-tiles", indexed, { n: 2, m: 4 }, (row, group, slot, position, value) => {
    const place = placeOfEntry(row, group, slot, across);
    values[place.value] = value;
    const others = (kept[place.word] ?? 0) & ~(3 << place.shift);
    kept[place.word] = (others | (position << place.shift)) >>> 0;
  });
  return operand;
}

/** Row-major [rows, columns]: the rounded values. */
export function unpackNmTiles(element: HalfElement, operand: PackedOperand): Float32Array {
  const { rows, columns } = operand;
  const across = Math.ceil(columns / tileInputs);
  const [values, kept] = [integersOf(operand, "values"), integersOf(operand, "kept")];
  const bits = new Uint16Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let group = 0; group < Math.ceil(columns / 4); group++)
      for (let slot = 0; slot < 2; slot++) {
        const { value, word, shift } = placeOfEntry(row, group, slot, across);
        const column = 4 * group + (((kept[word] ?? 0) >>> shift) & 3);
        if (column < columns) bits[row * columns + column] = values[value] ?? 0;
      }
  return widenHalves(element, bits);
}
