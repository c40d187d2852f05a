/** Indexed products, families that know their index, trained numbers before a permutation, combined supports after `on`. */
import { beforeAll, expect, test } from "vitest";
import type { Layer, SparseParameter } from "../../runtime/index.ts";
import { checkBackward, checkForward, loadCase } from "./backward-check.ts";
import { type BuiltProgram, buildProgram, testMatrix } from "./built-program.ts";

const source = `
import { diagonal, topk } from "std/select"

transform Chain(W: frozen [out, in], n: const int = 3) {
  param A: [n, in, in] = 0
  weight = W @ product(i < n, identity(in) + A[i])
}
transform Powers(W: frozen [out, in], n: const int = 4) {
  weight = product(i < n, i + 1) * W
}
transform ScaledPermutation(W: frozen [out, in]) {
  require out % 2 == 0
  param v: [2] = 0
  weight = v[0] * P(2) @ W - W @ identity() * v[1]
}
transform OwnIndex(T: [n, out, in], n: const int = 3, k: int = 2) {
  mask M[i < n]: unstructured = topk(abs(T[i]), (i + 1) * k)
  param S: [n, out, in] = 0
  weight = sum(i < n, M[i] .* S[i])
}
transform Joined(W: frozen [out, in], k: int = 2) {
  support E = topk(abs(W), k)
  param S: sparse [out, in] on E or diagonal() = 0
  param R: sparse [out, in] on not E and diagonal() = 0
  weight = W + S + R
}
`;

const sizes = {
  Chain: [
    [1, 1],
    [5, 3],
    [17, 33],
  ],
  Powers: [[5, 3]],
  ScaledPermutation: [
    [2, 1],
    [18, 33],
  ],
  OwnIndex: [
    [3, 2],
    [17, 13],
  ],
  Joined: [
    [2, 1],
    [7, 5],
    [33, 48],
  ],
} as const;

let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram({ text: source });
}, 240_000);

test.each(Object.entries(sizes))("%s: forward, merge and gradients as the oracle", async (name, all) => {
  for (const [out, inputs] of all) {
    const loaded = await loadCase(program, name, out, inputs, {});
    const { layer, weight } = loaded;
    checkForward({ layer, weight }, [1, 3, 17, 33]);
    await checkBackward(loaded);
    layer.dispose();
  }
});

test("factors stand from left to right", async () => {
  const W = { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] };
  const layer = (await program.artefact.transform("Chain").load({ W })) as Layer;
  // (I + A₀)(I + A₁)(I + A₂) with A₀ = e₁ e₂ᵀ and A₁ = e₂ e₁ᵀ; the other order would give [1 1; 1 2].
  layer.parameters().A?.values.set([0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
  layer.updated();
  expect([...layer.merge().data]).toEqual([2, 1, 1, 1]);
});

test("numbers are multiplied, too", async () => {
  const W = { data: Float32Array.of(1, -2), shape: [1, 2] };
  const layer = (await program.artefact.transform("Powers").load({ W })) as Layer;
  expect([...layer.merge().data]).toEqual([24, -48]);
});

test("each member chooses by its own index", async () => {
  const values = testMatrix(5, 3 * 4 * 5);
  const T = { data: values, shape: [3, 4, 5] };
  const layer = (await program.artefact.transform("OwnIndex").load({ T, k: 3 })) as Layer;
  for (const index of [0, 1, 2]) {
    const scores = [...values.subarray(index * 20, (index + 1) * 20)].map(Math.abs);
    const expected = scores
      .map((score, at) => ({ score, at }))
      .sort((a, b) => b.score - a.score || a.at - b.at)
      .slice(0, 3 * (index + 1))
      .map(({ at }) => at)
      .sort((a, b) => a - b);
    expect([...(layer.patterns()[`M[${index}]`]?.positions ?? [])]).toEqual(expected);
  }
});

test("a support after `on` is any combination", async () => {
  const W = { data: Float32Array.of(9, 1, 8, 2, 3, 4), shape: [2, 3] };
  const layer = (await program.artefact.transform("Joined").load({ W, k: 2 })) as Layer;
  const positionsOf = (name: string): number[] => {
    const found = layer.parameters()[name] as SparseParameter | undefined;
    return [...(found?.positions ?? [])];
  };
  expect(positionsOf("S")).toEqual([0, 2, 4]);
  expect(positionsOf("R")).toEqual([4]);
});
