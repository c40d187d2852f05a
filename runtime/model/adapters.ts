/**
 * A layer with several low-rank adapters, one of which each token of a batch names: the layer runs once for all tokens,
 * then the tokens of each adapter get its thin products added. Stands beside the layer, because any layer can be the base.
 */
import type { TransformManifest } from "../contract/manifest.ts";
import type { ProductKernels } from "../device/cpu/product-kernels.ts";
import type { Tensor } from "../tensor/tensor.ts";
import {
  type AdapterFactors,
  type AdapterSegment,
  adapterSegments,
  type LowRankAdapter,
  packAdapters,
} from "./adapter-factors.ts";
import { type BatchInput, batchOf } from "./batch-input.ts";
import { formWith } from "./form-product.ts";
import type { ForwardOptions, Layer } from "./layer.ts";

export interface Adapters {
  /** How many there are. */
  readonly count: number;
  /**
   * x [batch, in] → [batch, out], y = W x + scale B (A x) with the adapter that `index` names for each token, -1 for none.
   * @throws SpxError as `forward` of the layer, and SPX8404, SPX8405, SPX8407 for the index.
   */
  forward(x: BatchInput, index: Int32Array, options?: ForwardOptions): Tensor<"f32">;
  /** As `forward`; the layer runs on a worker thread, the thin products on the calling one. `x` and `index` must not change before the promise settles. */
  forwardAsync(x: BatchInput, index: Int32Array, options?: ForwardOptions): Promise<Tensor<"f32">>;
}

export function createAdapters(
  layer: Pick<Layer, "forward" | "forwardAsync" | "out" | "in">,
  transform: TransformManifest,
  products: ProductKernels,
  given: readonly LowRankAdapter[],
): Adapters {
  const factors = packAdapters(transform, layer, given);
  const { ranks, down } = factors;
  const downs = ranks.map(({ first, rank }) =>
    transposed(down.subarray(first * layer.in, (first + rank) * layer.in), rank, layer.in),
  );
  const size = { out: layer.out, inputs: layer.in };
  const start = (x: BatchInput, index: Int32Array) => {
    const { values, batch } = batchOf(x, layer.in, transform.name);
    return { values, segments: adapterSegments(factors, index, batch) };
  };
  const add = (segments: readonly AdapterSegment[], x: Float32Array, y: Float32Array): void =>
    addSegments({ ...factors, downs }, segments, x, y, size, products);
  return {
    count: ranks.length,
    forward(x, index, options) {
      const { values, segments } = start(x, index);
      const y = layer.forward(x, options);
      add(segments, values, y.data);
      return y;
    },
    async forwardAsync(x, index, options) {
      const { values, segments } = start(x, index);
      const y = await layer.forwardAsync(x, options);
      add(segments, values, y.data);
      return y;
    },
  };
}

/** y of the tokens of each segment += (x A.T) (scale B.T). */
function addSegments(
  { ranks, downs, up }: AdapterFactors & { readonly downs: readonly Float32Array[] },
  segments: readonly AdapterSegment[],
  x: Float32Array,
  y: Float32Array,
  { out, inputs }: { readonly out: number; readonly inputs: number },
  products: ProductKernels,
): void {
  const multiply = formWith(products);
  const dense = (rows: number, columns: number, values: Float32Array) =>
    ({ kind: "dense", rows, columns, values }) as const;
  for (const { adapter, tokens } of segments) {
    const { first = 0, rank = 0 } = ranks[adapter] ?? {};
    const gathered = new Float32Array(tokens.length * inputs);
    tokens.forEach((token, slot) => {
      gathered.set(x.subarray(token * inputs, (token + 1) * inputs), slot * inputs);
    });
    const own = downs[adapter] ?? new Float32Array();
    const thin = multiply({
      left: dense(tokens.length, inputs, gathered),
      right: dense(inputs, rank, own),
    });
    const added = multiply({
      left: thin,
      right: dense(rank, out, up.subarray(first * out, (first + rank) * out)),
    });
    tokens.forEach((token, slot) => {
      for (let row = 0, to = token * out, from = slot * out; row < out; row++, to++, from++)
        y[to] = (y[to] as number) + (added.values[from] as number);
    });
  }
}

function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = values[row * columns + column] as number;
  return result;
}
