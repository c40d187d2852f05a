/** What is measured: a transform for each atom and format, at sizes that lie in each level of the caches. */

export interface ProbeCase {
  readonly transform: string;
  readonly numbers: Readonly<Record<string, number>>;
  readonly size: readonly [out: number, inputs: number];
  readonly batches: readonly number[];
  /** `calls`: every variant. `merge`: what forming the weight adds. `gradients`: the backward pass. */
  readonly kind: "calls" | "merge" | "gradients";
}

/** Supports are random: how entries were selected does not change what a call costs. */
export const probeSource = `
import { magnitude, random_support } from "std/select"

transform Dense(W: frozen [out, in]) {
  weight = W
}

transform Sparse(W: [out, in], density: ratio = 0.1) {
  support Omega = random_support(round(density * out * in))
  param S: sparse [out, in] on Omega = 1
  weight = S
}

transform SemiStructured(W: frozen [out, in]) {
  require in % 4 == 0
  mask M: nm(2, 4) along in = magnitude(W)
  weight = M .* W
}

transform Groups(W: frozen [out, in]) {
  require in % 16 == 0
  mask M: nm(4, 16) along in = magnitude(W)
  weight = M .* W
}

transform Blocks(W: frozen [out, in], keep: ratio = 0.2) {
  mask M: block(4, 4) = magnitude(W, keep)
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

transform SparseLowRank(W: frozen [out, in], r: int = 32, density: ratio = 0.05) {
  support Omega = random_support(round(density * out * in))
  param S: sparse [out, in] on Omega = 1
  param B: [out, r] = 1
  param A: [r, in] = 1
  weight = W + B @ A + S
}

transform Monarch(W: [n, n], b: int = isqrt(n)) {
  require n % b == 0
  require n % (n / b) == 0
  param L: blockdiag [n, n] blocks b = 1
  param R: blockdiag [n, n] blocks n / b = 1
  weight = P(b) @ L @ P(b).T @ R
}

transform Strided(W: [n, n], b: int = isqrt(n)) {
  require n % b == 0
  param L: blockdiag [n, n] blocks b = 1
  weight = L @ P(b).T
}

transform Scattered(W: [n, n]) {
  require n % 32 == 0
  param L: blockdiag [n, n] blocks 32 = 1
  weight = P(16) @ L
}

transform Table(W: [out, in]) {
  frozen Q: nf4 [out, in] block 64 = W
  weight = Q
}

transform Bytes(W: [out, in]) {
  frozen Q: int8 [out, in] = W
  weight = Q
}

transform Halves(W: [out, in]) {
  frozen H: bf16 [out, in] = W
  weight = H
}

transform Scaled(W: [n, n]) {
  param d: diag [n] = 1
  param L: blockdiag [n, n] blocks 16 = 1
  weight = L @ d
}
`;

const few = [1, 2, 4, 16, 64];
const some = [1, 2, 3, 4, 8, 16, 32, 64];
const square = (size: number): readonly [number, number] => [size, size];

const calls = (
  transform: string,
  size: number,
  batches: readonly number[],
  numbers: Readonly<Record<string, number>> = {},
): ProbeCase => ({ transform, size: square(size), batches, numbers, kind: "calls" });

/** Run for each level on one thread, which a busy machine disturbs least. */
export const probeCases: readonly ProbeCase[] = [
  calls("Dense", 64, [1, 4, 16]),
  calls("Dense", 384, some),
  calls("Dense", 1024, some),
  calls("Dense", 2048, [1, 4, 16, 64]),
  ...["Table", "Bytes", "Halves"].map((transform) => calls(transform, 1024, few)),
  ...[0.02, 0.1, 0.4].map((density) => calls("Sparse", 384, few, { density })),
  ...[0.02, 0.1].map((density) => calls("Sparse", 1024, some, { density })),
  calls("Sparse", 1024, few, { density: 0.005 }),
  calls("SemiStructured", 384, some),
  calls("SemiStructured", 1024, few),
  calls("Groups", 1024, few),
  ...[0.1, 0.3].map((keep) => calls("Blocks", 768, some, { keep })),
  calls("LowRank", 384, few, { r: 8 }),
  calls("LowRank", 1024, some, { r: 64 }),
  calls("SparseLowRank", 512, few, { r: 32, density: 0.05 }),
  calls("Monarch", 576, some),
  calls("Monarch", 1024, some),
  ...[576, 1024, 4096].map((size) => calls("Strided", size, few)),
  ...[576, 1024].map((size) => calls("Scattered", size, few)),
  calls("Scaled", 1024, few),
  { transform: "LoRA", size: square(768), batches: [1], numbers: { r: 64 }, kind: "merge" },
  {
    transform: "SparseLowRank",
    size: square(768),
    batches: [1],
    numbers: { r: 4, density: 0.1 },
    kind: "merge",
  },
  { transform: "LowRank", size: square(768), batches: [16, 64], numbers: { r: 64 }, kind: "gradients" },
  {
    transform: "Sparse",
    size: square(768),
    batches: [16, 64],
    numbers: { density: 0.05 },
    kind: "gradients",
  },
  { transform: "Scaled", size: square(1024), batches: [16, 64], numbers: {}, kind: "gradients" },
];

/**
 * Run on all threads, on the widest level: what handing out work costs, how fast memory is together, and what each
 * structure takes when its tiles are dealt out.
 */
export const threadedCases: readonly ProbeCase[] = [
  calls("Dense", 64, [1, 4, 16]),
  calls("Dense", 384, [1, 4, 16, 64]),
  calls("Dense", 1024, few),
  calls("Dense", 1536, [1, 4]),
  calls("Dense", 2048, [1, 4, 5, 8, 16, 64]),
  calls("Dense", 4096, [1, 2, 4, 16]),
  ...["Table", "Bytes", "Halves"].map((transform) => calls(transform, 1536, [1, 4, 16])),
  calls("Sparse", 1024, few, { density: 0.1 }),
  ...[512, 1024, 2048].map((size) => calls("SemiStructured", size, few)),
  calls("Groups", 2048, [1, 16, 64]),
  ...[512, 1024, 2048].map((size) => calls("Blocks", size, few)),
  calls("LowRank", 1024, [4, 16, 64], { r: 64 }),
  calls("SparseLowRank", 1024, few, { r: 64, density: 0.05 }),
  ...[576, 1024, 2304, 4096].map((size) => calls("Monarch", size, [1, 4, 8, 16, 64])),
  ...[512, 2048].map(
    (size): ProbeCase => ({
      transform: "LoRA",
      size: square(size),
      batches: [1],
      numbers: { r: 64 },
      kind: "merge",
    }),
  ),
];
