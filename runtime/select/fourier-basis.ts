/**
 * The real and the imaginary part of the discrete Fourier basis: cos and sin of 2 π j k / n. Computed by a series from
 * an angle of at most an eighth of a turn, with additions and multiplications alone, so that the values are the same
 * on every machine; the reduction works on whole numbers and is exact.
 */

/** [size, size], row-major. */
export function fourierBasis(part: "cosine" | "sine", size: number): Float32Array {
  const line = Float32Array.from({ length: size }, (_, k) => waveAt(part, k, size));
  return Float32Array.from({ length: size * size }, (_, at) => {
    // j k may exceed 2^32 for large sizes, but not 2^53.
    return line[(Math.floor(at / size) * (at % size)) % size] ?? 0;
  });
}

/** cos or sin of 2 π k / size for 0 <= k < size. */
function waveAt(part: "cosine" | "sine", k: number, size: number): number {
  // In eighths of a turn: 8 k / size = eighth + rest / size.
  const eighth = Math.floor((8 * k) / size);
  const rest = 8 * k - eighth * size;
  const isOdd = eighth % 2 === 1;
  // An odd eighth is counted back from the next quarter.
  const angle = ((isOdd ? size - rest : rest) / size) * (Math.PI / 4);
  const quarter = Math.floor((eighth + 1) / 2) % 4;
  const cosine = cosineSeries(angle);
  const sine = isOdd ? -sineSeries(angle) : sineSeries(angle);
  const turned: readonly (readonly [number, number])[] = [
    [cosine, sine],
    [-sine, cosine],
    [-cosine, -sine],
    [sine, -cosine],
  ];
  const [x, y] = turned[quarter] ?? [0, 0];
  return part === "cosine" ? x : y;
}

/** Ten terms: the next is below 1e-18 for an angle up to π / 4. */
function cosineSeries(angle: number): number {
  let sum = 1;
  let term = 1;
  for (let n = 1; n <= 10; n += 1) {
    term *= -(angle * angle) / ((2 * n - 1) * (2 * n));
    sum += term;
  }
  return sum;
}

function sineSeries(angle: number): number {
  let sum = angle;
  let term = angle;
  for (let n = 1; n <= 10; n += 1) {
    term *= -(angle * angle) / (2 * n * (2 * n + 1));
    sum += term;
  }
  return sum;
}
