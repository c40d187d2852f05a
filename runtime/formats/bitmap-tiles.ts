/**
 * `bitmap-tiles`: entries of any pattern in the tiles of matrix units. A bit for each place of a tile and its values in
 * the order of the bits: a lane finds its own by counting those before it.
 */
import { type HalfElement, narrowToHalves, widenHalves } from "../tensor/half-precision.ts";
import { placeInTile } from "./matrix-tiles.ts";
import { columnsOf, type MatrixValue, rowsOf, toSparse } from "./matrix-value.ts";
import { type Allocate, allocateOperand, integersOf, type PackedOperand } from "./packed-operand.ts";

const tileInputs = 32;
const tileMasks = 16;

/** The bit of an entry of a tile: word 8 step + place, lane. */
function bitOf(element: HalfElement, row: number, input: number): { word: number; lane: number } {
  const place = placeInTile(element, row, input);
  const [step, lane] = [place >> 8, (place >> 3) & 31];
  return { word: 8 * step + (place & 7), lane };
}

/** Bytes: 68 for each tile, 4, and 2 for each entry. */
export function packBitmapTiles(
  element: HalfElement,
  matrix: MatrixValue,
  allocate: Allocate,
): PackedOperand {
  const [rows, columns] = [rowsOf(matrix), columnsOf(matrix)];
  const { rowStarts, columnIndices, values: given } = toSparse(matrix);
  const across = Math.ceil(columns / tileInputs);
  const tiles = Math.ceil(rows / 16) * across;
  const lengths = { masks: tiles * tileMasks, starts: tiles + 1, values: given.length };
  const operand = allocateOperand("bitmap-tiles", rows, columns, lengths, allocate);
  const [masks, starts] = [integersOf(operand, "masks"), integersOf(operand, "starts")];
  const bits = narrowToHalves(element, given);
  // Entries of each tile by the number of their bit, which is the order of their values.
  const held = Array.from({ length: tiles }, (): { bit: number; entry: number }[] => []);
  for (let row = 0; row < rows; row++)
    for (let entry = rowStarts[row] ?? 0; entry < (rowStarts[row + 1] ?? 0); entry++) {
      const column = columnIndices[entry] ?? 0;
      const { word, lane } = bitOf(element, row & 15, column % tileInputs);
      held[(row >> 4) * across + Math.floor(column / tileInputs)]?.push({ bit: 32 * word + lane, entry });
    }
  const values = integersOf(operand, "values");
  let next = 0;
  for (const [tile, entries] of held.entries()) {
    starts[tile] = next;
    for (const { bit, entry } of entries.sort((a, b) => a.bit - b.bit)) {
      const at = tile * tileMasks + (bit >> 5);
      masks[at] = ((masks[at] ?? 0) | (1 << (bit & 31))) >>> 0;
      values[next++] = bits[entry] ?? 0;
    }
  }
  starts[tiles] = next;
  return operand;
}

/** Row-major [rows, columns]: the rounded values. */
export function unpackBitmapTiles(element: HalfElement, operand: PackedOperand): Float32Array {
  const { rows, columns } = operand;
  const across = Math.ceil(columns / tileInputs);
  const [masks, values] = [integersOf(operand, "masks"), integersOf(operand, "values")];
  // Bits and values come in the same order: the value of each place, or nothing.
  const byPlace = new Uint16Array(32 * masks.length);
  let next = 0;
  for (const [word, mask] of masks.entries())
    for (let lane = 0; lane < 32; lane++)
      if (((mask >>> lane) & 1) !== 0) byPlace[32 * word + lane] = values[next++] ?? 0;
  const bits = new Uint16Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const tile = (row >> 4) * across + Math.floor(column / tileInputs);
      const { word, lane } = bitOf(element, row & 15, column % tileInputs);
      bits[row * columns + column] = byPlace[32 * (tile * tileMasks + word) + lane] ?? 0;
    }
  return widenHalves(element, bits);
}
