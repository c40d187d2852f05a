/**
 * Which file a path to a checkpoint means: the file itself, or the one that a folder is known to keep it in.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { describeCause, SpxError, systemCode } from "../errors.ts";

export interface CheckpointLocation {
  readonly kind: "file" | "index";
  readonly file: string;
}

const singleFile = "model.safetensors";
const indexFile = "model.safetensors.index.json";

/** @throws SpxError SPX8001 when there is no checkpoint, SPX8022 when it is not clear which file is meant. */
export async function locateCheckpoint(path: string): Promise<CheckpointLocation> {
  if (!(await isFolder(path))) return { kind: path.endsWith(".json") ? "index" : "file", file: path };
  const entries = await listFolder(path);
  if (entries.includes(singleFile)) return { kind: "file", file: join(path, singleFile) };
  if (entries.includes(indexFile)) return { kind: "index", file: join(path, indexFile) };
  const candidates = entries.filter((name) => name.endsWith(".safetensors")).sort();
  const [only, ...others] = candidates;
  if (only === undefined) {
    throw new SpxError("SPX8001", `${path}: the folder holds no safetensors file`, {
      facts: { file: path, entries: entries.slice(0, 20) },
      help: `give the folder that holds \`${singleFile}\` or \`${indexFile}\`, or the file itself`,
    });
  }
  if (others.length > 0) {
    throw new SpxError(
      "SPX8022",
      `${path}: the folder holds ${candidates.length} safetensors files and no index`,
      {
        facts: { file: path, candidates },
        help: `give one of the files itself, or add \`${indexFile}\``,
      },
    );
  }
  return { kind: "file", file: join(path, only) };
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw notFound(path, cause);
  }
}

async function listFolder(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (cause) {
    throw notFound(path, cause);
  }
}

function notFound(path: string, cause: unknown): SpxError {
  const reason = systemCode(cause) === "ENOENT" ? "there is no such file or folder" : describeCause(cause);
  return new SpxError("SPX8001", `${path}: the checkpoint cannot be opened: ${reason}`, {
    facts: { file: path, reason },
    help: "check the path and the permission to read it",
    cause,
  });
}
