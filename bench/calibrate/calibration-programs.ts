/** What is measured: one transform for each atom and for the usual ways of combining them, with sizes and arguments. */

export interface CalibrationCase {
  readonly transform: string;
  readonly numbers: Readonly<Record<string, number>>;
  readonly sizes: readonly (readonly [out: number, inputs: number])[];
}

/** Supports are random: how entries were selected does not change what a call costs. */
export const calibrationSource = `
import { magnitude, random_support } from "std/select"

transform Dense(W: frozen [out, in]) {
  weight = W
}

transform Sparse(W: [out, in], density: ratio = 0.1) {
  support Omega = random_support(round(density * out * in))
  param S: sparse [out, in] on Omega = 1
  weight = S
}

transform SparseDelta(W: frozen [out, in], nnz: int = 64) {
  support Omega = random_support(nnz)
  param S: sparse [out, in] on Omega = 1
  weight = W + S
}

transform SemiStructured(W: frozen [out, in]) {
  require in % 4 == 0
  mask M: nm(2, 4) along in = magnitude(W)
  weight = M .* W
}

transform Blocks(W: frozen [out, in], keep: ratio = 0.2) {
  mask M: block(4, 1) = magnitude(W, keep)
  weight = M .* W
}

transform LowRank(W: [out, in], r: int = 16) {
  param B: [out, r] = 1
  param A: [r, in] = 1
  weight = B @ A
}

transform LoRA(W: frozen [out, in], r: int = 16) {
  param B: [out, r] = 1
  param A: [r, in] = 1
  weight = W + B @ A
}

transform SparseLowRank(W: [out, in], r: int = 32, density: ratio = 0.05) {
  support Omega = random_support(round(density * out * in))
  param S: sparse [out, in] on Omega = 1
  param B: [out, r] = 1
  param A: [r, in] = 1
  weight = B @ A + S
}

transform Monarch(W: [n, n], b: int = isqrt(n)) {
  require n % b == 0
  require n % (n / b) == 0
  param L: blockdiag [n, n] blocks b = 1
  param R: blockdiag [n, n] blocks n / b = 1
  weight = P(b) @ L @ P(b).T @ R
}

transform Kron(W: [out, in], n: const int = 4) {
  require out % n == 0
  require in % n == 0
  param A: [n, n] = 1
  param B: [out / n, in / n] = 1
  weight = kron(A, B)
}
`;

const square = [
  [384, 384],
  [1024, 1024],
  [2048, 2048],
  [4096, 4096],
] as const;
const small = [
  [384, 384],
  [1536, 384],
  [1024, 1024],
] as const;

export const calibrationCases: readonly CalibrationCase[] = [
  { transform: "Dense", numbers: {}, sizes: [...square, [1536, 384]] },
  ...[0.02, 0.1, 0.3, 0.5].map((density) => ({
    transform: "Sparse",
    numbers: { density },
    sizes: density === 0.1 ? square.slice(0, 3) : square.slice(0, 2),
  })),
  { transform: "SparseDelta", numbers: { nnz: 64 }, sizes: square.slice(0, 2) },
  { transform: "SemiStructured", numbers: {}, sizes: [...square, [1536, 384]] },
  ...[0.1, 0.3].map((keep) => ({ transform: "Blocks", numbers: { keep }, sizes: square.slice(0, 2) })),
  ...[8, 64].map((r) => ({ transform: "LowRank", numbers: { r }, sizes: square.slice(0, 3) })),
  { transform: "LoRA", numbers: { r: 8 }, sizes: [...small, [2048, 2048]] },
  { transform: "SparseLowRank", numbers: { r: 32, density: 0.05 }, sizes: small },
  {
    transform: "Monarch",
    numbers: {},
    sizes: [
      [576, 576],
      [1024, 1024],
      [4096, 4096],
    ],
  },
  { transform: "Kron", numbers: {}, sizes: square.slice(0, 2) },
];

export const calibrationBatches: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 256];
