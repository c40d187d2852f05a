/** The cell itself: the transform of `operations.spx`, compiled, opened and loaded as a user would. */
import { join } from "node:path";
import { renderDiagnostics } from "../../compiler/diagnostics/render-terminal.ts";
import type { TransformStages } from "../../compiler/driver/compilation.ts";
import { compileFile } from "../../compiler/driver/compile.ts";
import { nodeHost } from "../../compiler/driver/node-host.ts";
import { packageFolder } from "../../compiler/driver/package-version.ts";
import { writeArtefact } from "../../compiler/emit/artefact-writer.ts";
import {
  type Artefact,
  type DenseParameter,
  type Layer,
  openArtefact,
  type SparseParameter,
} from "../../runtime/index.ts";
import type { Cell } from "./cells.ts";
import { type Contestant, timeCalls } from "./contestant.ts";
import { randomMatrix } from "./problem.ts";

export type Parameters = Readonly<Record<string, DenseParameter | SparseParameter>>;

export interface BuiltOperations {
  readonly artefact: Artefact;
  readonly stages: ReadonlyMap<string, TransformStages>;
  readonly seconds: number;
  /** Of the kernels, all operations together. */
  readonly bytes: number;
}

/** @throws Error with the rendered diagnostics when the file does not compile. */
export async function buildOperations(): Promise<BuiltOperations> {
  const root = packageFolder();
  const start = performance.now();
  const { compilation, artefact } = await compileFile(join(root, "bench/speed/operations.spx"), nodeHost(), {
    name: "operations",
    runtime: "spx/runtime",
    keepIr: false,
  });
  if (artefact === null) throw new Error(renderDiagnostics(compilation.diagnostics, compilation.sources));
  if (artefact.kind === "problem")
    throw new Error(artefact.problems.map(({ message }) => message).join("\n"));
  const folder = join(root, "build", "bench");
  writeArtefact(folder, artefact.files, artefact.replaces);
  const seconds = (performance.now() - start) / 1e3;
  const manifest = artefact.files.find(({ name }) => name.endsWith(".manifest.json"));
  const kernels = artefact.files.find(({ name }) => name.endsWith(".so"));
  if (manifest === undefined || kernels === undefined) throw new Error("the artefact is not complete");
  return {
    artefact: openArtefact(join(folder, manifest.name)),
    stages: new Map(compilation.transforms.map((stages) => [stages.checked.name, stages])),
    seconds,
    bytes: kernels.bytes.length,
  };
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
    sample: async (calls) => timeCalls(calls, call),
    output: async () => (pass === "backward" ? null : y),
    close: async () => {
      for (const layer of layers) layer.dispose();
    },
  };
}

export const gradientInput = (batch: number, out: number): Float32Array => randomMatrix(batch * out, 3);
