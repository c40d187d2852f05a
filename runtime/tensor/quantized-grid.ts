/**
 * The grids of quantized matrices as sorted levels. A code is the index of its level; level times scale is the value.
 * The levels of `nf` are quantiles q of the normal distribution (Dettmers et al., "QLoRA", 2023): with p = 0.9677083
 * and n = 2^(bits - 1), n positive ones q(p + (1/2 - p) i / n), zero, and n - 1 negative ones -q(p + (1/2 - p) i /
 * (n - 1)), all divided by q(p). They are written out, so that no library's logarithm decides about a bit.
 */
import type { ScaledGrid } from "../contract/quantized-type.ts";

const wholeNumbers = (largest: number): Float32Array =>
  Float32Array.from({ length: 2 * largest + 1 }, (_, index) => index - largest);

/** Ascending, float32. A code is the place of a level here; `int4` and `int8` leave the last code unused. */
export const gridLevels: Readonly<Record<ScaledGrid, Float32Array>> = {
  nf2: Float32Array.of(-1, 0, 0.33791519352165506, 1),
  nf3: Float32Array.of(
    ...[-1, -0.478629160115911, -0.21714181782574396],
    ...[0, 0.1609301727049362, 0.33791519352165506, 0.5626169700752374, 1],
  ),
  nf4: Float32Array.of(
    ...[-1, -0.6961928906037204, -0.5250730386952294, -0.39491749069931],
    ...[-0.2844413576181077, -0.18477343519288886, -0.09104999214427932],
    ...[0, 0.07958032909416937, 0.1609301727049362, 0.24611229392993592, 0.33791519352165506],
    ...[0.4407098024131903, 0.5626169700752374, 0.7229567278928825, 1],
  ),
  int4: wholeNumbers(7),
  int8: wholeNumbers(127),
};

/** The code of the level that is zero. */
export const zeroCode: Readonly<Record<ScaledGrid, number>> = { nf2: 1, nf3: 3, nf4: 7, int4: 7, int8: 127 };

/** The code of the level nearest to `value`; halfway between two, the upper one. */
export function nearestCode(levels: Float32Array, value: number): number {
  let low = 0;
  let high = levels.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    const boundary = ((levels[middle] ?? 0) + (levels[middle + 1] ?? 0)) / 2;
    if (value < boundary) high = middle;
    else low = middle + 1;
  }
  return low;
}
