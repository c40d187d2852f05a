/** Published systems whose weight is made of functions of trained tensors: what the mathematics says of them, run natively. */
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { oracleValues, relativeError } from "../../bench/quickstart/layer-oracle.ts";
import { densify } from "../../compiler/algebra/evaluate-algebra.ts";
import type { DenseParameter, Layer } from "../../runtime/index.ts";
import { checkBackward, loadCase } from "./backward-check.ts";
import {
  type BuiltProgram,
  buildProgram,
  randomizeParameters,
  testMatrix,
  testNumbers,
} from "./built-program.ts";
import { weightGradient } from "./gradient-oracle.ts";

const programs = new Map<string, BuiltProgram>();
beforeAll(async () => {
  for (const file of ["dora", "loha", "lokr", "oft", "boft", "hra", "ia3", "soups", "grafting", "pat", "qst"])
    programs.set(file, await buildProgram({ file: join("stdlib", `${file}.spx`) }));
}, 300_000);

interface Given {
  readonly data: Float32Array;
  readonly shape: number[];
}
const random = (seed: number, ...shape: number[]): Given => ({
  data: testMatrix(
    seed,
    shape.reduce((count, size) => count * size, 1),
  ),
  shape,
});
/** Whole numbers from -4 to 4, of which float32 forms products and sums without rounding. */
const whole = (seed: number, ...shape: number[]): Given => {
  const { data } = random(seed, ...shape);
  return { data: data.map((value) => Math.round(4 * value) + 0), shape };
};
const identity = (n: number): Given => ({
  data: Float32Array.from({ length: n * n }, (_, at) => Number(at % (n + 1) === 0)),
  shape: [n, n],
});

const load = async (file: string, transform: string, given: object): Promise<Layer> =>
  (await programs
    .get(file)
    ?.artefact.transform(transform)
    .load({ seed: 5, ...given })) as Layer;
const values = (layer: Layer, name: string): Float32Array => {
  const found = (layer.parameters() as Readonly<Record<string, DenseParameter>>)[name];
  if (found === undefined) throw new Error(`no ${name}`);
  return found.values;
};
const set = (layer: Layer, name: string, from: (at: number) => number): void => {
  values(layer, name).forEach((_, at, all) => {
    all[at] = from(at);
  });
  layer.updated();
};
/** Adding 0 makes zeros of both signs alike. */
const merged = (layer: Layer): Float32Array => layer.merge().data.map((value) => value + 0);
const less = (left: Float32Array, right: Float32Array): Float64Array =>
  Float64Array.from(left, (value, at) => value - (right[at] ?? 0));
const dot = (left: ArrayLike<number>, right: ArrayLike<number>): number =>
  Array.from(left).reduce((sum, value, at) => sum + value * (right[at] ?? 0), 0);
const rowsOf = <T extends Float32Array | Float64Array>(matrix: T, columns: number): T[] =>
  Array.from({ length: matrix.length / columns }, (_, row) =>
    matrix.slice(row * columns, (row + 1) * columns),
  ) as T[];
