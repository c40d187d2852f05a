/** Compiles a source for real and opens the artefact with the runtime. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { renderDiagnostics } from "../../compiler/diagnostics/render-terminal.ts";
import type { TransformStages } from "../../compiler/driver/compilation.ts";
import { compileFile } from "../../compiler/driver/compile.ts";
import { nodeHost } from "../../compiler/driver/node-host.ts";
import { writeArtefact } from "../../compiler/emit/artefact-writer.ts";
import { type Artefact, type DenseParameter, type Layer, openArtefact, type SparseParameter } from "../../runtime/index.ts";

export interface BuiltProgram {
  readonly folder: string;
  readonly artefact: Artefact;
  readonly stages: ReadonlyMap<string, TransformStages>;
  readonly remove: () => void;
}

/** Builds `file`, or the text of a new file, into a fresh folder. */
export async function buildProgram(program: { file: string } | { text: string }): Promise<BuiltProgram> {
  const folder = mkdtempSync(join(tmpdir(), "spx-program-"));
  const entry = "file" in program ? program.file : join(folder, "program.spx");
  if ("text" in program) writeFileSync(entry, program.text);
  const options = { name: "program", runtime: "spx/runtime", keepIr: false };
  const { compilation, artefact } = await compileFile(entry, nodeHost(), options);
  if (artefact === null) throw new Error(renderDiagnostics(compilation.diagnostics, compilation.sources));
  if (artefact.kind === "problem") throw new Error(JSON.stringify(artefact.problems));
  writeArtefact(folder, artefact.files, artefact.replaces);
  return {
    folder,
    artefact: openArtefact(pathToFileURL(join(folder, artefact.manifestFile))),
    stages: new Map(compilation.transforms.map((stages) => [stages.checked.name, stages])),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A small deterministic generator for test data in (-1, 1). */
export function testNumbers(seed: number): () => number {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 2 - 1;
  };
}

export function testMatrix(seed: number, count: number): Float32Array {
  const next = testNumbers(seed);
  return Float32Array.from({ length: count }, next);
}

type Parameters = Readonly<Record<string, DenseParameter | SparseParameter>>;

/** Gives every parameter random values: initial zeros would hide whole terms from a comparison. */
export function randomizeParameters(layer: Layer, seed: number): void {
  const next = testNumbers(seed);
  for (const parameter of Object.values(layer.parameters() as Parameters)) {
    for (let index = 0; index < parameter.values.length; index += 1) parameter.values[index] = next();
  }
  layer.updated();
}
