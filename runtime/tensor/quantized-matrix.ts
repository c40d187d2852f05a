/**
 * Quantized matrices: codes of a few bits, one after the other, and a float32 scale for each run of consecutive
 * entries of a row. Requires finite entries; ensures that a code stands for the level nearest to its entry.
 */
import { codeBits, type ScaledGrid } from "../contract/quantized-type.ts";
import { SpxError } from "../errors.ts";
import { gridLevels, nearestCode, zeroCode } from "./quantized-grid.ts";

export interface QuantizedMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly grid: ScaledGrid;
  /** Entries that share a scale; `columns` is a multiple of it. */
  readonly block: number;
  /** Row-major; code i takes the bits from i * bits on, lowest first. */
  readonly codes: Uint8Array;
  /** [rows][columns / block]. */
  readonly scales: Float32Array;
}

/**
 * The matrix with each entry at the nearest level: |entry - value| <= half the widest gap of the grid, times the
 * scale. The scale of a run is its largest magnitude over the largest level, which is 1 for `nf`: rounding a second
 * time to such a grid changes nothing.
 * @throws SpxError SPX8408 for an entry that is not finite, SPX8407 unless `block` divides `columns`.
 */
export function quantizeMatrix(
  matrix: {
    readonly name: string;
    readonly rows: number;
    readonly columns: number;
    readonly values: Float32Array;
  },
  grid: ScaledGrid,
  block: number,
): QuantizedMatrix {
  const { rows, columns, values } = matrix;
  if (!(Number.isSafeInteger(block) && block > 0 && columns % block === 0)) throw wrongBlock(matrix, block);
  const levels = gridLevels[grid];
  const largest = levels[levels.length - 1] ?? 1;
  const codes = new Uint8Array(Math.ceil((rows * columns * codeBits[grid]) / 8));
  const scales = new Float32Array((rows * columns) / block);
  const writeCode = codeWriter(codes, codeBits[grid]);
  for (let run = 0; run < scales.length; run++) {
    const first = run * block;
    const absolute = largestMagnitude(matrix, first, block);
    scales[run] = absolute / largest;
    // The scale as stored decides, and a run whose scale vanishes in float32 is a run of zeros.
    const scale = scales[run] ?? 0;
    for (let at = first; at < first + block; at++) {
      writeCode(at, scale === 0 ? zeroCode[grid] : nearestCode(levels, (values[at] ?? 0) / scale));
    }
  }
  return { rows, columns, grid, block, codes, scales };
}

function largestMagnitude(
  { name, columns, values }: { name: string; columns: number; values: Float32Array },
  first: number,
  block: number,
): number {
  let largest = 0;
  for (let at = first; at < first + block; at++) {
    const value = values[at] ?? 0;
    if (!Number.isFinite(value)) {
      throw new SpxError(
        "SPX8408",
        `\`${name}\` holds ${value} at [${Math.floor(at / columns)}, ${at % columns}], which has no place on a grid`,
        {
          facts: { tensor: name, value: String(value) },
          help: "repair the checkpoint, or set such entries to zero before loading",
        },
      );
    }
    largest = Math.max(largest, Math.abs(value));
  }
  return largest;
}

/** Codes of 2, 3, 4 or 8 bits; a code of 3 bits may lie in two bytes. `codes` starts as zeros. */
function codeWriter(codes: Uint8Array, bits: number): (index: number, code: number) => void {
  return (index, code) => {
    const start = index * bits;
    const byte = start >> 3;
    const shifted = code << (start & 7);
    codes[byte] = (codes[byte] ?? 0) | (shifted & 255);
    if (shifted > 255) codes[byte + 1] = (codes[byte + 1] ?? 0) | (shifted >> 8);
  };
}

/** Code `index` of a row-major matrix. */
export function codeAt({ codes, grid }: QuantizedMatrix, index: number): number {
  const bits = codeBits[grid];
  const start = index * bits;
  const byte = start >> 3;
  const pair = (codes[byte] ?? 0) | ((codes[byte + 1] ?? 0) << 8);
  return (pair >> (start & 7)) & ((1 << bits) - 1);
}

/** Row-major [rows, columns]: level times scale, rounded once. */
export function dequantizeMatrix(matrix: QuantizedMatrix): Float32Array {
  const { rows, columns, grid, block, scales } = matrix;
  const levels = gridLevels[grid];
  const values = new Float32Array(rows * columns);
  for (let run = 0; run < scales.length; run++) {
    const scale = scales[run] ?? 0;
    for (let at = run * block; at < (run + 1) * block; at++)
      values[at] = (levels[codeAt(matrix, at)] ?? 0) * scale;
  }
  return values;
}

function wrongBlock(matrix: { name: string; columns: number }, block: number): SpxError {
  return new SpxError(
    "SPX8407",
    `runs of ${block} entries do not divide the ${matrix.columns} columns of \`${matrix.name}\``,
    {
      facts: { tensor: matrix.name, columns: matrix.columns, block },
      help: "choose a block that divides the columns",
    },
  );
}
