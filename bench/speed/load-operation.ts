/** One operation at one shape: the layer of spx, the dense weight that it equals, and what peers make theirs of. */
import type { Layer } from "../../runtime/index.ts";
import { randomMatrix } from "../random-numbers.ts";
import { denseForm, type Loaded, type Operation } from "./operations.ts";
import type { Part } from "./peers/python-peers.ts";
import { compressRows, type SparseEntries } from "./problem.ts";
import { type QuantizedWeight, quantizedWeight } from "./quantized-weight.ts";
import { type BuiltOperations, loadLayer, type Parameters } from "./spx-contestant.ts";

export interface LoadedOperation {
  /** Null where spx does not offer the operation. */
  readonly layer: Layer<Parameters> | null;
  /** What the layer was loaded from. */
  readonly given: { readonly data: Float32Array; readonly shape: readonly number[] };
  /** The whole weight [out, in]. */
  readonly weight: Float32Array;
  readonly quantized: QuantizedWeight | null;
  /** The weight, its base and its parameters, for peers. */
  readonly parts: Readonly<Record<string, Part>>;
  /** Bytes of the weight as somebody stores it who leaves out zeros, or keeps fewer bits. */
  readonly compactBytes: number;
  /** The weight without its zeros, made when first asked for. */
  entries(): SparseEntries;
  /** Layers with weights of their own: of the operation, of its dense form, of its base. */
  copies(of: "own" | "dense" | "base", count: number): Promise<readonly Layer<Parameters>[]>;
  dispose(): void;
}

const bitsOf = { int8: 8, int4: 4, nf4: 4 } as const;

export async function loadOperation(
  built: BuiltOperations,
  operation: Operation,
  [out, inputs]: readonly [number, number],
  threads: number,
): Promise<LoadedOperation> {
  const given = { data: randomMatrix(out * inputs, 1, 1 / Math.sqrt(inputs)), shape: [out, inputs] };
  const layer = operation.loaded === null ? null : await loadLayer(built, operation.loaded, given, threads);
  // Who does what a load does starts where it starts.
  const isLoad = operation.pass === "load";
  const weight = layer === null || isLoad ? given.data : layer.merge().data;
  const merged = { data: weight, shape: [out, inputs] };
  const made: Record<"own" | "dense" | "base", Layer<Parameters>[]> = { own: [], dense: [], base: [] };
  if (layer !== null) made.own.push(layer);
  const forms: Readonly<Record<keyof typeof made, readonly [Loaded | null, typeof given]>> = {
    own: [operation.loaded, given],
    dense: [denseForm, merged],
    base: [operation.base, given],
  };
  const copies: LoadedOperation["copies"] = async (of, count) => {
    const [form, matrix] = forms[of];
    if (form === null) return [];
    while (made[of].length < count) made[of].push(await loadLayer(built, form, matrix, threads));
    return made[of].slice(0, count);
  };
  const stored = weight.reduce((count, value) => count + Number(value !== 0), 0);
  const [base] = await copies("base", operation.base === null ? 0 : 1);
  const grid = operation.quantized;
  const quantized =
    grid === null ? null : quantizedWeight(weight, inputs, grid.type, grid.block === 0 ? inputs : grid.block);
  let entries: SparseEntries | null = null;
  return {
    layer,
    given,
    weight,
    quantized,
    parts: partsOf(layer, base, merged, quantized),
    compactBytes:
      grid === null ? halvedOr(operation, weight, stored) : (weight.length * bitsOf[grid.type]) / 8,
    entries: () => {
      entries ??= compressRows(weight, out, inputs);
      return entries;
    },
    copies,
    dispose: () => {
      for (const layers of Object.values(made)) for (const each of layers) each.dispose();
    },
  };
}

/** Compressed rows take a value and a column for each. */
const halvedOr = ({ peers }: Operation, weight: Float32Array, stored: number): number =>
  peers === "bf16" ? 2 * weight.length : Math.min(weight.byteLength, 8 * Math.max(1, stored));

function partsOf(
  layer: Layer<Parameters> | null,
  base: Layer<Parameters> | undefined,
  merged: { readonly data: Float32Array; readonly shape: readonly number[] },
  quantized: QuantizedWeight | null,
): Record<string, Part> {
  const { shape } = merged;
  const parts: Record<string, Part> = { weight: { values: merged.data, shape } };
  if (base !== undefined) parts.W = { values: base.merge().data, shape };
  for (const [name, parameter] of Object.entries(layer?.parameters() ?? {})) {
    if (!("positions" in parameter)) {
      parts[name] = { values: parameter.values, shape: parameter.shape };
      continue;
    }
    const count = parameter.values.length;
    const columns = shape[1] ?? 1;
    const places = Float64Array.from(parameter.positions, Number);
    parts[name] = { values: parameter.values, shape: [count] };
    parts.rows = { values: Int32Array.from(places, (place) => Math.floor(place / columns)), shape: [count] };
    parts.columns = { values: Int32Array.from(places, (place) => place % columns), shape: [count] };
  }
  if (quantized !== null) {
    const { codes, scales, block } = quantized;
    parts.codes = { values: codes, shape };
    parts.scales = { values: scales, shape: [shape[0] ?? 0, (shape[1] ?? 0) / block] };
  }
  return parts;
}
