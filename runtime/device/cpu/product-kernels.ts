/**
 * Products of row-major matrices by the kernels of an artefact, for what is not packed: derived tensors, their gradients,
 * decompositions. Small ones are left to the caller's loops, which take less than a call.
 */
import type { KernelLibrary, ProductElement } from "../../contract/manifest.ts";
import { addressOf, type Kernel } from "../../native/foreign-library.ts";
import { kernelFailed } from "./kernel-failed.ts";
import type { KernelSource } from "./kernel-source.ts";

export type FloatArray = Float32Array | Float64Array;

/** left [rows, inner] and right [inner, columns], row-major, of one element type. */
export interface Factors<A extends FloatArray> {
  readonly left: A;
  readonly right: A;
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
}

export interface ProductKernels {
  has(element: ProductElement): boolean;
  /** The product [rows, columns]; null when it is small, or the artefact has no kernel for it. @throws SpxError SPX8309. */
  multiply<A extends FloatArray>(factors: Factors<A>): A | null;
  /** Adds the product, however small it is. Only where `has` says so. @throws SpxError SPX8309. */
  addTo<A extends FloatArray>(sum: A, factors: Factors<A>): void;
  /** The same beside the event loop; the factors must not change before the promise settles. */
  multiplyLater<A extends FloatArray>(factors: Factors<A>): Promise<A> | null;
}

/** Multiplications below which loops are as fast. */
const fewest = 1 << 15;

export function openProducts(
  { products }: KernelLibrary,
  source: KernelSource,
  level: string,
  threads: number,
): ProductKernels {
  const kernelOf = (element: ProductElement): Kernel | null => {
    const manifest = products.find((product) => product.level === level && product.element === element);
    return manifest === undefined ? null : source.kernel(manifest.symbol);
  };
  const kernelFor = ({ left }: Factors<FloatArray>): Kernel | null =>
    kernelOf(left instanceof Float32Array ? "f32" : "f64");
  const frameOf = ({ right, inner, columns }: Factors<FloatArray>): BigInt64Array =>
    BigInt64Array.of(addressOf(right), BigInt(inner), BigInt(columns));
  const prepare = <A extends FloatArray>(factors: Factors<A>) => {
    const { left, rows, inner, columns } = factors;
    if (rows * inner * columns < fewest) return null;
    const kernel = kernelFor(factors);
    if (kernel === null) return null;
    const product = new (left.constructor as new (length: number) => A)(rows * columns);
    return { kernel, product, frame: frameOf(factors) };
  };
  return {
    has: (element) => kernelOf(element) !== null,
    multiply(factors) {
      const call = prepare(factors);
      if (call === null) return null;
      const { kernel, product, frame } = call;
      check(kernel, kernel.run(frame, null, factors.left, product, factors.rows, threads), factors);
      return product;
    },
    addTo(sum, factors) {
      const kernel = kernelFor(factors);
      if (kernel === null) throw new RangeError("an artefact without the kernel does not offer it");
      check(kernel, kernel.run(frameOf(factors), null, factors.left, sum, factors.rows, threads), factors);
    },
    multiplyLater(factors) {
      const call = prepare(factors);
      if (call === null) return null;
      const { kernel, product, frame } = call;
      return kernel
        .runAsync(frame, null, factors.left, product, factors.rows, threads)
        .then((status) => check(kernel, status, factors))
        .then(() => product);
    },
  };
}

/** Reading the factors here keeps the right one reachable until the call has ended: the frame holds a bare address. */
function check(kernel: Kernel, status: number, { left, right }: Factors<FloatArray>): void {
  if (status === 0) return;
  throw kernelFailed(kernel, status, { left: left.length, right: right.length });
}
