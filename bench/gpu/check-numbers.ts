/**
 * Numbers of a device against float64: fresh random inputs at odd sizes, results poisoned with NaN beforehand, forward in
 * every number type that was built, adapters by token, gradients against those of the CPU.
 */
import type { CudaElements } from "../../runtime/contract/cuda.ts";
import type { DeviceState } from "../../runtime/device/cuda/cuda-device.ts";
import { isConditionCode, SpxError } from "../../runtime/errors.ts";
import { elementTypeOf } from "../../runtime/model/device-batch.ts";
import type { DeviceLayer } from "../../runtime/model/device-layer.ts";
import type { DenseParameter, Layer, SparseParameter } from "../../runtime/model/layer.ts";
import type { Artefact } from "../../runtime/model/open-artefact.ts";
import { fillNormal } from "../../runtime/random/distributions.ts";
import { randomStream } from "../../runtime/random/philox.ts";
import { fromFloat32, toFloat32 } from "../../runtime/tensor/convert.ts";
import { tensor } from "../../runtime/tensor/tensor.ts";
import { checkedBatches, checkedShapes, checkedSquares } from "./gpu-cells.ts";

export interface NumberCheck {
  readonly what: string;
  /** Largest error as a part of Σ|w||x|, and what is allowed. */
  readonly error: number;
  readonly allowed: number;
}

/** Of Σ|w||x|: rounding of factors and results of the type, with room for the order of additions. */
const allowed: Readonly<Record<CudaElements, number>> = {
  f32: 2 ** -18,
  tf32: 2 ** -9,
  bf16: 2 ** -6,
  f16: 2 ** -9,
};

/** Few sizes, for a run under compute-sanitizer, which takes a hundred times as long. */
const quickShapes = [checkedShapes[2], checkedShapes[5]].flatMap((shape) =>
  shape === undefined ? [] : [shape],
);
const quickBatches = [1, 17, 65];

/** Every check that was made; `seed` makes the inputs. */
export async function* checkNumbers(
  artefact: Artefact,
  device: DeviceState,
  { seed, quick }: { readonly seed: number; readonly quick: boolean },
): AsyncGenerator<NumberCheck> {
  const { transforms, cuda } = artefact.manifest();
  for (const { name } of transforms) {
    const squares = checkedSquares.map((size): readonly [number, number] => [size, size]);
    const shapes =
      name === "Monarch" ? squares.slice(0, quick ? 2 : undefined) : quick ? quickShapes : checkedShapes;
    for (const [out, inputs] of shapes) {
      const layer = await loadRandom(artefact, name, [out, inputs], seed);
      if (layer === null) continue;
      for (const elements of cuda?.elements ?? []) {
        const there = await layer.to(device, { elements });
        yield* checkLayer(layer, there, device, { seed, batches: quick ? quickBatches : checkedBatches });
        there.dispose();
      }
      layer.dispose();
    }
  }
}

type Parameters = Readonly<Record<string, DenseParameter | SparseParameter>>;

const noise = (seed: number, name: string, count: number): Float32Array =>
  fillNormal(randomStream(seed, name), new Float32Array(count));

/** A layer of random numbers; null where the transform refuses the shape. */
export async function loadRandom(
  artefact: Artefact,
  transform: string,
  [out, inputs]: readonly [number, number],
  seed: number,
  numbers: Readonly<Record<string, number>> = {},
): Promise<Layer | null> {
  const W = tensor("f32", [out, inputs], noise(seed, "W", out * inputs));
  const rank = Math.min(16, out, inputs);
  const { arguments: declared = [] } =
    artefact.manifest().transforms.find(({ name }) => name === transform) ?? {};
  const ranked = declared.some(({ name }) => name === "r") && numbers.r === undefined ? { r: rank } : {};
  try {
    const named = artefact.transform<object, Parameters>(transform);
    return await named.load({ W, seed, ...ranked, ...numbers });
  } catch (thrown) {
    if (thrown instanceof SpxError && isConditionCode(thrown.code)) return null;
    throw thrown;
  }
}

/** Forward at each batch; gradients and adapters at 3 and at 17 tokens. */
export async function* checkLayer(
  layer: Layer,
  there: DeviceLayer,
  device: DeviceState,
  { seed, batches }: { readonly seed: number; readonly batches: readonly number[] },
): AsyncGenerator<NumberCheck> {
  const { out, in: inputs } = layer;
  const { elements } = there;
  const weight = Float64Array.from(layer.merge().data);
  const type = elementTypeOf(elements);
  for (const batch of batches) {
    const rounded = fromFloat32(type, [batch, inputs], noise(seed + batch, "x", batch * inputs));
    const x = device.uploadSync(rounded);
    const poison = new Float32Array(batch * out).fill(Number.NaN);
    const y = device.uploadSync(fromFloat32(type, [batch, out], poison));
    there.forward(x, { y });
    const found = toFloat32(await y.toHost());
    const error = largestError(weight, toFloat32(rounded), found, [out, inputs]);
    const what = `${layer.transform} ${out}x${inputs} batch ${batch} ${elements}`;
    yield { what, error, allowed: allowed[elements] };
    x.dispose();
    y.dispose();
    if (batch === 17 || batch === 3) {
      yield* checkGradients(layer, there, what, { seed, batch });
      yield checkAdapters(there, weight, what, { seed, batch });
    }
  }
}

