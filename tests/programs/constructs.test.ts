/** Every construct of the language, compiled and run natively, against the float64 oracle. */
import { beforeAll, test } from "vitest";
import { checkBackward, checkForward, loadCase } from "./backward-check.ts";
import { type BuiltProgram, buildProgram } from "./built-program.ts";

const source = `
import { magnitude, random_support, topk } from "std/select"

function residual(W: [m, n], B: [m, r], A: [r, n]) = W - B @ A

transform Negative(W: frozen [out, in], r: int = 3) {
  param B: [out, r] = 0
  param A: [r, in] = 0
  weight = residual(W, B, A)
}
transform OutputScale(W: frozen [out, in]) {
  param d: [out] = 1
  weight = diag(d) @ W
}
transform BothScales(W: frozen [out, in]) {
  param d: [out] = 1
  param e: [in] = 1
  weight = diag(d) @ W @ diag(e)
}
transform Transposed(W: frozen [out, in], r: int = 2) {
  param B: [in, r] = 0
  param A: [r, out] = 0
  weight = W + (B @ A).T
}
transform Symmetric(W: [n, n]) {
  param A: [n, n] = W
  weight = A + A.T
}
transform TwoFrozen(W: frozen [out, in], V: frozen [out, in]) {
  weight = 2 * W + V
}
transform Hadamard(W: frozen [out, in], r: int = 2) {
  param B: [out, r] = 0
  param A: [r, in] = 0
  weight = W + W .* (B @ A)
}
transform MaskedProduct(W: [out, in], r: int = 2) {
  mask M: unstructured = magnitude(W, 0.3)
  param B: [out, r] = 0
  param A: [r, in] = 0
  weight = M .* (B @ A)
}
transform NMOutput(W: frozen [out, in]) {
  require out % 4 == 0
  mask M: nm(1, 4) along output = magnitude(W)
  weight = M .* W
}
transform NMOdd(W: frozen [out, in]) {
  require in % 5 == 0
  mask M: nm(3, 5) along in = magnitude(W)
  weight = M .* W
}
transform NMWide(W: frozen [out, in]) {
  require in % 32 == 0
  mask M: nm(3, 32) along in = magnitude(W)
  weight = M .* W
}
transform NMAll(W: frozen [out, in]) {
  mask M: nm(1, 1) along in = magnitude(W)
  weight = M .* W
}
transform OddBlocks(W: frozen [out, in]) {
  require out % 3 == 0 and in % 5 == 0
  mask M: block(3, 5) = magnitude(W, 0.4)
  weight = M .* W
}
transform BigBlocks(W: frozen [out, in]) {
  require out % 16 == 0
  require in % 16 == 0
  mask M: block(16, 16) = magnitude(W, 0.5)
  weight = M .* W
}
transform Rotated(W: frozen [out, in], b: int = 4) {
  require in % b == 0
  param R: blockdiag [in, in] blocks b = 0
  weight = W @ R
}
transform Blocks(W: [out, in]) {
  require out % 2 == 0
  require in % 2 == 0
  param A: [out / 2, in / 2] = 0
  param B: [out / 2, in / 2] = 0
  weight = blockdiag(A, B)
}
transform ThreeFactors(W: [out, in]) {
  require out % 6 == 0
  require in % 4 == 0
  param A: [2, 2] = 0
  param B: [3, 1] = 0
  param C: [out / 6, in / 2] = 0
  weight = kron(A, kron(B, C))
}
transform Shuffled(W: frozen [out, in], b: int = 4) {
  require out % b == 0
  weight = P(b) @ W
}
transform Chain(W: [out, in]) {
  param A: [out, 3] = 0
  param B: [3, 5] = 0
  param C: [5, in] = 0
  weight = A @ B @ C
}
transform SparseTimesDense(W: frozen [out, in]) {
  param S: sparse [out, out] on random_support(out) = 0
  weight = S @ W
}
transform Shifted(W: frozen [n, n]) {
  weight = W + 0.5 * identity(n)
}
transform Reweighted(W: frozen [out, in], V: frozen [out, in]) {
  mask M: unstructured = magnitude(W, 0.4)
  param T: [out, in] = 0
  param U: [in, out] = 0
  param S: sparse [out, in] on random_support(min(out, in)) = 0
  weight = 3 * (V .* T) + M .* (W + U.T) + W .* S + V .* (M .* T)
}
transform Repeated(W: [out, in]) {
  require out % 3 == 0
  require in % 3 == 0
  param A: [out / 3, in / 3] = 0
  param d: [in / 3] = 0
  weight = kron(identity(3), A + A @ diag(d)) + 2 * blockdiag(A, A, -A)
}
transform Mixer(W: frozen [n, n], b: int = 2) {
  require n % b == 0
  param d: [n] = 0
  param L: blockdiag [n, n] blocks b = 0
  param K: [b, b] = 0
  weight = P(b) @ diag(d) @ P(n / b) @ L.T @ W + kron(K, identity(n / b)) @ diag(d)
}
transform Everything(W: frozen [out, in], r: int = 4, nnz: int = 9, n: const int = 2) {
  require in % 4 == 0
  mask M: nm(n, 4) along in = magnitude(W)
  param B: [out, r] = 0
  param A: [r, in] = 0
  param S: sparse [out, in] on topk(abs(W), nnz) = 0
  param T: [n, out, in] = 0
  param d: [out] = 1
  weight = M .* W + (1 / r) * (B @ A) - S + sum(i < n, diag(d) @ T[i])
}
`;

const sizes: Readonly<Record<string, readonly (readonly [number, number])[]>> = {
  Symmetric: [
    [1, 1],
    [17, 17],
    [32, 32],
  ],
  NMOutput: [
    [4, 7],
    [36, 17],
  ],
  NMOdd: [
    [7, 5],
    [33, 40],
  ],
  NMWide: [
    [5, 32],
    [33, 96],
  ],
  OddBlocks: [
    [3, 5],
    [33, 40],
  ],
  BigBlocks: [
    [16, 16],
    [48, 64],
  ],
  Rotated: [
    [9, 4],
    [33, 68],
  ],
  Blocks: [
    [2, 2],
    [34, 22],
  ],
  ThreeFactors: [
    [6, 4],
    [66, 36],
  ],
  Shuffled: [
    [4, 3],
    [36, 17],
  ],
  Shifted: [
    [1, 1],
    [33, 33],
  ],
  Repeated: [
    [3, 3],
    [24, 54],
  ],
  Mixer: [
    [4, 4],
    [38, 38],
  ],
  Everything: [
    [3, 4],
    [33, 52],
  ],
};
const names = [...source.matchAll(/transform (\w+)/g)].map((match) => match[1] ?? "");
const batches = [1, 2, 5, 16, 33, 50];

let program: BuiltProgram;

beforeAll(async () => {
  program = await buildProgram({ text: source });
}, 240_000);

/** Sizes of a transform: its own, or ones that any weight has. */
const sizesOf = (name: string): readonly (readonly [number, number])[] =>
  sizes[name] ?? [
    [5, 3],
    [17, 33],
    [48, 16],
  ];

test.each(names)("%s", async (name) => {
  for (const [out, inputs] of sizesOf(name)) {
    const { layer, weight } = await loadCase(program, name, out, inputs, {});
    checkForward({ layer, weight }, batches);
    layer.dispose();
  }
});

test.each(names)("the gradients of %s", async (name) => {
  for (const [out, inputs] of sizesOf(name)) {
    const loaded = await loadCase(program, name, out, inputs, {});
    await checkBackward(loaded);
    loaded.layer.dispose();
  }
});
