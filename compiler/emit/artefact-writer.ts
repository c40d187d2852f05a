/**
 * Writes an artefact into a folder: every file beside its place first, then all renamed, the manifest last,
 * so that a full disk or a killed process leaves the previous artefact in place and nothing half-written.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface ArtefactFile {
  readonly name: string;
  readonly bytes: string | Uint8Array;
}

export function sha256(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/**
 * Writes `files` into `folder`, creating it where needed; afterwards removes the files that `replaces` names.
 * @throws NodeJS.ErrnoException when the folder cannot be written; nothing has changed then.
 */
export function writeArtefact(
  folder: string,
  files: readonly ArtefactFile[],
  replaces: (file: string) => boolean = () => false,
): void {
  mkdirSync(folder, { recursive: true });
  const suffix = `.${process.pid}-${randomBytes(4).toString("hex")}.part`;
  const written: string[] = [];
  try {
    for (const file of files) {
      const beside = join(folder, file.name + suffix);
      written.push(beside);
      writeFileSync(beside, file.bytes);
    }
    for (const file of files) renameSync(join(folder, file.name + suffix), join(folder, file.name));
    for (const name of readdirSync(folder).filter(replaces)) rmSync(join(folder, name), { force: true });
  } finally {
    for (const path of written) rmSync(path, { force: true });
  }
}
