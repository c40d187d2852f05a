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
import type { Contestant } from "./contestant.ts";
import type { Loaded, Pass } from "./operations.ts";

export type Parameters = Readonly<Record<string, DenseParameter | SparseParameter>>;

export interface BuiltOperations extends BuiltFolder {
  readonly artefact: Artefact;
}

/** @param level instruction-set level of all kernels; null for the widest that runs. @throws BuildFailure */
export async function buildOperations(level: string | null): Promise<BuiltOperations> {
  const root = packageFolder();
  const built = await buildInto(join(root, "build", "bench"), join(root, "bench/speed/operations.spx"), {
    factors: "bf16",
  });
  return { ...built, artefact: openArtefact(built.manifestFile, null, level === null ? {} : { level }) };
}

export async function loadLayer(
  { artefact }: BuiltOperations,
  { transform, numbers, rounds }: Loaded,
  weight: { readonly data: Float32Array; readonly shape: readonly number[] },
  threads: number,
): Promise<Layer<Parameters>> {
  const loadable = artefact.transform<object, Parameters>(transform);
  return loadable.load({
    W: weight,
    ...numbers,
    seed: 1,
    threads,
    ...(rounds === true ? { elements: "bf16" } : {}),
  });
}

/** Loads the layer anew for each call, from a weight that lies in memory. */
export function loadingContestant(
  built: BuiltOperations,
  loaded: Loaded,
  weight: { readonly data: Float32Array; readonly shape: readonly number[] },
  threads: number,
): Contestant {
  return {
    name: "spx",
    kind: "spx",
    async sample(calls) {
      const start = performance.now();
      for (let call = 0; call < calls; call += 1) (await loadLayer(built, loaded, weight, threads)).dispose();
      return (performance.now() - start) / 1e3;
    },
    output: async () => null,
    close: async () => undefined,
  };
}

/** A step of the optimizer for each call, with one gradient. */
export function updatingContestant(layer: Layer<Parameters>, threads: number): Contestant {
  const optimizer = layer.adamW();
  const filled = (values: Float32Array): Float32Array => new Float32Array(values.length).fill(0.01);
  const grads = Object.fromEntries(
    Object.entries(layer.parameters()).map(([name, parameter]) => [
      name,
      { ...parameter, values: filled(parameter.values) },
    ]),
  );
  return {
    name: "spx",
    kind: "spx",
    sample: (calls) => timeCalls(calls, () => optimizer.step(grads, { threads })),
    output: async () => null,
    close: async () => undefined,
  };
}

/** @param dy [batch, out], for the passes that go backward; their gradients go where those of the first call went. */
export function spxContestant(
  { name, kind }: Pick<Contestant, "name" | "kind">,
  layers: readonly Layer<Parameters>[],
  pass: Pass,
  { x, dy, batch }: { readonly x: Float32Array; readonly dy: Float32Array; readonly batch: number },
): Contestant {
  const [first] = layers;
  if (first === undefined) throw new Error("no layer");
  const y = new Float32Array(batch * first.out).fill(Number.NaN);
  let next = 0;
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
    close: async () => undefined,
  };
}
