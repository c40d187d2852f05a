/** `bf16-panel16`: bfloat16, 16 outputs side by side, two inputs in each word of a lane. */

import type { HalfMatrix } from "../tensor/half-matrix.ts";
import { bfloat16ToFloat32 } from "../tensor/half-precision.ts";
import { type Allocate, allocateOperand, integersOf, type PackedOperand } from "./packed-operand.ts";

/** Bytes: 64 for two inputs of a panel. */
export function packHalfPanels({ rows, columns, bits }: HalfMatrix, allocate: Allocate): PackedOperand {
  const words = Math.ceil(columns / 2);
  const length = Math.ceil(rows / 16) * words * 16;
  const operand = allocateOperand("bf16-panel16", rows, columns, { values: length }, allocate);
  const packed = integersOf(operand, "values");
  for (let row = 0; row < rows; row++) {
    const start = (row >> 4) * words * 16 + (row & 15);
    const end = (row + 1) * columns;
    for (let column = 0, source = row * columns; source < end; column += 2, source += 2) {
      const second = column + 1 < columns ? (bits[source + 1] ?? 0) : 0;
      packed[start + column * 8] = (bits[source] ?? 0) | (second << 16);
    }
  }
  return operand;
}

/** Row-major [rows, columns]. */
export function unpackHalfPanels(operand: PackedOperand): Float32Array {
  const { rows, columns } = operand;
  const packed = integersOf(operand, "values");
  const words = Math.ceil(columns / 2);
  const bits = Uint16Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    const word = packed[((row >> 4) * words + (column >> 1)) * 16 + (row & 15)] ?? 0;
    return word >>> (16 * (column & 1));
  });
  return bfloat16ToFloat32(bits);
}
