/**
 * Gradients on their way through a frozen `.*` or a mask over a product: formed for the whole product and pulled back
 * past its other factors, compiled and run, against the float64 oracle. Several frozen factors stand on a side of a
 * parameter, because transposes in the wrong order are seen there alone.
 */
import { beforeAll, expect, test } from "vitest";
import { checkBackward, loadCase } from "./backward-check.ts";
import { type BuiltProgram, buildProgram } from "./built-program.ts";

/** U, V, W are [out, in]: V @ W.T is [out, out], W.T @ V [in, in]. */
const given = "U: frozen [out, in], V: frozen [out, in], W: frozen [out, in]";
const source = `
import { above, all, magnitude } from "std/select"

function low_rank(B: [m, k], A: [k, n], alpha: real) = (alpha / 4) * B @ A

transform SparseRight(${given}, alpha: real = -2, c: real = 2) {
  support E = all()
  support F = above(W, 0)
  param S: sparse [out, in] on (E or F) = 0
  weight = low_rank(V @ W.T, S, alpha: c * alpha) .* U
}
transform DiagonalRight(${given}, q: int = 2, alpha: real = 0.5) {
  param d: diag [in] = 1
  weight = U .* (((q + 1) * low_rank(V @ W.T, U, alpha: -alpha)) @ d)
}
transform DenseRight(${given}) {
  param A: [out, in] = 0
  weight = U .* (3 * (V @ W.T @ A))
}
transform Left(${given}) {
  param A: [out, in] = 0
  weight = U .* (A @ (W.T @ V) @ (0.5 * (V.T @ U)))
}
transform Middle(${given}, r: int = 3) {
  param B: [out, r] = 0
  param A: [r, out] = 0
  weight = (2 * (V @ W.T @ B @ A @ U)) .* W
}
transform Transposed(${given}) {
  param A: [in, out] = 0
  weight = (2 * (A @ V @ W.T)).T .* U
}
transform TwoProducts(W: [out, in], k: int = 3, m: int = 2) {
  frozen P: [in, min(2, in)] = normal(std: 1)
  frozen Q: [min(2, in), out] = normal(std: 1)
  frozen R: [out, in] = W
  frozen T: [in, k] = normal(std: 1)
  frozen Z: [m, in] = normal(std: 1)
  param A: [k, m] = 0
  weight = (P @ Q).T .* (R @ T @ (A @ Z))
}
transform Masked(${given}) {
  mask M: unstructured = magnitude(W, 0.4)
  param A: [out, in] = 0
  weight = M .* (-2 * (V @ W.T @ A))
}
transform MaskedFactor(${given}) {
  mask M: unstructured = magnitude(W, 0.4)
  param A: [out, in] = 0
  param d: [out] = 1
  weight = (M .* U) .* (0.5 * (diag(d) @ V @ W.T @ A))
}
transform Blocks(${given}) {
  require out % 2 == 0 and in % 2 == 0
  param L: blockdiag [out, out] blocks 2 = 0
  weight = U .* (0.25 * (V @ W.T @ L @ V))
}
transform Copies(${given}) {
  require out % 2 == 0 and in % 2 == 0
  param A: [out / 2, in / 2] = 0
  weight = U .* (2 * (V @ W.T @ kron(identity(2), A)))
}
transform Added(${given}) {
  param A: [out, in] = 0
  weight = U .* (W + 2 * (V @ W.T @ A) - A) + V @ W.T @ A
}
`;
const names = [...source.matchAll(/transform (\w+)/g)].map((match) => match[1] ?? "");
const even = [
  [2, 4],
  [34, 18],
] as const;
const sizes: Readonly<Record<string, readonly (readonly [number, number])[]>> = {
  Blocks: even,
  Copies: even,
};
const any = [
  [1, 1],
  [5, 3],
  [17, 33],
] as const;

let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram({ text: source });
}, 240_000);

test.each(names)("the gradients of %s", async (name) => {
  for (const [out, inputs] of sizes[name] ?? any) {
    const loaded = await loadCase(program, name, out, inputs, {});
    await checkBackward(loaded);
    loaded.layer.dispose();
  }
});

test("gradients of these programs are formed for a whole product", () => {
  for (const name of names)
    expect(
      program.artefact.manifest().transforms.find((one) => one.name === name)?.plan.backward.intermediates,
    ).not.toHaveLength(0);
});
