// size: one table of systems, and what is known of each beside it.
/** Published systems that add to, tie, gather or probe a weight: their kernels against the oracle, and what is known of each. */
import { beforeAll, describe, expect, test } from "vitest";
import { oracleValues, relativeError } from "../../bench/quickstart/layer-oracle.ts";
import { densify } from "../../compiler/algebra/evaluate-algebra.ts";
import type { WeightValues } from "../../compiler/algebra/evaluate-source.ts";
import type { TransformStages } from "../../compiler/driver/compilation.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import type { DenseParameter, Layer } from "../../runtime/index.ts";
import { checkBackward, checkForward, type LoadedCase } from "./backward-check.ts";
import { type BuiltProgram, buildProgram, randomizeParameters, testMatrix } from "./built-program.ts";

type Sizes = Readonly<Record<string, number>>;

/** Each transform with its file, the sizes of its tensors and its numbers. */
const systems: Readonly<
  Record<string, { readonly file: string; readonly sizes: readonly Sizes[]; readonly numbers?: Sizes }>
> = {
  AdaLoRA: {
    file: "adalora",
    sizes: [
      { out: 5, in: 4 },
      { out: 17, in: 33 },
    ],
    numbers: { r: 3 },
  },
  RSLoRA: {
    file: "rslora",
    sizes: [
      { out: 5, in: 4 },
      { out: 17, in: 33 },
    ],
    numbers: { r: 4 },
  },
  LoRAFA: {
    file: "lora_fa",
    sizes: [
      { out: 5, in: 4 },
      { out: 17, in: 33 },
    ],
    numbers: { r: 2 },
  },
  MiSS: {
    file: "miss",
    sizes: [
      { out: 5, in: 4 },
      { out: 17, in: 36 },
    ],
    numbers: { r: 4 },
  },
  MoRA: {
    file: "mora",
    sizes: [
      { out: 6, in: 3 },
      { out: 18, in: 33 },
    ],
    numbers: { s: 3 },
  },
  GQA: {
    file: "gqa",
    sizes: [
      { out: 12, in: 5 },
      { out: 36, in: 17 },
    ],
    numbers: { size: 2, group: 3 },
  },
  LEVI: {
    file: "levi",
    sizes: [
      { out: 3, in: 7 },
      { out: 10, in: 33 },
    ],
    numbers: { features: 5 },
  },
  CFSPUp: {
    file: "cfsp",
    sizes: [
      { f: 9, in: 5 },
      { f: 32, in: 17 },
    ],
    numbers: { keep: 0.7, tile: 4 },
  },
  CFSPDown: {
    file: "cfsp",
    sizes: [
      { out: 5, f: 9 },
      { out: 17, f: 32 },
    ],
    numbers: { keep: 0.7, tile: 4 },
  },
  GridPositions: {
    file: "selfie",
    sizes: [
      { out: 6, in: 4 },
      { out: 33, in: 17 },
    ],
    numbers: { h: 3 },
  },
  SenseFinetuning: {
    file: "canonical_examples",
    sizes: [
      { out: 7, in: 4 },
      { out: 40, in: 17 },
    ],
    numbers: { k: 3 },
  },
  Prefix: {
    file: "prefix",
    sizes: [
      { out: 3, in: 4 },
      { out: 10, in: 33 },
    ],
    numbers: { e: 4, middle: 5 },
  },
  Verbalizer: {
    file: "pet",
    sizes: [
      { tokens: 9, in: 4 },
      { tokens: 50, in: 17 },
    ],
    numbers: { classes: 3 },
  },
  SparseMeZO: {
    file: "sparse_mezo",
    sizes: [
      { out: 5, in: 4 },
      { out: 17, in: 33 },
    ],
    numbers: { h: 0.5, eps: 0.125 },
  },
  SparseThenPrune: {
    file: "sparse_then_prune",
    sizes: [
      { out: 5, in: 4 },
      { out: 17, in: 33 },
    ],
  },
  MaskSparsity: {
    file: "mask_sparsity",
    sizes: [
      { out: 5, in: 4 },
      { out: 17, in: 33 },
    ],
  },
  ProgressiveSaRA: {
    file: "sara",
    sizes: [
      { out: 5, in: 4 },
      { out: 17, in: 33 },
    ],
    numbers: { tau: 0.4 },
  },
};
const names = Object.keys(systems);

