/**
 * A file built into a folder by a program that goes on with what it built: calibration and measurements. The command
 * line tells its problems one by one instead, and writes only where it may.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Manifest } from "../../runtime/contract/manifest.ts";
import { renderDiagnostics } from "../diagnostics/render-terminal.ts";
import { writeArtefact } from "../emit/artefact-writer.ts";
import type { CompileOptions, TransformStages } from "./compilation.ts";
import { compileFile } from "./compile.ts";
import { nodeHost } from "./node-host.ts";

export interface BuiltFolder {
  readonly folder: string;
  readonly manifest: Manifest;
  /** Path of the manifest, as `openArtefact` takes it. */
  readonly manifestFile: string;
  /** Path of the emitted module. */
  readonly moduleFile: string;
  /** By the transform's name. */
  readonly stages: ReadonlyMap<string, TransformStages>;
  /** From source to written files. */
  readonly seconds: number;
  readonly kernelBytes: number;
}

/** A build that failed, in the words of its diagnostics or problems. */
export class BuildFailure extends Error {}

/** @throws BuildFailure when the file does not compile or a tool is missing. */
export async function buildInto(
  folder: string,
  entry: string,
  options: Pick<CompileOptions, "variants" | "rates" | "factors"> = {},
): Promise<BuiltFolder> {
  const start = performance.now();
  const name = basename(entry, ".spx");
  const { compilation, artefact } = await compileFile(entry, nodeHost(), {
    name,
    runtime: "spx/runtime",
    keepIr: false,
    ...options,
  });
  if (artefact === null)
    throw new BuildFailure(renderDiagnostics(compilation.diagnostics, compilation.sources));
  if (artefact.kind === "problem")
    throw new BuildFailure(
      artefact.problems.map(({ code, message, help }) => `${code}: ${message}\n  ${help}`).join("\n"),
    );
  writeArtefact(folder, artefact.files, artefact.replaces);
  const kernels = artefact.files.filter(({ name: file }) => file.endsWith(".so"));
  return {
    folder,
    manifest: artefact.manifest,
    manifestFile: join(folder, artefact.manifestFile),
    moduleFile: join(folder, `${name}.js`),
    stages: new Map(compilation.transforms.map((stages) => [stages.checked.name, stages])),
    seconds: (performance.now() - start) / 1e3,
    kernelBytes: kernels.reduce((sum, { bytes }) => sum + Buffer.byteLength(bytes), 0),
  };
}

/** The same of a text, which is kept in the folder beside what it becomes. @throws BuildFailure as `buildInto`. */
export function buildText(
  folder: string,
  name: string,
  text: string,
  options: Pick<CompileOptions, "variants" | "rates" | "factors"> = {},
): Promise<BuiltFolder> {
  mkdirSync(folder, { recursive: true });
  const entry = join(folder, `${name}.spx`);
  writeFileSync(entry, text);
  return buildInto(folder, entry, options);
}
