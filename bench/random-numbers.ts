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
  const values = new Float32Array(length);
  // Not `Float32Array.from`: weights of 60 million entries would take seconds.
  for (let index = 0; index < length; index += 1) values[index] = size * next();
  return values;
}
