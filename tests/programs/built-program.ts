/**
 * Compiles a source for real and opens the artefact with the runtime. Machine code is what a build waits for, so an
 * artefact is built once for one state of the compiler and shared by all test files.
 */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { renderDiagnostics } from "../../compiler/diagnostics/render-terminal.ts";
import type { TransformStages } from "../../compiler/driver/compilation.ts";
import { compileFile, planFile } from "../../compiler/driver/compile.ts";
import { nodeHost } from "../../compiler/driver/node-host.ts";
import { writeArtefact } from "../../compiler/emit/artefact-writer.ts";
import type { Manifest } from "../../runtime/contract/manifest.ts";
import { type Artefact, type DenseParameter, type Layer, openArtefact, type SparseParameter } from "../../runtime/index.ts";

export interface BuiltProgram {
  /** Shared with other tests: nothing in it may be changed. */
  readonly folder: string;
  readonly manifestFile: string;
  readonly artefact: Artefact;
  readonly stages: ReadonlyMap<string, TransformStages>;
}

const cache = join("node_modules", ".cache", "spx-tests");
/** What a build depends on beside the program; the folders in order. */
const compilerFolders = ["compiler", "grammar", "runtime/contract", "stdlib/std"];

let compilerHash: string | null = null;

/** sha256 over the names and bytes of every source that decides what a build gives. */
function hashOfCompiler(): string {
  if (compilerHash !== null) return compilerHash;
  const hash = createHash("sha256");
  for (const folder of compilerFolders) {
    const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.(ts|spx)$/.test(name));
    for (const name of names.sort()) hash.update(`${folder}/${name}\0`).update(readFileSync(join(folder, name)));
  }
  compilerHash = hash.update(readFileSync("package.json")).digest("hex").slice(0, 16);
  return compilerHash;
}

/** Folders of earlier compilers, left alone for an hour because a run beside this one may still use them. */
function forgetOldCompilers(current: string): void {
  for (const name of readdirSync(cache)) {
    const folder = join(cache, name);
    if (name !== current && Date.now() - statSync(folder).mtimeMs > 3_600_000) rmSync(folder, { recursive: true, force: true });
  }
}

const manifestIn = (folder: string): string | undefined =>
  readdirSync(folder).find((name) => /^program-[0-9a-f]+\.manifest\.json$/.test(name));

/** The artefact of `entry` in `target`, built beside it and renamed, so that a folder is whole or not there. */
async function buildInto(target: string, entry: string): Promise<void> {
  const parent = join(cache, hashOfCompiler());
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "building-"));
  try {
    const options = { name: "program", runtime: "spx/runtime", keepIr: false };
    const { compilation, artefact } = await compileFile(entry, nodeHost(), options);
    if (artefact === null) throw new Error(renderDiagnostics(compilation.diagnostics, compilation.sources));
    if (artefact.kind === "problem") throw new Error(JSON.stringify(artefact.problems));
    writeArtefact(folder, artefact.files, artefact.replaces);
    renameSync(folder, target);
  } catch (thrown) {
    rmSync(folder, { recursive: true, force: true });
    // Another test file built the same in the meantime.
    if (!isBuilt(target)) throw thrown;
  }
  forgetOldCompilers(hashOfCompiler());
}

function isBuilt(target: string): boolean {
  try {
    return manifestIn(target) !== undefined;
  } catch {
    return false;
  }
}

/** Builds `file`, or the text of a new file. */
export async function buildProgram(program: { file: string } | { text: string }): Promise<BuiltProgram> {
  const text = "file" in program ? readFileSync(program.file, "utf8") : program.text;
  const key = createHash("sha256").update(text).digest("hex").slice(0, 16);
  const parent = join(cache, hashOfCompiler());
  mkdirSync(parent, { recursive: true });
  const entry = "file" in program ? program.file : join(parent, `${key}.spx`);
  if ("text" in program) writeFileSync(entry, text);
  const folder = join(parent, key);
  if (!isBuilt(folder)) await buildInto(folder, entry);
  const manifestFile = manifestIn(folder);
  if (manifestFile === undefined) throw new Error(`no artefact of ${entry}`);
  const { transforms } = planFile(entry, nodeHost());
  return {
    folder,
    manifestFile,
    artefact: openArtefact(pathToFileURL(join(folder, manifestFile))),
    stages: new Map(transforms.map((stages) => [stages.checked.name, stages])),
  };
}

/**
 * The artefact of `program` with another manifest, written into `folder` beside a link to the kernels. `name` tells
 * the manifests in one folder apart.
 */
export function openChanged(
  program: BuiltProgram,
  place: { readonly folder: string; readonly name: string; readonly level: string },
  change: (manifest: Manifest) => Manifest,
): Artefact {
  const manifest = change(program.artefact.manifest());
  const kernels = join(place.folder, manifest.kernels.file);
  if (!existsSync(kernels)) symlinkSync(resolve(program.folder, manifest.kernels.file), kernels);
  const path = join(place.folder, `${place.name}.manifest.json`);
  writeFileSync(path, JSON.stringify(manifest));
  return openArtefact(path, null, { level: place.level });
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
