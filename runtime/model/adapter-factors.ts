/**
 * Low-rank adapters as callers give them, checked and packed, and which token gets which: what the CPU and a device have in
 * common.
 */
import { adapterTileTokens } from "../contract/cuda.ts";
import type { TransformManifest } from "../contract/manifest.ts";
import { SpxError } from "../errors.ts";
import type { DenseTensor } from "../select/dense-tensor.ts";
import { type FloatMatrix, widenTensor } from "./widen-tensor.ts";

/** A factor: a tensor, or a dense parameter as `parameters()` lends it. */
export type AdapterFactor =
  | FloatMatrix
  | { readonly values: Float32Array; readonly shape: readonly number[] };

/** scale B A, added to the weight for the tokens that name it. Read once, when it is given. */
export interface LowRankAdapter {
  /** [r, in]; r may differ from adapter to adapter. */
  readonly A: AdapterFactor;
  /** [out, r]. */
  readonly B: AdapterFactor;
  /** alpha / r of a LoRA, say; 1 unless given. */
  readonly scale?: number;
}

/** All adapters, their factors one below the other. */
export interface AdapterFactors {
  /** By adapter: its rank and the row at which its factors begin. */
  readonly ranks: readonly { readonly rank: number; readonly first: number }[];
  readonly rows: number;
  readonly largest: number;
  /** A of all: [rows, in]. */
  readonly down: Float32Array;
  /** scale B.T of all: [rows, out]. */
  readonly up: Float32Array;
}

/** @throws SpxError SPX8403 to SPX8405, SPX8409 for the factors, SPX8407 for a scale that is not finite. */
export function packAdapters(
  transform: TransformManifest,
  { out, in: inputs }: { readonly out: number; readonly in: number },
  adapters: readonly LowRankAdapter[],
): AdapterFactors {
  const given = adapters.map(({ A, B, scale = 1 }, number) => {
    const nameOf = (factor: "A" | "B"): string => `${factor} of adapter ${number}`;
    const down = widenTensor(transform, nameOf("A"), asTensor(A));
    const up = widenTensor(transform, nameOf("B"), asTensor(B));
    const rank = down.shape[0] ?? 0;
    checkShape(transform, nameOf("A"), down, [rank, inputs]);
    checkShape(transform, nameOf("B"), up, [out, rank]);
    if (!Number.isFinite(scale)) {
      throw new SpxError("SPX8407", `the scale of adapter ${number} is ${scale}`, {
        facts: { transform: transform.name, adapter: number, found: scale },
        help: "give a finite number, or none for 1",
      });
    }
    return { rank, down, up, scale };
  });
  const ranks = given.map(({ rank }, number) => {
    const before = given.slice(0, number).reduce((sum, adapter) => sum + adapter.rank, 0);
    return { rank, first: before };
  });
  const rows = given.reduce((sum, { rank }) => sum + rank, 0);
  const [down, up] = [new Float32Array(rows * inputs), new Float32Array(rows * out)];
  given.forEach((adapter, number) => {
    const { first = 0, rank = 0 } = ranks[number] ?? {};
    down.set(adapter.down.values, first * inputs);
    for (let row = 0; row < out; row++)
      for (let j = 0; j < rank; j++)
        up[(first + j) * out + row] = adapter.scale * (adapter.up.values[row * rank + j] ?? 0);
  });
  return { ranks, rows, largest: Math.max(0, ...ranks.map(({ rank }) => rank)), down, up };
}

const asTensor = (factor: AdapterFactor): unknown =>
  typeof factor === "object" && factor !== null && "values" in factor
    ? { data: factor.values, shape: factor.shape }
    : factor;

function checkShape(
  { name }: TransformManifest,
  factor: string,
  { shape }: DenseTensor,
  expected: readonly number[],
): void {
  if (shape.length === 2 && shape.every((size, axis) => size === expected[axis])) return;
  throw new SpxError(
    "SPX8405",
    `${factor} of \`${name}\` is [${shape.join(", ")}], expected [${expected.join(", ")}]`,
    {
      facts: { transform: name, found: shape, expected },
      help: "give A as [r, in] and B as [out, r], with the same r",
    },
  );
}

/** Tokens of one adapter, ascending. */
export interface AdapterSegment {
  readonly adapter: number;
  readonly tokens: readonly number[];
}

/**
 * The tokens by adapter; those without one, and those of an adapter of rank 0, are left out.
 * @throws SpxError SPX8404 unless `index` is an Int32Array, SPX8405 unless it has one number for each of `batch` tokens,
 *   SPX8407 for a number that names no adapter and is not -1.
 */
export function adapterSegments(
  { ranks }: Pick<AdapterFactors, "ranks">,
  index: Int32Array,
  batch: number,
): readonly AdapterSegment[] {
  if (!(index instanceof Int32Array)) {
    throw new SpxError("SPX8404", "the index of adapters is no Int32Array", {
      facts: { found: typeof index, expected: "Int32Array" },
      help: "give an Int32Array with the number of an adapter for each token, -1 for none",
    });
  }
  if (index.length !== batch) {
    throw new SpxError("SPX8405", `the index of adapters has ${index.length} numbers for ${batch} tokens`, {
      facts: { found: index.length, expected: batch },
      help: "give one number for each row of x",
    });
  }
  const tokens: number[][] = ranks.map(() => []);
  index.forEach((adapter, token) => {
    if (adapter === -1) return;
    const own = tokens[adapter];
    if (own !== undefined) {
      own.push(token);
      return;
    }
    throw new SpxError("SPX8407", `token ${token} names adapter ${adapter} of ${ranks.length}`, {
      facts: { token, found: adapter, adapters: ranks.length },
      help: `give 0 to ${ranks.length - 1}, or -1 for a token without an adapter`,
    });
  });
  return tokens.flatMap((own, adapter) =>
    own.length === 0 || ranks[adapter]?.rank === 0 ? [] : [{ adapter, tokens: own }],
  );
}

/** The table of a call as `CudaAdapters` describes it: tiles first, padded with tiles of no tokens, then slots. */
export function adapterTable(
  { ranks }: Pick<AdapterFactors, "ranks">,
  segments: readonly AdapterSegment[],
  batch: number,
): Int32Array {
  const tiles = Math.floor(batch / adapterTileTokens) + ranks.length;
  const table = new Int32Array(4 * tiles + batch);
  let [tile, slot] = [0, 0];
  for (const { adapter, tokens } of segments) {
    const { first = 0, rank = 0 } = ranks[adapter] ?? {};
    table.set(tokens, 4 * tiles + slot);
    for (let begin = 0; begin < tokens.length; begin += adapterTileTokens) {
      const count = Math.min(adapterTileTokens, tokens.length - begin);
      table.set([first, rank, slot + begin, count], 4 * tile++);
    }
    slot += tokens.length;
  }
  return table;
}
