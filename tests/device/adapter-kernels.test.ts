// Several adapters in one batch on the device level: the table that the runtime makes and both kernels, by the interpreter,
// exactly, because the numbers are small integers.
import { describe, expect, it } from "vitest";
import { lowerDeviceAdapters } from "../../compiler/device/lower-device-adapters.ts";
import type { CudaElements } from "../../runtime/contract/cuda.ts";
import { adapterCount, adapterRank } from "../../runtime/contract/cuda.ts";
import { symbol } from "../../runtime/contract/number-expression.ts";
import { adapterSegments, adapterTable } from "../../runtime/model/adapter-factors.ts";
import { decode, encode } from "./device-case.ts";
import { runSequence } from "./run-device.ts";

const small = (index: number, seed: number): number => ((Math.imul(index + seed, 2654435761) >>> 20) % 5) - 2;
const vector = (count: number, seed: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: count }, (_, at) => small(at, seed));

interface Case {
  readonly out: number;
  readonly inputs: number;
  readonly ranks: readonly number[];
  /** The adapter of each token. */
  readonly index: readonly number[];
}

/** y + B A x in float64, by plain loops, and what the kernels made of the same numbers. */
function run({ out, inputs, ranks, index }: Case, elements: CudaElements) {
  const batch = index.length;
  const rows = ranks.reduce((sum, rank) => sum + rank, 0);
  const [x, y] = [vector(batch * inputs, 3), vector(batch * out, 5)];
  const [down, up] = [vector(rows * inputs, 7), vector(rows * out, 11)];
  const places = ranks.map((rank, adapter) => ({
    rank,
    first: ranks.slice(0, adapter).reduce((sum, before) => sum + before, 0),
  }));
  const expected = Float64Array.from(y);
  index.forEach((adapter, token) => {
    const { first = 0, rank = 0 } = places[adapter] ?? {};
    for (let j = first; j < first + rank; j++) {
      let thin = 0;
      for (let k = 0; k < inputs; k++) thin += (down[j * inputs + k] ?? 0) * (x[token * inputs + k] ?? 0);
      for (let row = 0; row < out; row++)
        expected[token * out + row] = (expected[token * out + row] ?? 0) + (up[j * out + row] ?? 0) * thin;
    }
  });
  const factors = { ranks: places };
  const table = adapterTable(factors, adapterSegments(factors, Int32Array.from(index), batch), batch);
  const output = encode(y, elements).slice();
  const brought = {
    down: encode(down, elements),
    up: encode(up, elements),
    table: new Uint8Array(table.buffer as ArrayBuffer),
  };
  const lowered = lowerDeviceAdapters({ rows: symbol("out"), columns: symbol("in") }, elements, "adapters");
  const symbols = new Map([
    ["out", out],
    ["in", inputs],
    ["batch", batch],
    [adapterCount, ranks.length],
    [adapterRank, Math.max(...ranks)],
  ]);
  const launched = runSequence(lowered, symbols, (pointer) => {
    if (pointer.kind === "adapters") return { data: brought[pointer.of], initialised: true };
    if (pointer.kind === "input") return { data: encode(x, elements), initialised: true };
    if (pointer.kind === "output") return { data: output, initialised: true };
    throw new TypeError(`a call with adapters has no ${pointer.kind}`);
  });
  return { found: Float64Array.from(decode(output, elements)), expected, launched };
}

const mixed = (count: number, adapters: number): readonly number[] =>
  Array.from({ length: count }, (_, token) => ((token * 7 + 2) % (adapters + 1)) - 1);

describe("several adapters in one batch", () => {
  it.each<readonly [string, Case]>([
    ["one token", { out: 1, inputs: 1, ranks: [1], index: [0] }],
    ["one token, the second of two", { out: 129, inputs: 257, ranks: [3, 5], index: [1] }],
    ["no token with one", { out: 5, inputs: 7, ranks: [2], index: [-1, -1, -1] }],
    ["all tokens with the same", { out: 33, inputs: 31, ranks: [4, 9], index: Array(17).fill(1) }],
    ["a tile and one token more of each", { out: 17, inputs: 40, ranks: [1, 4], index: mixed(27, 2) }],
    ["more adapters than tokens", { out: 128, inputs: 256, ranks: [1, 2, 3, 4, 5, 6], index: [5, -1, 0] }],
    ["ranks from none to eight", { out: 130, inputs: 64, ranks: [8, 0, 5], index: mixed(21, 3) }],
  ])("%s", (_, given) => {
    const { found, expected, launched } = run(given, "f32");
    expect(found).toEqual(expected);
    expect(launched).toEqual(["adapters_f32_thin", "adapters_f32_add"]);
  });

  it.each(["bf16", "f16", "tf32"] as const)("%s: exact where every number is one of the type", (elements) => {
    const { found, expected } = run({ out: 19, inputs: 9, ranks: [2, 1], index: mixed(11, 2) }, elements);
    expect(found).toEqual(expected);
  });

  it("the table holds tiles, those of no tokens last, then the token of each slot", () => {
    const factors = { ranks: [{ rank: 1, first: 0 }] };
    const table = adapterTable(factors, [{ adapter: 0, tokens: [0, 9] }], 10);
    expect([...table.subarray(0, 8)]).toEqual([0, 1, 0, 2, 0, 0, 0, 0]);
    expect([...table.subarray(8, 10)]).toEqual([0, 9]);
  });
});
