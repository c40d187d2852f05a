/** Published systems that choose which entries to train, run natively: their kernels against the oracle, and what is known of them. */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { oracleValues, relativeError } from "../../bench/quickstart/layer-oracle.ts";
import { densify } from "../../compiler/algebra/evaluate-algebra.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import type { Layer } from "../../runtime/index.ts";
import { checkBackward, checkForward, type LoadedCase } from "./backward-check.ts";
import { type BuiltProgram, buildProgram, randomizeParameters, testMatrix } from "./built-program.ts";

/** Each transform with the sizes and numbers that it is run at. */
const systems: Readonly<
  Record<
    string,
    {
      readonly file: string;
      readonly sizes: readonly (readonly [number, number])[];
      readonly numbers?: Readonly<Record<string, number>>;
    }
  >
> = {
  LTSFT: {
    file: "lt_sft",
    sizes: [
      [5, 3],
      [17, 33],
    ],
    numbers: { k: 7 },
  },
  SaRA: {
    file: "sara",
    sizes: [
      [1, 1],
      [17, 33],
    ],
    numbers: { tau: 0.3 },
  },
  S2FTColumns: {
    file: "s2ft",
    sizes: [
      [5, 3],
      [33, 17],
    ],
    numbers: { c: 3 },
  },
  S2FTRows: {
    file: "s2ft",
    sizes: [
      [5, 3],
      [17, 33],
    ],
    numbers: { c: 5 },
  },
  SHiRARandom: {
    file: "shira",
    sizes: [
      [5, 3],
      [17, 33],
    ],
    numbers: { r: 1 },
  },
  SHiRAMagnitude: { file: "shira", sizes: [[17, 33]], numbers: { r: 2 } },
  SHiRAStruct: {
    file: "shira",
    sizes: [
      [1, 1],
      [11, 7],
      [16, 33],
    ],
    numbers: { r: 1 },
  },
  SparseWide: {
    file: "sparse_ift",
    sizes: [
      [1, 1],
      [17, 33],
    ],
  },
  SparseParallel: {
    file: "sparse_ift",
    sizes: [
      [5, 3],
      [17, 33],
    ],
  },
  SparseFactorized: {
    file: "sparse_ift",
    sizes: [
      [16, 16],
      [17, 33],
    ],
  },
  SparseDoped: {
    file: "sparse_ift",
    sizes: [
      [16, 16],
      [17, 33],
    ],
  },
  SparseSoup: {
    file: "sparse_soups",
    sizes: [
      [5, 3],
      [17, 33],
    ],
  },
  SparseByteNN: {
    file: "sparse_byte_nn",
    sizes: [
      [4, 3],
      [16, 33],
    ],
  },
  GlobalSparsity: { file: "essential_sparsity", sizes: [[17, 33]] },
  SemiStructuredSparsity: { file: "essential_sparsity", sizes: [[17, 36]] },
  UniformSparsity: { file: "essential_sparsity", sizes: [[17, 33]] },
  ERKSparsity: { file: "essential_sparsity", sizes: [[17, 33]] },
  RandomSparsity: { file: "essential_sparsity", sizes: [[17, 33]] },
  Supra: {
    file: "super_tuning",
    sizes: [
      [9, 11],
      [17, 33],
    ],
    numbers: { sparsity: 0.9, r: 2 },
  },
  Masked: { file: "squarehead", sizes: [[17, 33]] },
  Wanda: {
    file: "wanda",
    sizes: [
      [1, 1],
      [17, 33],
    ],
  },
};
const names = Object.keys(systems);

let program: BuiltProgram;
beforeAll(async () => {
  const files = new Set(Object.values(systems).map(({ file }) => file));
  const imports = [...files].map((file) => {
    const own = names.filter((name) => systems[name]?.file === file);
    return `import { ${own.join(", ")} } from "${file}"`;
  });
  // A rule hands over one tensor; the soup's transform is declared here, as its file has it.
  const models = names
    .filter((name) => name !== "SparseSoup")
    .map((name) => `model Of${name} { for "**" use ${name} }`);
  const soup = readFileSync("stdlib/sparse_soups.spx", "utf8");
  const others = imports.filter((line) => !line.includes("SparseSoup"));
  program = await buildProgram({ text: [...others, soup, ...models].join("\n") });
}, 300_000);

interface Given {
  readonly data: Float32Array;
  readonly shape: number[];
}

async function load(
  name: string,
  out: number,
  inputs: number,
  change: (given: Record<string, Given>) => Record<string, Given> = (given) => given,
): Promise<LoadedCase & { readonly given: Readonly<Record<string, Given>> }> {
  const stages = program.stages.get(name);
  if (stages === undefined) throw new Error(`no ${name}`);
  const symbols = new Map([["out", out], ["in", inputs], ...Object.entries(stages.checked.constants)]);
  const tensors: Record<string, Given> = {};
  for (const [index, argument] of stages.checked.arguments.entries()) {
    if (argument.kind !== "tensor") continue;
    const shape = argument.dimensions.map((size) => evaluateNumber(size, symbols));
    const entries = shape.reduce((product, size) => product * size, 1);
    tensors[argument.name] = { data: testMatrix(out * 31 + inputs + index, entries), shape };
  }
  const given = change(tensors);
  const numbers = systems[name]?.numbers ?? {};
  const layer = (await program.artefact.transform(name).load({ ...given, ...numbers, seed: 1 })) as Layer;
  const values = oracleValues(stages, layer, given);
  return { layer, stages, values, weight: densify(stages.built.root, values), given };
}

