/** The file names of an artefact, all from the base name of its source. */

export interface ArtefactNames {
  readonly javascript: string;
  readonly declarations: string;
  readonly ir: string;
}

export function artefactNames(base: string): ArtefactNames {
  return {
    javascript: `${base}.js`,
    declarations: `${base}.d.ts`,
    ir: `${base}.ll`,
  };
}

const hashLength = 12;

/**
 * The kernels carry their hash in their name: the system's loader keeps a library for the life of a process and
 * answers a second load of the same path with the first file's code.
 */
export function kernelsName(base: string, hash: string): string {
  return `${base}-${hash.slice(0, hashLength)}.so`;
}

/**
 * The manifest carries its hash too, so that a new artefact lies beside the old one until the one rename of the
 * module, which names the manifest, makes it the artefact.
 */
export function manifestName(base: string, hash: string): string {
  return `${base}-${hash.slice(0, hashLength)}.manifest.json`;
}

/** The CUDA source, and what was compiled from it: `sm_80.cubin`, `sm_90a.cubin`, `sm_80.ptx`. */
export function cudaName(base: string, hash: string, ending: string): string {
  return `${base}-${hash.slice(0, hashLength)}.${ending}`;
}

/** Whether `file` is a manifest or holds kernels of some artefact called `base`. */
export function isHashedName(base: string, file: string): boolean {
  return (
    file.startsWith(`${base}-`) &&
    /^[0-9a-f]{12}\.(?:so|manifest\.json|cu|sm_\w+\.(?:cubin|ptx))$/.test(file.slice(base.length + 1))
  );
}