/** Their weights have another shape than the tensor that they read, so that no rule of a model can name them. */
const alone = ["cfsp", "pet"];

const programs = new Map<string, BuiltProgram>();
beforeAll(async () => {
  const ruled = names.filter((name) => !alone.includes(systems[name]?.file ?? ""));
  const imports = ruled.map((name) => `import { ${name} } from "${systems[name]?.file}"`);
  const models = ruled.map((name) => `model Of${name} { for "**" use ${name} }`);
  programs.set("", await buildProgram({ text: [...imports, ...models].join("\n") }));
  for (const file of alone) programs.set(file, await buildProgram({ file: `stdlib/${file}.spx` }));
}, 300_000);

function programOf(name: string): BuiltProgram {
  const found = programs.get(systems[name]?.file ?? "") ?? programs.get("");
  if (found === undefined) throw new Error(`no program of ${name}`);
  return found;
}

const loadWith = async (name: string, given: object): Promise<Layer> =>
  (await programOf(name)
    .artefact.transform(name)
    .load(given as never)) as Layer;

interface Given {
  readonly data: Float32Array;
  readonly shape: number[];
}

async function load(
  name: string,
  sizes: Sizes,
  numbers: Sizes = systems[name]?.numbers ?? {},
): Promise<LoadedCase & { readonly given: Readonly<Record<string, Given>> }> {
  const stages = programOf(name).stages.get(name);
  if (stages === undefined) throw new Error(`no ${name}`);
  const symbols = new Map([...Object.entries(sizes), ...Object.entries(stages.checked.constants)]);
  const given: Record<string, Given> = {};
  for (const [index, argument] of stages.checked.arguments.entries()) {
    if (argument.kind !== "tensor") continue;
    const shape = argument.dimensions.map((size) => evaluateNumber(size, symbols));
    const entries = shape.reduce((product, size) => product * size, 1);
    given[argument.name] = { data: testMatrix(entries + index, entries), shape };
  }
  const layer = await loadWith(name, { ...given, ...numbers, seed: 1 });
  const values = valuesNow(stages, layer, given);
  return { layer, stages, values, weight: densify(stages.built.root, values), given };
}

/** What the oracle reads of a layer at its first step. */
function valuesNow(
  stages: TransformStages,
  layer: Layer,
  given: Readonly<Record<string, Given>>,
): WeightValues {
  const { checked } = stages;
  const read = oracleValues(stages, layer, given);
  const clocks = Object.fromEntries((checked.time?.clocks ?? []).map((clock) => [clock, 0]));
  const numbers: Readonly<Record<string, number>> = checked.time === null ? {} : layer.at(clocks).numbers;
  return { ...read, numbers: new Map([...read.numbers, ...Object.entries(numbers)]) };
}

const parameter = (layer: Layer, name: string): Float32Array => {
  const found = (layer.parameters() as Readonly<Record<string, DenseParameter>>)[name];
  if (found === undefined) throw new Error(`no ${name}`);
  return found.values;
};
const at = (values: ArrayLike<number>, index: number): number => values[index] ?? Number.NaN;

/** The matrix [rows, columns] with the entries f(i, j). */
const matrix = (rows: number, columns: number, f: (i: number, j: number) => number): Float64Array =>
  Float64Array.from({ length: rows * columns }, (_, place) =>
    f(Math.floor(place / columns), place % columns),
  );

describe("kernels", () => {
  test.each(names)("%s", async (name) => {
    for (const sizes of systems[name]?.sizes ?? []) {
      const { layer, stages, given } = await load(name, sizes);
      randomizeParameters(layer, 11);
      const values = valuesNow(stages, layer, given);
      const weight = densify(stages.built.root, values);
      checkForward({ layer, weight }, [1, 5, 33]);
      await checkBackward({ layer, stages, values, weight });
      layer.dispose();
    }
  });
});

