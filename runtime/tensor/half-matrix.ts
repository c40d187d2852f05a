/**
 * Matrices of bfloat16: each entry the nearest of its kind, halfway between two the even one. Stands beside quantized
 * matrices, with which it shares that kernels read it as it is stored; it has neither levels nor scales.
 */
import { SpxError } from "../errors.ts";
import { bfloat16ToFloat32, float32ToBfloat16 } from "./half-precision.ts";

export interface HalfMatrix {
  readonly rows: number;
  readonly columns: number;
  /** Row-major, the bits of each number. */
  readonly bits: Uint16Array;
}

const exponentBits = 0x7f80;

/**
 * |entry - value| <= 2^-9 |entry| for entries of normal size.
 * @throws SpxError SPX8408 for an entry that is not finite, or too large for bfloat16 by rounding.
 */
export function roundToHalf(matrix: {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}): HalfMatrix {
  const { name, rows, columns, values } = matrix;
  const bits = float32ToBfloat16(values);
  const wrong = bits.findIndex((half) => (half & exponentBits) === exponentBits);
  if (wrong < 0) return { rows, columns, bits };
  const place = `[${Math.floor(wrong / columns)}, ${wrong % columns}]`;
  throw new SpxError(
    "SPX8408",
    `\`${name}\` holds ${values[wrong]} at ${place}, which is no finite number of bfloat16`,
    {
      facts: { tensor: name, value: String(values[wrong]) },
      help: "repair the checkpoint, or set such entries to zero before loading",
    },
  );
}

/** Row-major [rows, columns], exactly. */
export const widenHalf = ({ bits }: HalfMatrix): Float32Array => bfloat16ToFloat32(bits);
