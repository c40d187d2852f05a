/**
 * Matrix products of a warp on the registers of its lanes, in the layouts that `MatrixShape` states. Products are exact
 * in float64 and rounded to f32 once a product of a tile, as tolerances of tensor cores allow.
 */
import type { HalfElement, MatrixShape } from "../../device/device-node.ts";
import { DeviceFault, widen } from "./device-memory.ts";
import { bitsOfFloat, floatOfBits } from "./float-bits.ts";

/** Registers of a warp: [register][lane]. */
type Fragment = readonly (readonly number[])[];

const register = (fragment: Fragment, index: number, lane: number): number => fragment[index]?.[lane] ?? 0;

const half = (element: HalfElement, word: number, odd: number): number =>
  widen(element, odd === 0 ? word & 0xffff : word >>> 16);

/** The f32 that the bits of a tf32 factor stand for: the hardware ignores the 13 lowest. */
const fromTf32 = (bits: number): number => floatOfBits((bits & ~0x1fff) >>> 0);

/** Rounds to nearest, ties away from zero, to 10 fraction bits: `cvt.rna.tf32.f32`. */
export function toTf32(value: number): number {
  const bits = bitsOfFloat(value);
  const finite = (bits & 0x7f800000) !== 0x7f800000;
  return finite ? ((bits + 0x1000) & ~0x1fff) >>> 0 : bits;
}

/** A[row][k], 16 rows. */
function leftOf(
  shape: MatrixShape,
  element: HalfElement | "tf32",
  a: Fragment,
  metadata: readonly number[],
): number[][] {
  const depth = shape === "m16n8k8" ? 8 : shape === "m16n8k16" ? 16 : 32;
  const left = Array.from({ length: 16 }, () => new Array<number>(depth).fill(0));
  const place = (row: number, k: number, value: number): void => {
    const line = left[row];
    if (line !== undefined) line[k] = value;
  };
  for (let lane = 0; lane < 32; lane++) {
    const [g, t] = [lane >> 2, lane & 3];
    for (let index = 0; index < 4; index++) {
      const row = g + 8 * (index & 1);
      const word = register(a, index, lane);
      if (element === "tf32") {
        place(row, t + 4 * (index >> 1), fromTf32(word));
        continue;
      }
      for (let odd = 0; odd < 2; odd++) {
        const stored = 2 * t + 8 * (index >> 1) + odd;
        const k = shape === "m16n8k16" ? stored : keptAt(row, stored, metadata);
        place(row, k, half(element, word, odd));
      }
    }
  }
  return left;
}

/** Where the kept entry number `stored` (of 16) of a row stands among the 32 inputs. */
function keptAt(row: number, stored: number, metadata: readonly number[]): number {
  const lane = 4 * (row % 8) + (stored >> 3);
  const word = metadata[lane] ?? 0;
  const pair = 2 * (stored & 6) + (row >= 8 ? 16 : 0);
  const [first, second] = [(word >>> pair) & 3, (word >>> (pair + 2)) & 3];
  if (first >= second)
    throw new DeviceFault("disordered", `places ${first} and ${second} of the kept of four`);
  return 4 * (stored >> 1) + ((stored & 1) === 0 ? first : second);
}

/** B[k][column], 8 columns. */
function rightOf(shape: MatrixShape, element: HalfElement | "tf32", b: Fragment): number[][] {
  const depth = shape === "m16n8k8" ? 8 : shape === "m16n8k16" ? 16 : 32;
  const right = Array.from({ length: depth }, () => new Array<number>(8).fill(0));
  const place = (k: number, column: number, value: number): void => {
    const line = right[k];
    if (line !== undefined) line[column] = value;
  };
  for (let lane = 0; lane < 32; lane++) {
    const [g, t] = [lane >> 2, lane & 3];
    for (let index = 0; index < (shape === "m16n8k32-sparse" ? 4 : 2); index++) {
      const word = register(b, index, lane);
      if (element === "tf32") place(t + 4 * index, g, fromTf32(word));
      else for (let odd = 0; odd < 2; odd++) place(2 * t + 8 * index + odd, g, half(element, word, odd));
    }
  }
  return right;
}

/** The sums after the product: [register][lane], like `sums`. */
export function multiplyFragments(
  shape: MatrixShape,
  element: HalfElement | "tf32",
  a: Fragment,
  b: Fragment,
  sums: Fragment,
  metadata: readonly number[],
): number[][] {
  const left = leftOf(shape, element, a, metadata);
  const right = rightOf(shape, element, b);
  return [0, 1, 2, 3].map((index) =>
    Array.from({ length: 32 }, (_, lane) => {
      const row = (lane >> 2) + 8 * (index >> 1);
      const column = 2 * (lane & 3) + (index & 1);
      let sum = register(sums, index, lane);
      right.forEach((line, k) => {
        sum += (left[row]?.[k] ?? 0) * (line[column] ?? 0);
      });
      return Math.fround(sum);
    }),
  );
}