/** A Aᵀ. */
const gram = (matrix: Float32Array, columns: number): Float64Array => {
  const rows = rowsOf(matrix, columns);
  return Float64Array.from(rows.flatMap((left) => rows.map((right) => dot(left, right))));
};
/** [rows, inner] times [inner, columns]. */
const product = (left: ArrayLike<number>, right: ArrayLike<number>, inner: number): Float64Array => {
  const columns = right.length / inner;
  return Float64Array.from({ length: (left.length / inner) * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    return Array.from(
      { length: inner },
      (_, k) => (left[row * inner + k] ?? 0) * (right[k * columns + column] ?? 0),
    ).reduce((sum, value) => sum + value, 0);
  });
};
/** By elimination with the largest pivot first. */
const rankOf = (matrix: Float64Array, columns: number): number => {
  let rows = rowsOf(matrix, columns);
  let rank = 0;
  for (;;) {
    const entries = rows.flatMap((row, at) => Array.from(row, (value, column) => ({ value, at, column })));
    const pivot = entries.reduce((a, b) => (Math.abs(b.value) > Math.abs(a.value) ? b : a), {
      value: 0,
      at: 0,
      column: 0,
    });
    if (Math.abs(pivot.value) < 1e-9) return rank;
    const top = rows[pivot.at] ?? new Float64Array();
    rows = rows
      .filter((_, at) => at !== pivot.at)
      .map((row) =>
        row.map((value, column) => value - ((row[pivot.column] ?? 0) / pivot.value) * (top[column] ?? 0)),
      );
    rank++;
  }
};
const tokens = 3;
const pass = (layer: Layer): { gradient: Float64Array; grads: Readonly<Record<string, DenseParameter>> } => {
  const [x, dy] = [testMatrix(6, tokens * layer.in), testMatrix(7, tokens * layer.out)];
  const { grads } = layer.backward(x, dy, { dx: false });
  return {
    gradient: weightGradient(x, dy, tokens).values,
    grads: grads as Readonly<Record<string, DenseParameter>>,
  };
};
const gradientOf = (found: ReturnType<typeof pass>, name: string): Float32Array =>
  found.grads[name]?.values ?? new Float32Array();

