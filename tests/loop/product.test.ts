// The product of row-major matrices, interpreted and as machine code, against plain loops on small whole numbers.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { interpretLoop } from "../../compiler/backend/reference/interpret-loop.ts";
import { lowerProduct } from "../../compiler/loop/lower-product.ts";
import { verifyLoop } from "../../compiler/loop/verify-loop.ts";
import { x86Targets } from "../../compiler/targets/x86-targets.ts";
import {
  loadKernels,
  type NativeKernels,
  runnableSuffixes,
  smallIntegers,
} from "../backend/native-kernels.ts";

const elements = ["f32", "f64"] as const;
type Floats = Float32Array | Float64Array;

const floatsOf = (element: (typeof elements)[number], values: ArrayLike<number>): Floats =>
  element === "f32" ? Float32Array.from(values) : Float64Array.from(values);

function expectedProduct(x: Floats, right: Floats, rows: number, inner: number, columns: number): number[] {
  const product = new Array<number>(rows * columns).fill(0);
  for (let row = 0; row < rows; row++)
    for (let k = 0; k < inner; k++)
      for (let column = 0; column < columns; column++) {
        const at = row * columns + column;
        product[at] = (product[at] ?? 0) + (x[row * inner + k] ?? 0) * (right[k * columns + column] ?? 0);
      }
  return product;
}

/** Rows, inner and columns around the register tiles, the squares of y and the runs of the inner side. */
const shapes = [
  [0, 3, 2],
  [1, 1, 1],
  [2, 0, 3],
  [3, 5, 15],
  [4, 7, 16],
  [5, 2, 17],
  [7, 3, 33],
  [65, 4, 65],
] as const;
const largeShapes = [...shapes, [64, 257, 64], [67, 513, 97], [1, 256, 129]] as const;

describe.each(elements)("%s", (element) => {
  it.each(x86Targets)("$name: the interpreted program", (target) => {
    const program = lowerProduct(element, target, "product");
    expect(verifyLoop(program)).toEqual([]);
    for (const [rows, inner, columns] of shapes) {
      const x = floatsOf(element, smallIntegers(rows * inner, 1));
      const right = floatsOf(element, smallIntegers(inner * columns, 2));
      const y = floatsOf(element, new Array(rows * columns).fill(0));
      interpretLoop(program, {
        buffers: new Map([
          ["x", x],
          ["right", right],
          ["y", y],
        ]),
        symbols: new Map([
          ["inner", inner],
          ["columns", columns],
        ]),
        batch: rows,
        tileOrder: (count) => Array.from({ length: count }, (_, at) => count - 1 - at),
      });
      expect([...y], `${rows}x${inner}x${columns}`).toEqual(expectedProduct(x, right, rows, inner, columns));
    }
  });
});

describe("machine code", () => {
  let kernels: NativeKernels;
  beforeAll(async () => {
    kernels = await loadKernels(
      x86Targets.flatMap((target) =>
        elements.map((element) => lowerProduct(element, target, `product_${element}_${target.suffix}`)),
      ),
    );
  }, 60_000);
  afterAll(() => kernels.remove());

  it.each(elements)("%s: exact at every size, adds to y, and writes nothing else", (element) => {
    for (const suffix of runnableSuffixes()) {
      for (const [rows, inner, columns] of largeShapes) {
        const x = floatsOf(element, smallIntegers(rows * inner, 1));
        const right = floatsOf(element, smallIntegers(inner * columns, 2));
        const guard = 16;
        const room = floatsOf(element, new Array(rows * columns + 2 * guard).fill(3));
        const y = room.subarray(guard, guard + rows * columns);
        const call = { constants: [right], symbols: [inner, columns], x, y, batch: rows, threads: 2 };
        expect(kernels.run(`product_${element}_${suffix}`, call)).toBe(0);
        const expected = expectedProduct(x, right, rows, inner, columns).map((value) => value + 3);
        expect([...y], `${suffix} ${rows}x${inner}x${columns}`).toEqual(expected);
        expect([...room.subarray(0, guard), ...room.subarray(guard + rows * columns)]).toEqual(
          new Array(2 * guard).fill(3),
        );
      }
    }
  });
});
