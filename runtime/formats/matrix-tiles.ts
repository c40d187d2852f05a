/**
 * `half-tiles` and `tf32-tiles`: dense, for matrix units of devices. A tile is 16 outputs by 64 bytes of inputs, its
 * bytes in the order in which the lanes of a warp hold them, so that a lane reads its registers in one piece.
 */
import { narrowToHalves, widenHalves } from "../tensor/half-precision.ts";
import { type MatrixValue, toDense } from "./matrix-value.ts";
import { type Allocate, allocateOperand, integersOf, type PackedOperand } from "./packed-operand.ts";

export type TileElement = "bf16" | "f16" | "tf32";

/** Inputs of a tile. */
export const tileInputs: Readonly<Record<TileElement, number>> = { bf16: 32, f16: 32, tf32: 16 };

/** Where the entry of a tile at a row below 16 and an input below `tileInputs` lies among the elements of the tile. */
export function placeInTile(element: TileElement, row: number, input: number): number {
  const isHalf = element !== "tf32";
  const perLane = isHalf ? 8 : 4;
  const lane = 4 * (row & 7) + Math.floor(input / perLane);
  const inLane = input % perLane;
  const step = Math.floor(inLane / (perLane / 2));
  const [pair, odd] = isHalf ? [(inLane >> 1) & 1, inLane & 1] : [inLane & 1, 0];
  const register = 2 * pair + (row >> 3);
  return (32 * step + lane) * perLane + (isHalf ? 2 * register + odd : register);
}

/** Matrices of one width, one below the other, as if they were one. Bytes: 1024 for each tile. */
export function packMatrixTiles(
  element: TileElement,
  parts: readonly MatrixValue[],
  allocate: Allocate,
): PackedOperand {
  const dense = parts.map(toDense);
  const rows = dense.reduce((sum, part) => sum + part.rows, 0);
  const columns = dense[0]?.columns ?? 0;
  const inputs = tileInputs[element];
  const across = Math.ceil(columns / inputs);
  const length = Math.ceil(rows / 16) * across * 16 * inputs;
  const format = element === "tf32" ? "tf32-tiles" : "half-tiles";
  const operand = allocateOperand(format, rows, columns, { values: length }, allocate);
  const tiles = integersOf(operand, "values");
  let first = 0;
  for (const part of dense) {
    const bits = bitsOf(element, part.values);
    forEachPlace(element, { first, rows: part.rows }, columns, (at, place) => {
      tiles[place] = bits[at] ?? 0;
    });
    first += part.rows;
  }
  return operand;
}

/** Row-major [rows, columns]: the rounded values. */
export function unpackMatrixTiles(element: TileElement, operand: PackedOperand): Float32Array {
  const { rows, columns } = operand;
  const tiles = integersOf(operand, "values");
  const bits = element === "tf32" ? new Uint32Array(rows * columns) : new Uint16Array(rows * columns);
  forEachPlace(element, { first: 0, rows }, columns, (at, place) => {
    bits[at] = tiles[place] ?? 0;
  });
  if (bits instanceof Uint32Array || element === "tf32") return new Float32Array(bits.buffer);
  return widenHalves(element, bits);
}

/** Visits the entries of `rows` rows that stand from row `first` of the tiles on. */
function forEachPlace(
  element: TileElement,
  { first, rows }: { readonly first: number; readonly rows: number },
  columns: number,
  visit: (at: number, place: number) => void,
): void {
  const inputs = tileInputs[element];
  const across = Math.ceil(columns / inputs);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const place = first + row;
      const tile = (place >> 4) * across + Math.floor(column / inputs);
      visit(row * columns + column, tile * 16 * inputs + placeInTile(element, place & 15, column % inputs));
    }
  }
}

function bitsOf(element: TileElement, values: Float32Array): Uint16Array | Uint32Array {
  if (element !== "tf32") return narrowToHalves(element, values);
  const bits = new Uint32Array(values.slice().buffer);
  // To nearest, ties away from zero, to 10 fraction bits; infinities and NaNs stay.
  return bits.map((word) => ((word & 0x7f800000) === 0x7f800000 ? word : (word + 0x1000) & ~0x1fff));
}