describe("updates of a frozen weight", () => {
  const [out, inputs] = [12, 9];
  const updateOf = async (name: string, numbers: Sizes, change: (layer: Layer) => void) => {
    const { layer, given } = await load(name, { out, in: inputs }, numbers);
    const W = given.W?.data ?? new Float32Array();
    expect([...layer.merge().data], "starts at W").toEqual([...W]);
    change(layer);
    layer.updated();
    return Float32Array.from(layer.merge().data, (value, place) => value - at(W, place));
  };

  test("AdaLoRA adds s_k times the k-th directions, and gives up those with s_k = 0", async () => {
    let [P, Q]: Float32Array[] = [];
    const update = await updateOf("AdaLoRA", { r: 3 }, (layer) => {
      parameter(layer, "s").set([2, 0, -4]);
      [P, Q] = [parameter(layer, "P"), parameter(layer, "Q")];
    });
    const expected = matrix(
      out,
      inputs,
      (i, j) =>
        2 * at(P ?? [], 3 * i) * at(Q ?? [], j) - 4 * at(P ?? [], 3 * i + 2) * at(Q ?? [], 2 * inputs + j),
    );
    expect(relativeError(update, expected)).toBeLessThan(1e-3);
  });

  test("rank-stabilised: an update of ones has entries alpha √r", async () => {
    const update = await updateOf("RSLoRA", { r: 4, alpha: 3 }, (layer) => {
      parameter(layer, "B").fill(1);
      parameter(layer, "A").fill(1);
    });
    for (const value of update) expect(value).toBeCloseTo(6, 5);
  });

  test("LoRA-FA trains B alone, over the A that was drawn", async () => {
    let A: ArrayLike<number> = [];
    const update = await updateOf("LoRAFA", { r: 2, alpha: 4 }, (layer) => {
      expect(layer.trainable).toBe(2 * out);
      A = layer.frozen().A?.values ?? [];
      parameter(layer, "B").forEach((_, place, all) => {
        all[place] = place % 2 === 0 ? 1 : 0;
      });
    });
    expect(
      relativeError(
        update,
        matrix(out, inputs, (_, j) => 2 * at(A, j)),
      ),
    ).toBeLessThan(1e-5);
  });

  test("MiSS repeats the columns of D over the shards", async () => {
    let D: ArrayLike<number> = [];
    const update = await updateOf("MiSS", { r: 3 }, (layer) => {
      randomizeParameters(layer, 5);
      D = parameter(layer, "D");
    });
    expect(
      relativeError(
        update,
        matrix(out, inputs, (i, j) => at(D, 3 * i + (j % 3))),
      ),
    ).toBeLessThan(1e-5);
  });

  test("MoRA has one entry of M for each pair of groups", async () => {
    let M: ArrayLike<number> = [];
    const update = await updateOf("MoRA", { s: 3 }, (layer) => {
      randomizeParameters(layer, 5);
      M = parameter(layer, "M");
    });
    const expected = matrix(out, inputs, (i, j) => at(M, 3 * Math.floor(i / 4) + Math.floor(j / 3)));
    expect(relativeError(update, expected)).toBeLessThan(1e-5);
  });
});

test("GQA starts at the mean of the heads that share one, and all of a group stay alike", async () => {
  const { layer, given } = await load("GQA", { out: 12, in: 5 }, { size: 2, group: 3 });
  const W = given.W?.data ?? [];
  const meanOf = (row: number, column: number): number => {
    const first = Math.floor(row / 6) * 6 + (row % 2);
    return [0, 1, 2].reduce((sum, head) => sum + at(W, (first + 2 * head) * 5 + column) / 3, 0);
  };
  expect(relativeError(layer.merge().data, matrix(12, 5, meanOf))).toBeLessThan(1e-6);
  expect(layer.trainable).toBe((12 / 3) * 5);
  randomizeParameters(layer, 3);
  const merged = layer.merge().data;
  for (const row of [0, 1, 6, 7])
    for (const head of [1, 2])
      expect([...merged.subarray((row + 2 * head) * 5, (row + 2 * head + 1) * 5)]).toEqual([
        ...merged.subarray(row * 5, (row + 1) * 5),
      ]);
});

