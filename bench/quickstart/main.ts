/**
 * The main job of the quickstart: compile `examples/encoder.spx`, import the compiled module, transform every
 * linear layer of a checkpoint, compare with float64, time against dense libraries, print one table.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildInto } from "../../compiler/driver/build-folder.ts";
import { packageFolder } from "../../compiler/driver/package-version.ts";
import type { FloatMatrix, LoadOptions, Model, Transform } from "../../runtime/index.ts";
import { openCheckpoint, toFloat32 } from "../../runtime/index.ts";
import { detectCpu } from "../../runtime/native/cpu-features.ts";
import { findDensePeers } from "./dense-peers.ts";
import { measureLayer } from "./measure-layer.ts";
import { type LayerRow, printTable, summarize } from "./quickstart-table.ts";

export interface QuickstartOptions {
  /** File or folder of safetensors. */
  readonly checkpoint: string;
  /** Interleaved samples of each contestant. */
  readonly rounds: number;
  readonly say: (line: string) => void;
  /** Called after each layer with the part done. */
  readonly progress: (done: number, total: number, tensor: string) => void;
}

const batches = [1, 16, 128];
const errorBound = 1e-5;

/** The module that `spxc build` makes of `examples/encoder.spx`. */
interface EncoderModule {
  readonly Encoder: Model;
  readonly Dense: Transform<{ readonly W: FloatMatrix } & LoadOptions, Record<string, never>>;
}

/** True when every layer's error is inside its bound. */
export async function quickstart({
  checkpoint: path,
  rounds,
  say,
  progress,
}: QuickstartOptions): Promise<boolean> {
  const threads = Math.min(detectCpu().cores, 8);
  // Opened first: a path that leads nowhere should not cost a compilation to find out.
  const checkpoint = await openCheckpoint(path);
  const { module, stages } = await buildEncoder(say);
  const peers = findDensePeers(threads);
  const names = ["spx's own dense kernel", ...peers.map((peer) => peer.name)];
  say(`timing on ${threads} threads against ${names.join(", ")}`);
  const rows: LayerRow[] = [];
  const fastest = new Map<string, number>();
  try {
    const matches = module.Encoder.match(checkpoint.names).filter((match) => match.transform !== null);
    for await (const { tensor, layer } of module.Encoder.load(checkpoint, { seed: 1, threads })) {
      const stored = await checkpoint.read(tensor);
      const weight = { data: toFloat32(stored), shape: stored.shape };
      const dense = await module.Dense.load({ W: weight, threads });
      const transform = stages.get(layer.transform);
      if (transform === undefined) throw new Error(`no algebra for ${layer.transform}`);
      const measured = await measureLayer({
        tensor,
        layer,
        stages: transform,
        weight,
        dense,
        peers,
        batches,
        rounds,
      });
      rows.push(measured.row);
      for (const name of measured.fastest) fastest.set(name, (fastest.get(name) ?? 0) + 1);
      layer.dispose();
      dense.dispose();
      progress(rows.length, matches.length, tensor);
    }
  } finally {
    await checkpoint.close();
  }
  const peer = [...fastest].map(([name, count]) => `${name} ${count} times`).join(", ");
  say("");
  say(printTable(rows, batches, peer));
  if (rows.length > 0) say(`\n${summarize(rows, batches)}`);
  return conclude(rows, say);
}

async function buildEncoder(say: (line: string) => void) {
  const root = packageFolder();
  const source = join(root, "examples", "encoder.spx");
  const output = join(root, "build", "quickstart");
  say("compiling examples/encoder.spx, as `npx spxc build examples/encoder.spx -o build/quickstart` does");
  const { moduleFile, stages } = await buildInto(output, source);
  const module = (await import(pathToFileURL(moduleFile).href)) as EncoderModule;
  return { module, stages };
}

function conclude(rows: readonly LayerRow[], say: (line: string) => void): boolean {
  const wrong = rows.filter((row) => !(row.error <= errorBound));
  for (const row of wrong) say(`error: ${row.tensor} is off by ${row.error}, the bound is ${errorBound}`);
  if (rows.length === 0) say("error: no layer was transformed");
  else if (wrong.length === 0) {
    const worst = Math.max(...rows.map((row) => row.error));
    say(
      `\nAll ${rows.length} layers are inside the bound of ${errorBound}; the largest error is ${worst.toExponential(1)}.`,
    );
  }
  return wrong.length === 0 && rows.length > 0;
}
