/** The dense fp32 products of libraries on this machine that the quickstart times spx against, in this process. */
import { findBlas, type ProductSizes } from "../speed/peers/blas-libraries.ts";

export interface DensePeer {
  readonly name: string;
  readonly multiply: (x: Float32Array, w: Float32Array, y: Float32Array, sizes: ProductSizes) => void;
}

/**
 * Idle threads of a library go on spinning for tens of milliseconds unless told otherwise, on the cores that whoever is
 * timed next needs. Some 25 microseconds are enough to stay awake from one call of a sample to the next.
 */
const idleSpinning: Readonly<Record<string, string>> = {
  OPENBLAS_THREAD_TIMEOUT: "16",
  KMP_BLOCKTIME: "25us",
};

/** Every dense library that can be opened here, set to `threads` threads. Settings of the user's own are kept. */
export function findDensePeers(threads: number): DensePeer[] {
  for (const [name, value] of Object.entries(idleSpinning)) process.env[name] ??= value;
  return findBlas().found.map((blas) => {
    blas.setThreads(threads);
    return { name: `${blas.name} (${blas.version})`, multiply: blas.multiply };
  });
}
