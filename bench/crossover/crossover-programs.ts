/** The weights whose crossovers are measured: the usual ways to make a layer smaller, at three sizes each. */

export interface CrossoverCase {
  readonly title: string;
  readonly transform: string;
  readonly numbers: Readonly<Record<string, number>>;
  readonly sizes: readonly number[];
}

/** Supports are random: how entries were selected does not change what a call costs. `Dense` is the pulse by which the machine is watched. */
export const crossoverSource = `
import { magnitude, random_support } from "std/select"

transform Dense(W: frozen [out, in]) {
  weight = W
}

transform SparseLowRankUpdate(W: frozen [out, in], r: int = 128, density: ratio = 0.05) {
  support Omega = random_support(round(density * out * in))
  param S: sparse [out, in] on Omega = 0.01
  param U: [out, r] = 0.01
  param V: [r, in] = 0.01
  weight = W + U @ V + S
}

transform SemiStructuredLowRank(W: frozen [out, in], r: int = 16) {
  require in % 4 == 0
  mask M: nm(2, 4) along in = magnitude(W)
  param U: [out, r] = 0.01
  param V: [r, in] = 0.01
  weight = M .* W + U @ V
}

transform Monarch(W: [n, n], b: int = isqrt(n)) {
  require n % b == 0
  require n % (n / b) == 0
  param L: blockdiag [n, n] blocks b = 0.01
  param R: blockdiag [n, n] blocks n / b = 0.01
  weight = P(b) @ L @ P(b).T @ R
}

transform BlockSparse(W: frozen [out, in], keep: ratio = 0.2) {
  mask M: block(4, 4) = magnitude(W, keep)
  weight = M .* W
}
`;

export const crossoverCases: readonly CrossoverCase[] = [
  { title: "W + U V + S", transform: "SparseLowRankUpdate", numbers: {}, sizes: [512, 1024, 2048] },
  { title: "2:4 + low rank", transform: "SemiStructuredLowRank", numbers: {}, sizes: [512, 1024, 2048] },
  { title: "Monarch", transform: "Monarch", numbers: {}, sizes: [576, 1024, 4096] },
  { title: "block-sparse 4 x 4", transform: "BlockSparse", numbers: {}, sizes: [512, 1024, 2048] },
];