test("the heads of LEVI add up to one product", async () => {
  const { layer } = await load("LEVI", { out: 3, in: 4 * 2 + 5 }, { features: 5 });
  randomizeParameters(layer, 3);
  const [Z, U] = [parameter(layer, "Z"), parameter(layer, "U")];
  const x = testMatrix(9, 13);
  const expected = matrix(1, 3, (_, row) => {
    let sum = 0;
    for (let head = 0; head < 4; head++) {
      for (let k = 0; k < 2; k++) sum += at(Z, 8 * row + 2 * head + k) * at(x, 2 * head + k);
      for (let k = 0; k < 5; k++) sum += at(U, (head * 3 + row) * 5 + k) * at(x, 8 + k);
    }
    return sum;
  });
  expect(relativeError(layer.forward(x).data, expected)).toBeLessThan(1e-5);
});

test("a block without the channels of CFSP is the masked block, and the channels come in whole tiles", async () => {
  const numbers = { keep: 0.7, tile: 4 };
  const up = await load("CFSPUp", { f: 18, in: 5 }, numbers);
  const down = await load("CFSPDown", { out: 7, f: 18 }, numbers);
  const score = up.given.score ?? { data: new Float32Array(), shape: [] };
  const { W } = down.given;
  if (W === undefined) throw new Error("no W");
  const lower = await loadWith("CFSPDown", { W, score, ...numbers });
  expect([up.layer.out, lower.in]).toEqual([12, 12]);
  const order = [...score.data.keys()].sort((a, b) => at(score.data, b) - at(score.data, a));
  const kept = new Set(order.slice(0, 12));
  const x = testMatrix(3, 5);
  const first = up.given.W?.data ?? [];
  const hidden = Array.from({ length: 18 }, (_, channel) =>
    kept.has(channel) ? [...x].reduce((sum, value, k) => sum + value * at(first, channel * 5 + k), 0) : 0,
  );
  const expected = matrix(1, 7, (_, row) =>
    hidden.reduce((sum, value, channel) => sum + value * at(W.data, row * 18 + channel), 0),
  );
  expect(relativeError(lower.forward(up.layer.forward(x)).data, expected)).toBeLessThan(1e-5);
});

test("a patch is embedded as its row plus its column", async () => {
  const { layer } = await load("GridPositions", { out: 12, in: 5 }, { h: 3 });
  const [R, C] = [parameter(layer, "R"), parameter(layer, "C")];
  const expected = matrix(
    12,
    5,
    (patch, j) => at(R, Math.floor(patch / 4) * 5 + j) + at(C, (patch % 4) * 5 + j),
  );
  expect(relativeError(layer.merge().data, expected)).toBeLessThan(1e-6);
});

test("senses of the largest scores are trained, and all others stay bit for bit", async () => {
  const { layer, given } = await load("SenseFinetuning", { out: 7, in: 4 }, { k: 2 });
  const [T, score] = [given.T?.data ?? new Float32Array(), given.score?.data ?? new Float32Array()];
  expect([...layer.merge().data]).toEqual([...T]);
  randomizeParameters(layer, 3);
  const merged = layer.merge().data;
  const trained = [...score.keys()]
    .sort((a, b) => at(score, b) - at(score, a))
    .slice(0, 2)
    .sort();
  const D = parameter(layer, "D");
  for (let row = 0; row < 7; row++)
    for (let j = 0; j < 4; j++) {
      const added = trained.includes(row) ? at(D, trained.indexOf(row) * 4 + j) : 0;
      expect(at(merged, row * 4 + j)).toBe(Math.fround(at(T, row * 4 + j) + added));
    }
});

test("a merged prefix is what its network gives", async () => {
  const { layer } = await load("Prefix", { out: 3, in: 4 }, { e: 2, middle: 5 });
  randomizeParameters(layer, 3);
  const [E, U, a, V, b] = ["E", "U", "a", "V", "b"].map((name) => parameter(layer, name)) as Float32Array[];
  const hidden = (i: number, m: number): number =>
    Math.tanh(
      at(a ?? [], m) + [0, 1].reduce((sum, k) => sum + at(E ?? [], 2 * i + k) * at(U ?? [], 5 * k + m), 0),
    );
  const expected = matrix(3, 4, (i, j) =>
    [0, 1, 2, 3, 4].reduce((sum, m) => sum + hidden(i, m) * at(V ?? [], 4 * m + j), at(b ?? [], j)),
  );
  expect(relativeError(layer.merge().data, expected)).toBeLessThan(1e-5);
});

