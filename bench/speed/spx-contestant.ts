/** The cell itself: the transform of `operations.spx`, compiled, opened and loaded as a user would. */
import { join } from "node:path";
import { timeCalls } from "../../compiler/calibrate/interleaved-timing.ts";
import { type BuiltFolder, buildInto } from "../../compiler/driver/build-folder.ts";
import { packageFolder } from "../../compiler/driver/package-version.ts";
import {
  type Artefact,
  type DenseParameter,
  type Layer,
  openArtefact,
  type SparseParameter,
} from "../../runtime/index.ts";
import { randomMatrix } from "../random-numbers.ts";
import type { Cell } from "./cells.ts";
import type { Contestant } from "./contestant.ts";

export type Parameters = Readonly<Record<string, DenseParameter | SparseParameter>>;

export interface BuiltOperations extends BuiltFolder {
  readonly artefact: Artefact;
}

/** @throws BuildFailure when the file does not compile. */
export async function buildOperations(): Promise<BuiltOperations> {
  const root = packageFolder();
  const built = await buildInto(join(root, "build", "bench"), join(root, "bench/speed/operations.spx"));
  return { ...built, artefact: openArtefact(built.manifestFile) };
}

/** One layer of an operation on `weight`; `copy` tells the copies apart, which hold the same values. */
export async function loadLayer(
  built: BuiltOperations,
  { transform, numbers }: Pick<Cell["operation"], "transform" | "numbers">,
  weight: { readonly data: Float32Array; readonly shape: readonly number[] },
  threads: number,
): Promise<Layer<Parameters>> {
  const loadable = built.artefact.transform<object, Parameters>(transform);
  return loadable.load({ W: weight, ...numbers, seed: 1, threads });
}

/** @param dy [batch, out], for the passes that go backward. */
export function spxContestant(
  name: string,
  kind: Contestant["kind"],
  layers: readonly Layer<Parameters>[],
  { operation, batch }: Cell,
  x: Float32Array,
  dy: Float32Array,
): Contestant {
  const [first] = layers;
  if (first === undefined) throw new Error("no layer");
  const y = new Float32Array(batch * first.out).fill(Number.NaN);
  let next = 0;
  const pass = kind === "spx" ? operation.pass : "forward";
  const call = (): void => {
    const layer = layers[next] ?? first;
    next = (next + 1) % layers.length;
    if (pass !== "backward") layer.forward(x, { y });
    if (pass === "backward") layer.backward(x, dy, { dx: false });
    if (pass === "forward and backward") layer.backward(x, dy);
  };
  return {
    name,
    kind,
    sample: (calls) => timeCalls(calls, call),
    output: async () => (pass === "backward" ? null : y),
    close: async () => {
      for (const layer of layers) layer.dispose();
    },
  };
}

export const gradientInput = (batch: number, out: number): Float32Array => randomMatrix(batch * out, 3);
