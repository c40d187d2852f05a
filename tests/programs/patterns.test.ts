/** Combined and measured patterns, indicators and selectors: chosen as by brute force, and run against the oracle. */
import { beforeAll, expect, test } from "vitest";
import type { Layer } from "../../runtime/index.ts";
import { checkBackward, checkForward, loadCase } from "./backward-check.ts";
import { type BuiltProgram, buildProgram, testMatrix } from "./built-program.ts";

const source = `
import {
  above, all, below, column_norm, diagonal, magnitude, nonzero, random, random_columns, row_norm, top_rows, topk
} from "std/select"

transform InPlace(W: frozen [out, in], tau: real = 0.5) {
  support Omega = below(abs(W), tau)
  mask Rest: unstructured = not Omega
  param S: sparse [out, in] on Omega = W
  weight = Rest .* W + S
}
transform Between(W: frozen [out, in], low: real = 0.25, high: real = 0.75) {
  mask M: unstructured = above(abs(W), low) and below(abs(W), high) or diagonal()
  weight = M .* W
}
transform Exact(W: frozen [out, in], nnz: int = 1) {
  mask M: unstructured = nonzero(W)
  require nnz <= count(M)
  param S: sparse [out, in] on topk(abs(W), nnz) = 0
  weight = M .* W + S
}
transform Columns(W: frozen [out, in], c: int = 1) {
  support C = random_columns(c, of: in)
  param D: [out, c] = 0
  weight = W + D @ column_selector(C)
}
transform Rows(W: frozen [out, in], c: int = 1) {
  support R = top_rows(row_norm(W), c)
  param D: [c, in] = 0
  weight = W + row_selector(R).T @ D
}
transform Mixed(W: frozen [out, in]) {
  support R = top_rows(row_norm(W), 1)
  mask M: unstructured = R or random(0.2)
  param S: sparse [out, in] on R = W
  weight = M .* W + 2 * S + indicator(R)
}
transform EachRow(W: frozen [out, in]) {
  mask M: unstructured = magnitude(W, 0.5, pool: row)
  mask N: unstructured = not M
  param T: [out, in] = W
  weight = M .* W + N .* T
}
transform Groups(W: frozen [out, in]) {
  require in % 4 == 0
  mask M: nm(1, 4) along in = magnitude(W)
  mask N: nm(3, 4) along in = not M
  mask Q: nm(2, 4) along in = random()
  weight = M .* W + 2 * (N .* W) + 3 * (Q .* W)
}
transform Tiles(W: frozen [out, in]) {
  require out % 2 == 0
  mask M: block(2, 1) = magnitude(W, 0.5)
  mask N: block(2, 1) = not M
  mask A: block(2, 1) = N or random(0.5)
  weight = M .* W + 2 * (N .* W) + 3 * (A .* W)
}
transform Wanda(W: frozen [out, in], V: [out, in]) {
  mask M: unstructured = topk(abs(W) @ diag(column_norm(V)), floor(in / 2), pool: row)
  mask A: unstructured = all()
  weight = M .* W + A .* W
}
`;

let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram({ text: source });
}, 240_000);

interface PatternCase {
  readonly name: string;
  readonly sizes: readonly (readonly [number, number])[];
  readonly numbers?: Readonly<Record<string, number>>;
  /** What each pattern has to keep, by plain loops over W and V. */
  readonly kept?: Readonly<Record<string, (w: Entries, v: Entries) => boolean[]>>;
}

/** A matrix as rows of numbers. */
interface Entries {
  readonly rows: number;
  readonly columns: number;
  readonly values: readonly number[];
}

const anySizes = [
  [1, 1],
  [5, 3],
  [17, 33],
  [48, 16],
] as const;

/** True for the `count` largest, the first of equals. */
function largest(scores: readonly number[], count: number): boolean[] {
  const order = scores
    .map((score, index) => ({ score, index }))
    .sort((a, b) => b.score - a.score || a.index - b.index);
  const best = new Set(order.slice(0, count).map(({ index }) => index));
  return scores.map((_, index) => best.has(index));
}

const rowsOf = ({ rows, columns, values }: Entries): number[][] =>
  Array.from({ length: rows }, (_, row) => values.slice(row * columns, (row + 1) * columns));

