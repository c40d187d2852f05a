/**
 * Artefacts: what an emitted module opens. Opening costs nothing; the manifest is read when something of it is
 * first asked for, the kernels when the first layer is loaded.
 */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { suggestNames } from "../checkpoint/nearest-names.ts";
import type { Manifest, ModelManifest, TransformManifest } from "../contract/manifest.ts";
import { type CpuDevice, openCpuDevice } from "../device/cpu/cpu-device.ts";
import { SpxError } from "../errors.ts";
import { createModel, type Model } from "./load-model.ts";
import { readManifest } from "./read-manifest.ts";
import { createTransform, type Transform, type TransformHome } from "./transform.ts";

export interface Artefact {
  /** @throws SpxError SPX8101 to SPX8103, SPX8201. */
  manifest(): Manifest;
  /** The transform called `name`; whether there is one is checked at its first use. */
  transform<A extends object, P>(name: string): Transform<A, P>;
  model(name: string): Model;
}

export interface ArtefactOptions {
  /** Instruction-set level to use instead of the widest that runs, by name or last part (`v3`). */
  readonly level?: string;
}

/**
 * The artefact whose manifest is at `location` (a file URL or a path); `sha256` is that of the manifest's bytes.
 */
export function openArtefact(
  location: URL | string,
  sha256: string | null = null,
  options: ArtefactOptions = {},
): Artefact {
  let path: string | null = null;
  let manifest: Manifest | null = null;
  let device: CpuDevice | null = null;
  const pathOf = (): string => (path ??= typeof location === "string" ? location : fileURLToPath(location));
  const manifestOf = (): Manifest => (manifest ??= readManifest(pathOf(), sha256));
  const deviceOf = (): CpuDevice => (device ??= openCpuDevice(pathOf(), manifestOf(), options.level ?? null));
  return artefactOver(manifestOf, deviceOf, () => dirname(pathOf()));
}

/** An artefact over a manifest and a device that are made on demand; `folder` holds its files. */
export function artefactOver(
  manifest: () => Manifest,
  device: () => CpuDevice,
  folder: () => string = () => ".",
): Artefact {
  const homeOf = (name: string): TransformHome => ({
    manifest: () => transformNamed(manifest(), name),
    device,
    cuda() {
      const { cuda: library, abi } = manifest();
      return library === null ? null : { folder: folder(), library, abi };
    },
    source: () => manifest().sources[0]?.sha256 ?? "",
  });
  return {
    manifest,
    transform: (name) => createTransform(name, homeOf(name)),
    model: (name) => createModel(name, () => modelNamed(manifest(), name), homeOf),
  };
}

function transformNamed({ transforms }: Manifest, name: string): TransformManifest {
  const found = transforms.find((transform) => transform.name === name);
  if (found === undefined)
    throw notThere(
      "transform",
      name,
      transforms.map((transform) => transform.name),
    );
  return found;
}

function modelNamed({ models }: Manifest, name: string): ModelManifest {
  const found = models.find((model) => model.name === name);
  if (found === undefined)
    throw notThere(
      "model",
      name,
      models.map((model) => model.name),
    );
  return found;
}

function notThere(kind: string, name: string, known: readonly string[]): SpxError {
  return new SpxError("SPX8104", `the artefact has no ${kind} \`${name}\``, {
    facts: { kind, name, known },
    help: suggestNames(name, known, kind),
  });
}
