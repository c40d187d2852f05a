/**
 * Writes an artefact into a folder: every file beside its place first, then all renamed in their order, and what was
 * renamed is put back when one of them fails. The files whose names carry their hash come first, the module that
 * names them after them: its one rename is what a build that is killed has done or has not done.
 */
import { createHash, randomBytes } from "node:crypto";
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";

export interface ArtefactFile {
  readonly name: string;
  readonly bytes: string | Uint8Array;
}

export function sha256(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/**
 * Asks before a build takes its time whether `folder` can be written, or made; nothing is made.
 * @throws NodeJS.ErrnoException when it cannot.
 */
export function checkWritable(folder: string): void {
  let nearest = resolve(folder);
  while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest);
  if (!statSync(nearest).isDirectory()) throw new Error(`\`${nearest}\` is a file`);
  accessSync(nearest, constants.W_OK | constants.X_OK);
}

/**
 * Writes `files` into `folder`, creating it where needed; afterwards removes the files that `replaces` names and what
 * killed builds left. @throws NodeJS.ErrnoException when the folder cannot be written; nothing has changed then.
 */
export function writeArtefact(
  folder: string,
  files: readonly ArtefactFile[],
  replaces: (file: string) => boolean = () => false,
): void {
  const made = mkdirSync(folder, { recursive: true });
  const ending = `.${process.pid}-${randomBytes(4).toString("hex")}.part`;
  const beside = (file: ArtefactFile): string => join(folder, file.name + ending);
  let done = false;
  try {
    for (const file of files) writeFileSync(beside(file), file.bytes);
    placeAll(folder, files, ending);
    done = true;
  } finally {
    for (const file of files) clearAway(beside(file));
    if (!done && made !== undefined) clearAway(made);
  }
  for (const name of namesIn(folder)) {
    if (replaces(name) || isLeftOver(name, files, replaces)) clearAway(join(folder, name));
  }
}

/** The artefact stands whether or not this goes well, and the next write tries again. */
function clearAway(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {}
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Renames every file into its place, or none. */
function placeAll(folder: string, files: readonly ArtefactFile[], ending: string): void {
  const undo: (() => void)[] = [];
  const copies: string[] = [];
  try {
    for (const { name } of files) {
      const target = join(folder, name);
      const before = `${target}${ending}.before`;
      const replacing = existsSync(target);
      if (replacing) {
        copies.push(before);
        copyFileSync(target, before);
      }
      renameSync(target + ending, target);
      undo.push(() => (replacing ? renameSync(before, target) : rmSync(target, { force: true })));
    }
  } catch (cause) {
    for (const step of undo.reverse()) step();
    throw cause;
  } finally {
    for (const copy of copies) clearAway(copy);
  }
}

/** Whether `name` is an unfinished file of this artefact whose writer is no longer alive. */
function isLeftOver(
  name: string,
  files: readonly ArtefactFile[],
  replaces: (file: string) => boolean,
): boolean {
  const [, target, writer] = /^(.+)\.(\d+)-[0-9a-f]{8}\.part(?:\.before)?$/.exec(name) ?? [];
  if (target === undefined || !(replaces(target) || files.some((file) => file.name === target))) return false;
  try {
    process.kill(Number(writer), 0);
    return false;
  } catch (cause) {
    return cause instanceof Error && "code" in cause && cause.code === "ESRCH";
  }
}
