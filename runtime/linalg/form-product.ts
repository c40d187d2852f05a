/** Who forms large products for the decompositions of this folder: kernels, if the caller has any. */

/**
 * left [rows, inner] times right [inner, columns], row-major. Sums run in one order, whatever the machine and the number
 * of threads.
 */
export type Multiply = (
  left: Float64Array,
  right: Float64Array,
  rows: number,
  inner: number,
  columns: number,
) => Float64Array;

/** The same in single precision; the product is added to `sum` where one is given. */
export type MultiplySingle = (
  left: Float32Array,
  right: Float32Array,
  rows: number,
  inner: number,
  columns: number,
  sum?: Float32Array,
) => Float32Array;
