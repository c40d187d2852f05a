/**
 * `code-tiles`: quantized matrices as codes in the tiles of matrix units. A lane reads the codes of its own registers of
 * a tile in one piece; no tile lies in two runs, so that the products of a tile are multiplied by one scale a row.
 */
import type { OperandFormat } from "../contract/operand-format.ts";
import { type HalfElement, narrowToHalves, widenHalves } from "../tensor/half-precision.ts";
import { gridLevels, zeroCode } from "../tensor/quantized-grid.ts";
import { codeAt, type QuantizedMatrix } from "../tensor/quantized-matrix.ts";
import { placeInTile } from "./matrix-tiles.ts";
import {
  type Allocate,
  allocateOperand,
  floatsOf,
  integersOf,
  type PackedOperand,
  patternViolation,
} from "./packed-operand.ts";

type CodeTiles = Extract<OperandFormat, { readonly name: "code-tiles" }>;

const tileInputs = 32;
const levelCount = 16;

interface CodePlace {
  readonly word: number;
  readonly shift: number;
  /** Index in `scales`. */
  readonly scale: number;
}

/** Where the code of an entry lies; `runs` runs of `block` inputs make up a row. */
function placeOfCode(
  element: HalfElement,
  bits: 4 | 8,
  [row, column]: readonly [number, number],
  { block, runs }: { readonly block: number; readonly runs: number },
): CodePlace {
  const [panel, run, inRun] = [row >> 4, Math.floor(column / block), column % block];
  const tile = (panel * runs + run) * Math.ceil(block / tileInputs) + Math.floor(inRun / tileInputs);
  const at = placeInTile(element, row & 15, inRun % tileInputs);
  const [step, lane, place] = [at >> 8, (at >> 3) & 31, at & 7];
  const words = bits / 4;
  return {
    word: ((tile * 32 + lane) * 2 + step) * words + Math.floor((place * bits) / 32),
    shift: (place * bits) % 32,
    scale: ((panel * runs + run) * 8 + (row & 7)) * 2 + ((row >> 3) & 1),
  };
}

/**
 * The matrix times `factor`, which goes into the scales. Bytes: 256 or 512 for each tile, 64 for a run of 16 rows, 32.
 * @throws SpxError SPX8411 for a grid that the bits do not hold.
 */
export function packCodeTiles(
  { bits, element }: Pick<CodeTiles, "bits" | "element">,
  matrix: QuantizedMatrix,
  factor: number,
  allocate: Allocate,
): PackedOperand {
  const { rows, columns, grid, block, scales } = matrix;
  if ((grid === "int8") !== (bits === 8)) throw patternViolation("code-tiles", `its codes are ${grid}`);
  const [panels, runs] = [Math.ceil(rows / 16), columns / block];
  const tiles = panels * runs * Math.ceil(block / tileInputs);
  const lengths = { codes: tiles * 16 * bits, levels: 8, scales: panels * runs * 16 };
  const operand = allocateOperand("code-tiles", rows, columns, lengths, allocate);
  const codes = integersOf(operand, "codes");
  const packedScales = floatsOf(operand, "scales");
  if (bits === 4) writeLevels(integersOf(operand, "levels"), narrowToHalves(element, gridLevels[grid]));
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const { word, shift, scale } = placeOfCode(element, bits, [row, column], { block, runs });
      const code = codeAt(matrix, row * columns + column);
      codes[word] = ((codes[word] ?? 0) | (code << shift)) >>> 0;
      packedScales[scale] = (scales[row * runs + Math.floor(column / block)] ?? 0) * factor;
    }
  return operand;
}

/** Low bytes of 16 numbers in four words, then their high bytes: what a choice among bytes reads. */
function writeLevels(words: { [index: number]: number }, levels: ArrayLike<number>): void {
  for (let code = 0; code < levelCount; code++) {
    const bits = levels[code] ?? 0;
    const shift = 8 * (code & 3);
    words[code >> 2] = ((words[code >> 2] ?? 0) | ((bits & 255) << shift)) >>> 0;
    words[4 + (code >> 2)] = ((words[4 + (code >> 2)] ?? 0) | ((bits >> 8) << shift)) >>> 0;
  }
}

function readLevels(element: HalfElement, words: ArrayLike<number>): Float32Array {
  const byte = (word: number, code: number): number => ((words[word] ?? 0) >>> (8 * (code & 3))) & 255;
  const bits = Uint16Array.from(
    { length: levelCount },
    (_, code) => byte(code >> 2, code) | (byte(4 + (code >> 2), code) << 8),
  );
  return widenHalves(element, bits);
}

/** Row-major [rows, columns]: rounded levels times scales. */
export function unpackCodeTiles(
  { bits, element }: CodeTiles,
  block: number,
  operand: PackedOperand,
): Float32Array {
  const { rows, columns } = operand;
  const [codes, scales] = [integersOf(operand, "codes"), floatsOf(operand, "scales")];
  const levels = readLevels(element, integersOf(operand, "levels"));
  return Float32Array.from({ length: rows * columns }, (_, at) => {
    const entry = [Math.floor(at / columns), at % columns] as const;
    const { word, shift, scale } = placeOfCode(element, bits, entry, { block, runs: columns / block });
    const code = ((codes[word] ?? 0) >>> shift) & (2 ** bits - 1);
    const level = bits === 8 ? code - zeroCode.int8 : (levels[code] ?? 0);
    return level * (scales[scale] ?? 0);
  });
}
