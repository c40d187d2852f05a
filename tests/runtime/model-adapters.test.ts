/** A layer with several adapters on the CPU, against float64, and what a caller can get wrong. */
import { describe, expect, it } from "vitest";
import type { DenseParameter, Layer, SparseParameter } from "../../runtime/model/layer.ts";
import { artefactOver } from "../../runtime/model/open-artefact.ts";
import type { LoadOptions } from "../../runtime/model/transform.ts";
import { fillNormal } from "../../runtime/random/distributions.ts";
import { randomStream } from "../../runtime/random/philox.ts";
import { float32ToBfloat16 } from "../../runtime/tensor/half-precision.ts";
import { tensor } from "../../runtime/tensor/tensor.ts";
import { sampleDevice, sampleManifest } from "./model-sample.ts";
import { codeOf } from "./thrown-error.ts";

interface SampleArguments extends LoadOptions {
  readonly W: unknown;
}
interface SampleParameters {
  readonly B: DenseParameter;
  readonly A: DenseParameter;
  readonly S: SparseParameter;
}

const noise = (name: string, count: number): Float32Array =>
  fillNormal(randomStream(9, name), new Float32Array(count));

type Case = [out: number, inputs: number, ranks: readonly number[], chosen: readonly number[]];

function load(out: number, inputs: number): Promise<Layer<SampleParameters>> {
  const device = sampleDevice();
  const manifest = sampleManifest();
  const artefact = artefactOver(
    () => manifest,
    () => device,
  );
  const transform = artefact.transform<SampleArguments, SampleParameters>("Sample");
  return transform.load({ W: { data: noise("W", out * inputs), shape: [out, inputs] } });
}

const adapterOf = (number: number, r: number, out: number, inputs: number) => ({
  A: tensor("f32", [r, inputs], noise(`A${number}`, r * inputs)),
  B: tensor("f32", [out, r], noise(`B${number}`, out * r)),
  scale: 1 / (number + 1),
});

describe("several adapters on one layer", () => {
  it.each([
    [16, 24, [4], [0]],
    [17, 21, [3, 1, 8], [2, -1, 0, 1, 2, 2, -1, 0]],
    [40, 9, [2, 0], [1, 0, 1, 0, 0]],
    [9, 8, [], [-1, -1]],
    [9, 8, [1], []],
  ] satisfies Case[])("%i x %i, ranks %j, tokens %j", async (out, inputs, ranks, chosen) => {
    const layer = await load(out, inputs);
    const given = ranks.map((r, number) => adapterOf(number, r, out, inputs));
    const index = Int32Array.from(chosen);
    const x = noise("x", index.length * inputs);
    const expected = Float64Array.from(layer.forward(x).data);
    chosen.forEach((adapter, token) => {
      const own = given[adapter];
      const r = ranks[adapter] ?? 0;
      for (let row = 0; row < out && own !== undefined; row++)
        for (let j = 0; j < r; j++)
          for (let k = 0; k < inputs; k++)
            expected[token * out + row] =
              (expected[token * out + row] ?? 0) +
              own.scale *
                (own.B.data[row * r + j] ?? 0) *
                (own.A.data[j * inputs + k] ?? 0) *
                (x[token * inputs + k] ?? 0);
    });
    const adapters = layer.adapters(given);
    expect(adapters.count).toBe(ranks.length);
    for (const y of [adapters.forward(x, index), await adapters.forwardAsync(x, index)]) {
      expect(y.shape).toEqual([index.length, out]);
      y.data.forEach((value, at) => void expect(value).toBeCloseTo(expected[at] ?? Number.NaN, 3));
    }
    layer.dispose();
  });

  it("takes factors as parameters lend them and in 16 bits, and keeps what they were", async () => {
    const layer = await load(12, 16);
    const { A, B } = adapterOf(0, 2, 12, 16);
    const halves = float32ToBfloat16(A.data);
    const values = B.data.slice();
    const adapters = layer.adapters([{ A: tensor("bf16", [2, 16], halves), B: { values, shape: [12, 2] } }]);
    const x = noise("x", 16);
    const before = adapters.forward(x, Int32Array.of(0));
    expect(before).not.toEqual(layer.forward(x));
    values.fill(0);
    expect(adapters.forward(x, Int32Array.of(0))).toEqual(before);
    layer.dispose();
  });

  it("says what does not fit", async () => {
    const layer = await load(12, 16);
    const fitting = adapterOf(0, 2, 12, 16);
    const wrong = tensor("f32", [12, 3], noise("B", 36));
    expect(codeOf(() => layer.adapters([{ ...fitting, B: wrong }]))).toBe("SPX8405");
    expect(codeOf(() => layer.adapters([{ ...fitting, A: wrong }]))).toBe("SPX8405");
    expect(codeOf(() => layer.adapters([{ ...fitting, scale: Number.NaN }]))).toBe("SPX8407");
    expect(codeOf(() => layer.adapters([{ ...fitting, A: 3 as never }]))).toBe("SPX8403");
    const adapters = layer.adapters([fitting]);
    const x = noise("x", 32);
    expect(codeOf(() => adapters.forward(x, Int32Array.of(0)))).toBe("SPX8405");
    expect(codeOf(() => adapters.forward(x, Int32Array.of(0, 1)))).toBe("SPX8407");
    expect(codeOf(() => adapters.forward(x, Int32Array.of(-2, 0)))).toBe("SPX8407");
    expect(codeOf(() => adapters.forward(x, [0, 0] as never))).toBe("SPX8404");
    layer.dispose();
  });
});
