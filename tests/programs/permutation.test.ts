/** Permutations that data choose, native, against the float64 oracle and against sorting. */
import { beforeAll, describe, expect, test } from "vitest";
import { checkBackward, checkForward, loadCase } from "./backward-check.ts";
import { type BuiltProgram, buildProgram } from "./built-program.ts";

const source = `
import { column_norm, magnitude, row_norm } from "std/select"

transform Sorted(W: frozen [out, in]) {
  weight = permutation(row_norm(W)) @ W
}
transform SortedGroups(W: frozen [out, in]) {
  require in % 4 == 0
  let Q = permutation(column_norm(W))
  mask M: nm(2, 4) along in = magnitude(W @ Q.T)
  weight = (M .* (W @ Q.T)) @ Q
}
transform Trained(W: frozen [out, in], r: int = 3) {
  param B: [out, r] = 0
  param A: [r, in] = 0
  let Q = permutation(column_norm(W))
  let R = permutation(row_norm(W))
  weight = W + R.T @ B @ A @ Q
}
transform Undone(W: frozen [out, in]) {
  param T: [out, in] = W
  let Q = permutation(column_norm(W))
  weight = (T @ Q.T) @ Q
}
`;
const names = [...source.matchAll(/transform (\w+)/g)].map((match) => match[1] ?? "");
const sizes = [
  [1, 4],
  [5, 8],
  [33, 48],
] as const;

let program: BuiltProgram;

beforeAll(async () => {
  program = await buildProgram({ text: source });
}, 240_000);

describe.each(names)("%s", (name) => {
  test("forward, merged and backward", async () => {
    for (const [out, inputs] of sizes) {
      const loaded = await loadCase(program, name, out, inputs, {});
      const { layer, weight } = loaded;
      checkForward({ layer, weight }, [1, 5, 16, 50]);
      await checkBackward(loaded);
      layer.dispose();
    }
  });
});

test("sorts by score, the largest first, the lower index among equals", async () => {
  const rows = [
    [0, 1],
    [3, 4],
    [1, 0],
    [0, 6],
    [5, 0],
  ];
  const layer = await program.artefact
    .transform("Sorted")
    .load({ W: { data: Float32Array.from(rows.flat()), shape: [5, 2] } });
  const merged = layer.merge().data;
  const order = rows.map((row, index) => ({ row, norm: Math.hypot(...row), index }));
  order.sort((a, b) => b.norm - a.norm || a.index - b.index);
  expect([...merged]).toEqual(order.flatMap(({ row }) => row));
  layer.dispose();
});

test("a permutation and its inverse leave nothing to apply", () => {
  expect(program.stages.get("Undone")?.normal.root.kind).toBe("leaf");
});
