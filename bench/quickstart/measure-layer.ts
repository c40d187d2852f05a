/** One layer of the quickstart: compared with the oracle, timed against the dense peers, as a row of the table. */

import { median, pairedRatio, timeInterleaved } from "../../compiler/calibrate/interleaved-timing.ts";
import type { TransformStages } from "../../compiler/driver/compilation.ts";
import type { DenseParameter, Layer, SparseParameter } from "../../runtime/index.ts";
import type { DensePeer } from "./dense-peers.ts";
import { type GivenMatrix, oracleForward, oracleWeight, relativeError } from "./layer-oracle.ts";
import type { LayerRow } from "./quickstart-table.ts";

export interface LayerCase {
  readonly tensor: string;
  readonly layer: Layer;
  readonly stages: TransformStages;
  readonly weight: GivenMatrix;
  /** The same weight, unchanged, in spx's own dense kernel. */
  readonly dense: Layer;
  readonly peers: readonly DensePeer[];
  readonly batches: readonly number[];
  readonly rounds: number;
}

export interface MeasuredLayer {
  readonly row: LayerRow;
  /** Peer that was fastest, one a batch. */
  readonly fastest: readonly string[];
}

/** A small generator, so that every run sees the same inputs. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 2 - 1;
  };
}

/** Small random values in every parameter: initial zeros would hide whole terms from the comparison. */
function moveParameters(layer: Layer): void {
  const next = numbers(7);
  const parameters = layer.parameters() as Readonly<Record<string, DenseParameter | SparseParameter>>;
  for (const { values } of Object.values(parameters)) {
    for (let index = 0; index < values.length; index += 1)
      values[index] = (values[index] ?? 0) + 0.02 * next();
  }
  layer.updated();
}

export function measureLayer(given: LayerCase): MeasuredLayer {
  const { layer, weight, batches } = given;
  moveParameters(layer);
  const expected = oracleWeight(given.stages, layer, { W: weight });
  let error = relativeError(layer.merge().data, expected.values);
  const ratios: number[] = [];
  const fastest: string[] = [];
  const plans: string[] = [];
  for (const batch of batches) {
    const next = numbers(batch);
    const x = Float32Array.from({ length: batch * layer.in }, next);
    const y = new Float32Array(batch * layer.out).fill(Number.NaN);
    layer.forward(x, { y });
    error = Math.max(error, relativeError(y, oracleForward(expected, x, batch)));
    const { ratio, peer } = timeAgainstPeers(given, x, y, batch);
    ratios.push(ratio);
    fastest.push(peer);
    plans.push(layer.plan(batch)[0]?.variant ?? "");
  }
  const row: LayerRow = {
    tensor: given.tensor,
    transform: layer.transform,
    trainable: layer.trainable,
    bytesBefore: weight.data.byteLength,
    bytesAfter: layer.bytes(1),
    // A NaN is no error below a bound.
    error: Number.isNaN(error) ? Number.POSITIVE_INFINITY : error,
    ratios,
    plans,
  };
  return { row, fastest };
}

function timeAgainstPeers(given: LayerCase, x: Float32Array, y: Float32Array, batch: number) {
  const { layer, dense, weight, peers, rounds } = given;
  const sizes = { batch, rows: layer.out, columns: layer.in };
  const other = new Float32Array(batch * layer.out);
  const contestants = [
    { name: "spx", run: () => void layer.forward(x, { y }) },
    { name: "spx's own dense kernel", run: () => void dense.forward(x, { y: other }) },
    ...peers.map((peer) => ({ name: peer.name, run: () => peer.multiply(x, weight.data, other, sizes) })),
  ];
  const [own, ...rest] = timeInterleaved(contestants, rounds, 0.4e-3);
  const best = rest.toSorted((a, b) => median(a.samples) - median(b.samples))[0];
  if (own === undefined || best === undefined) throw new Error("nothing was timed");
  return { ratio: pairedRatio(own, best), peer: best.name };
}