/** Tokens in turn with an adapter of rank 1, one of rank 7 and none, as a part of Σ|w||x| + Σ|b||a||x|. */
function checkAdapters(
  there: DeviceLayer,
  weight: Float64Array,
  what: string,
  { seed, batch }: { readonly seed: number; readonly batch: number },
): NumberCheck {
  const { out, in: inputs, elements } = there;
  const scale = 0.5;
  const given = [1, 7].map((r) => ({
    A: tensor("f32", [r, inputs], noise(seed + r, "A", r * inputs)),
    B: tensor("f32", [out, r], noise(seed + r, "B", out * r)),
    scale,
  }));
  using adapters = there.adapters(given);
  const index = Int32Array.from({ length: batch }, (_, token) => ((token + 1) % 3) - 1);
  const rounded = fromFloat32(elementTypeOf(elements), [batch, inputs], noise(seed, "x", batch * inputs));
  const x = toFloat32(rounded);
  const found = adapters.forward(x, index).data;
  const dot = (a: ArrayLike<number>, row: number, token: number): readonly [sum: number, size: number] => {
    let [sum, size] = [0, 0];
    for (let k = 0; k < inputs; k++) {
      const term = (a[row * inputs + k] ?? 0) * (x[token * inputs + k] ?? 0);
      sum += term;
      size += Math.abs(term);
    }
    return [sum, size];
  };
  let error = 0;
  found.forEach((value, place) => {
    const [token, row] = [Math.floor(place / out), place % out];
    let [sum, size] = dot(weight, row, token);
    const own = given[index[token] ?? -1];
    const rank = own?.A.shape[0] ?? 0;
    for (let j = 0; j < rank; j++) {
      const [thin, thinSize] = dot(own?.A.data ?? [], j, token);
      const factor = scale * (own?.B.data[row * rank + j] ?? 0);
      sum += factor * thin;
      size += Math.abs(factor) * thinSize;
    }
    const part = Math.abs(value - sum) / Math.max(size, Number.MIN_VALUE);
    error = Number.isNaN(part) ? Number.POSITIVE_INFINITY : Math.max(error, part);
  });
  return { what: `${what} adapters`, error, allowed: allowed[elements] };
}

function largestError(
  weight: Float64Array,
  x: Float32Array,
  found: Float32Array,
  [out, inputs]: readonly [number, number],
): number {
  let largest = 0;
  for (let place = 0; place < found.length; place++) {
    const [row, output] = [Math.floor(place / out), place % out];
    let sum = 0;
    let size = 0;
    for (let k = 0; k < inputs; k++) {
      const term = (weight[output * inputs + k] ?? 0) * (x[row * inputs + k] ?? 0);
      sum += term;
      size += Math.abs(term);
    }
    const error = Math.abs((found[place] ?? Number.NaN) - sum) / Math.max(size, Number.MIN_VALUE);
    // NaN is larger than anything.
    if (!(error <= largest)) largest = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
  }
  return largest;
}

/** dx and gradients of parameters, as a part of the largest of each. */
async function* checkGradients(
  layer: Layer,
  there: DeviceLayer,
  what: string,
  { seed, batch }: { readonly seed: number; readonly batch: number },
): AsyncGenerator<NumberCheck> {
  const x = noise(seed + 1, "x", batch * layer.in);
  const dy = noise(seed + 2, "dy", batch * layer.out);
  const expected = layer.backward(x, dy);
  const found = await there.backwardAsync(x, dy);
  const pairs = [
    ["dx", expected.dx.data, found.dx.data] as const,
    ...Object.entries(expected.grads).map(([name, { values }]) => {
      return [`d${name}`, values, found.grads[name]?.values ?? new Float32Array()] as const;
    }),
  ];
  for (const [name, wanted, got] of pairs) {
    const scale = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
    let error = wanted.length === got.length ? 0 : Number.POSITIVE_INFINITY;
    wanted.forEach((value, index) => {
      const difference = Math.abs((got[index] ?? Number.NaN) - value) / scale;
      error = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(error, difference);
    });
    yield { what: `${what} ${name}`, error, allowed: 4 * allowed[there.elements] };
  }
}
