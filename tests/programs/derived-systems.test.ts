/** Published adapters whose weight is made of functions of trained tensors: what the mathematics says of them, run natively. */
import { beforeAll, describe, expect, test } from "vitest";
import { relativeError } from "../../bench/quickstart/layer-oracle.ts";
import type { Layer } from "../../runtime/index.ts";
import { type BuiltProgram, buildProgram, randomizeParameters } from "./built-program.ts";
import {
  buildSystems,
  dot,
  gradientOf,
  gram,
  identity,
  less,
  loadSystem,
  merged,
  pass,
  product,
  random,
  rankOf,
  rowsOf,
  set,
  values,
  whole,
} from "./published-system.ts";

let programs: ReadonlyMap<string, BuiltProgram>;
beforeAll(async () => {
  programs = await buildSystems(["dora", "loha", "lokr", "oft", "boft", "hra", "ia3"]);
}, 300_000);

const load = (file: string, transform: string, given: object): Promise<Layer> =>
  loadSystem(programs.get(file), transform, given);

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
