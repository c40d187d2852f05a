/** The data of every benchmark: a small generator, so that each run sees the same. */

/** Uniform in [-1, 1). */
export function randomNumbers(seed: number): () => number {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

/** Uniform in [-size, size). */
export function randomMatrix(length: number, seed: number, size = 1): Float32Array {
  const next = randomNumbers(seed);
  return Float32Array.from({ length }, () => size * next());
}
