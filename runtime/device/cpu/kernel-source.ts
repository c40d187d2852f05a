/**
 * Where kernels come from: a shared library of an artefact, opened on first use and once per process, after its
 * hash and its contract version were checked.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { KernelLibrary } from "../../contract/manifest.ts";
import { SpxError } from "../../errors.ts";
import { type Kernel, openLibrary } from "../../native/foreign-library.ts";

/** Kernels by symbol. The one thing that a test has to provide to run without native code. */
export interface KernelSource {
  /** @throws SpxError SPX8303 when there is no such kernel. */
  kernel(symbol: string): Kernel;
}

/** Path → what was loaded from it: the system's loader never reads a path a second time. */
const opened = new Map<string, { readonly sha256: string; readonly source: KernelSource }>();

/**
 * The kernels in the file at `path`.
 * @throws SpxError SPX8103 when the file is not the one of the manifest, SPX8201 for another contract version,
 *   SPX8301 and SPX8302 when it cannot be loaded, or an older build of the same path is.
 */
export function openKernels(path: string, manifest: KernelLibrary, abi: number): KernelSource {
  const known = opened.get(path);
  if (known?.sha256 === manifest.sha256) return known.source;
  if (known !== undefined) throw alreadyLoaded(path);
  checkFile(path, manifest);
  const library = openLibrary(path);
  const version = library.declare({ name: "spx_abi_version", result: "int32", parameters: [] })();
  if (version !== abi) {
    throw new SpxError(
      "SPX8201",
      `the kernels \`${path}\` follow contract version ${version}, this runtime ${abi}`,
      {
        facts: { file: path, found: Number(version), expected: abi },
        help: "build the artefact again with the spxc of this package",
      },
    );
  }
  const kernels = new Map<string, Kernel>();
  const source: KernelSource = {
    kernel(symbol) {
      const kernel = kernels.get(symbol) ?? library.declareKernel(symbol);
      kernels.set(symbol, kernel);
      return kernel;
    },
  };
  opened.set(path, { sha256: manifest.sha256, source });
  return source;
}

function alreadyLoaded(path: string): SpxError {
  return new SpxError(
    "SPX8302",
    `another version of the kernels \`${path}\` is loaded in this process already`,
    {
      facts: { file: path },
      help: "start a new process to use the new build, or build into another folder",
    },
  );
}

function checkFile(path: string, { sha256, bytes }: KernelLibrary): void {
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch (cause) {
    throw new SpxError("SPX8301", `the kernels \`${path}\` cannot be read`, {
      facts: { file: path },
      help: "keep the files of an artefact in one folder, or build it again",
      cause,
    });
  }
  const found = createHash("sha256").update(content).digest("hex");
  if (found === sha256) return;
  throw new SpxError(
    "SPX8103",
    `the kernels \`${path}\` are not the ones that the manifest was written for`,
    {
      facts: { file: path, expected: sha256, found, bytes, foundBytes: content.length },
      help: "build the artefact again; its files belong together",
    },
  );
}