describe("kernels", () => {
  test.each(names)("%s", async (name) => {
    for (const [out, inputs] of systems[name]?.sizes ?? []) {
      const { layer, stages, given } = await load(name, out, inputs);
      randomizeParameters(layer, 11);
      const values = oracleValues(stages, layer, given);
      const weight = densify(stages.built.root, values);
      checkForward({ layer, weight }, [1, 5, 33]);
      await checkBackward({ layer, stages, values, weight });
      layer.dispose();
    }
  });
});

const nonzeros = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((count, value) => count + Number(value !== 0), 0);

describe("what is known of them", () => {
  test("SaRA starts as W, and what is not small stays so bit for bit", async () => {
    const { layer, given } = await load("SaRA", 17, 33);
    const w = given.W?.data ?? new Float32Array();
    expect([...layer.merge().data]).toEqual([...w]);
    randomizeParameters(layer, 3);
    layer.merge().data.forEach((value, at) => {
      if (Math.abs(w[at] ?? 0) >= 0.3) expect(value).toBe(w[at]);
    });
    expect(layer.trainable).toBe([...w].filter((value) => Math.abs(value) < 0.3).length);
  });

  test("the gradient of S²FT's columns is those columns of the dense gradient", async () => {
    const { layer } = await load("S2FTColumns", 5, 7);
    const [x, dy] = [testMatrix(1, 4 * 7), testMatrix(2, 4 * 5)];
    const { grads } = layer.backward(x, dy);
    const chosen = [...(layer.patterns()["column_selector(C)"]?.positions ?? [])].map((at) => at % 7);
    const expected = Array.from({ length: 5 }, (_, row) =>
      chosen.map((column) =>
        [0, 1, 2, 3].reduce(
          (sum, token) => sum + (dy[token * 5 + row] ?? 0) * (x[token * 7 + column] ?? 0),
          0,
        ),
      ),
    ).flat();
    const found = (grads as Record<string, { values: Float32Array }>).D?.values ?? new Float32Array();
    expect(relativeError(found, Float64Array.from(expected))).toBeLessThan(1e-6);
  });

  test("SHiRA's structure is a row, a column and the diagonal", async () => {
    const { layer } = await load("SHiRAStruct", 11, 7);
    const kept = new Set(layer.patterns().E?.positions ?? []);
    const all = (size: number): number[] => Array.from({ length: size }, (_, index) => index);
    const rows = all(11).filter((row) => all(7).every((column) => kept.has(row * 7 + column)));
    const columns = all(7).filter((column) => all(11).every((row) => kept.has(row * 7 + column)));
    expect([rows.length, columns.length]).toEqual([1, 1]);
    const expected = all(77).filter(
      (at) => at % 7 === columns[0] || Math.floor(at / 7) === rows[0] || Math.floor(at / 7) === at % 7,
    );
    expect([...kept]).toEqual(expected);
    expect(layer.trainable).toBe(expected.length);
  });

  test("branches of Sparse-IFT have patterns of their own, each of the exact density", async () => {
    const { layer } = await load("SparseParallel", 17, 33);
    const members = [0, 1, 2, 3].map((index) => [...(layer.patterns()[`M[${index}]`]?.positions ?? [])]);
    for (const positions of members) expect(positions).toHaveLength(Math.round((17 * 33) / 4));
    expect(new Set(members.map((positions) => positions.join())).size).toBe(4);
  });

  test("what pruning removed stays 0", async () => {
    const { layer } = await load("Masked", 17, 33, ({ W }) => {
      const data = (W?.data ?? new Float32Array()).map((value) => (Math.abs(value) < 0.5 ? 0 : value));
      return { W: { data, shape: [17, 33] } };
    });
    const before = nonzeros(layer.merge().data);
    expect(before).toBeLessThan(17 * 33);
    expect(layer.trainable).toBe(before);
    for (const { values } of Object.values(layer.parameters())) values.fill(9);
    layer.updated();
    expect(nonzeros(layer.merge().data)).toBe(before);
  });

  test("the mean of replicas under one mask has its positions", async () => {
    const { layer, given } = await load("SparseSoup", 17, 33);
    const replicas = given.T?.data ?? new Float32Array();
    const kept = new Set(layer.patterns().M?.positions ?? []);
    expect(kept.size).toBe(Math.round(0.1 * 17 * 33));
    expect(nonzeros(layer.merge().data)).toBe(kept.size);
    const mean = Float64Array.from({ length: 17 * 33 }, (_, at) =>
      kept.has(at) ? [0, 1, 2].reduce((sum, one) => sum + (replicas[one * 17 * 33 + at] ?? 0), 0) / 3 : 0,
    );
    expect(relativeError(layer.merge().data, mean)).toBeLessThan(1e-6);
  });

  test("Wanda keeps half of each row by weight times norm", async () => {
    const { layer, given } = await load("Wanda", 17, 33);
    const [w, norms] = [given.W?.data ?? new Float32Array(), given.norms?.data ?? new Float32Array()];
    const expected: number[] = [];
    for (let row = 0; row < 17; row += 1) {
      const scores = Array.from({ length: 33 }, (_, column) => {
        const at = row * 33 + column;
        return { at, score: Math.abs(Math.fround((w[at] ?? 0) * (norms[column] ?? 0))) };
      });
      const best = scores.sort((a, b) => b.score - a.score || a.at - b.at).slice(0, Math.round(0.5 * 33));
      expected.push(...best.map(({ at }) => at).sort((a, b) => a - b));
    }
    expect([...(layer.patterns().M?.positions ?? [])]).toEqual(expected);
  });
});
