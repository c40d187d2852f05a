/** Matrices above each other, side by side and on a diagonal of unequal blocks, native, against the float64 oracle. */
import { beforeAll, describe, test } from "vitest";
import { checkBackward, checkForward, loadCase } from "./backward-check.ts";
import { type BuiltProgram, buildProgram } from "./built-program.ts";

const source = `
import { magnitude, random_support } from "std/select"

transform Stacked(W: [out, in], r: int = 3) {
  require out > r
  param A: [r, in] = 0
  param B: [out - r, in] = 0
  weight = rows(A, B)
}
transform SideBySide(W: frozen [out, in], r: int = 3) {
  require in > r
  param A: [out, r] = 0
  param B: [out, in - r] = 0
  weight = W + 2 * columns(A, B)
}
transform LowRankParts(W: frozen [out, in], r: int = 2) {
  require out > 2 * r and in > r
  param U: [out - r, r] = 0
  param V: [r, in] = 0
  param D: diag [r] = 0
  weight = W + rows(U @ V, columns(D, zeros(r, in - r)))
}
transform Corners(W: [out, in]) {
  require out > 3 and in > 3
  param A: [1, 2] = 0
  param C: [out - 2, in - 3] = 0
  weight = blockdiag(A, identity(1), C)
}
transform WithZero(W: [out, in]) {
  require out % 2 == 0 and in % 2 == 0
  param A: [out / 2, in / 2] = 0
  weight = blockdiag(A, zeros(out / 2, in / 2))
}
transform Between(W: frozen [out, in], r: int = 5) {
  param A: [2, in] = 0
  param B: [r, in] = 0
  param C: [out, 2] = 0
  param D: [out, r] = 0
  weight = W - columns(C, D) @ rows(A, B)
}
transform Overlapping(W: [out, in]) {
  require out > 3
  param A: [1, in] = 0
  param B: [out - 1, in] = 0
  param C: [2, in] = 0
  param D: [out - 2, in] = 0
  weight = rows(A, B) + rows(C, D)
}
transform Grid(W: [out, in]) {
  require out > 2 and in > 2
  param A: [1, 2] = 0
  param B: [1, in - 2] = 0
  param C: [out - 1, 2] = 0
  param S: sparse [out - 1, in - 2] on random_support(1) = 0
  weight = rows(columns(A, B), columns(C, S))
}
transform Permuted(W: frozen [out, in], b: int = 2) {
  require out % b == 0 and in > 3
  param L: blockdiag [out, out] blocks b = 0
  param A: [out, 3] = 0
  param B: [out, in - 3] = 0
  weight = P(b) @ L @ columns(A, B)
}
transform PermutedParts(W: [out, in], b: int = 2) {
  require out % 6 == 0 and in > 1
  param A: [out / 3, in] = 0
  param B: [out / 3, in] = 0
  param C: [2, in] = 0
  weight = P(b) @ rows(A, B, A) + rows(P(2) @ rows(C, C), zeros(out - 4, in))
}
transform FrozenParts(W: frozen [n, n], r: int = 4) {
  mask M: unstructured = magnitude(W, 0.5)
  param A: [r, n] = 0
  param B: [n, r] = 0
  weight = columns(W, B) @ rows(M .* W, A)
}
transform ThreeAcross(W: [out, in]) {
  require in > 5
  param A: [out, 2] = 0
  param B: [out, 3] = 0
  param C: [out, in - 5] = 0
  weight = columns(A, B, C)
}
`;

const sizes: Readonly<Record<string, readonly (readonly [number, number])[]>> = {
  WithZero: [
    [2, 2],
    [34, 22],
  ],
  Permuted: [
    [4, 4],
    [34, 21],
  ],
  PermutedParts: [
    [6, 2],
    [18, 33],
    [48, 16],
  ],
  FrozenParts: [
    [1, 1],
    [17, 17],
    [32, 32],
  ],
};
const usual = [
  [5, 6],
  [17, 33],
  [48, 16],
] as const;
const names = [...source.matchAll(/transform (\w+)/g)].map((match) => match[1] ?? "");

let program: BuiltProgram;

beforeAll(async () => {
  program = await buildProgram({ text: source });
}, 240_000);

describe.each(names)("%s", (name) => {
  test("forward and merged", async () => {
    for (const [out, inputs] of sizes[name] ?? usual) {
      const { layer, weight } = await loadCase(program, name, out, inputs, {});
      checkForward({ layer, weight }, [1, 2, 5, 16, 33, 50]);
      layer.dispose();
    }
  });

  test("backward", async () => {
    for (const [out, inputs] of sizes[name] ?? usual) {
      const loaded = await loadCase(program, name, out, inputs, {});
      await checkBackward(loaded);
      loaded.layer.dispose();
    }
  });
});