const cases: readonly PatternCase[] = [
  {
    name: "InPlace",
    sizes: anySizes,
    kept: {
      Omega: ({ values }) => values.map((value) => Math.abs(value) < 0.5),
      Rest: ({ values }) => values.map((value) => !(Math.abs(value) < 0.5)),
    },
  },
  {
    name: "InPlace",
    sizes: anySizes,
    numbers: { tau: 0 },
    kept: { Omega: ({ values }) => values.map(() => false) },
  },
  {
    name: "InPlace",
    sizes: anySizes,
    numbers: { tau: 9 },
    kept: { Rest: ({ values }) => values.map(() => false) },
  },
  {
    name: "Between",
    sizes: anySizes,
    kept: {
      M: ({ columns, values }) =>
        values.map(
          (value, at) =>
            (Math.abs(value) > 0.25 && Math.abs(value) < 0.75) || Math.floor(at / columns) === at % columns,
        ),
    },
  },
  { name: "Exact", sizes: anySizes, kept: { M: ({ values }) => values.map((value) => value !== 0) } },
  { name: "Columns", sizes: anySizes },
  { name: "Columns", sizes: [[17, 33]], numbers: { c: 33 } },
  { name: "Columns", sizes: [[17, 33]], numbers: { c: 16 } },
  { name: "Rows", sizes: anySizes },
  {
    name: "Rows",
    sizes: [[17, 33]],
    numbers: { c: 5 },
    kept: {
      "row_selector(R)": (w) => {
        const squares = rowsOf(w).map((row) => row.reduce((sum, value) => sum + value * value, 0));
        const chosen = largest(squares, 5).flatMap((keeps, row) => (keeps ? [row] : []));
        return chosen.flatMap((row) => squares.map((_, at) => at === row));
      },
    },
  },
  { name: "Mixed", sizes: anySizes },
  {
    name: "EachRow",
    sizes: anySizes,
    kept: {
      M: (w) => rowsOf(w).flatMap((row) => largest(row.map(Math.abs), Math.round(0.5 * w.columns))),
      N: (w) =>
        rowsOf(w).flatMap((row) =>
          largest(row.map(Math.abs), Math.round(0.5 * w.columns)).map((keeps) => !keeps),
        ),
    },
  },
  {
    name: "Groups",
    sizes: [
      [1, 4],
      [13, 8],
      [17, 36],
    ],
    kept: {
      N: (w) =>
        rowsOf(w).flatMap((row) =>
          Array.from({ length: w.columns / 4 }, (_, group) =>
            largest(row.slice(4 * group, 4 * group + 4).map(Math.abs), 1).map((keeps) => !keeps),
          ).flat(),
        ),
    },
  },
  {
    name: "Tiles",
    sizes: [
      [2, 1],
      [6, 5],
      [34, 17],
    ],
  },
  {
    name: "Wanda",
    sizes: anySizes,
    kept: {
      M: (w, v) => {
        const norms = Array.from({ length: w.columns }, (_, column) =>
          Math.hypot(...rowsOf(v).map((row) => row[column] ?? 0)),
        );
        const scores = w.values.map((value, at) =>
          Math.fround(Math.abs(value) * Math.fround(norms[at % w.columns] ?? 0)),
        );
        return rowsOf({ ...w, values: scores }).flatMap((row) => largest(row, Math.floor(w.columns / 2)));
      },
    },
  },
];

test.each(cases.map((one) => [`${one.name} ${JSON.stringify(one.numbers ?? {})}`, one] as const))(
  "%s",
  async (_title, { name, sizes, numbers, kept }) => {
    for (const [out, inputs] of sizes) {
      const loaded = await loadCase(program, name, out, inputs, numbers ?? {});
      const { layer, values, weight } = loaded;
      const entries = (tensor: string): Entries => ({
        rows: out,
        columns: inputs,
        values: [...(values.tensors.get(tensor)?.values ?? [])],
      });
      const [w, v] = [entries("W"), entries("V")];
      for (const [pattern, expected] of Object.entries(kept ?? {})) {
        const wanted = expected(w, v).flatMap((keeps, at) => (keeps ? [at] : []));
        expect([...(layer.patterns()[pattern]?.positions ?? [-1])], `${out}x${inputs} ${pattern}`).toEqual(
          wanted,
        );
      }
      checkForward({ layer, weight }, [1, 3, 17, 64]);
      await checkBackward(loaded);
      layer.dispose();
    }
  },
);

test("the trained values are those below the threshold, and start as the weight's own", async () => {
  const W = { data: testMatrix(3, 7 * 11), shape: [7, 11] };
  const layer = (await program.artefact.transform("InPlace").load({ W, tau: 0.3 })) as Layer;
  const small = [...W.data].filter((value) => Math.abs(value) < Math.fround(0.3));
  expect(layer.trainable).toBe(small.length);
  expect([...(layer.parameters().S?.values ?? [])]).toEqual(small);
  expect([...layer.merge().data]).toEqual([...W.data]);
});

test("a requirement of a measured count is checked once it is known, with its text", async () => {
  const W = { data: Float32Array.of(0, 1, 0, 2, 3, 0), shape: [2, 3] };
  const transform = program.artefact.transform("Exact");
  await expect(transform.load({ W, nnz: 3 })).resolves.toBeDefined();
  await expect(transform.load({ W, nnz: 4 })).rejects.toThrow(
    "error[SPX4501]: `Exact` requires `nnz <= count(M)`, which does not hold for nnz = 4, count(M) = 3",
  );
});

test("random choices differ by pattern and layer, and repeat for one seed", async () => {
  const W = { data: testMatrix(3, 8 * 64), shape: [8, 64] };
  const chosen = async (name: string, seed: number) => {
    const layer = (await program.artefact.transform("Columns").load({ W, c: 9, name, seed })) as Layer;
    return [...(layer.patterns()["column_selector(C)"]?.positions ?? [])].map((at) => at % 64);
  };
  const first = await chosen("a", 1);
  expect(first).toHaveLength(9);
  expect(first.toSorted((a, b) => a - b)).toEqual(first);
  expect(new Set(first).size).toBe(9);
  expect(await chosen("a", 1)).toEqual(first);
  expect(await chosen("b", 1)).not.toEqual(first);
  expect(await chosen("a", 2)).not.toEqual(first);
});

test("saved and restored with the positions of a measured support", async () => {
  const W = { data: testMatrix(5, 7 * 11), shape: [7, 11] };
  const transform = program.artefact.transform("InPlace");
  const layer = (await transform.load({ W, tau: 0.4 })) as Layer;
  const { S } = layer.parameters();
  if (S === undefined) throw new Error("no S");
  S.values.fill(3);
  const again = (await transform.load({ W, tau: 0.4, parameters: { S } })) as Layer;
  layer.updated();
  expect(again.merge().data).toEqual(layer.merge().data);
  expect(again.trainable).toBe(layer.trainable);
});