test("a verbalizer's logits are those of its tokens", async () => {
  const { given } = await load("Verbalizer", { tokens: 9, in: 4 });
  const named = { data: new Float32Array(9), shape: [9] };
  for (const token of [7, 2, 5]) named.data[token] = 1;
  const { E } = given;
  const layer = await loadWith("Verbalizer", { E, named, classes: 3 });
  expect([...layer.merge().data]).toEqual(
    [2, 5, 7].flatMap((token) => [...(E?.data.subarray(4 * token, 4 * token + 4) ?? [])]),
  );
});

test("the two sides of a sparse probe give the slope of a quadratic loss", async () => {
  const { layer, given } = await load("SparseMeZO", { out: 17, in: 33 }, { h: 0.5, eps: 0.125 });
  const W = given.W?.data ?? new Float32Array();
  const side = (step: number): Float32Array => {
    layer.at({ step });
    return layer.merge().data.slice();
  };
  const [plus, minus] = [side(0), side(1)];
  const loss = (weight: Float32Array): number => weight.reduce((sum, value) => sum + (value * value) / 2, 0);
  let slope = 0;
  W.forEach((value, place) => {
    const moved = at(plus, place) - value;
    if (Math.abs(value) >= 0.5) expect([at(plus, place), at(minus, place)]).toEqual([value, value]);
    else expect(at(minus, place) - value).toBeCloseTo(-moved, 5);
    slope += (value * moved) / 0.125;
  });
  expect(Math.abs(slope)).toBeGreaterThan(1);
  expect((loss(plus) - loss(minus)) / 0.25 / slope).toBeCloseTo(1, 4);
});

test("pruning at the end of the run keeps the largest entries and nothing before it", async () => {
  const { layer } = await load("SparseThenPrune", { out: 10, in: 12 }, { sparsity: 0.25 });
  randomizeParameters(layer, 7);
  const T = parameter(layer, "T");
  layer.at({ progress: 0.9, step: 1 });
  expect([...layer.merge().data]).toEqual([...T]);
  layer.at({ progress: 1, step: 2 });
  const threshold = [...T].map(Math.abs).sort((a, b) => b - a)[89] ?? Number.NaN;
  expect([...layer.merge().data]).toEqual([...T].map((value) => (Math.abs(value) >= threshold ? value : 0)));
});

test("outputs whose gate has closed go at the end of the run", async () => {
  const { layer } = await load("MaskSparsity", { out: 4, in: 3 }, { threshold: 0.01 });
  const T = parameter(layer, "T");
  parameter(layer, "g").set([1, 0.01, -0.5, 0.001]);
  layer.updated();
  layer.at({ progress: 1, step: 1 });
  const gates = [1, 0, -0.5, 0];
  expect([...layer.merge().data]).toEqual(
    [...T].map((value, place) => at(gates, Math.floor(place / 3)) * value + 0),
  );
});

test("the second stage of SaRA freezes what has grown beyond tau as it is", async () => {
  const { layer, given } = await load("ProgressiveSaRA", { out: 6, in: 7 }, { tau: 0.4, restart: 3 });
  const W = given.W?.data ?? new Float32Array();
  const gradient = (): Float32Array => {
    const dy = testMatrix(4, 2 * 6);
    return (layer.backward(testMatrix(5, 2 * 7), dy).grads as Record<string, DenseParameter>).T?.values ?? W;
  };
  const small = [...W].map((value) => Math.abs(value) < Math.fround(0.4));
  expect([...gradient()].map((value) => value !== 0)).toEqual(small);
  const T = parameter(layer, "T");
  T.forEach((value, place) => {
    if (small[place]) T[place] = place % 2 === 0 ? 0.75 : value;
  });
  layer.updated();
  layer.at({ step: 3 });
  expect([...layer.merge().data]).toEqual([...T]);
  expect([...gradient()].map((value) => value !== 0)).toEqual(
    small.map((kept, place) => kept && place % 2 === 1),
  );
});
