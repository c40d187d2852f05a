/** One layer of the quickstart: compared with the oracle, timed against the dense peers, as a row of the table. */

import { repeatedly, timeInTurn } from "../../compiler/calibrate/interleaved-timing.ts";
import { median, pairedRatio } from "../../compiler/calibrate/sample-statistics.ts";
import type { TransformStages } from "../../compiler/driver/compilation.ts";
import type { DenseParameter, Layer, SparseParameter } from "../../runtime/index.ts";
import { randomMatrix, randomNumbers } from "../random-numbers.ts";
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

/** Small random values in every parameter: initial zeros would hide whole terms from the comparison. */
function moveParameters(layer: Layer): void {
  const next = randomNumbers(7);
  const parameters = layer.parameters() as Readonly<Record<string, DenseParameter | SparseParameter>>;
  for (const { values } of Object.values(parameters)) {
    for (let index = 0; index < values.length; index += 1)
      values[index] = (values[index] ?? 0) + 0.02 * next();
  }
  layer.updated();
}

export async function measureLayer(given: LayerCase): Promise<MeasuredLayer> {
  const { layer, weight, batches } = given;
  moveParameters(layer);
  const expected = oracleWeight(given.stages, layer, { W: weight });
  let error = relativeError(layer.merge().data, expected.values);
  const ratios: number[] = [];
  const fastest: string[] = [];
  const plans: string[] = [];
  for (const batch of batches) {
    const x = randomMatrix(batch * layer.in, batch);
    const y = new Float32Array(batch * layer.out).fill(Number.NaN);
    layer.forward(x, { y });
    error = Math.max(error, relativeError(y, oracleForward(expected, x, batch)));
    const { ratio, peer } = await timeAgainstPeers(given, x, y, batch);
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

async function timeAgainstPeers(given: LayerCase, x: Float32Array, y: Float32Array, batch: number) {
  const { layer, dense, weight, peers, rounds } = given;
  const sizes = { batch, out: layer.out, inputs: layer.in };
  const other = new Float32Array(batch * layer.out);
  const contestants = [
    repeatedly("spx", () => void layer.forward(x, { y })),
    repeatedly("spx's own dense kernel", () => void dense.forward(x, { y: other })),
    ...peers.map(({ name, multiply }) => repeatedly(name, () => multiply(x, weight.data, other, sizes))),
  ];
  const [own, ...rest] = await timeInTurn(contestants, { rounds, sampleSeconds: 0.4e-3 });
  const best = rest.toSorted((a, b) => median(a.samples) - median(b.samples))[0];
  if (own === undefined || best === undefined) throw new Error("nothing was timed");
  return { ratio: pairedRatio(own.samples, best.samples), peer: best.name };
}
