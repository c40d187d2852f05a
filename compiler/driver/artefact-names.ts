/** The file names of an artefact, all from the base name of its source. */

export interface ArtefactNames {
  readonly javascript: string;
  readonly declarations: string;
  readonly manifest: string;
  readonly ir: string;
}

export function artefactNames(base: string): ArtefactNames {
  return {
    javascript: `${base}.js`,
    declarations: `${base}.d.ts`,
    manifest: `${base}.manifest.json`,
    ir: `${base}.ll`,
  };
}

/**
 * The kernels carry their hash in their name: the system's loader keeps a library for the life of a process and
 * answers a second load of the same path with the first file's code.
 */
export function kernelsName(base: string, hash: string): string {
  return `${base}-${hash.slice(0, 12)}.so`;
}

/** Whether `file` is a kernel library of an artefact called `base`. */
export function isKernelsName(base: string, file: string): boolean {
  return file.startsWith(`${base}-`) && /^[0-9a-f]{12}\.so$/.test(file.slice(base.length + 1));
}