describe("DoRA", () => {
  const [out, inputs, r] = [17, 13, 3];
  const W = random(1, out, inputs);
  test.each(["DoRA", "FullDoRA"])("%s starts at W, and its rows have the norms m", async (name) => {
    const layer = await load("dora", name, { W, r, alpha: 6 });
    expect(relativeError(merged(layer), Float64Array.from(W.data))).toBeLessThan(1e-6);
    randomizeParameters(layer, 3);
    const norms = rowsOf(merged(layer), inputs).map((row) => Math.sqrt(dot(row, row)));
    expect(
      relativeError(Float32Array.from(norms), Float64Array.from(values(layer, "m"), Math.abs)),
    ).toBeLessThan(1e-5);
    layer.dispose();
  });

  test("the gradient of the direction is G m / n, and loses its part along each row where norms are trained", async () => {
    for (const name of ["DoRA", "FullDoRA"]) {
      const layer = await load("dora", name, { W, r, alpha: 6 });
      randomizeParameters(layer, 3);
      const [A, B, m] = ["A", "B", "m"].map((parameter) => values(layer, parameter)) as [
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      const V = product(B, A, r).map((value, at) => (W.data[at] ?? 0) + 2 * value);
      const found = pass(layer);
      const direction = rowsOf(found.gradient, inputs).map((row, at) => {
        const v = V.subarray(at * inputs, (at + 1) * inputs);
        const norm = Math.sqrt(dot(v, v));
        const along = name === "DoRA" ? 0 : dot(row, v) / norm ** 2;
        return row.map((value, column) => ((m[at] ?? 0) / norm) * (value - along * (v[column] ?? 0)));
      });
      const expected = direction.flatMap((row) => rowsOf(A, inputs).map((basis) => 2 * dot(row, basis)));
      expect(relativeError(gradientOf(found, "B"), Float64Array.from(expected)), name).toBeLessThan(1e-5);
      layer.dispose();
    }
  });
});

describe("LoHa", () => {
  test("starts at W, and moves it by a matrix of rank r²", async () => {
    const [out, inputs, r] = [12, 10, 2];
    const W = whole(1, out, inputs);
    const layer = await load("loha", "LoHa", { W, r, alpha: r });
    expect(merged(layer)).toEqual(W.data);
    for (const [at, name] of ["B1", "A1", "B2", "A2"].entries()) {
      const { data } = whole(at + 20, values(layer, name).length);
      set(layer, name, (entry) => data[entry] ?? 0);
    }
    const left = product(values(layer, "B1"), values(layer, "A1"), r);
    const right = product(values(layer, "B2"), values(layer, "A2"), r);
    const moved = less(merged(layer), W.data);
    expect(moved).toEqual(left.map((value, at) => value * (right[at] ?? 0) + 0));
    expect(rankOf(moved, inputs)).toBe(r * r);
    layer.dispose();
  });
});

describe("LoKr", () => {
  const [out, inputs, p, q, r] = [12, 20, 3, 4, 2];
  test.each([
    ["LoKr", { r, alpha: r }, (of: Layer) => [values(of, "C"), product(values(of, "B"), values(of, "A"), r)]],
    ["FullLoKr", {}, (of: Layer) => [values(of, "C"), values(of, "D")]],
    [
      "ThinLoKr",
      { r, alpha: r },
      (of: Layer) => [
        product(values(of, "F"), values(of, "E"), r),
        product(values(of, "B"), values(of, "A"), r),
      ],
    ],
  ] as const)(
    "%s starts at W, and moves each block by a multiple of one matrix",
    async (name, numbers, factors) => {
      const W = whole(1, out, inputs);
      const layer = await load("lokr", name, { W, p, q, ...numbers });
      expect(merged(layer)).toEqual(W.data);
      for (const [at, parameter] of Object.keys(layer.parameters() as object).entries()) {
        const { data } = whole(at + 20, values(layer, parameter).length);
        set(layer, parameter, (entry) => data[entry] ?? 0);
      }
      const [C, D] = factors(layer);
      const [height, width] = [out / p, inputs / q];
      const expected = Float64Array.from({ length: out * inputs }, (_, at) => {
        const [row, column] = [Math.floor(at / inputs), at % inputs];
        const scale = C?.[Math.floor(row / height) * q + Math.floor(column / width)] ?? 0;
        return scale * (D?.[(row % height) * width + (column % width)] ?? 0);
      });
      expect(less(merged(layer), W.data)).toEqual(expected.map((value) => value + 0));
      layer.dispose();
    },
  );
});

describe("orthogonal updates", () => {
  const systems = [
    ["oft", "OFT", { size: 4 }, 24],
    ["boft", "BOFT", { size: 4 }, 32],
    ["hra", "HRA", { r: 3 }, 11],
  ] as const;
  test.each(systems)("%s starts at W", async (file, name, numbers, inputs) => {
    const W = random(1, 7, inputs);
    const layer = await load(file, name, { W, ...numbers });
    expect(relativeError(merged(layer), Float64Array.from(W.data))).toBeLessThan(1e-5);
    layer.dispose();
  });

  test.each(systems)(
    "%s turns the rows of W and keeps their products",
    async (file, name, numbers, inputs) => {
      const turn = await load(file, name, { W: identity(inputs), ...numbers });
      randomizeParameters(turn, 3);
      gram(merged(turn), inputs).forEach((value, at) => {
        expect(Math.abs(value - (identity(inputs).data[at] ?? 0))).toBeLessThan(1e-5);
      });
      expect(relativeError(merged(turn), Float64Array.from(identity(inputs).data))).toBeGreaterThan(0.1);
      const W = random(1, 7, inputs);
      const layer = await load(file, name, { W, ...numbers });
      randomizeParameters(layer, 3);
      expect(
        relativeError(Float32Array.from(gram(merged(layer), inputs)), gram(W.data, inputs)),
      ).toBeLessThan(1e-5);
      expect(relativeError(merged(layer), product(W.data, merged(turn), inputs))).toBeLessThan(1e-5);
      turn.dispose();
      layer.dispose();
    },
  );

  test("a block of OFT of two inputs is the rotation whose half angle has the tangent q", async () => {
    const layer = await load("oft", "OFT", { W: identity(4), size: 2 });
    const tangents = [0.5, -2];
    set(layer, "q", (at) => tangents[at] ?? 0);
    const expected = new Float64Array(16);
    for (const [block, t] of tangents.entries()) {
      const [cos, sin] = [(1 - t * t) / (1 + t * t), (2 * t) / (1 + t * t)];
      expected.set([cos, -sin], 10 * block);
      expected.set([sin, cos], 10 * block + 4);
    }
    expect(relativeError(merged(layer), expected)).toBeLessThan(1e-6);
    layer.dispose();
  });

  test("an input of OFT reaches `size` others, one of BOFT size²", async () => {
    for (const [file, name, reached] of [
      ["oft", "OFT", 4],
      ["boft", "BOFT", 16],
    ] as const) {
      const layer = await load(file, name, { W: identity(32), size: 4 });
      randomizeParameters(layer, 3);
      const counts = rowsOf(merged(layer), 32).map((row) => row.filter((value) => value !== 0).length);
      expect(counts).toEqual(new Array(32).fill(reached));
      layer.dispose();
    }
  });

  test("BOFT of four factors of two mixes one binary digit after the other", async () => {
    const [inputs, m] = [32, 4];
    const many = await buildProgram({
      text: 'import { BOFT } from "boft"\nmodel Deep { for "**" use BOFT(size: 2, m: 4) }',
    });
    const layer = (await many.artefact.transform("BOFT_m4").load({ W: identity(inputs), size: 2 })) as Layer;
    randomizeParameters(layer, 3);
    const q = values(layer, "q");
    let expected = Float64Array.from(identity(inputs).data);
    for (let digit = m - 1; digit >= 0; digit--) {
      const stride = 2 ** digit;
      const factor = new Float64Array(inputs * inputs);
      // Pairs that differ in the digit, in the order of the other digits, the higher ones of `digit` varying fastest.
      let block = 0;
      for (let low = 0; low < stride; low++)
        for (let high = 0; high < inputs / (2 * stride); high++, block++) {
          const [a, b] = [low + 2 * stride * high, low + 2 * stride * high + stride];
          const t = q[digit * (inputs / 2) + block] ?? 0;
          const [cos, sin] = [(1 - t * t) / (1 + t * t), (2 * t) / (1 + t * t)];
          factor[a * inputs + a] = cos;
          factor[b * inputs + b] = cos;
          factor[a * inputs + b] = -sin;
          factor[b * inputs + a] = sin;
        }
      expected = Float64Array.from(product(expected, factor, inputs));
    }
    expect(relativeError(merged(layer), expected)).toBeLessThan(1e-5);
    const reached = rowsOf(merged(layer), inputs).map((row) => row.filter((value) => value !== 0).length);
    expect(reached).toEqual(new Array(inputs).fill(16));
    expect(
      relativeError(Float32Array.from(gram(merged(layer), inputs)), Float64Array.from(identity(inputs).data)),
    ).toBeLessThan(1e-5);
    layer.dispose();
  });

  test("HRA is its reflections one after the other", async () => {
    const [inputs, r] = [11, 3];
    const layer = await load("hra", "HRA", { W: identity(inputs), r });
    randomizeParameters(layer, 3);
    const column = (name: string, at: number): number[] => {
      const all = values(layer, name);
      return Array.from({ length: inputs }, (_, row) => all[row * r + at] ?? 0);
    };
    const chain = [0, 1, 2].map((at) => column("U", at)).concat([2, 1, 0].map((at) => column("V", at)));
    let expected = Float64Array.from(identity(inputs).data);
    for (const u of chain) {
      const square = dot(u, u);
      const reflection = u.flatMap((left, row) =>
        u.map((right, at) => Number(row === at) - (2 * left * right) / square),
      );
      expected = Float64Array.from(product(expected, reflection, inputs));
    }
    expect(relativeError(merged(layer), expected)).toBeLessThan(1e-5);
    layer.dispose();
  });
});

test.each([
  ["IA3", (row: number) => row],
  ["IA3Inputs", (_row: number, column: number) => column],
] as const)("%s scales lines of W, and a factor's gradient is that of its line", async (name, line) => {
  const [out, inputs] = [5, 7];
  const W = whole(1, out, inputs);
  const layer = await load("ia3", name, { W });
  expect(merged(layer)).toEqual(W.data);
  set(layer, "l", (at) => at - 2);
  const place = (at: number): number => line(Math.floor(at / inputs), at % inputs);
  expect(
    less(
      merged(layer),
      W.data.map((value, at) => value * (place(at) - 2)),
    ),
  ).toEqual(new Float64Array(out * inputs));
  const found = pass(layer);
  const expected = new Float64Array(values(layer, "l").length);
  found.gradient.forEach((value, at) => {
    expected[place(at)] = (expected[place(at)] ?? 0) + value * (W.data[at] ?? 0);
  });
  expect(relativeError(gradientOf(found, "l"), expected)).toBeLessThan(1e-5);
  layer.dispose();
});

describe("soups", () => {
  const [out, inputs, n] = [5, 7, 3];
  const T = random(1, n, out, inputs);
  const members = rowsOf(T.data, out * inputs);
  test("of equal shares are the mean, at the start of a trained one too", async () => {
    const mean = Float64Array.from(
      { length: out * inputs },
      (_, at) => members.reduce((sum, member) => sum + (member[at] ?? 0), 0) / n,
    );
    for (const name of ["UniformSoup", "LearnedSoup"]) {
      const layer = await load("soups", name, { T });
      expect(relativeError(merged(layer), mean), name).toBeLessThan(1e-6);
      layer.dispose();
    }
  });

  test("of identical models are that model, whatever the shares", async () => {
    const one = random(2, out, inputs);
    const same = {
      data: Float32Array.from({ length: n * out * inputs }, (_, at) => one.data[at % (out * inputs)] ?? 0),
      shape: T.shape,
    };
    const layer = await load("soups", "LearnedSoup", { T: same });
    set(layer, "raw", (at) => 2 * at - 1);
    expect(relativeError(merged(layer), Float64Array.from(one.data))).toBeLessThan(1e-6);
    expect(Math.max(...gradientOf(pass(layer), "raw").map(Math.abs))).toBeLessThan(1e-5);
    layer.dispose();
  });

  test("have the gradient <G, Tᵢ> of a share, taken through the softmax", async () => {
    const layer = await load("soups", "LearnedSoup", { T });
    set(layer, "raw", (at) => at * at - 1);
    const powers = Array.from(values(layer, "raw"), Math.exp);
    const shares = powers.map((power) => power / powers.reduce((sum, one) => sum + one, 0));
    const found = pass(layer);
    const along = members.map((member) => dot(found.gradient, member));
    const mean = dot(shares, along);
    const expected = shares.map((share, at) => share * ((along[at] ?? 0) - mean));
    expect(relativeError(gradientOf(found, "raw"), Float64Array.from(expected))).toBeLessThan(1e-5);
    expect(Math.abs(expected.reduce((sum, value) => sum + value, 0))).toBeLessThan(1e-9);
    layer.dispose();
  });

  test("between two weights end at each of them", async () => {
    const [W, V] = [whole(1, out, inputs), whole(2, out, inputs)];
    for (const [mix, expected] of [
      [0, W.data],
      [1, V.data],
      [0.5, W.data.map((value, at) => (value + (V.data[at] ?? 0)) / 2)],
    ] as const) {
      const layer = await load("soups", "WiSE", { W, V, mix });
      expect(less(merged(layer), expected)).toEqual(new Float64Array(out * inputs));
      layer.dispose();
    }
  });
});

describe("grafting", () => {
  const [out, inputs] = [5, 7];
  const [W, V] = [whole(1, out, inputs), whole(2, out, inputs)];
  const moved = less(V.data, W.data);
  /** Far below the bias nothing flips, far above it everything does. */
  const settled = async (count: number, S: number): Promise<Layer> => {
    const layer = await load("grafting", "SkillGrafting", { W, V, count });
    set(layer, "S", () => S);
    return layer;
  };

  test("of γ = 0 is W, of γ = 1 is V, from either patch", async () => {
    for (const [count, S, end] of [
      [0, -1e4, W],
      [out * inputs, -1e4, V],
      [0, 1e4, V],
      [out * inputs, 1e4, W],
    ] as const) {
      const layer = await settled(count, S);
      expect(less(merged(layer), end.data), `${count} ${S}`).toEqual(new Float64Array(out * inputs));
      layer.dispose();
    }
  });

  test("of a patch is V on it and W elsewhere, and no patch of its size leaves less", async () => {
    const count = 9;
    const layer = await settled(count, -1e4);
    const patch = new Set(layer.patterns().P?.positions ?? []);
    expect(patch.size).toBe(count);
    expect([...merged(layer)]).toEqual([...W.data].map((value, at) => (patch.has(at) ? V.data[at] : value)));
    const left = less(V.data, merged(layer));
    const sorted = Array.from(moved, (value) => value * value).sort((a, b) => a - b);
    expect(dot(left, left)).toBe(sorted.slice(0, -count).reduce((sum, value) => sum + value, 0));
    layer.dispose();
  });

  test("has the gradient (1 - 2 P) G (V - W) σ'(S - bias)", async () => {
    const layer = await load("grafting", "SkillGrafting", { W, V, count: 9, bias: 0.5 });
    const next = testNumbers(9);
    set(layer, "S", () => 2 * next());
    const patch = new Set(layer.patterns().P?.positions ?? []);
    const found = pass(layer);
    const expected = Float64Array.from(values(layer, "S"), (value, at) => {
      const flips = 1 / (1 + Math.exp(0.5 - value));
      const sign = patch.has(at) ? -1 : 1;
      return sign * (found.gradient[at] ?? 0) * (moved[at] ?? 0) * flips * (1 - flips);
    });
    expect(relativeError(gradientOf(found, "S"), expected)).toBeLessThan(1e-5);
    layer.dispose();
  });
});

describe("PAT", () => {
  const gate = (mu: number, step: number): number => {
    const heat = 1 / (1 - Math.log(Math.min(Math.max(step, 1), 8000)) / Math.log(10_000) + 1e-6);
    const exponent = Math.min(Math.max(heat * mu, -10), 10);
    return 1 / (1 + Math.exp(-exponent)) + Math.max(0, 0.5 - step / 10_000);
  };

  test("starts at W, and its gates close and open as published", async () => {
    const W = random(1, 8, 5);
    const start = await load("pat", "PAT", { W, r: 3 });
    expect(merged(start)).toEqual(W.data);
    start.dispose();
    const layer = await load("pat", "PAT", { W: identity(2), r: 1 });
    set(layer, "mu", (at) => 0.5 - at);
    for (const [step, open, closed, digits] of [
      [2500, 1.215, 0.285, 3],
      [5000, 0.9987, 0.0013, 4],
      [8000, 1, 4.5e-5, 4],
      [9999, 1, 4.5e-5, 4],
    ] as const) {
      layer.at({ step });
      const [first = 0, , , last = 0] = merged(layer);
      expect(first).toBeCloseTo(open, digits);
      expect(last).toBeCloseTo(closed, digits);
      expect(last / gate(-0.5, step)).toBeCloseTo(1, 4);
    }
    layer.dispose();
  });

  test.each([0, 1, 700, 2500, 6000, 8000])(
    "its kernels and gradients at step %i are those of the formula",
    async (step) => {
      const stages = programs.get("pat")?.stages.get("PAT") ?? expect.fail("no PAT");
      const W = random(1, 17, 13);
      const layer = await load("pat", "PAT", { W, r: 2 });
      randomizeParameters(layer, 3);
      const { numbers } = layer.at({ step });
      const read = oracleValues(stages, layer, { W });
      const now = { ...read, numbers: new Map([...read.numbers, ...Object.entries(numbers)]) };
      const weight = densify(stages.built.root, now);
      const [mu, scale] = [values(layer, "mu"), values(layer, "v")];
      const added = product(values(layer, "L1"), product(values(layer, "L0"), W.data, 17), 2);
      const expected = added.map((value, at) => {
        const row = Math.floor(at / 13);
        return (scale[row] ?? 0) * gate(mu[row] ?? 0, step) * (value + (W.data[at] ?? 0));
      });
      expect(relativeError(merged(layer), expected)).toBeLessThan(1e-5);
      await checkBackward({ layer, stages, values: now, weight });
      const settled = gradientOf(pass(layer), "mu").every((value) => value === 0);
      expect(settled).toBe(step >= 8000);
      layer.dispose();
    },
  );
});

describe("QST", () => {
  test("mixes the trunk and the side network by gates that start at σ(0.5)", async () => {
    const layer = await load("qst", "QSTMix", { W: random(1, 3, 6) });
    const share = 1 / (1 + Math.exp(-0.5));
    const lines = (left: number, right: number): Float64Array =>
      Float64Array.from({ length: 18 }, (_, at) => {
        const [row, column] = [Math.floor(at / 6), at % 6];
        return column === row ? left : column === row + 3 ? right : 0;
      });
    expect(relativeError(merged(layer), lines(1 - share, share))).toBeLessThan(1e-6);
    for (const [z, left, right] of [
      [1e4, 0, 1],
      [-1e4, 1, 0],
    ] as const) {
      set(layer, "z", () => z);
      expect(Float64Array.from(merged(layer))).toEqual(lines(left, right));
    }
    layer.dispose();
  });

  test("the gradients of its head are those of the formula", async () => {
    const program = programs.get("qst") ?? expect.fail("no QST");
    const loaded = await loadCase(program, "QSTHead", 17, 13, { w: 5 });
    await checkBackward(loaded);
    loaded.layer.dispose();
  });

  test("its head is that of the trunk for z = ∞, and that of the side network for z = -∞", async () => {
    const [out, inputs, w] = [7, 5, 3];
    const W = whole(1, out, inputs);
    const layer = await load("qst", "QSTHead", { W, w });
    expect([layer.out, layer.in]).toEqual([out, w + inputs]);
    const share = 1 / (1 + Math.exp(-1));
    const up = (part: number): Float64Array =>
      product(W.data, values(layer, "U"), inputs).map((value) => part * value);
    const beside = (left: ArrayLike<number>, part: number): Float64Array =>
      Float64Array.from({ length: out * (w + inputs) }, (_, at) => {
        const [row, column] = [Math.floor(at / (w + inputs)), at % (w + inputs)];
        return column < w ? (left[row * w + column] ?? 0) : part * (W.data[row * inputs + column - w] ?? 0);
      });
    expect(relativeError(merged(layer), beside(up(1 - share), share))).toBeLessThan(1e-5);
    for (const [z, part] of [
      [1e4, 1],
      [-1e4, 0],
    ] as const) {
      set(layer, "z", () => z);
      expect(relativeError(merged(layer), beside(up(1 - part), part))).toBeLessThan(1e-6);
    }
    layer.dispose();
  });
});

test("ones are a matrix also in what is computed at load", async () => {
  const program = await buildProgram({
    text: `import { ones } from "std/functions"
transform Sums(W: [out, in]) {
  param T: [out, in] = W @ ones(in, in)
  param s: [1, in]   = ones(1, out) @ W
  weight = T + ones(out, 1) @ s
}`,
  });
  const [out, inputs] = [5, 7];
  const W = whole(1, out, inputs);
  const layer = (await program.artefact.transform("Sums").load({ W })) as Layer;
  const sums = rowsOf(W.data, inputs).map((row) => row.reduce((sum, value) => sum + value, 0));
  expect([...values(layer, "T")]).toEqual(sums.flatMap((sum) => new Array(inputs).fill(sum)));
  const columns = product(new Array(out).fill(1), W.data, out);
  expect([...values(layer, "s")]).toEqual([...columns]);
  layer.dispose();
});
