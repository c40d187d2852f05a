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
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { renderDiagnostics } from "../../compiler/diagnostics/render-terminal.ts";
import type { TransformStages } from "../../compiler/driver/compilation.ts";
import { compileFile, planFile } from "../../compiler/driver/compile.ts";
import { nodeHost } from "../../compiler/driver/node-host.ts";
import { StageClock } from "../../compiler/driver/stage-clock.ts";
import { writeArtefact } from "../../compiler/emit/artefact-writer.ts";
import type { VariantChoice } from "../../compiler/plan/keep-variants.ts";
import type { Manifest } from "../../runtime/contract/manifest.ts";
import {
  type Artefact,
  type DenseParameter,
  type Layer,
  openArtefact,
  type SparseParameter,
} from "../../runtime/index.ts";
import { elementCount } from "../../runtime/tensor/tensor.ts";

export interface BuiltProgram {
  /** Shared with other tests: nothing in it may be changed. */
  readonly folder: string;
  readonly manifestFile: string;
  readonly artefact: Artefact;
  readonly stages: ReadonlyMap<string, TransformStages>;
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const cache = join(root, "node_modules", ".cache", "spx-tests");
/** What machine code depends on beside the program. */
const compilerFolders = ["compiler", "grammar", "runtime/contract", "runtime/native"];

let compilerHash: string | null = null;

/** A hash of the names and bytes of every source that decides what a build gives. */
function hashOfCompiler(): string {
  if (compilerHash !== null) return compilerHash;
  const hash = createHash("sha256").update(readFileSync(join(root, "package.json")));
  for (const folder of compilerFolders.map((name) => join(root, name))) {
    const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".ts"),
    );
    for (const name of names.sort()) hash.update(`${name}\0`).update(readFileSync(join(folder, name)));
  }
  compilerHash = hash.digest("hex").slice(0, 16);
  return compilerHash;
}

/** Made on first use; folders of earlier compilers go, after an hour, because another run may still read them. */
function cacheFolder(): string {
  const current = hashOfCompiler();
  mkdirSync(join(cache, current), { recursive: true });
  for (const name of readdirSync(cache)) {
    const folder = join(cache, name);
    const age = Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    if (name !== current && age > 3_600_000) rmSync(folder, { recursive: true, force: true });
  }
  return join(cache, current);
}

const manifestIn = (folder: string): string | undefined =>
  existsSync(folder)
    ? readdirSync(folder).find((name) => /^program-[0-9a-f]+\.manifest\.json$/.test(name))
    : undefined;

/** Builds beside `target` and renames, so that the folder is whole or not there. */
async function buildInto(target: string, entry: string, variants: VariantChoice): Promise<void> {
  const folder = mkdtempSync(`${target}-`);
  try {
    const options = { name: "program", runtime: "spx/runtime", keepIr: false, variants };
    const { artefact } = await compileFile(entry, nodeHost(), options);
    if (artefact === null || artefact.kind === "problem") throw new Error(JSON.stringify(artefact?.problems));
    writeArtefact(folder, artefact.files, artefact.replaces);
    renameSync(folder, target);
  } catch (thrown) {
    rmSync(folder, { recursive: true, force: true });
    // Another test file may have built the same in the meantime.
    if (manifestIn(target) === undefined) throw thrown;
  }
}

const shortHash = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);

/**
 * Builds `file`, or the text of a new file, with the variants that win somewhere or with a set that covers every atom, format and layout.
 * @throws Error with the diagnostics when it has errors.
 */
export async function buildProgram(
  program: { file: string } | { text: string },
  variants: VariantChoice = "winning",
): Promise<BuiltProgram> {
  const parent = cacheFolder();
  const entry = "file" in program ? program.file : join(parent, `${shortHash(program.text)}.spx`);
  if ("text" in program && !existsSync(entry)) writeFileSync(entry, program.text);
  const { diagnostics, sources, transforms } = planFile(entry, nodeHost(), new StageClock(), variants);
  if (diagnostics.some(({ severity }) => severity === "error"))
    throw new Error(renderDiagnostics(diagnostics, sources));
  const folder = join(
    parent,
    shortHash(JSON.stringify([variants, sources.map(({ file, text }) => [file, text])])),
  );
  if (manifestIn(folder) === undefined) await buildInto(folder, entry, variants);
  const manifestFile = manifestIn(folder);
  if (manifestFile === undefined) throw new Error(`no artefact of ${entry}`);
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
  if (!existsSync(kernels)) symlinkSync(join(program.folder, manifest.kernels.file), kernels);
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

/** Values for every argument tensor of a transform: [out, inputs], or a stack of such matrices. */
export function givenTensors(
  { checked }: TransformStages,
  out: number,
  inputs: number,
): Record<string, { data: Float32Array; shape: number[] }> {
  const tensors = checked.arguments.flatMap((argument, index) => {
    if (argument.kind !== "tensor") return [];
    const [count] = argument.dimensions.length === 3 ? argument.dimensions : [];
    const shape = [...(count?.kind === "number" ? [count.value] : []), out, inputs];
    return [[argument.name, { data: testMatrix(out * 31 + inputs + index, elementCount(shape)), shape }]];
  });
  return Object.fromEntries(tensors);
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
